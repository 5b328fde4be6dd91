//! A capture made by hand: both directions of TCP, UDP, a ping with its answers, and one packet of IPv6.

const CLIENT: [u8; 4] = [192, 0, 2, 1];
const SERVER: [u8; 4] = [198, 51, 100, 2];
const RESOLVER: [u8; 4] = [203, 0, 113, 53];

/// An IPv4 packet.
fn ipv4(src: [u8; 4], dst: [u8; 4], proto: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(u16::try_from(20 + payload.len()).unwrap().to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, proto, 0, 0]);
    packet.extend(src);
    packet.extend(dst);
    packet.extend(payload);
    packet
}

fn ports(src: u16, dst: u16) -> Vec<u8> {
    [src.to_be_bytes(), dst.to_be_bytes()].concat()
}

fn tcp(src: u16, dst: u16, flags: u8, bytes: usize) -> Vec<u8> {
    let rest = [0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 4, 0, 0, 0, 0, 0];
    [&ports(src, dst)[..], &rest, &vec![7; bytes]].concat()
}

fn udp(src: u16, dst: u16, bytes: usize) -> Vec<u8> {
    let length = u16::try_from(8 + bytes).unwrap().to_be_bytes();
    [&ports(src, dst)[..], &length, &[0, 0], &vec![7; bytes]].concat()
}

/// The packets, each with its EtherType and the second in which it was seen.
fn packets(six: bool) -> Vec<(u32, [u8; 2], Vec<u8>)> {
    let mut packets = Vec::new();
    let v4 = [8, 0];
    for second in 0..5_u8 {
        let seen = u32::from(second);
        let there = tcp(40_000, 443, if second == 0 { 2 } else { 0x18 }, 100 * usize::from(second));
        packets.push((seen, v4, ipv4(CLIENT, SERVER, 6, &there)));
        packets.push((seen, v4, ipv4(SERVER, CLIENT, 6, &tcp(443, 40_000, 0x10, 50))));
        if second < 3 {
            packets.push((seen, v4, ipv4(CLIENT, RESOLVER, 17, &udp(5353, 53, 40))));
        }
        if second < 2 {
            let ping = |kind: u8| [&[kind, 0, 0, 0, 0, 1, 0, second][..], &[7; 56]].concat();
            packets.push((seen, v4, ipv4(CLIENT, RESOLVER, 1, &ping(8))));
            packets.push((seen, v4, ipv4(RESOLVER, CLIENT, 1, &ping(0))));
        }
    }
    if six {
        let mut packet = vec![0x60, 0, 0, 0, 0, 56, 17, 64, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        packet.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        packet.extend(udp(123, 123, 48));
        packets.push((4, [0x86, 0xdd], packet));
    }
    packets
}

/// A classic capture of Ethernet.
pub(crate) fn capture(six: bool) -> Vec<u8> {
    let mut file: Vec<u8> =
        [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 1].iter().flat_map(|word| word.to_be_bytes()).collect();
    for (second, ether_type, packet) in packets(six) {
        let length = u32::try_from(14 + packet.len()).unwrap();
        file.extend([1_700_000_000 + second, 0, length, length].iter().flat_map(|word| word.to_be_bytes()));
        file.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        file.extend(ether_type);
        file.extend(packet);
    }
    file
}

/// Packets and bytes at IP level of the capture.
pub(crate) fn counted(six: bool) -> (u64, u64) {
    let packets = packets(six);
    (packets.len() as u64, packets.iter().map(|(_, _, packet)| packet.len() as u64).sum())
}
