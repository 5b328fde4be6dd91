//! The hostile files.

use std::io::Write as _;
use std::sync::LazyLock;

use super::endless::{Numbered, Repeated};

/// Zero bytes in a bomb.
const BOMB_BYTES: usize = 16 << 20;

/// Zero bytes as gzip.
pub(crate) static GZIP_BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&vec![0; BOMB_BYTES]).expect("a vector takes all bytes");
    encoder.finish().expect("a vector takes all bytes")
});

/// Zero bytes as bzip2.
pub(crate) static BZIP2_BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(&vec![0; BOMB_BYTES]).expect("a vector takes all bytes");
    encoder.finish().expect("a vector takes all bytes")
});

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn shorts(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn small(length: usize) -> u16 {
    u16::try_from(length).expect("it fits sixteen bits")
}

/// A capture of raw IP, one packet of which says that it has `captured` bytes, of which some are there.
pub(crate) fn pcap(captured: u32, times: u64) -> Repeated {
    let head = [words(&[0xa1b2_c3d4, 0x0002_0004, 0, 0, u32::MAX, 101]), words(&[1, 0, captured, captured])].concat();
    Repeated::new(&head, &[0x45; 100], times)
}

/// A section, an interface, and a block that says that it has `total` bytes.
pub(crate) fn pcapng(kind: u32, total: u32) -> Repeated {
    let section = words(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 0x0001_0000, u32::MAX, u32::MAX, 28]);
    let interface = words(&[1, 20, 0x0065_0000, 0, 20]);
    Repeated::new(&[section, interface, words(&[kind, total])].concat(), &[0; 4096], 4096)
}

/// Packets of UDP, each of a flow of its own, all at one time.
pub(crate) fn flood_of_flows(flows: u32) -> Numbered {
    let head = words(&[0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, 101]);
    Numbered::new(&head, flows, |number| {
        let ip =
            [0x4500_001c, 0, 0x4011_0000, number.wrapping_mul(2_654_435_761), number, number << 16 | 53, 0x0008_0000];
        [words(&[1_600_000_000, 0, 28, 28]), words(&ip)].concat()
    })
}

fn v9(domain: u32, id: u16, body: &[u8]) -> Vec<u8> {
    [shorts(&[9, 1]), words(&[0, 0x6000_0000, 0, domain]), shorts(&[id, small(body.len() + 4)]), body.to_vec()].concat()
}

/// Messages with one template each of so many fields, over many exporters.
pub(crate) fn wide_templates(fields: u16) -> Numbered {
    Numbered::new(&[], 1 << 20, move |number| {
        let id = 256 + small((number % 1000) as usize);
        // Source ports of one byte, which are kept.
        let list = shorts(&[7, 1]).repeat(usize::from(fields));
        v9(number / 1000, 0, &[shorts(&[id, fields]), list].concat())
    })
}

impl Numbered {
    /// Messages with 1,000 templates of few fields each.
    pub(crate) fn templates(end: u32) -> Self {
        Self::new(&[], end, |domain| {
            let body: Vec<u8> = (0..1000).flat_map(|id| shorts(&[256 + id, 1, 7, 1])).collect();
            v9(domain, 0, &body)
        })
    }
}

/// Templates of one field, 1,000 of each exporter.
pub(crate) fn flood_of_templates() -> Numbered {
    Numbered::templates(1 << 20)
}

/// Sampling rates of 4,096 samplers of each exporter.
pub(crate) fn flood_of_samplers() -> Numbered {
    Numbered::new(&[], 1 << 20, |domain| {
        let template = shorts(&[257, 4, 8, 1, 4, 48, 4, 34, 2]);
        let record = |sampler: u32| [&[0, 0, 0, 1][..], &sampler.to_be_bytes(), &[0, 9]].concat();
        let records: Vec<u8> = (0..4096).flat_map(record).collect();
        [v9(domain, 1, &template), v9(domain, 257, &records)].concat()
    })
}

/// IPFIX with a template of many fields of variable length, and data whose lengths pass their set.
pub(crate) fn variable_lengths() -> Numbered {
    let ipfix = |set: Vec<u8>| [shorts(&[10, small(set.len() + 16)]), words(&[0x6000_0000, 0, 1]), set].concat();
    let set = |id: u16, body: &[u8]| [shorts(&[id, small(body.len() + 4)]), body.to_vec()].concat();
    let fields = shorts(&[82, 0xffff]).repeat(1000);
    let head = ipfix(set(2, &[shorts(&[300, 1000]), fields].concat()));
    Numbered::new(&head, 200, move |number| {
        let lies = if number % 2 == 0 { vec![255; 60_000] } else { vec![0; 60_000] };
        ipfix(set(300, &lies))
    })
}

/// A file of nfdump's layout 2 with blocks that say that they have `size` bytes.
pub(crate) fn nfdump(compression: u8, size: u32, block: &[u8]) -> Repeated {
    let mut file = vec![0x0c, 0xa5, 2, 0];
    file.resize(40, 0);
    file[16] = compression;
    let head = [&[0; 4][..], &size.to_le_bytes(), &[3, 0, 0, 0]].concat();
    Repeated::new(&file, &[&head, block].concat(), 20)
}

/// Blocks of a few hundred bytes that become 16 MiB.
pub(crate) fn zstd_bomb() -> Repeated {
    let block = zstd::bulk::compress(&vec![0; 16 << 20], 1).expect("zeros compress");
    nfdump(4, u32::try_from(block.len()).expect("zeros compress well"), &block)
}

fn mrt_record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a record of less than 4 GiB");
    [words(&[1]), shorts(&[kind, subtype]), words(&[length]), body.to_vec()].concat()
}

/// A record that says that it has `length` bytes, of which almost 16 MiB are there.
pub(crate) fn mrt_claim(length: u32) -> Repeated {
    Repeated::new(&[words(&[1]), shorts(&[13, 2]), words(&[length])].concat(), &[0; 4096], 4095)
}

/// An AS path of 28 segments of 255 numbers, as an attribute.
fn long_path(segments: usize) -> Vec<u8> {
    let hops = [&[2, 255][..], &[0xff; 4 * 255]].concat().repeat(segments);
    [&[0x50, 2][..], &shorts(&[small(hops.len())]), &hops].concat()
}

/// A table record of 65,535 routes, as large as a record may be.
pub(crate) fn mrt_table() -> Repeated {
    let peers = [&[0; 6][..], &[0, 1], &[0; 11]].concat();
    let path = [&[0x40, 2, 242, 2, 60][..], &[0xff; 240]].concat();
    let route = [&[0; 6][..], &shorts(&[small(path.len())]), &path].concat();
    let record = [&[0, 0, 0, 1, 0, 0xff, 0xff][..], &route.repeat(65_535)].concat();
    Repeated::new(&mrt_record(13, 1, &peers), &mrt_record(13, 2, &record), 1)
}

/// An update of 20,000 prefixes with one path of 7,140 numbers.
pub(crate) fn mrt_update() -> Repeated {
    let path = long_path(28);
    let update = [&[0, 0][..], &shorts(&[small(path.len())]), &path, &[0; 20_000]].concat();
    let message = [&[0xff; 16][..], &shorts(&[small(update.len() + 19)]), &[2], &update].concat();
    let peers = [words(&[1, 1]), shorts(&[0, 1]), vec![0; 8]].concat();
    Repeated::new(&[], &mrt_record(16, 4, &[peers, message].concat()), 1)
}

/// Peers that come up, each with an address of its own.
pub(crate) fn flood_of_peers() -> Numbered {
    Numbered::new(&[], 1 << 20, |number| {
        let open = [&[0xff; 16][..], &[0, 29, 1], &[4, 0, 1, 0, 90, 1, 1, 1, 1, 0]].concat();
        let peer = [&[0; 22][..], &number.to_be_bytes(), &[0; 16]].concat();
        let body = [&peer[..], &[0; 20], &open, &open].concat();
        [&[3][..], &words(&[6 + u32::from(small(body.len()))]), &[3], &body].concat()
    })
}

/// Lines with as many values and as long a name as are allowed.
pub(crate) fn many_values() -> Repeated {
    let name = "x".repeat(1020);
    let values = vec!["\"a\""; 5461].join(",");
    let line =
        format!("{{\"rrname\":\"{name}\",\"rrtype\":1,\"rdata\":[{values}],\"time_first\":1,\"time_last\":2}}\n");
    Repeated::new(b"", line.as_bytes(), 10)
}

/// Ranges of 254 prefixes with a long text.
pub(crate) fn ranges() -> Repeated {
    let line = format!("::1,ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe,1,{}\n", "x".repeat(60_000));
    Repeated::new(b"", line.as_bytes(), 10)
}
