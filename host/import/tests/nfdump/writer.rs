//! Writes small files of nfdump: layout 1 with records of both types, counters of both widths and most extensions;
//! layout 2 with records that give rows and records that do not. Tests only.

/// How the blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    None,
    Lzo,
    Bzip2,
    Lz4,
    Zstd,
}

/// Little-endian bytes on the way to a file.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u8(mut self, values: &[u8]) -> Self {
        self.0.extend(values);
        self
    }

    fn u16(mut self, values: &[u16]) -> Self {
        self.0.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self
    }

    fn u32(mut self, values: &[u32]) -> Self {
        self.0.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self
    }

    fn u64(mut self, values: &[u64]) -> Self {
        self.0.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self
    }

    /// Sets the length at byte 2, as every record has it.
    fn record(mut self) -> Vec<u8> {
        let length = u16::try_from(self.0.len()).unwrap();
        self.0[2..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

/// One run of literals and the end mark: what LZO makes of bytes that repeat nothing.
fn lzo(plain: &[u8]) -> Vec<u8> {
    let mut stream = vec![0];
    let mut rest = plain.len() - 3 - 15;
    while rest > 255 {
        stream.push(0);
        rest -= 255;
    }
    stream.push(u8::try_from(rest).unwrap());
    stream.extend(plain);
    stream.extend([17, 0, 0]);
    stream
}

fn pack(plain: &[u8], method: Method) -> Vec<u8> {
    match method {
        Method::None => plain.to_vec(),
        Method::Lzo => lzo(plain),
        Method::Lz4 => lz4_flex::block::compress(plain),
        Method::Zstd => zstd::bulk::compress(plain, 1).unwrap(),
        Method::Bzip2 => {
            let mut out = Vec::new();
            std::io::Read::read_to_end(&mut bzip2::read::BzEncoder::new(plain, bzip2::Compression::fast()), &mut out)
                .unwrap();
            out
        }
    }
}

fn block(records: &[Vec<u8>], kind: u16, flags: u16, method: Method) -> Vec<u8> {
    let stored = pack(&records.concat(), method);
    let lengths = [u32::try_from(records.len()).unwrap(), u32::try_from(stored.len()).unwrap()];
    Bytes::default().u32(&lengths).u16(&[kind, flags]).u8(&stored).0
}

const V6: u64 = 0x2001_0db8_0000_0000;

/// A file of layout 1.
pub(crate) fn layout_1(method: Method) -> Vec<u8> {
    let first = [map(1, 40, &[4, 6, 8, 9, 13, 23, 26, 27]), narrow(), exporter()];
    let second = [map(2, 104, &[5, 7, 10, 20, 22, 24]), wide(), map(3, 4, &[8]), icmp(), oldest()];
    file_1(&[&first, &second], method)
}

/// A file of layout 1 with what nfdump 1.6 keeps of the way back: counters of both widths (extensions 14 to 17), an event
/// of a firewall whose end is not stored (37), and a map that names an extension that nobody knows.
pub(crate) fn biflows_1() -> Vec<u8> {
    let flow = |map, seconds: [u32; 2], counters: [u32; 2]| {
        let head = Bytes::default().u16(&[10, 0, 0, map, 7, 9]).u32(&seconds).u8(&[0, 0x12, 6, 16]).u16(&[443, 50_000]);
        head.u16(&[0, 0]).u32(&[0x0a00_0001, 0x0a00_0002]).u32(&counters)
    };
    let event = Bytes::default().u64(&[1_600_000_500_000]).u32(&[1]).u8(&[0, 0, 2, 0]).u16(&[0, 0]);
    let records = [
        map(1, 12, &[4, 14, 16]),
        flow(1, [1_600_000_000, 1_600_000_001], [10, 1000]).u16(&[1, 2]).u32(&[7, 700]).record(),
        map(2, 36, &[15, 17, 37]),
        flow(2, [1_600_000_002, 0], [12, 2557]).u64(&[9, 1117]).u8(&event.0).record(),
        flow(2, [0, 0], [0, 0]).u64(&[5_000_000_000, 6_000_000_000]).u8(&event.0).record(),
        flow(2, [1_600_000_003, 1_600_000_003], [0, 0]).u64(&[0, 0]).u8(&event.0).record(),
        map(3, 12, &[4, 33, 14]),
        flow(3, [1_600_000_004, 1_600_000_004], [1, 40]).u16(&[3, 4]).u32(&[77, 88]).record(),
    ];
    file_1(&[&records], Method::None)
}

/// A file of layout 1 of these blocks.
fn file_1(blocks: &[&[Vec<u8>]], method: Method) -> Vec<u8> {
    let flags = match method {
        Method::None => 0,
        Method::Lzo => 1,
        Method::Bzip2 => 8,
        Method::Lz4 => 16,
        Method::Zstd => panic!("layout 1 has no zstd"),
    };
    let block_flags = if method == Method::None { 1 } else { 2 };
    let count = u32::try_from(blocks.len()).unwrap();
    let mut file = Bytes::default().u16(&[0xa50c, 1]).u32(&[flags, count]).u8(b"test").0;
    file.resize(140 + 136, 0);
    for records in blocks {
        file.extend(block(records, 2, block_flags, method));
    }
    file
}

/// An extension map; `length` is that of all its extensions.
fn map(number: u16, length: u16, extensions: &[u16]) -> Vec<u8> {
    let mut map = Bytes::default().u16(&[2, 0, number, length]).u16(extensions).u16(&[0]);
    if map.0.len() % 4 != 0 {
        map = map.u16(&[0]);
    }
    map.record()
}

/// The part that all flow records begin with: number of the map, seconds, protocol.
fn head(kind: u16, flags: u16, map: u16, seconds: u32, proto: u8) -> Bytes {
    let ports = if proto == 1 { [0, 771] } else { [8080, 53] };
    Bytes::default()
        .u16(&[kind, 0, flags, map, 7, 999])
        .u32(&[seconds, seconds + 1])
        .u8(&[0, 0x12, proto, 16])
        .u16(&ports)
}

/// Type 10, IPv4, 64 bits of packets and 32 of bytes.
fn narrow() -> Vec<u8> {
    let record = head(10, 2, 1, 1_600_000_000, 6).u16(&[5, 0]).u32(&[0x0a00_0001, 0x0a00_0002]);
    let record = record.u64(&[5_000_000_000]).u32(&[7]).u16(&[3, 4]).u16(&[65001, 65002]).u8(&[0, 0, 24, 25]);
    record
        .u32(&[0x0a00_00fe])
        .u16(&[10, 20])
        .u32(&[0xc000_0263])
        .u32(&[65010, 65011])
        .u64(&[1_600_000_002_000])
        .record()
}

/// Type 10, IPv6, 32 bits of packets and 64 of bytes.
fn wide() -> Vec<u8> {
    let record = head(10, 1 | 4 | 8 | 32, 2, 1_600_000_002, 17).u16(&[5, 0]).u64(&[V6, 1, V6, 2]);
    let record = record.u32(&[9]).u64(&[6_000_000_000]).u32(&[70_000, 70_001]).u32(&[4_200_000_001, 4_200_000_002]);
    record.u64(&[V6, 0xfe]).u64(&[1, 2]).u32(&[0; 10]).u64(&[V6, 0x99]).record()
}

/// Type 10, IPv4, both counters of 32 bits.
fn icmp() -> Vec<u8> {
    let record = head(10, 0, 3, 1_600_000_003, 1).u16(&[0, 0]);
    record.u32(&[0x0a00_0005, 0x0a00_0006]).u32(&[2, 168]).u8(&[0, 0, 24, 25]).record()
}

/// Type 1, IPv4, both counters of 32 bits; its exporter is known by number.
fn oldest() -> Vec<u8> {
    let record = head(1, 0x0500, 3, 1_600_000_004, 1);
    record.u32(&[0x0a00_0003, 0x0a00_0004]).u32(&[1, 84]).u8(&[0, 0, 24, 25]).record()
}

/// Exporter number 5 is 192.0.2.7.
fn exporter() -> Vec<u8> {
    Bytes::default().u16(&[7, 0]).u32(&[9]).u64(&[0]).u32(&[0xc000_0207, 0]).u16(&[2, 5]).u32(&[0]).record()
}

/// A file of layout 2: two flows and three records that give no row.
pub(crate) fn layout_2(method: Method) -> Vec<u8> {
    let records = [
        exporter(),
        flow(&[generic(6, 10), element(2, Bytes::default().u32(&[0x0a00_0001, 0x0a00_0002]))], 0),
        flow(&[generic(17, 3), element(3, Bytes::default().u64(&[V6, 1, V6, 2])), element(28, Bytes::default())], 0),
        flow(&[generic(17, 3)], 0),
        flow(&[generic(6, 0), element(2, Bytes::default().u32(&[1, 2]))], 1),
        Bytes::default().u16(&[999, 0]).u32(&[1]).record(),
    ];
    file_2(&records, method)
}

/// A file of layout 2 with what nfdump 1.7 keeps of the way back (element 5), flows whose times or counters are partly not
/// stored, and elements that are not read.
pub(crate) fn biflows_2() -> Vec<u8> {
    let addresses = || element(2, Bytes::default().u32(&[0x0a00_0001, 0x0a00_0002]));
    let back = |packets, bytes| element(5, Bytes::default().u64(&[1, packets, bytes]));
    let event = || element(19, Bytes::default().u64(&[1_600_000_500_000]).u32(&[1, 2]));
    let timed = |start, end, packets, bytes| {
        let body = Bytes::default().u64(&[start, end, 1_600_000_900_000, packets, bytes]);
        element(1, body.u16(&[443, 50_000]).u8(&[6, 0x12, 0, 16]))
    };
    let [start, end] = [1_600_000_000_007, 1_600_000_001_999];
    let interfaces = element(38, Bytes::default().u16(&[0; 4]).u32(&[5, 6]).u64(&[0]).u16(&[0x0800]).u8(&[4, 0]));
    let records = [
        flow(&[timed(start, end, 10, 1000), addresses(), back(7, 700)], 0),
        flow(&[timed(start, 0, 12, 2557), addresses(), event(), back(9, 1117)], 1),
        flow(&[timed(0, 0, 0, 0), addresses(), event(), back(4, 160)], 0),
        flow(&[timed(0, 0, 1, 40), addresses()], 0),
        flow(&[timed(start, end, 0, 0), addresses(), back(0, 0)], 0),
        flow(&[timed(start, end, 0, 90), addresses()], 0),
        flow(&[timed(start, end, 2, 80), addresses(), interfaces, element(77, Bytes::default().u32(&[1]))], 0),
        flow(&[timed(start, end, 3, 120), addresses(), element(18, Bytes::default().u64(&[1]).u32(&[1]))], 0),
        flow(&[timed(start, end, 3, 120), addresses(), element(18, Bytes::default().u64(&[1]).u32(&[1]))], 2),
    ];
    file_2(&records, Method::None)
}

/// A file of layout 2 of these records.
fn file_2(records: &[Vec<u8>], method: Method) -> Vec<u8> {
    let compression = match method {
        Method::None => 0,
        Method::Lzo => 1,
        Method::Bzip2 => 2,
        Method::Lz4 => 3,
        Method::Zstd => 4,
    };
    let body = block(records, 3, 0, method);
    let end = 40 + body.len() as u64;
    let header = Bytes::default().u16(&[0xa50c, 2]).u32(&[0x0107_0100]).u64(&[1_600_000_000]).u8(&[compression, 0]);
    let header = header.u16(&[1]).u32(&[1]).u64(&[end]).u32(&[0, 1]);
    let appendix = [Bytes::default().u16(&[0x8001, 0]).u8(b"none\0\0\0\0").record()];
    header.u8(&body).u8(&block(&appendix, 3, 1, Method::None)).0
}

fn flow(elements: &[Vec<u8>], flags: u8) -> Vec<u8> {
    let count = u16::try_from(elements.len()).unwrap();
    Bytes::default().u16(&[11, 0, count]).u8(&[0, 0]).u16(&[5]).u8(&[flags, 9]).u8(&elements.concat()).record()
}

fn element(kind: u16, body: Bytes) -> Vec<u8> {
    Bytes::default().u16(&[kind, 0]).u8(&body.0).record()
}

fn generic(proto: u8, packets: u64) -> Vec<u8> {
    let times = [1_600_000_000_007, 1_600_000_001_999, 1_600_000_002_000];
    let body = Bytes::default().u64(&times).u64(&[packets, packets * 40]).u16(&[8080, 53]).u8(&[proto, 2, 0, 16]);
    element(1, body)
}
