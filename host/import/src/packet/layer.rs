//! What the layers below IP share: to pass over a header, and what is behind MPLS labels.

use super::ip::with_payload;
use super::{NotIp, Packet, be32};

/// A packet and what was captured of its payload.
pub(super) type Parsed<'a> = Result<(Packet, &'a [u8]), NotIp>;

/// Labels taken off a packet before it counts as contradictory.
const LABELS_MAX: usize = 16;

/// What follows `at`, captured and on the wire.
#[inline]
pub(super) fn rest(data: &[u8], at: usize, wire_bytes: u64) -> Result<(&[u8], u64), NotIp> {
    Ok((data.get(at..).ok_or(NotIp::Short)?, wire_bytes.saturating_sub(at as u64)))
}

/// A packet that must be of this version.
#[inline]
pub(super) fn versioned(data: &[u8], version: u8, wire_bytes: u64) -> Parsed<'_> {
    match data.first() {
        Some(first) if first >> 4 == version => with_payload(data, wire_bytes),
        Some(_) => Err(NotIp::Malformed),
        None => Err(NotIp::Short),
    }
}

/// The packet behind MPLS labels (RFC 3032). What is no IP there is another payload, whose kind nothing says.
pub(super) fn labelled(data: &[u8], at: usize, protocol: u16, wire_bytes: u64) -> Parsed<'_> {
    let at = labels(data, at)?;
    let (data, wire) = rest(data, at, wire_bytes)?;
    with_payload(data, wire).map_err(|error| if error == NotIp::Malformed { NotIp::EtherType(protocol) } else { error })
}

/// Where the label stack ends.
fn labels(data: &[u8], mut at: usize) -> Result<usize, NotIp> {
    for _ in 0..LABELS_MAX {
        let label = be32(data, at).ok_or(NotIp::Short)?;
        at += 4;
        if label & 0x100 != 0 {
            return Ok(at);
        }
    }
    Err(NotIp::Malformed)
}
