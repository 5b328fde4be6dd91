//! Captures and the frames in them.

use super::bytes::Seed;
use super::bytes::{len16, words};
use super::exports::{flow_sample, ipfix, raw_header, record, set, sflow, template, v5, v9};

pub(super) fn add(seeds: &mut Vec<Seed>) {
    for (name, link, frame) in frames() {
        seeds.push(("packet", name.to_owned(), frame.clone()));
        seeds.push(("pcap", format!("classic_{name}"), classic(true, 0xa1b2_c3d4, link, &[frame])));
    }
    let frames: Vec<_> = (0..5).map(|port| udp(port, &[], true)).collect();
    for (name, magic) in [("little", 0xa1b2_c3d4), ("nanoseconds", 0xa1b2_3c4d)] {
        seeds.push(("pcap", name.to_owned(), classic(false, magic, 1, &frames)));
    }
    for (name, big) in [("ng_little", false), ("ng_big", true)] {
        seeds.push(("pcap", name.to_owned(), ng(big)));
    }
    let exports = [
        v5(2),
        [v9(1, &set(0, &template())), v9(1, &set(256, &record()))].concat(),
        ipfix(&[set(2, &template()), set(256, &record())].concat()),
        sflow(&[flow_sample(&[raw_header()])]),
        b"\x12\x34 a question".to_vec(),
        vec![0, 5, 0, 99],
    ];
    let datagrams: Vec<_> = exports.iter().map(|payload| udp(2055, payload, false)).collect();
    seeds.push(("exports_capture", "raw_ip".to_owned(), classic(true, 0xa1b2_c3d4, 101, &datagrams)));
    let datagrams: Vec<_> = exports.iter().map(|payload| udp(2055, payload, true)).collect();
    seeds.push(("exports_capture", "ethernet".to_owned(), classic(false, 0xa1b2_3c4d, 1, &datagrams)));
    for (index, datagram) in datagrams.into_iter().enumerate().take(4) {
        seeds.push(("exports_capture", format!("one_{index}"), classic(true, 0xa1b2_c3d4, 1, &[datagram])));
    }
}

/// A UDP datagram in IPv4, in an Ethernet frame or bare.
fn udp(port: u16, payload: &[u8], ethernet: bool) -> Vec<u8> {
    let mut packet = if ethernet { [&[0; 12][..], &[8, 0]].concat() } else { Vec::new() };
    let length = u16::try_from(28 + payload.len()).expect("seeds are small");
    packet.extend([0x45, 0]);
    packet.extend(length.to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(port.to_be_bytes());
    packet.extend([0, 53]);
    packet.extend((length - 20).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// IPv6 with hop-by-hop options and a fragment header in front of ICMP.
fn ipv6() -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 24, 0, 64];
    packet.extend([0x20; 32]);
    packet.extend([44, 0, 0, 0, 0, 0, 0, 0]);
    packet.extend([58, 0, 0, 1, 0, 0, 0, 9]);
    packet.extend([128, 0, 0, 0, 0, 0, 0, 0]);
    packet
}

/// IPv6 whose jumbo payload option says more than there is.
fn jumbo() -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 0, 64];
    packet.extend([0x20; 32]);
    packet.extend([17, 0, 0xc2, 4, 0, 1, 0x11, 0x70]);
    packet.extend([0, 7, 0, 53, 0, 0, 0, 0]);
    packet
}

/// One frame of each kind: its name, its link type, its bytes.
fn frames() -> [(&'static str, u32, Vec<u8>); 16] {
    let bare = udp(7, &[], false);
    let under = |head: &[u8]| [&[0; 12][..], head, &bare].concat();
    [
        ("ethernet", 1, udp(7, &[1, 2], true)),
        ("vlan", 1, under(&[0x81, 0, 0, 5, 0x88, 0xa8, 0, 6, 8, 0])),
        ("mpls", 1, under(&[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x21, 64])),
        ("pppoe", 1, under(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 30, 0, 0x21])),
        ("ipv6", 101, ipv6()),
        ("arp", 1, under(&[8, 6])),
        ("loopback", 0, [&[2, 0, 0, 0][..], &bare].concat()),
        ("cooked_1", 113, [&[0; 14][..], &[8, 0], &bare].concat()),
        ("cooked_2", 276, [&[8, 0][..], &[0; 18], &bare].concat()),
        ("snap", 1, under(&[0, 36, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0])),
        ("backbone", 1, under(&[&[0x88, 0xe7, 0, 0, 0, 9][..], &[0; 12], &[0x88, 0xa8, 0, 1, 8, 0]].concat())),
        ("ppp", 9, [&[0xff, 3, 0, 0x21][..], &bare].concat()),
        ("cisco_hdlc", 104, [&[0x0f, 0, 8, 0][..], &bare].concat()),
        ("nflog", 239, [&[2, 0, 0, 5, 8, 0, 1, 0, 8, 0, 1, 0, 32, 0, 9, 0][..], &bare].concat()),
        ("jumbo", 101, jumbo()),
        ("unknown_link", 105, vec![8; 24]),
    ]
}

fn number(big: bool, value: u32) -> [u8; 4] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn half(big: bool, value: u16) -> [u8; 2] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn classic(big: bool, magic: u32, link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = number(big, magic).to_vec();
    file.extend([half(big, 2), half(big, 4)].concat());
    file.extend([0; 8]);
    file.extend(number(big, 262_144));
    file.extend(number(big, link));
    for (index, frame) in (0..).zip(frames) {
        let length = u32::from(u16::from_be_bytes(len16(frame)));
        for value in [1_600_000_000 + 20 * index, 7, length, length + 4] {
            file.extend(number(big, value));
        }
        file.extend(frame);
    }
    file
}

fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let total = number(big, u32::try_from(padded + 12).expect("seeds are small"));
    let padding = vec![0; padded - body.len()];
    [&number(big, kind)[..], &total, body, &padding, &total].concat()
}

/// A section with an interface of nanoseconds and an offset, a packet in each kind of block, and a block of names.
fn ng(big: bool) -> Vec<u8> {
    let section = [number(big, 0x1a2b_3c4d).to_vec(), half(big, 1).to_vec(), half(big, 0).to_vec(), vec![0xff; 8]];
    let mut interface = [half(big, 1).to_vec(), vec![0; 2], number(big, 262_144).to_vec()].concat();
    for (code, value) in [(9, vec![9]), (14, words(&[0, 0]))] {
        interface.extend(half(big, code));
        interface.extend(half(big, u16::try_from(value.len()).expect("options are small")));
        interface.extend(&value);
        interface.resize(interface.len().next_multiple_of(4), 0);
    }
    let frame = udp(7, &[], true);
    let length = number(big, u32::from(u16::from_be_bytes(len16(&frame))));
    let time = [number(big, 0x1634_5785), number(big, 7)].concat();
    let enhanced = [&number(big, 0)[..], &time, &length, &length, &frame].concat();
    let obsolete = [&half(big, 0)[..], &[0; 2], &time, &length, &length, &frame].concat();
    [
        block(big, 0x0a0d_0d0a, &section.concat()),
        block(big, 1, &interface),
        block(big, 6, &enhanced),
        block(big, 2, &obsolete),
        block(big, 3, &[&length[..], &frame].concat()),
        block(big, 4, &[0; 8]),
    ]
    .concat()
}
