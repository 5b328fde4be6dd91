//! IPv4 (RFC 791), IPv6 with extension headers (RFC 8200) and the first bytes of what they carry. Nothing here
//! reassembles: a fragment after the first has no ports.

use super::{NotIp, Packet, be16, be32, proto};

/// Extension headers an IPv6 packet may have before it counts as contradictory; real ones have at most a handful
/// (RFC 8504 §5.3 lets a receiver stop at eight).
const EXTENSION_HEADERS_MAX: usize = 16;
/// Bytes of the IPv6 header without extension headers.
const IPV6_HEADER_BYTES: usize = 40;
/// Bytes of the IPv4 header without options.
const IPV4_HEADER_BYTES: usize = 20;

/// Most that the length of an IPv6 header can say.
const IPV6_PAYLOAD_BYTES_MAX: u64 = 65_535;

/// Reads an IP packet of which `data` was captured and which had `wire_bytes` on the wire (used where the header has no
/// length: segmentation offload, and packets of IPv6 that are longer than their header can say).
///
/// # Errors
/// Not IP, too little captured, or contradictory.
#[inline]
pub fn parse_ip(data: &[u8], wire_bytes: u64) -> Result<Packet, NotIp> {
    with_payload(data, wire_bytes).map(|(packet, _)| packet)
}

/// As [`parse_ip`], with what was captured of the packet's payload; nothing of a fragment after the first.
#[inline]
pub(super) fn with_payload(data: &[u8], wire_bytes: u64) -> Result<(Packet, &[u8]), NotIp> {
    match data.first() {
        Some(first) if first >> 4 == 4 => ipv4(data, wire_bytes),
        Some(first) if first >> 4 == 6 => ipv6(data, wire_bytes),
        Some(_) => Err(NotIp::Malformed),
        None => Err(NotIp::Short),
    }
}

#[inline]
fn ipv4(data: &[u8], wire_bytes: u64) -> Result<(Packet, &[u8]), NotIp> {
    let header: &[u8; IPV4_HEADER_BYTES] = data.first_chunk().ok_or(NotIp::Short)?;
    let header_bytes = usize::from(header[0] & 0x0f) * 4;
    if header_bytes < IPV4_HEADER_BYTES {
        return Err(NotIp::Malformed);
    }
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let bytes = match total {
        0 => wire_bytes,
        total if total < header_bytes => return Err(NotIp::Malformed),
        total => total as u64,
    };
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let mut packet = Packet {
        src: mapped([header[12], header[13], header[14], header[15]]),
        dst: mapped([header[16], header[17], header[18], header[19]]),
        proto: header[9],
        tos: header[1],
        src_port: 0,
        dst_port: 0,
        tcp_flags: 0,
        icmp: None,
        bytes,
    };
    let mut payload: &[u8] = &[];
    if fragment & 0x1fff == 0 {
        let end = if total == 0 { data.len() } else { data.len().min(total) };
        payload = data.get(header_bytes..end).unwrap_or_default();
        transport(&mut packet, payload);
    }
    Ok((packet, payload))
}

fn ipv6(data: &[u8], wire_bytes: u64) -> Result<(Packet, &[u8]), NotIp> {
    let header: &[u8; IPV6_HEADER_BYTES] = data.first_chunk().ok_or(NotIp::Short)?;
    let bytes = ipv6_bytes(data, header, wire_bytes)?;
    // What is behind the packet is padding of its frame.
    let data = &data[..usize::try_from(bytes).map_or(data.len(), |bytes| data.len().min(bytes))];
    let chain = chain(data, header[6])?;
    let mut packet = Packet {
        src: std::array::from_fn(|at| header[8 + at]),
        dst: std::array::from_fn(|at| header[24 + at]),
        proto: chain.proto,
        tos: (header[0] << 4) | (header[1] >> 4),
        src_port: 0,
        dst_port: 0,
        tcp_flags: 0,
        icmp: None,
        bytes,
    };
    let mut payload: &[u8] = &[];
    if let Some(at) = chain.payload_at {
        payload = data.get(at..).unwrap_or_default();
        transport(&mut packet, payload);
    }
    Ok((packet, payload))
}

/// Length of an IPv6 packet. A payload of length 0 is none (RFC 8200 §4.7), unless the jumbo payload option says how long
/// it is (RFC 2675 §2), or it was longer on the wire than the header can say: that is how Linux hands on packets that
/// are yet to be cut.
fn ipv6_bytes(data: &[u8], header: &[u8; IPV6_HEADER_BYTES], wire_bytes: u64) -> Result<u64, NotIp> {
    let length = u64::from(u16::from_be_bytes([header[4], header[5]]));
    let header_bytes = IPV6_HEADER_BYTES as u64;
    let longer = |length: u64| length > IPV6_PAYLOAD_BYTES_MAX && header_bytes + length <= wire_bytes;
    match (length, jumbo(data, header[6])) {
        (0, Some(length)) if longer(length.into()) => Ok(header_bytes + u64::from(length)),
        (0, Some(_)) => Err(NotIp::Malformed),
        (0, None) if longer(wire_bytes.saturating_sub(header_bytes)) => Ok(wire_bytes),
        (length, _) => Ok(header_bytes + length),
    }
}

/// What the jumbo payload option says, which stands in the hop-by-hop options, the first extension header.
fn jumbo(data: &[u8], first: u8) -> Option<u32> {
    let options_bytes = (usize::from(*data.get(IPV6_HEADER_BYTES + 1)?) + 1) * 8;
    let mut options = data.get(IPV6_HEADER_BYTES + 2..IPV6_HEADER_BYTES + options_bytes).filter(|_| first == 0)?;
    loop {
        options = match options {
            [0, rest @ ..] => rest,
            [0xc2, 4, a, b, c, d, ..] => return Some(u32::from_be_bytes([*a, *b, *c, *d])),
            [_, length, rest @ ..] => rest.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
}

/// Where the extension headers end.
struct Chain {
    /// Protocol after them, or the last one known when the rest was not captured.
    proto: u8,
    /// Where the payload begins; none when it cannot be read: a later fragment, encrypted, or not captured.
    payload_at: Option<usize>,
}

/// Follows the extension headers (IANA "IPv6 Extension Header Types").
fn chain(data: &[u8], first: u8) -> Result<Chain, NotIp> {
    let mut next = first;
    let mut at = IPV6_HEADER_BYTES;
    for _ in 0..EXTENSION_HEADERS_MAX {
        let unit = match next {
            0 | 43 | 60 | 135 | 139 | 140 => 8,
            51 => 4,
            44 => 0,
            50 | 59 => return Ok(Chain { proto: next, payload_at: None }),
            _ => return Ok(Chain { proto: next, payload_at: Some(at) }),
        };
        let (Some(&following), Some(&length)) = (data.get(at), data.get(at + 1)) else {
            return Ok(Chain { proto: next, payload_at: None });
        };
        let header_at = at;
        at += match unit {
            8 => (usize::from(length) + 1) * 8,
            4 => (usize::from(length) + 2) * 4,
            _ => 8,
        };
        let fragment = next == 44;
        next = following;
        if fragment && be16(data, header_at + 2).is_none_or(|offset| offset & 0xfff8 != 0) {
            return Ok(Chain { proto: next, payload_at: None });
        }
    }
    Err(NotIp::Malformed)
}

/// Ports, control bits and ICMP type, as far as captured.
#[inline]
fn transport(packet: &mut Packet, payload: &[u8]) {
    match packet.proto {
        proto::TCP | proto::UDP | proto::SCTP => {
            if let Some(ports) = be32(payload, 0) {
                packet.src_port = (ports >> 16) as u16;
                packet.dst_port = (ports & 0xffff) as u16;
            }
            if packet.proto == proto::TCP {
                packet.tcp_flags = payload.get(13).copied().unwrap_or(0);
            }
        }
        proto::ICMP | proto::ICMP6 => packet.icmp = be16(payload, 0),
        _ => {}
    }
}

/// Four bytes as a mapped address.
#[inline]
pub(crate) fn mapped(v4: [u8; 4]) -> [u8; 16] {
    let mut address = [0u8; 16];
    address[10] = 0xff;
    address[11] = 0xff;
    address[12..].copy_from_slice(&v4);
    address
}
