//! BGP messages (RFC 4271 §4): finds UPDATEs and lays out what they announce and withdraw.

use super::cursor::{AsWidth, Cursor, Family, Malformed};
use super::nlri::{Prefix, has_path_ids, read_prefixes};
use super::{Attributes, Encoding, Routes};

/// Bytes of the header: marker, length, type.
pub const HEADER_BYTES: usize = 19;

/// Which families of a session carry path identifiers (RFC 7911).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddPath {
    /// IPv4 unicast.
    pub v4: bool,
    /// IPv6 unicast.
    pub v6: bool,
}

impl AddPath {
    /// Whether a family does.
    #[must_use]
    pub const fn of(self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

/// What the session agreed on that changes the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Bytes of an AS number.
    pub as_width: AsWidth,
    /// Path identifiers.
    pub add_path: AddPath,
}

/// A BGP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// UPDATE: its body.
    Update(&'a [u8]),
    /// OPEN: its body.
    Open(&'a [u8]),
    /// Any other, by name.
    Other(&'static str),
}

/// Reads a message that takes the first of `bytes`, and passes over it.
///
/// # Errors
/// When the header lies about the length or names no message.
pub fn read_message<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
    cursor.take(16, "a BGP message is cut short")?;
    let (len, kind) = (usize::from(cursor.u16()?), cursor.u8()?);
    let body_len = len.checked_sub(HEADER_BYTES).ok_or(Malformed("a BGP message is shorter than its header"))?;
    let body = cursor.take(body_len, "a BGP message is longer than its record")?;
    Ok(match kind {
        1 => Message::Open(body),
        2 => Message::Update(body),
        3 => Message::Other("notification"),
        4 => Message::Other("keepalive"),
        5 => Message::Other("route refresh"),
        _ => return Err(Malformed("a BGP message is of unknown type")),
    })
}

/// The routes of one UPDATE, reusable. Prefixes are read before any is used, so that a malformed update gives none. At
/// most 65,535 prefixes fit into a message, because each takes a byte or more.
#[derive(Debug, Default)]
pub struct Update {
    /// Attributes of what is announced.
    pub attributes: Attributes,
    /// Prefixes withdrawn.
    pub withdrawn: Vec<Prefix>,
    /// Prefixes announced with the next hop of NEXT_HOP.
    pub announced: Vec<Prefix>,
    /// Prefixes announced with the next hop of MP_REACH_NLRI.
    pub announced_mp: Vec<Prefix>,
    /// Next hop of MP_REACH_NLRI.
    pub next_hop_mp: Option<[u8; 16]>,
    /// Whether it has routes of a family that is not IP unicast.
    pub other_family: bool,
}

impl Update {
    /// Whether it says nothing about IP unicast routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.withdrawn.is_empty() && self.announced.is_empty() && self.announced_mp.is_empty()
    }

    /// Reads the body of an UPDATE in place of the one read before.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn read(&mut self, body: &[u8], session: Session) -> Result<(), Malformed> {
        self.withdrawn.clear();
        self.announced.clear();
        self.announced_mp.clear();
        self.next_hop_mp = None;
        self.other_family = false;
        let mut cursor = Cursor::new(body);
        let len = usize::from(cursor.u16()?);
        let withdrawn = cursor.take(len, "the withdrawn routes are longer than the update")?;
        let len = usize::from(cursor.u16()?);
        let block = cursor.take(len, "the path attributes are longer than the update")?;
        let found = self.attributes.read(block, Encoding { as_width: session.as_width, table_dump: false })?;
        let lists =
            Lists { withdrawn, announced: cursor.rest(), reach: found.reach.map(|r| r.routes), unreach: found.unreach };
        let add_path = lists.add_path(session.add_path);
        read_prefixes(withdrawn, Family::V4, add_path.v4, &mut self.withdrawn)?;
        read_prefixes(lists.announced, Family::V4, add_path.v4, &mut self.announced)?;
        if let Some(reach) = found.reach {
            self.next_hop_mp = reach.next_hop;
            self.other_family |= !read_unicast(reach.routes, add_path, &mut self.announced_mp)?;
        }
        if let Some(routes) = found.unreach {
            self.other_family |= !read_unicast(routes, add_path, &mut self.withdrawn)?;
        }
        Ok(())
    }
}

/// The routes of an update as they are encoded.
struct Lists<'a> {
    withdrawn: &'a [u8],
    announced: &'a [u8],
    reach: Option<Routes<'a>>,
    unreach: Option<Routes<'a>>,
}

impl<'a> Lists<'a> {
    /// Which families carry path identifiers, by the session and by what fits.
    fn add_path(&self, said: AddPath) -> AddPath {
        let multi = |family| {
            let nlri = |routes: Routes<'a>| if routes.unicast() == Some(family) { routes.nlri } else { &[] };
            [self.reach, self.unreach].map(|routes| routes.map_or(&[][..], nlri))
        };
        let ([reach4, unreach4], [reach6, unreach6]) = (multi(Family::V4), multi(Family::V6));
        AddPath {
            v4: has_path_ids(&[self.withdrawn, self.announced, reach4, unreach4], Family::V4, said.v4),
            v6: has_path_ids(&[reach6, unreach6], Family::V6, said.v6),
        }
    }
}

/// Reads routes if they are IP unicast; tells whether they are.
fn read_unicast(routes: Routes<'_>, add_path: AddPath, into: &mut Vec<Prefix>) -> Result<bool, Malformed> {
    let Some(family) = routes.unicast() else { return Ok(false) };
    read_prefixes(routes.nlri, family, add_path.of(family), into).map(|()| true)
}
