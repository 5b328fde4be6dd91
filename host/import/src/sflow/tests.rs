//! Datagrams built by hand.

use super::*;
use crate::netflow::ExportOptions;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn block(format: u32, body: &[u8]) -> Vec<u8> {
    [&words(&[format, u32::try_from(body.len()).unwrap()])[..], body].concat()
}

fn datagram(samples: &[Vec<u8>]) -> Vec<u8> {
    let header = words(&[5, 1, 0xc000_0201, 0, 7, 1000, u32::try_from(samples.len()).unwrap()]);
    [header, samples.concat()].concat()
}

/// An Ethernet header of TCP from 198.51.100.1:443 to 203.0.113.9:50000 with SYN and ACK, of 1500 bytes at IP level.
fn raw_header() -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0x10, 0x05, 0xdc, 0, 0, 0, 0, 64, 6, 0, 0, 198, 51, 100, 1, 203, 0, 113, 9]);
    frame.extend([0x01, 0xbb, 0xc3, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12, 0, 0, 0, 0, 0, 0]);
    frame.extend([0; 2]);
    let length = u32::try_from(frame.len()).unwrap();
    block(1, &[words(&[1, 1518, 4, length]), frame].concat())
}

fn gateway_record() -> Vec<u8> {
    block(1003, &words(&[1, 0xc000_0202, 64500, 64510, 64511, 2, 2, 2, 64520, 64521, 1, 1, 64522, 0, 100]))
}

fn flow_sample(records: &[Vec<u8>]) -> Vec<u8> {
    let head = words(&[1, 3, 4096, 0, 0, 3, 0x8000_0002, u32::try_from(records.len()).unwrap()]);
    block(1, &[head, records.concat()].concat())
}

fn sampled(message: &[u8], options: &ExportOptions) -> Vec<Sampled> {
    assert_eq!(length(message).unwrap(), message.len());
    let mut found = Vec::new();
    let scope = Scope { exporter: None, options };
    rows(message, scope, Some(5_000_000), &mut |row| {
        found.push(row);
        Ok::<_, ()>(())
    })
    .unwrap();
    found
}

#[test]
fn what_the_header_counts_is_no_limit() {
    let sample = flow_sample(&[raw_header()]);
    let mut message = datagram(&[sample.clone(), sample]);
    for count in [0, 1, 2, 3, 200] {
        message[24..28].copy_from_slice(&u32::to_be_bytes(count));
        assert_eq!(sampled(&message, &ExportOptions::default()).len(), 2, "a count of {count}");
        for next in [message.clone(), vec![0, 9, 0, 1, 0, 0, 0x13, 0x88, 0x60, 0, 0, 0]] {
            assert_eq!(length(&[&message[..], &next].concat()), Ok(message.len()), "a count of {count}");
        }
    }
    // A format of enterprise 80 looks like NetFlow v5, and is a whole block.
    let strange = block(0x0005_0001, &words(&[7]));
    assert_eq!(sampled(&datagram(&[strange, flow_sample(&[raw_header()])]), &ExportOptions::default()).len(), 2);
}

#[test]
fn a_sampled_header_is_a_row_with_neighbours_and_rate() {
    let message = datagram(&[flow_sample(&[gateway_record(), raw_header()])]);
    let rows = sampled(&message, &ExportOptions::default());
    let [Ok(row)] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.start, row.end, row.packets, row.bytes), (5_000_000, 5_000_000, 1, 1500));
    assert_eq!((row.proto, row.src_port, row.dst_port, row.tcp_flags), (6, Some(443), Some(50_000), Some(0x12)));
    assert_eq!((row.src, row.dst), (v4(&[198, 51, 100, 1]), v4(&[203, 0, 113, 9])));
    assert_eq!((row.src_as, row.ingress_as, row.egress_as, row.dst_as), (Some(64510), 64511, Some(64520), Some(64522)));
    assert_eq!((row.ingress_if, row.egress_if, row.sampling, row.tos), (Some(3), None, Some(4096), Some(0x10)));
    assert_eq!(row.exporter, Some(v4(&[192, 0, 2, 1])));
}

#[test]
fn a_source_peer_of_0_leaves_the_neighbour_to_the_interface() {
    let gateway = block(1003, &words(&[1, 0xc000_0202, 64500, 64510, 0, 0, 0, 100]));
    let message = datagram(&[flow_sample(&[gateway, raw_header()])]);
    let options = ExportOptions { neighbours: [((None, 3), 64511)].into(), ..ExportOptions::default() };
    let rows = sampled(&message, &options);
    let [Ok(row)] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.src_as, row.ingress_as, row.egress_as), (Some(64510), 64511, None));
}

#[test]
fn expanded_samples_and_ipv6_are_read() {
    let ip = block(4, &words(&[100, 17, 0x2001_0db8, 0, 0, 1, 0x2001_0db8, 0, 0, 2, 53, 4000, 0, 0]));
    let head = words(&[1, 0, 3, 512, 0, 0, 0, 70_000, 0, INTERNAL, 1]);
    let rows = sampled(&datagram(&[block(3, &[head, ip].concat())]), &ExportOptions::default());
    let [Ok(row)] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.bytes, row.proto, row.src_port, row.dst_port), (100, 17, Some(53), Some(4000)));
    assert_eq!((row.ingress_if, row.egress_if, row.sampling), (Some(70_000), None, Some(512)));
    assert_eq!(row.src[..2], [0x20, 0x01]);
}

#[test]
fn icmp_without_a_captured_type_has_none() {
    let header = |fragment: [u8; 2], rest: &[u8]| {
        let ip =
            [&[0x45, 0, 0, 84, 0, 0, fragment[0], fragment[1], 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], rest].concat();
        block(1, &[words(&[11, 84, 0, u32::try_from(ip.len()).unwrap()]), ip].concat())
    };
    let apart = block(3, &words(&[84, 1, 0x0a00_0001, 0x0a00_0002, 0, 0, 0, 0]));
    let records = [header([0, 0], &[3, 1, 0, 0]), header([0, 9], &[3, 1, 0, 0]), header([0, 0], &[]), apart];
    let message = datagram(&records.map(|record| flow_sample(&[record])));
    let rows = sampled(&message, &ExportOptions::default());
    let found: Vec<_> = rows.iter().map(|row| row.as_ref().unwrap()).map(|row| (row.icmp_type, row.dst_port)).collect();
    assert_eq!(found, [(Some(0x0301), Some(0)), (None, Some(0)), (None, Some(0)), (None, Some(0))]);
}

#[test]
fn other_samples_are_counted_by_kind() {
    let arp = block(1, &words(&[1, 60, 0, 16, 0, 0, 0, 0x0806_0001]));
    let message = datagram(&[block(2, &words(&[0])), flow_sample(&[arp]), flow_sample(&[]), block(77 << 12 | 1, &[])]);
    let reasons: Vec<_> = sampled(&message, &ExportOptions::default()).into_iter().map(Result::unwrap_err).collect();
    assert_eq!(reasons, [Reason::Counters, Reason::NotIp, Reason::OtherSample, Reason::OtherSample]);
}

#[test]
fn a_sample_that_ends_early_is_named() {
    let mut message = datagram(&[flow_sample(&[raw_header()])]);
    message.truncate(message.len() - 4);
    let fault = length(&message).unwrap_err();
    assert_eq!(fault.offset, 28 + 8);
    let mut message = datagram(&[flow_sample(&[raw_header()])]);
    // The header within the record says one byte more than the record holds.
    let at = 28 + 8 + 32 + 8 + 12;
    message[at + 3] = 57;
    assert_eq!(length(&message).unwrap_err().offset, at + 4);
}
