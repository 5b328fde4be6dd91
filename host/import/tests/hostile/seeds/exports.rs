//! Messages of flow exports: NetFlow v5, v9, IPFIX, sFlow.

use super::bytes::Seed;
use super::bytes::{len16, len32, shorts, words};

pub(super) fn add(seeds: &mut Vec<Seed>) {
    let files = [
        ("v5", v5(2)),
        ("v5_padded", [v5(1), vec![0; 40], v5(1), vec![0; 9]].concat()),
        ("v9", [v9(1, &set(0, &template())), v9(2, &set(256, &[record(), record()].concat()))].concat()),
        ("v9_options", v9(4, &[v9_options(), set(0, &template()), set(256, &record())].concat())),
        ("ipfix", [ipfix(&set(2, &template())), ipfix(&set(256, &[record(), record()].concat()))].concat()),
        ("ipfix_variable", ipfix(&[set(2, &variable_template()), set(300, &variable_record())].concat())),
        ("ipfix_options", ipfix(&[ipfix_options(), set(2, &template()), set(256, &record())].concat())),
        ("ipfix_withdrawn", ipfix(&[set(2, &template()), set(2, &shorts(&[256, 0])), set(256, &record())].concat())),
        ("ipfix_biflow", ipfix(&biflow())),
        ("ipfix_packets", ipfix(&packets())),
        ("ipfix_bad_template", ipfix(&[bad_templates(), set(2, &template()), set(256, &record())].concat())),
        ("v5_miscounted", [v5(2), v5(1)[24..].to_vec(), v5(1)].concat()),
        ("no_template", [v9(1, &set(999, &record())), ipfix(&set(999, &record()))].concat()),
        ("mixed", [v5(1), v9(1, &set(0, &template())), ipfix(&[]), sflow(&[flow_sample(&[raw_header()])])].concat()),
    ];
    for (name, file) in files {
        seeds.push(("exports", name.to_owned(), file.clone()));
        seeds.push(("datagrams", name.to_owned(), [frame(1, 1, &file), frame(2, 90, &file)].concat()));
    }
    for (name, message) in sflow_messages() {
        seeds.push(("sflow", name.to_owned(), message.clone()));
        seeds.push(("datagrams", name.to_owned(), frame(1, 0, &message)));
    }
}

/// A datagram as the target `datagrams` reads it.
fn frame(sender: u8, seconds: u8, message: &[u8]) -> Vec<u8> {
    [&[sender, seconds], &len16(message)[..], message].concat()
}

/// NetFlow v5.
pub(super) fn v5(count: u8) -> Vec<u8> {
    let mut message = shorts(&[5, u16::from(count)]);
    message.extend(words(&[0x3000_0000, 0x6000_0000, 5_000_000, 7]));
    message.extend([1, 2, 0x40, 100]);
    for index in 0..count {
        message.extend([10, 0, 0, index, 192, 0, 2, index, 0, 0, 0, 0, 0, 3, 0, 4]);
        message.extend(words(&[9, 9000, 0x2fff_0000, 0x2fff_8000]));
        message.extend([1, 0, 0, 53, 0, 16, 17, 0, 0, 7, 0, 8, 24, 24, 0, 0]);
    }
    message
}

/// A set of v9 or IPFIX.
pub(super) fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [shorts(&[id, u16::try_from(body.len() + 4).expect("sets are small")]), body.to_vec()].concat()
}

/// NetFlow v9.
pub(super) fn v9(count: u16, sets: &[u8]) -> Vec<u8> {
    [shorts(&[9, count]), words(&[0x3000_0000, 0x6000_0000, 7, 1]), sets.to_vec()].concat()
}

/// IPFIX.
pub(super) fn ipfix(sets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(sets.len() + 16).expect("messages are small");
    [shorts(&[10, length]), words(&[0x6000_0000, 7, 1]), sets.to_vec()].concat()
}

/// Template 256: addresses, interfaces, counters, uptimes, ports, ASes, protocol, flags, type of service.
pub(super) fn template() -> Vec<u8> {
    let fields = [8, 4, 12, 4, 10, 4, 14, 4, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2, 16, 2, 17, 2, 4, 1, 6, 1, 5, 1];
    shorts(&[&[256, 15][..], &fields].concat())
}

/// A record of template 256.
pub(super) fn record() -> Vec<u8> {
    let head = words(&[0x0a00_0001, 0xc000_0201, 3, 4, 9, 9000, 0x2fff_0000, 0x2fff_8000]);
    [head, shorts(&[443, 50_000, 64_500, 64_501]), vec![6, 0x12, 0]].concat()
}

/// Options template 257 of a sampler, then its data.
fn v9_options() -> Vec<u8> {
    let template = shorts(&[257, 4, 8, 2, 4, 48, 1, 34, 4, 0]);
    [set(1, &template), set(257, &[0, 0, 0, 3, 1, 0, 0, 0x10, 0])].concat()
}

fn ipfix_options() -> Vec<u8> {
    let template = shorts(&[258, 3, 1, 10, 4, 305, 4, 306, 4]);
    [set(3, &template), set(258, &words(&[3, 1, 999]))].concat()
}

/// Template 300 with a text of variable length, an element of an enterprise and times in milliseconds.
fn variable_template() -> Vec<u8> {
    let mut fields = shorts(&[300, 9, 82, 0xffff, 27, 16, 28, 16, 4, 1, 1, 8, 2, 8, 152, 8, 153, 8, 0x8001, 2]);
    fields.extend(words(&[9]));
    fields
}

fn variable_record() -> Vec<u8> {
    let mut record = [&[255, 0, 3][..], b"eth", &[0x20; 32], &[17]].concat();
    for value in [900_u64, 9, 1_600_000_000_000, 1_600_000_001_000] {
        record.extend(value.to_be_bytes());
    }
    record.extend([0, 7]);
    record
}

/// Counters of both directions (RFC 5103), and a time in NTP format.
fn biflow() -> Vec<u8> {
    let mut template = shorts(&[301, 8, 8, 4, 12, 4, 4, 1, 1, 4, 2, 4, 0x8001, 4]);
    template.extend(words(&[29_305]));
    template.extend(shorts(&[0x8002, 4]));
    template.extend(words(&[29_305]));
    template.extend(shorts(&[156, 8]));
    let mut data = words(&[0x0a00_0001, 0xc000_0201]);
    data.push(6);
    data.extend(words(&[900, 9, 1800, 18, 0xe800_0000, 0x8000_0000]));
    [set(2, &template), set(301, &data)].concat()
}

/// Beginnings of sampled packets: of frames of variable and of fixed length, and of IP; sampling by a selector.
fn packets() -> Vec<u8> {
    let frame = &raw_header()[24..];
    let length = u16::try_from(frame.len()).expect("frames are small");
    let templates = [
        shorts(&[310, 3, 10, 4, 323, 8, 315, 0xffff]),
        shorts(&[311, 4, 302, 1, 312, 2, 409, 1, 104, length]),
        shorts(&[312, 1, 313, 0xffff]),
    ];
    let variable = |bytes: &[u8]| [&[u8::try_from(bytes.len()).expect("frames are small")], bytes].concat();
    let first = [&words(&[7, 0x0000_018b, 0xcfe5_6800])[..], &variable(frame)].concat();
    let second = [&[9, 0x05, 0xdc, 0][..], frame].concat();
    let selector = [set(3, &shorts(&[313, 3, 1, 302, 1, 309, 1, 310, 2])), set(313, &[9, 1, 1, 0])].concat();
    [set(2, &templates.concat()), selector, set(310, &first), set(311, &second), set(312, &variable(&frame[14..]))]
        .concat()
}

/// An options template without a scope, one whose scopes are more than its fields, one of no bytes, one that is cut off.
fn bad_templates() -> Vec<u8> {
    let options = shorts(&[320, 1, 0, 160, 8, 321, 1, 2, 160, 8]);
    [set(3, &options), set(2, &shorts(&[322, 1, 8, 0])), set(2, &shorts(&[323, 9, 8, 4]))].concat()
}

fn block(format: u32, body: &[u8]) -> Vec<u8> {
    [&words(&[format])[..], &len32(body), body].concat()
}

/// A datagram of sFlow.
pub(super) fn sflow(samples: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(samples.len()).expect("seeds are small");
    [words(&[5, 1, 0xc000_0201, 0, 7, 1000, count]), samples.concat()].concat()
}

/// An Ethernet frame of TCP.
pub(super) fn raw_header() -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0x10, 0x05, 0xdc, 0, 0, 0, 0, 64, 6, 0, 0, 198, 51, 100, 1, 203, 0, 113, 9]);
    frame.extend([0x01, 0xbb, 0xc3, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12, 0, 0, 0, 0, 0, 0, 0, 0]);
    block(1, &[&words(&[1, 1518, 4])[..], &len32(&frame), &frame].concat())
}

/// A sample of a packet.
pub(super) fn flow_sample(records: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(records.len()).expect("seeds are small");
    block(1, &[words(&[1, 3, 4096, 0, 0, 3, 0x8000_0002, count]), records.concat()].concat())
}

fn sflow_messages() -> [(&'static str, Vec<u8>); 5] {
    let gateway = block(1003, &words(&[1, 0xc000_0202, 64500, 64510, 64511, 2, 2, 2, 64520, 64521, 1, 1, 64522, 0]));
    let ipv6 = block(4, &words(&[100, 17, 0x2001_0db8, 0, 0, 1, 0x2001_0db8, 0, 0, 2, 53, 4000, 0, 0]));
    let ipv4 = block(3, &words(&[100, 6, 0x0a00_0001, 0x0a00_0002, 53, 4000, 2, 0]));
    let expanded = block(3, &[words(&[1, 0, 3, 512, 0, 0, 0, 70_000, 0, 0x3fff_ffff, 1]), ipv6].concat());
    let arp = block(1, &words(&[1, 60, 0, 16, 0, 0, 0, 0x0806_0001]));
    [
        ("sflow_header", sflow(&[flow_sample(&[gateway, raw_header()])])),
        ("sflow_expanded", sflow(&[expanded])),
        ("sflow_ipv4", sflow(&[flow_sample(&[ipv4])])),
        ("sflow_counters", sflow(&[block(2, &words(&[0])), flow_sample(&[arp]), flow_sample(&[])])),
        ("sflow_two", [sflow(&[]), sflow(&[flow_sample(&[raw_header()])])].concat()),
    ]
}
