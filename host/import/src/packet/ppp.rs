//! PPP (RFC 1661) from its protocol on, and over Ethernet (RFC 2516).

use super::layer::{Parsed, labelled, rest, versioned};
use super::{NotIp, be16};

/// Bytes of the PPPoE header.
const PPPOE_BYTES: usize = 6;

/// A frame from its protocol on, which is one byte where that is odd (RFC 1661 §6.5).
pub(super) fn protocol(data: &[u8], wire_bytes: u64) -> Parsed<'_> {
    let first = *data.first().ok_or(NotIp::Short)?;
    let (protocol, at) = match first & 1 {
        1 => (u16::from(first), 1),
        _ => (be16(data, 0).ok_or(NotIp::Short)?, 2),
    };
    let (rest, wire) = rest(data, at, wire_bytes)?;
    match protocol {
        0x0021 => versioned(rest, 4, wire),
        0x0057 => versioned(rest, 6, wire),
        0x0281 => labelled(rest, 0, 0x8847, wire),
        0x0283 => labelled(rest, 0, 0x8848, wire),
        other => Err(NotIp::Ppp(other)),
    }
}

/// PPPoE from its version on; what is behind its length is padding of the frame.
pub(super) fn pppoe(data: &[u8], wire_bytes: u64) -> Parsed<'_> {
    let header = data.first_chunk::<PPPOE_BYTES>().ok_or(NotIp::Short)?;
    if header[1] != 0 {
        return Err(NotIp::EtherType(0x8863));
    }
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let payload = &data[PPPOE_BYTES..data.len().min(PPPOE_BYTES + length)];
    protocol(payload, wire_bytes.saturating_sub(PPPOE_BYTES as u64).min(length as u64))
}
