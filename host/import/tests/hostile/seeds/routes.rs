//! Routes: MRT and BMP.

use super::bytes::Seed;
use super::bytes::{len16, len32, shorts, words};

/// ORIGIN, AS_PATH of four-byte numbers with a set, NEXT_HOP, MED, LOCAL_PREF, aggregates, both kinds of communities.
const ATTRIBUTES: &[u8] = &[
    0x40, 1, 1, 0, 0x40, 2, 16, 2, 2, 0, 1, 0x11, 0x70, 0, 0, 0xfb, 0xf4, 1, 1, 0, 0, 0, 9, 0x40, 3, 4, 192, 0, 2, 9,
    0x80, 4, 4, 0, 0, 0, 5, 0x40, 5, 4, 0, 0, 0, 100, 0x40, 6, 0, 0xc0, 7, 8, 0, 0, 0xfb, 0xf4, 10, 0, 0, 1, 0xc0, 8,
    8, 0xfb, 0xf4, 0, 1, 0xff, 0xff, 0xff, 1, 0xc0, 32, 12, 0, 0, 0xfb, 0xf4, 0, 0, 0, 1, 0, 0, 0, 2,
];
/// AS_PATH of two-byte numbers with its AS4_PATH, and AGGREGATOR with its AS4_AGGREGATOR.
const OLD_ATTRIBUTES: &[u8] = &[
    0x40, 1, 1, 2, 0x40, 2, 6, 2, 2, 0xfb, 0xf4, 0x5b, 0xa0, 0x40, 3, 4, 192, 0, 2, 9, 0xc0, 7, 6, 0x5b, 0xa0, 10, 0,
    0, 1, 0xc0, 17, 10, 2, 2, 0, 0, 0xfb, 0xf4, 0, 1, 0x11, 0x70, 0xc0, 18, 8, 0, 1, 0x11, 0x70, 10, 0, 0, 1,
];

pub(super) fn add(seeds: &mut Vec<Seed>) {
    let mrt = [
        ("table_dump", [table_dump(), record(12, 2, &[0; 40])].concat()),
        ("table_dump_v2", [index(), rib(2, &[24, 198, 51, 100], &[entry(0, &[]), entry(1, &[])])].concat()),
        ("table_dump_v2_ipv6", [index(), rib(4, &[32, 0x20, 1, 0x0d, 0xb8], &[entry(1, &[])])].concat()),
        ("add_path", [index(), rib(8, &[8, 10], &[entry(0, &[0, 0, 0, 42])])].concat()),
        ("generic", [index(), rib(6, &[0, 1, 1, 8, 10], &[entry(0, &[])])].concat()),
        ("updates", updates()),
        ("unsaid", unsaid()),
        ("states", [record(16, 5, &[0; 24]), record(11, 0, &[]), record(32, 0, &[1])].concat()),
        ("padded", [index(), rib(2, &[8, 10], &[entry(0, &[])]), vec![0; 30]].concat()),
    ];
    seeds.extend(mrt.map(|(name, file)| ("mrt", name.to_owned(), file)));
    let withdraw = bgp(2, &[0, 4, 24, 198, 51, 100, 0, 0]);
    let bmp = [
        ("session", [message(4, b""), peer_up(), message(0, &[peer(0, 9), announce()].concat())].concat()),
        ("withdraw", [message(0, &[peer(0, 0), withdraw.clone()].concat()), message(1, &[0; 50])].concat()),
        ("post_policy", message(0, &[peer(0x40, 9), withdraw].concat())),
        ("old_path", message(0, &[peer(0x20, 9), bgp(2, &update(OLD_ATTRIBUTES, &[8, 11]))].concat())),
        ("down", [peer_up(), message(2, &[peer(0, 9), vec![4]].concat()), message(5, &[]), vec![3, 0]].concat()),
    ];
    seeds.extend(bmp.map(|(name, stream)| ("bmp", name.to_owned(), stream)));
}

fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    [&words(&[1_600_000_000])[..], &shorts(&[kind, subtype]), &len32(body), body].concat()
}

/// TABLE_DUMP of IPv4.
fn table_dump() -> Vec<u8> {
    let head = [&[0, 0, 0, 1, 198, 51, 100, 0, 24, 1][..], &words(&[7]), &[192, 0, 2, 1, 0xfb, 0xf4]].concat();
    record(12, 1, &[&head[..], &len16(OLD_ATTRIBUTES), OLD_ATTRIBUTES].concat())
}

/// An index of two peers.
fn index() -> Vec<u8> {
    let mut body = [&[10, 0, 0, 1][..], &[0, 5], b"rrc00", &[0, 2]].concat();
    body.extend([0, 9, 9, 9, 9, 192, 0, 2, 1, 0xfb, 0xf4]);
    body.extend([3, 9, 9, 9, 9]);
    body.extend([0x20; 16]);
    body.extend(words(&[70_000]));
    record(13, 1, &body)
}

/// A route of a table, with the next hop of IPv6 in its short form.
fn entry(peer: u8, path_id: &[u8]) -> Vec<u8> {
    let block = [ATTRIBUTES, &[0x80, 14, 17, 16], &[0x20; 16]].concat();
    [&[0, peer, 0, 0, 0, 1][..], path_id, &len16(&block), &block].concat()
}

fn rib(subtype: u16, prefix: &[u8], entries: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(entries.len()).expect("seeds are small").to_be_bytes();
    record(13, subtype, &[&[0, 0, 0, 1][..], prefix, &count, &entries.concat()].concat())
}

fn bgp(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 19).expect("seeds are small");
    [&[0xff; 16][..], &len.to_be_bytes(), &[kind], body].concat()
}

fn update(attributes: &[u8], prefixes: &[u8]) -> Vec<u8> {
    [&[0, 0][..], &len16(attributes), attributes, prefixes].concat()
}

fn announce() -> Vec<u8> {
    let reach = [&[0x80, 14, 26, 0, 2, 1, 16][..], &[0x20; 16], &[0, 32, 0x20, 1, 0x0d, 0xb8]].concat();
    let unreach = [0x80, 15, 6, 0, 2, 1, 16, 0x20, 2];
    bgp(2, &update(&[ATTRIBUTES, &reach, &unreach].concat(), &[16, 11, 12, 0]))
}

/// BGP4MP records of every subtype that has routes, and with microseconds.
fn updates() -> Vec<u8> {
    let peers = [0, 0, 0, 1, 192, 0, 2, 1, 192, 0, 2, 2];
    let wide = |message: &[u8]| [&words(&[70_000, 1])[..], &peers, message].concat();
    let narrow = |message: &[u8]| [&shorts(&[64_500, 1])[..], &peers, message].concat();
    let with_id = bgp(2, &update(ATTRIBUTES, &[0, 0, 0, 1, 8, 11]));
    [
        record(16, 4, &wide(&announce())),
        record(16, 1, &narrow(&bgp(2, &update(OLD_ATTRIBUTES, &[8, 11])))),
        record(17, 9, &[&[0, 0, 0, 7][..], &wide(&with_id)].concat()),
        record(16, 8, &narrow(&bgp(4, &[]))),
        record(16, 6, &wide(&announce())),
    ]
    .concat()
}

/// Path identifiers, and AS numbers of the other width, in records that do not say so.
fn unsaid() -> Vec<u8> {
    let head = [&words(&[70_000, 1])[..], &[0, 0, 0, 1, 192, 0, 2, 1, 192, 0, 2, 2]].concat();
    let with = |attributes: &[u8], nlri: &[u8]| [&head[..], &bgp(2, &update(attributes, nlri))].concat();
    [
        record(16, 4, &with(ATTRIBUTES, &[0, 0, 0, 9, 16, 10, 0, 0, 0, 0, 1, 24, 198, 51, 100])),
        record(16, 9, &with(ATTRIBUTES, &[24, 198, 51, 100])),
        record(16, 4, &with(OLD_ATTRIBUTES, &[8, 11])),
        index(),
        rib(2, &[24, 198, 51, 100], &[entry(0, &[0, 0, 0, 42])]),
    ]
    .concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 6).expect("seeds are small");
    [&[3][..], &len.to_be_bytes(), &[kind], body].concat()
}

fn peer(flags: u8, seconds: u32) -> Vec<u8> {
    let mut bytes = vec![0, flags];
    bytes.extend([0; 20]);
    bytes.extend([192, 0, 2, 1]);
    bytes.extend(words(&[64_500, 0x0909_0909, seconds, 250]));
    bytes
}

/// Both sides send and receive path identifiers of IPv6.
fn peer_up() -> Vec<u8> {
    let open = bgp(1, &[4, 0xfb, 0xf4, 0, 90, 9, 9, 9, 9, 8, 2, 6, 69, 4, 0, 2, 1, 3]);
    message(3, &[&peer(0, 1)[..], &[0; 20], &open, &open].concat())
}
