//! Templates: the layout of the data records of an exporter (RFC 3954 §5.2 and §6.1, RFC 7011 §3.4), compiled to the
//! values that a row needs and where they are.

use super::element::{Bearing, Place, Unread};
use super::raw::Raw;
use super::slot::Slot;

/// The length that says "variable" (RFC 7011 §7).
const VARIABLE: u16 = 65535;
/// Bytes that a template takes besides its fields: its place in the map of its exporter at the lowest load (three slots of
/// 17 bytes) and the counters of its `Arc`.
const PLACE_BYTES: usize = 3 * 17 + 16;
/// Scope type `interface` of NetFlow v9 (RFC 3954 §6.1).
const SCOPE_INTERFACE: u16 = 2;
/// Bytes of padding that a set of v9 may end with so that the next begins at a multiple of four (RFC 3954 §5.3, which
/// does not say that they are zero).
const PADDING_BYTES_MAX: usize = 3;
/// The columns that the beginning of a packet tells.
const PACKET_COLUMNS: [&str; 10] =
    ["src", "dst", "proto", "src_port", "dst_port", "packets", "bytes", "tcp_flags", "icmp_type", "tos"];

/// One value to take from a record of fixed length.
#[derive(Debug, Clone, Copy)]
struct Take {
    at: u32,
    len: u16,
    place: Place,
}

/// One field to walk over: its length, and where its value goes.
type Walked = (u16, Option<Place>);

/// Where the values are.
#[derive(Debug, Clone)]
enum Layout {
    /// All records have this length; the values to take.
    Fixed(usize, Box<[Take]>),
    /// Every field must be walked. Fields without bytes are left out, so that the work is bounded by the bytes of a
    /// record, whose shortest form has this length.
    Walk(usize, Box<[Walked]>),
}

/// A template.
#[derive(Debug, Clone)]
pub(super) struct Template {
    layout: Layout,
    /// Whether its records describe the exporter (options template).
    pub(super) options: bool,
    /// Whether the scope of its records is an interface.
    pub(super) by_interface: bool,
    /// What its records say about a column and nobody reads, though nothing else in them tells it.
    pub(super) unread: Box<[Unread]>,
}

/// A field as its template lists it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) enterprise: u32,
    pub(super) id: u16,
    pub(super) len: u16,
    pub(super) scope: bool,
}

/// Which rules a set follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) ipfix: bool,
    pub(super) options: bool,
}

impl Template {
    pub(super) fn of(fields: &[Field], kind: Kind) -> Self {
        let interface = |field: &&Field| field.scope && (field.id == if kind.ipfix { 10 } else { SCOPE_INTERFACE });
        let by_interface = fields.iter().any(|field| interface(&field));
        let bearing = |field: &Field| {
            if field.scope && !kind.ipfix {
                let interface = field.id == SCOPE_INTERFACE;
                return Bearing::of(0, if interface { 10 } else { 0 }, field.len);
            }
            Bearing::of(field.enterprise, field.id, field.len)
        };
        let place = |field: &Field| if let Bearing::Read(place, _) = bearing(field) { Some(place) } else { None };
        let variable = kind.ipfix && fields.iter().any(|field| field.len == VARIABLE);
        let layout = if variable {
            let shortest = |field: &Field| if field.len == VARIABLE { 1 } else { usize::from(field.len) };
            let walked = fields.iter().filter(|field| field.len > 0).map(|field| (field.len, place(field)));
            Layout::Walk(fields.iter().map(shortest).sum(), walked.collect())
        } else {
            let mut at = 0u32;
            let mut takes = Vec::new();
            for field in fields {
                takes.extend(place(field).map(|place| Take { at, len: field.len, place }));
                at += u32::from(field.len);
            }
            Layout::Fixed(at as usize, takes.into())
        };
        let unread = unread(fields.iter().map(bearing), kind.options);
        Self { layout, options: kind.options, by_interface, unread }
    }

    /// Bytes that the template holds in memory, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + PLACE_BYTES
            + self.unread.len() * size_of::<Unread>()
            + match &self.layout {
                Layout::Fixed(_, takes) => takes.len() * size_of::<Take>(),
                Layout::Walk(_, fields) => fields.len() * size_of::<Walked>(),
            }
    }

    /// Bytes of its shortest record.
    pub(super) fn shortest(&self) -> usize {
        match self.layout {
            Layout::Fixed(len, _) | Layout::Walk(len, _) => len,
        }
    }

    /// How many records the body of a set has; none when it is not records of this template and padding to its end
    /// (RFC 7011 §3.3.1: shorter than a record, and zero). A set is judged before the first of its rows is made.
    pub(super) fn records(&self, body: &[u8], ipfix: bool) -> Option<u64> {
        let (records, rest) = match &self.layout {
            Layout::Fixed(len, _) => (body.len() / len, body.len() % len),
            Layout::Walk(shortest, fields) => count(fields, *shortest, body),
        };
        let aligned = !ipfix && rest <= PADDING_BYTES_MAX && records > 0;
        let padding = aligned || body[body.len() - rest..].iter().all(|byte| *byte == 0);
        (padding && rest < self.shortest()).then_some(records as u64)
    }

    /// Reads the record at the start of `bytes`; its length, or none when the rest is too short for one.
    #[inline]
    pub(super) fn read<'a>(&self, bytes: &'a [u8], raw: &mut Raw<'a>) -> Option<usize> {
        raw.clear();
        match &self.layout {
            Layout::Fixed(len, takes) => {
                let record = bytes.get(..*len)?;
                for take in takes {
                    let at = take.at as usize;
                    raw.set(take.place, &record[at..at + usize::from(take.len)]);
                }
                Some(*len)
            }
            Layout::Walk(_, fields) => walk(fields, bytes, raw),
        }
    }
}

/// The fields that could have told a column which no other field tells. Options are asked for sampling alone.
fn unread(fields: impl Iterator<Item = Bearing> + Clone, options: bool) -> Box<[Unread]> {
    let told = |column: &str, reverse: bool| {
        fields.clone().any(|field| match field {
            Bearing::Read(place, element) => {
                let packet = matches!(place.slot, Slot::FrameSection | Slot::IpSection);
                place.reverse == reverse && (element.column == column || packet && PACKET_COLUMNS.contains(&column))
            }
            _ => false,
        })
    };
    let mut unread = Vec::new();
    for field in fields.clone() {
        if let Bearing::Unread(field) = field
            && (!options || field.element.column == "sampling")
            && !unread.contains(&field)
            && !told(field.element.column, field.reverse)
        {
            unread.push(field);
        }
    }
    unread.into()
}

/// How many records the body of a set begins with, and how many bytes are left over.
fn count(fields: &[Walked], shortest: usize, body: &[u8]) -> (usize, usize) {
    let (mut records, mut at) = (0, 0);
    while body.len() - at >= shortest {
        // Zeros behind a record are padding where they are too few for one that says something.
        let Some(length) = length(fields, &body[at..]) else { break };
        at += length;
        records += 1;
    }
    (records, body.len() - at)
}

/// The length of the record at the start of `bytes`.
fn length(fields: &[Walked], bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for (len, _) in fields {
        let (from, len) = value(*len, bytes, at)?;
        at = from + len;
    }
    (at <= bytes.len()).then_some(at)
}

/// Where a value begins, and its length, which it says itself where it is variable.
#[inline]
fn value(len: u16, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if len != VARIABLE {
        return Some((at, usize::from(len)));
    }
    match usize::from(*bytes.get(at)?) {
        255 => Some((at + 3, usize::from(u16::from_be_bytes([*bytes.get(at + 1)?, *bytes.get(at + 2)?])))),
        len => Some((at + 1, len)),
    }
}

/// Reads a record with fields of variable length (RFC 7011 §7).
fn walk<'a>(fields: &[Walked], bytes: &'a [u8], raw: &mut Raw<'a>) -> Option<usize> {
    let mut at = 0;
    for (len, place) in fields {
        let (from, len) = value(*len, bytes, at)?;
        at = from + len;
        let value = bytes.get(from..at)?;
        if let Some(place) = place {
            raw.set(*place, value);
        }
    }
    Some(at)
}
