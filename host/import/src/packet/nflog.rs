//! Messages of Linux netfilter's log (`LINKTYPE_NFLOG`): an address family and attributes, of which one is the packet.

use super::layer::{Parsed, versioned};
use super::{NotIp, be16};

/// Attributes looked at before a message counts as contradictory; the kernel writes some twenty.
const ATTRIBUTES_MAX: usize = 64;
/// Bytes of family, version and resource in front of the attributes.
const HEADER_BYTES: usize = 4;
/// The attribute that is the packet (`NFULA_PAYLOAD`).
const PAYLOAD: u16 = 9;

/// Lengths and types are in the byte order of the machine that captured; types are small in that one.
pub(super) fn parse(data: &[u8]) -> Parsed<'_> {
    let [family, version, ..] = *data else { return Err(NotIp::Short) };
    if version != 0 {
        return Err(NotIp::Malformed);
    }
    let mut at = HEADER_BYTES;
    for _ in 0..ATTRIBUTES_MAX {
        let (length, kind) = (be16(data, at).ok_or(NotIp::Short)?, be16(data, at + 2).ok_or(NotIp::Short)?);
        let swapped = kind.swap_bytes() < kind;
        let (length, kind) = if swapped { (length.swap_bytes(), kind.swap_bytes()) } else { (length, kind) };
        let Some(value_bytes) = usize::from(length).checked_sub(4) else { return Err(NotIp::Malformed) };
        if kind == PAYLOAD {
            let value = &data[at + 4..data.len().min(at + 4 + value_bytes)];
            return match family {
                2 => versioned(value, 4, value_bytes as u64),
                10 => versioned(value, 6, value_bytes as u64),
                other => Err(NotIp::Family(other.into())),
            };
        }
        at += usize::from(length).next_multiple_of(4);
    }
    Err(NotIp::Malformed)
}
