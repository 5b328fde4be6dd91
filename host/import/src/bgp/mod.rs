//! What BGP messages and table dumps say about a route: path attributes (RFC 4271 §4.3 and later), prefixes, updates.
//! Pure decoding; which errors spoil what follows RFC 7606: a malformed attribute that routes depend on spoils its
//! record, one that is only informative is passed over.

pub mod cursor;
pub mod nlri;
pub mod path;
pub mod update;

use cursor::{AsWidth, Cursor, Family, Malformed, mapped};
use path::{AsPath, push_decimal};

/// AS_TRANS: stands for a number of four bytes in messages of old speakers (RFC 6793 §9).
const AS_TRANS: u32 = 23_456;

/// How a route came into BGP (RFC 4271 §5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From an interior protocol.
    Igp,
    /// From EGP.
    Egp,
    /// Otherwise.
    Incomplete,
}

impl Origin {
    /// As `route/1` writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Igp => "igp",
            Self::Egp => "egp",
            Self::Incomplete => "incomplete",
        }
    }
}

/// The path attributes of one route, reusable: reading others replaces them.
#[derive(Debug, Default)]
pub struct Attributes {
    /// ORIGIN.
    pub origin: Option<Origin>,
    /// NEXT_HOP, IPv4 mapped.
    pub next_hop: Option<[u8; 16]>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// Whether ATOMIC_AGGREGATE is there.
    pub atomic_aggregate: bool,
    /// AS of AGGREGATOR or AS4_AGGREGATOR.
    pub aggregator_as: Option<u32>,
    /// COMMUNITIES as text, empty without.
    pub communities: String,
    /// LARGE_COMMUNITY as text, empty without.
    pub large_communities: String,
    /// The path as text; meaningful with `has_path`.
    pub as_path: String,
    /// Whether there is an AS_PATH.
    pub has_path: bool,
    path: AsPath,
    as4_path: AsPath,
    /// Bytes of an AS number in what was read, where the path tells it.
    width: Option<AsWidth>,
    as4_aggregator: Option<u32>,
    seen: [u64; 4],
}

/// How attributes are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Bytes of an AS number in AS_PATH and AGGREGATOR.
    pub as_width: AsWidth,
    /// Whether they are those of a table dump, whose MP_REACH_NLRI may be a bare next hop (RFC 6396 §4.3.4).
    pub table_dump: bool,
}

/// The multiprotocol attributes (RFC 4760).
#[derive(Debug, Default, Clone, Copy)]
pub struct Multiprotocol<'a> {
    /// MP_REACH_NLRI.
    pub reach: Option<Reach<'a>>,
    /// MP_UNREACH_NLRI.
    pub unreach: Option<Routes<'a>>,
}

/// Announced routes.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'a> {
    /// The next hop, IPv4 mapped; the global address where there are two.
    pub next_hop: Option<[u8; 16]>,
    /// The routes.
    pub routes: Routes<'a>,
}

/// Routes of a family that is not decoded yet.
#[derive(Debug, Clone, Copy)]
pub struct Routes<'a> {
    /// Address family identifier.
    pub afi: u16,
    /// Subsequent address family identifier: 1 unicast.
    pub safi: u8,
    /// The routes as encoded.
    pub nlri: &'a [u8],
}

impl Routes<'_> {
    /// The address family, if these are unicast routes.
    #[must_use]
    pub fn unicast(&self) -> Option<Family> {
        if self.safi == 1 { Family::of(self.afi) } else { None }
    }
}

impl Attributes {
    /// AS numbers in the path; none without a path.
    #[must_use]
    pub fn path_len(&self) -> Option<u64> {
        self.has_path.then(|| self.path.length())
    }

    /// The origin of the path, if it has one.
    #[must_use]
    pub fn origin_as(&self) -> Option<u32> {
        self.path.origin()
    }

    /// Reads a block of path attributes in place of those read before.
    ///
    /// # Errors
    /// When the block is cut short or an attribute that routes depend on is malformed.
    pub fn read<'a>(&mut self, block: &'a [u8], encoding: Encoding) -> Result<Multiprotocol<'a>, Malformed> {
        self.clear();
        let mut found = Multiprotocol::default();
        let mut cursor = Cursor::new(block);
        while !cursor.is_empty() {
            let [flags, code] = cursor.array()?;
            let len = if flags & 0x10 == 0 { u16::from(cursor.u8()?) } else { cursor.u16()? };
            let value = cursor.take(usize::from(len), "a path attribute is longer than what is left")?;
            if self.is_first(code) {
                self.attribute(code, value, encoding, &mut found)?;
            }
        }
        self.settle(self.width.unwrap_or(encoding.as_width));
        Ok(found)
    }

    fn clear(&mut self) {
        self.origin = None;
        self.next_hop = None;
        self.med = None;
        self.local_pref = None;
        self.atomic_aggregate = false;
        self.aggregator_as = None;
        self.as4_aggregator = None;
        self.width = None;
        self.has_path = false;
        self.communities.clear();
        self.large_communities.clear();
        self.as_path.clear();
        self.path.clear();
        self.as4_path.clear();
        self.seen = [0; 4];
    }

    /// Of an attribute that is there twice the first counts (RFC 7606 §3 g).
    fn is_first(&mut self, code: u8) -> bool {
        let (word, bit) = (usize::from(code / 64), 1_u64 << (code % 64));
        let first = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        first
    }

    fn attribute<'a>(
        &mut self,
        code: u8,
        value: &'a [u8],
        encoding: Encoding,
        found: &mut Multiprotocol<'a>,
    ) -> Result<(), Malformed> {
        match code {
            1 => self.origin = Some(origin(value)?),
            2 => {
                self.width = Some(self.read_path(value, encoding.as_width)?);
                self.has_path = true;
            }
            3 => self.next_hop = Some(mapped(exactly(value, "NEXT_HOP is not 4 bytes")?)),
            4 => self.med = Some(u32::from_be_bytes(exactly(value, "MULTI_EXIT_DISC is not 4 bytes")?)),
            5 => self.local_pref = Some(u32::from_be_bytes(exactly(value, "LOCAL_PREF is not 4 bytes")?)),
            6 => self.atomic_aggregate = value.is_empty(),
            7 => self.aggregator_as = aggregator(value, self.width.unwrap_or(encoding.as_width)),
            8 => communities(value, &mut self.communities)?,
            14 => found.reach = Some(reach(value, encoding.table_dump)?),
            15 => found.unreach = Some(unreach(value)?),
            17 => self.read_as4_path(value),
            18 => self.as4_aggregator = aggregator(value, AsWidth::Four),
            32 => large_communities(value, &mut self.large_communities)?,
            _ => {}
        }
        Ok(())
    }

    /// Reads AS_PATH, of numbers as the record says, or else, where only that fits, of the other width: collectors have
    /// written paths of two bytes in records of four, and the other way round. Tells the width.
    fn read_path(&mut self, value: &[u8], said: AsWidth) -> Result<AsWidth, Malformed> {
        let Err(malformed) = self.path.read(value, said) else { return Ok(said) };
        let other = said.other();
        if self.path.read(value, other).is_ok() { Ok(other) } else { Err(malformed) }
    }

    /// A malformed AS4_PATH is passed over (RFC 6793 §6).
    fn read_as4_path(&mut self, value: &[u8]) {
        if self.as4_path.read(value, AsWidth::Four).is_err() {
            self.as4_path.clear();
        }
    }

    /// Brings old and new attributes together (RFC 6793 §4.2.3) and writes the path. The new ones are ignored only where
    /// both aggregators are there and the old one is not AS_TRANS: then an old speaker has aggregated since.
    fn settle(&mut self, width: AsWidth) {
        let both = self.aggregator_as.zip(self.as4_aggregator);
        // Between speakers of four bytes there are no such attributes, and what is there means nothing (RFC 6793 §6).
        if width == AsWidth::Two && both.is_none_or(|(old, _)| old == AS_TRANS) {
            self.path.merge(&self.as4_path);
            self.aggregator_as = both.map(|(_, new)| new).or(self.aggregator_as);
        }
        self.path.write(&mut self.as_path);
    }
}

fn exactly<const N: usize>(value: &[u8], otherwise: &'static str) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| Malformed(otherwise))
}

fn origin(value: &[u8]) -> Result<Origin, Malformed> {
    match value {
        [0] => Ok(Origin::Igp),
        [1] => Ok(Origin::Egp),
        [2] => Ok(Origin::Incomplete),
        _ => Err(Malformed("ORIGIN is none of its three values")),
    }
}

/// The AS of an aggregator; a value of the wrong length is passed over (RFC 7606 §7.7).
fn aggregator(value: &[u8], width: AsWidth) -> Option<u32> {
    (value.len() == width.bytes() + 4).then(|| Cursor::new(value).asn(width).ok()).flatten()
}

fn communities(value: &[u8], text: &mut String) -> Result<(), Malformed> {
    let (each, rest) = value.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Malformed("COMMUNITIES is not of 4 bytes each"));
    }
    for [a, b, c, d] in each {
        if !text.is_empty() {
            text.push(' ');
        }
        push_decimal(text, u32::from(u16::from_be_bytes([*a, *b])));
        text.push(':');
        push_decimal(text, u32::from(u16::from_be_bytes([*c, *d])));
    }
    Ok(())
}

fn large_communities(value: &[u8], text: &mut String) -> Result<(), Malformed> {
    let (words, rest) = value.as_chunks::<4>();
    if !rest.is_empty() || words.len() % 3 != 0 {
        return Err(Malformed("LARGE_COMMUNITY is not of 12 bytes each"));
    }
    for (index, word) in words.iter().enumerate() {
        match (index, index % 3) {
            (0, _) => {}
            (_, 0) => text.push(' '),
            _ => text.push(':'),
        }
        push_decimal(text, u32::from_be_bytes(*word));
    }
    Ok(())
}

/// MP_REACH_NLRI, or only its next hop in a table dump. The two are told apart by the first byte: that of an address
/// family is zero, the length of a next hop is not.
fn reach(value: &[u8], table_dump: bool) -> Result<Reach<'_>, Malformed> {
    let mut cursor = Cursor::new(value);
    if table_dump && value.first().is_some_and(|first| *first != 0) {
        let len = cursor.u8()?;
        let next_hop = cursor.take(usize::from(len), "the next hop of MP_REACH_NLRI is cut short")?;
        let routes = Routes { afi: 0, safi: 0, nlri: &[] };
        return Ok(Reach { next_hop: global_next_hop(next_hop), routes });
    }
    let (afi, safi, len) = (cursor.u16()?, cursor.u8()?, cursor.u8()?);
    let next_hop = cursor.take(usize::from(len), "the next hop of MP_REACH_NLRI is cut short")?;
    cursor.u8()?;
    Ok(Reach { next_hop: global_next_hop(next_hop), routes: Routes { afi, safi, nlri: cursor.rest() } })
}

/// The next hop of 4 or 16 bytes, or the first of two of 16 (RFC 2545 §3).
fn global_next_hop(bytes: &[u8]) -> Option<[u8; 16]> {
    match bytes.len() {
        4 => Some(mapped(bytes.try_into().ok()?)),
        16 | 32 => bytes.first_chunk::<16>().copied(),
        _ => None,
    }
}

fn unreach(value: &[u8]) -> Result<Routes<'_>, Malformed> {
    let mut cursor = Cursor::new(value);
    let (afi, safi) = (cursor.u16()?, cursor.u8()?);
    Ok(Routes { afi, safi, nlri: cursor.rest() })
}

#[cfg(test)]
mod tests;
