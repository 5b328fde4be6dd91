//! What follows an EtherType: IP, or what stands before it: VLAN and other tags, MPLS labels, provider backbones, PPPoE,
//! and IEEE 802.2 with or without SNAP in frames that have a length in place of the EtherType.

use super::layer::{Parsed, labelled, rest, versioned};
use super::ppp::pppoe;
use super::{NotIp, be16, be32};

/// Tags and labels taken off a frame before it counts as contradictory.
const TAGS_MAX: usize = 16;
/// Largest length of an IEEE 802.3 frame; what is larger is an EtherType (IEEE 802.3 §3.2.6).
const LENGTH_MAX: u16 = 1500;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// A frame whose EtherType stands at `at`, its payload behind it.
#[inline]
pub(super) fn ether(data: &[u8], at: usize, wire_bytes: u64) -> Parsed<'_> {
    let protocol = be16(data, at).ok_or(NotIp::Short)?;
    payload(data, at + 2, protocol, wire_bytes)
}

/// The payload at `at`, of this EtherType; takes off what stands before IP.
#[inline]
pub(super) fn payload(mut data: &[u8], mut at: usize, mut protocol: u16, wire_bytes: u64) -> Parsed<'_> {
    for _ in 0..TAGS_MAX {
        let tag_bytes = match protocol {
            IPV4 => return rest(data, at, wire_bytes).and_then(|(data, wire)| versioned(data, 4, wire)),
            IPV6 => return rest(data, at, wire_bytes).and_then(|(data, wire)| versioned(data, 6, wire)),
            // VLANs: IEEE 802.1Q, 802.1ad, and what stood for the latter before.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => 2,
            // IEEE 802.1ah: service identifier and the customer's addresses.
            0x88e7 => 16,
            // VN-Tag and IEEE 802.1CB redundancy.
            0x8926 | 0xf1c1 => 4,
            // IEEE 802.1BR.
            0x893f => 6,
            0x8847 | 0x8848 => return labelled(data, at, protocol, wire_bytes),
            0x8863 | 0x8864 => {
                let (data, wire) = rest(data, at, wire_bytes)?;
                return pppoe(data, wire);
            }
            0..=LENGTH_MAX => {
                // Behind its length a frame has padding only.
                data = &data[..data.len().min(at + usize::from(protocol))];
                (protocol, at) = service(data, at)?;
                continue;
            }
            other => return Err(NotIp::EtherType(other)),
        };
        protocol = be16(data, at + tag_bytes).ok_or(NotIp::Short)?;
        at += tag_bytes + 2;
    }
    Err(NotIp::Malformed)
}

/// The EtherType that an IEEE 802.2 header at `at` stands for, and where its payload begins.
pub(super) fn service(data: &[u8], at: usize) -> Result<(u16, usize), NotIp> {
    let header = data.get(at..).and_then(|header| header.first_chunk::<3>()).ok_or(NotIp::Short)?;
    match *header {
        // RFC 1042: SNAP. Organisation 0 and that of bridges (0x00f8) mean an EtherType.
        [0xaa | 0xab, 0xaa | 0xab, 3] => {
            let organisation = be32(data, at + 2).ok_or(NotIp::Short)? & 0x00ff_ffff;
            let protocol = be16(data, at + 6).ok_or(NotIp::Short)?;
            match organisation {
                0 | 0x00_00f8 if protocol > LENGTH_MAX => Ok((protocol, at + 8)),
                other => Err(NotIp::Organisation(other)),
            }
        }
        [6, 6 | 7, 3] => Ok((IPV4, at + 3)),
        [service, ..] => Err(NotIp::Service(service)),
    }
}
