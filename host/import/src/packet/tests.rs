//! Packets built by hand, one property at a time, and any bytes at all.

use proptest::prelude::*;

use super::*;

const A: [u8; 4] = [192, 0, 2, 1];
const B: [u8; 4] = [198, 51, 100, 7];

/// An IPv4 packet around `payload`; `fragment` is the flags-and-offset field.
pub(crate) fn ipv4(proto: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0x10];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, proto, 0, 0]);
    packet.extend(A);
    packet.extend(B);
    packet.extend(payload);
    packet
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x6a, 0xb0, 0, 0];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(payload);
    packet
}

const TCP: [u8; 20] = [0x1f, 0x90, 0, 53, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12, 0, 1, 0, 0, 0, 0];

fn frame(prefix: &[u8], packet: &[u8]) -> Vec<u8> {
    [&[0u8; 12][..], prefix, packet].concat()
}

#[test]
fn ipv4_gives_addresses_ports_flags_and_length() {
    let data = ipv4(6, 0x4000, &TCP);
    let packet = parse_ip(&data, 9999).unwrap();
    assert_eq!(packet.src, mapped(A));
    assert_eq!(packet.dst, mapped(B));
    assert_eq!((packet.proto, packet.tos, packet.bytes), (6, 0x10, 40));
    assert_eq!((packet.src_port, packet.dst_port, packet.tcp_flags), (8080, 53, 0x12));
    assert_eq!(packet.icmp, None);
}

#[test]
fn only_the_first_fragment_has_ports() {
    let first = parse_ip(&ipv4(17, 0x2000, &TCP), 0).unwrap();
    assert_eq!((first.src_port, first.dst_port, first.tcp_flags), (8080, 53, 0));
    let later = parse_ip(&ipv4(17, 0x2001, &TCP), 0).unwrap();
    assert_eq!((later.src_port, later.dst_port), (0, 0));
    let icmp = parse_ip(&ipv4(1, 1, &TCP), 0).unwrap();
    assert_eq!(icmp.icmp, None);
}

#[test]
fn icmp_gives_type_and_code() {
    assert_eq!(parse_ip(&ipv4(1, 0, &[3, 10, 0, 0]), 0).unwrap().icmp, Some(3 * 256 + 10));
    assert_eq!(parse_ip(&ipv6(58, &[128, 0, 0, 0]), 0).unwrap().icmp, Some(128 * 256));
}

#[test]
fn lengths_come_from_the_header_or_the_wire() {
    let mut offloaded = ipv4(6, 0, &TCP);
    offloaded[2..4].fill(0);
    assert_eq!(parse_ip(&offloaded, 4096).unwrap().bytes, 4096);
    let mut uncut = ipv6(6, &TCP);
    uncut[4..6].fill(0);
    let packet = parse_ip(&uncut, 100_000).unwrap();
    assert_eq!((packet.bytes, packet.src_port), (100_000, 8080));
    let truncated = ipv4(6, 0, &[0u8; 1000]);
    assert_eq!(parse_ip(&truncated[..34], 1020).unwrap().bytes, 1020);
}

#[test]
fn what_was_not_captured_is_absent() {
    let data = ipv4(6, 0, &TCP);
    assert_eq!(parse_ip(&data[..19], 40), Err(NotIp::Short));
    assert_eq!(parse_ip(&data[..20], 40).unwrap().src_port, 0);
    let ports_only = parse_ip(&data[..24], 40).unwrap();
    assert_eq!((ports_only.src_port, ports_only.tcp_flags), (8080, 0));
    assert_eq!(parse_ip(&[], 40), Err(NotIp::Short));
    let mut short_header = data;
    short_header[0] = 0x44;
    assert_eq!(parse_ip(&short_header, 40), Err(NotIp::Malformed));
}

#[test]
fn bytes_behind_the_packet_are_no_ports() {
    let mut padded = ipv4(17, 0, &[]);
    padded.extend([0xab; 26]);
    let packet = parse_ip(&padded, 46).unwrap();
    assert_eq!((packet.src_port, packet.dst_port, packet.bytes), (0, 0, 20));
}

#[test]
fn ipv6_extension_headers_are_followed() {
    let hop = [60, 0, 0, 0, 0, 0, 0, 0];
    let options = [43, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let routing = [51, 0, 0, 0, 0, 0, 0, 0];
    let authentication = [44, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let fragment = [6, 0, 0, 1, 0, 0, 0, 9];
    let payload = [&hop[..], &options, &routing, &authentication, &fragment, &TCP].concat();
    let packet = parse_ip(&ipv6(0, &payload), 0).unwrap();
    assert_eq!((packet.proto, packet.tos), (6, 0xab));
    assert_eq!((packet.src_port, packet.dst_port, packet.tcp_flags), (8080, 53, 0x12));
    assert_eq!(packet.bytes, 40 + payload.len() as u64);
}

#[test]
fn a_later_ipv6_fragment_has_no_ports() {
    let payload = [&[17, 0, 0, 8, 0, 0, 0, 9][..], &TCP].concat();
    let packet = parse_ip(&ipv6(44, &payload), 0).unwrap();
    assert_eq!((packet.proto, packet.src_port), (17, 0));
    let encrypted = parse_ip(&ipv6(50, &TCP), 0).unwrap();
    assert_eq!((encrypted.proto, encrypted.src_port), (50, 0));
}

#[test]
fn an_endless_chain_of_extension_headers_is_refused() {
    let payload = [0u8; 400];
    assert_eq!(parse_ip(&ipv6(0, &payload), 0), Err(NotIp::Malformed));
}

#[test]
fn frames_lose_their_tags() {
    let v4 = ipv4(6, 0, &TCP);
    let wire = 1500;
    let plain = parse(Link::Ethernet, &frame(&[8, 0], &v4), wire).unwrap();
    assert_eq!(plain.src_port, 8080);
    for prefix in [
        &[0x81, 0, 0, 5, 8, 0][..],
        &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0],
        &[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x11, 64],
        &[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x21],
        &[0x88, 0x64, 0x11, 0, 0, 1, 0, 46, 2, 0x81, 0, 0, 0x11, 64],
        &[0x91, 0, 0, 5, 0x91, 0, 0, 6, 8, 0],
        &[&[0x88, 0xe7, 0, 0, 0, 9][..], &[0; 12], &[0x81, 0, 0, 1, 8, 0]].concat(),
        &[0x89, 0x26, 0, 0, 0, 1, 8, 0],
        &[0x89, 0x3f, 0, 0, 0, 1, 0, 0, 8, 0],
        &[0xf1, 0xc1, 0, 0, 0, 1, 8, 0],
        &[0, 48, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
        &[0, 48, 0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0],
        &[0x81, 0, 0, 5, 0, 43, 6, 6, 3],
    ] {
        assert_eq!(parse(Link::Ethernet, &frame(prefix, &v4), wire), Ok(plain), "{prefix:x?}");
    }
    assert_eq!(parse(Link::Ethernet, &frame(&[8, 6], &v4), wire), Err(NotIp::EtherType(0x0806)));
    assert_eq!(parse(Link::Ethernet, &frame(&[0, 60, 0x42, 0x42, 3], &v4), wire), Err(NotIp::Service(0x42)));
    assert_eq!(parse(Link::Ethernet, &frame(&[0x86, 0xdd], &v4), wire), Err(NotIp::Malformed));
    assert_eq!(parse(Link::Ethernet, &[0; 13], wire), Err(NotIp::Short));
}

#[test]
fn a_length_of_zero_is_no_payload_unless_something_says_how_long_it_is() {
    let mut none = ipv6(59, &[]);
    none.extend([0; 6]);
    let packet = parse(Link::Ethernet, &frame(&[0x86, 0xdd], &none), 60).unwrap();
    assert_eq!((packet.proto, packet.bytes), (59, 40));
    let mut padded = ipv6(17, &[]);
    padded.extend([0xab; 6]);
    let packet = parse_ip(&padded, 46).unwrap();
    assert_eq!((packet.src_port, packet.dst_port, packet.bytes), (0, 0, 40));
    let jumbo = |length: u32| {
        let option = [&[6, 0, 0xc2, 4][..], &length.to_be_bytes()].concat();
        let mut packet = ipv6(0, &[&option[..], &TCP].concat());
        packet[4..6].fill(0);
        packet
    };
    let packet = parse_ip(&jumbo(70_000), 70_040).unwrap();
    assert_eq!((packet.proto, packet.src_port, packet.bytes), (6, 8080, 70_040));
    assert_eq!(parse_ip(&jumbo(70_000), 70_060).unwrap().bytes, 70_040, "the frame was padded");
    assert_eq!(parse_ip(&jumbo(28), 68), Err(NotIp::Malformed));
    assert_eq!(parse_ip(&jumbo(70_000), 1500), Err(NotIp::Malformed));
}

#[test]
fn what_a_frame_carries_instead_of_ip_is_named() {
    let carried = |link: u32, data: &[u8]| parse(Link::of(link), data, 60).unwrap_err();
    assert_eq!(carried(1, &frame(&[0x88, 0xf7], &[0; 40])), NotIp::EtherType(0x88f7));
    assert_eq!(carried(1, &frame(&[0x88, 0x63, 0x11, 9, 0, 0, 0, 0], &[0; 40])), NotIp::EtherType(0x8863));
    assert_eq!(carried(1, &frame(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 4, 0xc0, 0x21], &[0; 40])), NotIp::Ppp(0xc021));
    assert_eq!(carried(1, &frame(&[0x88, 0x47, 0, 0, 0x11, 64], &[0; 40])), NotIp::EtherType(0x8847));
    assert_eq!(carried(1, &frame(&[0, 8, 0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0], &[])), NotIp::Organisation(12));
    assert_eq!(carried(113, &[&[0; 14][..], &[0, 1], &[0xff; 40]].concat()), NotIp::Service(0xff));
    assert_eq!(carried(9, &[0xff, 3, 0x80, 0x57, 1]), NotIp::Ppp(0x8057));
    assert_eq!(carried(104, &[0x8f, 0, 0x20, 0, 1]), NotIp::EtherType(0x2000));
    assert_eq!(carried(239, &[7, 0, 0, 0, 5, 0, 9, 0, 1]), NotIp::Family(7));
    assert_eq!(carried(239, &[2, 0, 0, 0, 3, 0, 1, 0]), NotIp::Malformed);
}

#[test]
fn links_of_ppp_and_of_netfilter_lead_to_the_same_packet() {
    let v4 = ipv4(6, 0, &TCP);
    let plain = parse_ip(&v4, 40).unwrap();
    let heads: [(u32, &[u8]); 17] = [
        (9, &[0xff, 3, 0, 0x21]),
        (9, &[0, 0x21]),
        (9, &[0x21]),
        (50, &[0xff, 3, 0x21]),
        (50, &[0x0f, 0, 8, 0]),
        (50, &[0xff, 3, 2, 0x81, 0, 0, 0x11, 64]),
        (204, &[1, 0xff, 3, 0, 0x21]),
        (204, &[0, 0, 0x21]),
        (166, &[1, 3, 0, 0x21]),
        (51, &[0x11, 0, 0, 1, 0, 42, 0, 0x21]),
        (104, &[0x8f, 0, 8, 0]),
        (205, &[0, 0x0f, 0, 8, 0]),
        (100, &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]),
        (100, &[6, 6, 3]),
        (113, &[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]),
        (239, &[2, 0, 0, 5, 8, 0, 1, 0, 8, 0, 1, 0, 5, 0, 10, 0, 0x20, 0, 0, 0, 44, 0, 9, 0]),
        (239, &[2, 0, 0, 5, 0, 8, 0, 1, 8, 0, 1, 0, 0, 44, 0, 9]),
    ];
    for (link, head) in heads {
        let frame = [head, &v4].concat();
        assert_eq!(parse(Link::of(link), &frame, frame.len() as u64), Ok(plain), "{link} {head:x?}");
    }
    let v6 = [&[0xff, 3, 0, 0x57][..], &ipv6(6, &TCP)].concat();
    assert_eq!(parse(Link::of(9), &v6, 64).unwrap().src_port, 8080);
}

#[test]
fn other_links_lead_to_the_same_packet() {
    let v4 = ipv4(6, 0, &TCP);
    let plain = parse_ip(&v4, 40).unwrap();
    let cooked = [&[0u8; 14][..], &[8, 0], &v4].concat();
    assert_eq!(parse(Link::of(113), &cooked, 56), Ok(plain));
    let cooked2 = [&[8, 0][..], &[0u8; 18], &v4].concat();
    assert_eq!(parse(Link::of(276), &cooked2, 60), Ok(plain));
    for family in [[2, 0, 0, 0], [0, 0, 0, 2]] {
        assert_eq!(parse(Link::of(0), &[&family[..], &v4].concat(), 44), Ok(plain));
    }
    assert_eq!(parse(Link::of(108), &[&[0, 0, 0, 30][..], &ipv6(6, &TCP)].concat(), 64).unwrap().src_port, 8080);
    assert_eq!(parse(Link::of(101), &v4, 40), Ok(plain));
    assert_eq!(parse(Link::of(228), &v4, 40), Ok(plain));
    assert_eq!(parse(Link::of(229), &v4, 40), Err(NotIp::Malformed));
    assert_eq!(parse(Link::of(105), &v4, 40), Err(NotIp::LinkType(105)));
    assert_eq!(parse(Link::of(0), &[&[7, 0, 0, 0][..], &v4].concat(), 44), Err(NotIp::Family(7)));
}

proptest! {
    #[test]
    fn no_bytes_panic(data in proptest::collection::vec(any::<u8>(), 0..200), link in 0u32..300, wire: u64) {
        let _ = parse(Link::of(link), &data, wire);
        let _ = parse_ip(&data, wire);
    }

    #[test]
    fn mutated_packets_never_panic(at in 0usize..120, value: u8, cut in 0usize..120, next: u8) {
        let payload = [&[60, 0, 0, 0, 0, 0, 0, 0][..], &[44, 0, 0, 0, 0, 0, 0, 0], &[6, 0, 0, 1, 0, 0, 0, 9], &TCP].concat();
        for mut data in [frame(&[0x81, 0, 0, 5, 8, 0], &ipv4(next, 0, &TCP)), frame(&[0x86, 0xdd], &ipv6(next, &payload))] {
            if let Some(byte) = data.get_mut(at) {
                *byte = value;
            }
            let cut = cut.min(data.len());
            let _ = parse(Link::Ethernet, &data[..cut], data.len() as u64);
        }
    }
}
