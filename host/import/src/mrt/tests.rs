//! Tests of MRT files built from RFC 6396 and RFC 8050, and of files that lie.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use proptest::prelude::*;

use super::*;
use crate::Skip;
use crate::columns::address;

#[derive(Default)]
struct Batches(Vec<RecordBatch>);

impl Sink for Batches {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.push(batch);
        Ok(())
    }
}

const PATH: &[u8] = &[0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 1, 0x11, 0x70, 0x40, 3, 4, 192, 0, 2, 9];
const PATH_OLD: &[u8] = &[0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xfb, 0xf4, 0x40, 3, 4, 192, 0, 2, 9];

fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap();
    [&100_u32.to_be_bytes()[..], &kind.to_be_bytes(), &subtype.to_be_bytes(), &len.to_be_bytes(), body].concat()
}

fn len16(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap().to_be_bytes()
}

fn peer_index(name: &[u8]) -> Vec<u8> {
    let mut body = [&[10, 0, 0, 1][..], &len16(name), name, &[0, 2]].concat();
    body.extend([0, 9, 9, 9, 9, 192, 0, 2, 1, 0xfb, 0xf4]);
    body.extend([3, 9, 9, 9, 9]);
    body.extend(address("2001:db8::1".parse().unwrap()));
    body.extend(70000_u32.to_be_bytes());
    record(13, 1, &body)
}

fn entry(peer: u8, path_id: &[u8], block: &[u8]) -> Vec<u8> {
    [&[0, peer, 0, 0, 0, 1][..], path_id, &len16(block), block].concat()
}

fn rib(subtype: u16, prefix: &[u8], entries: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(entries.len()).unwrap().to_be_bytes();
    record(13, subtype, &[&[0, 0, 0, 1][..], prefix, &count, &entries.concat()].concat())
}

fn update(wide: bool, body: &[u8]) -> Vec<u8> {
    let asn = if wide { &[0, 1, 0x11, 0x70, 0, 0, 0, 1][..] } else { &[0xfb, 0xf4, 0, 1] };
    let len = u16::try_from(body.len() + 19).unwrap().to_be_bytes();
    [asn, &[0, 0, 0, 1, 192, 0, 2, 1, 192, 0, 2, 2], &[0xff; 16], &len, &[2], body].concat()
}

fn decode(file: &[u8]) -> Result<(FileReport, Vec<RecordBatch>), ImportError> {
    let (mut input, mut sink) = (file, Batches::default());
    let options = Options { collector: Some("given".to_owned()) };
    read(&mut input, Path::new("file"), &options, &mut sink, &mut |_| ()).map(|report| (report, sink.0))
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.iter().map(|text| text.unwrap_or("-").to_owned()).collect()
}

fn uints(batch: &RecordBatch, column: &str) -> Vec<Option<u64>> {
    batch.column_by_name(column).unwrap().as_primitive::<UInt64Type>().iter().collect()
}

#[test]
fn tables_of_version_two() {
    let v6_hop = [&[0x80, 14, 17, 16][..], &address("2001:db8::9".parse().unwrap())].concat();
    let file = [
        peer_index(b"rrc00"),
        rib(
            2,
            &[24, 198, 51, 100],
            &[entry(0, &[], PATH), entry(1, &[], PATH), entry(7, &[], PATH), entry(0, &[], &[1])],
        ),
        rib(4, &[32, 0x20, 1, 0x0d, 0xb8], &[entry(1, &[], &[PATH, &v6_hop].concat())]),
        rib(8, &[8, 10], &[entry(1, &[0, 0, 0, 42], PATH)]),
        rib(6, &[0, 1, 1, 8, 11], &[entry(0, &[], PATH)]),
        rib(6, &[0, 1, 2, 8, 11], &[entry(0, &[], PATH)]),
        rib(3, &[8, 11], &[]),
        peer_index(b""),
        rib(2, &[0], &[entry(0, &[], PATH)]),
    ]
    .concat();
    let (report, batches) = decode(&file).unwrap();
    assert_eq!((report.messages, report.rows, report.bytes), (9, 6, file.len() as u64));
    let batch = &batches[0];
    assert_eq!(texts(batch, "collector"), ["rrc00", "rrc00", "rrc00", "rrc00", "rrc00", "10.0.0.1"]);
    assert_eq!(uints(batch, "peer_as")[..3], [Some(64500), Some(70000), Some(70000)]);
    assert_eq!(uints(batch, "path_id")[3], Some(42));
    assert_eq!((texts(batch, "as_path")[0].as_str(), uints(batch, "origin_as")[0]), ("70000", Some(70000)));
    let hops = batch.column_by_name("next_hop").unwrap().as_fixed_size_binary();
    assert_eq!(hops.value(2), address("2001:db8::9".parse().unwrap()));
    assert_eq!(report.skipped[&Skip::Malformed("a table entry names a peer that the index lacks".to_owned())], 1);
    assert_eq!(report.skipped[&Skip::NotApplicable("multicast routes".to_owned())], 1);
    assert_eq!(report.skipped.len(), 4);
}

#[test]
fn a_table_without_its_index_is_damaged_and_a_bad_index_replaces_a_good_one() {
    let orphan = rib(2, &[8, 10], &[entry(0, &[], PATH)]);
    let error = decode(&orphan).unwrap_err();
    assert!(matches!(&error, ImportError::Damaged { offset: 0, .. }), "{error}");
    let file = [peer_index(b"x"), orphan.clone(), record(13, 1, &[0]), orphan].concat();
    assert_eq!(decode(&file).unwrap().0.rows, 1);
}

#[test]
fn tables_of_version_one() {
    let body = |prefix: &[u8]| {
        let tail = [&[1, 0, 0, 0, 1, 192, 0, 2, 1, 0xfb, 0xf4][..], &len16(PATH_OLD), PATH_OLD].concat();
        [&[0, 0, 0, 1][..], prefix, &tail].concat()
    };
    let file = [
        record(12, 1, &body(&[198, 51, 100, 255, 24])),
        record(12, 1, &body(&[198, 51, 100, 0, 33])),
        record(12, 9, &[]),
    ]
    .concat();
    let (report, batches) = decode(&file).unwrap();
    assert_eq!((report.messages, report.rows, report.skipped.len()), (3, 1, 2));
    let prefixes = batches[0].column_by_name("prefix").unwrap().as_fixed_size_binary();
    assert_eq!(prefixes.value(0), address("198.51.100.0".parse().unwrap()));
    assert_eq!(
        (texts(&batches[0], "kind"), texts(&batches[0], "collector")),
        (vec!["rib".to_owned()], vec!["given".to_owned()])
    );
}

#[test]
fn updates_of_all_subtypes() {
    let announce = |path: &[u8], nlri: &[u8]| [&[0, 0][..], &len16(path), path, nlri].concat();
    let file = [
        record(16, 1, &update(false, &announce(PATH_OLD, &[8, 10]))),
        record(16, 4, &update(true, &announce(PATH, &[8, 11]))),
        record(16, 9, &update(true, &announce(PATH, &[0, 0, 0, 3, 8, 12]))),
        record(17, 4, &[&250_u32.to_be_bytes()[..], &update(true, &[0, 2, 8, 13, 0, 0])].concat()),
        record(16, 4, &update(true, &[0, 0, 0, 0])),
        record(16, 5, &[0; 20]),
        record(16, 7, &[]),
        record(17, 4, &[0xff; 30]),
        record(49, 0, &[1]),
    ]
    .concat();
    let (report, batches) = decode(&file).unwrap();
    let batch = &batches[0];
    assert_eq!((report.messages, report.rows), (9, 4));
    assert_eq!(texts(batch, "kind"), ["announce", "announce", "announce", "withdraw"]);
    assert_eq!(uints(batch, "peer_as"), [Some(64500), Some(70000), Some(70000), Some(70000)]);
    assert_eq!(uints(batch, "path_id"), [None, None, Some(3), None]);
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(3), 100_000_250);
    assert!(batch.column_by_name("as_path").unwrap().is_null(3));
    let reasons = [
        "a change of a session's state",
        "a message that the collector sent",
        "an OSPF record",
        "an update without routes",
    ];
    for reason in reasons {
        assert_eq!(report.skipped[&Skip::NotApplicable(reason.to_owned())], 1, "{reason}");
    }
    assert_eq!(report.skipped.len(), 5);
}

/// The routes that a file gives: prefix, length and path identifier.
fn routes(file: &[u8]) -> Vec<(String, u64, Option<u64>)> {
    let (_, batches) = decode(file).unwrap();
    let text = |bytes: &[u8]| std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap()).to_canonical().to_string();
    let of = |batch: &RecordBatch| {
        let prefixes = batch.column_by_name("prefix").unwrap().as_fixed_size_binary();
        let (lens, ids) = (uints(batch, "prefix_len"), uints(batch, "path_id"));
        (0..batch.num_rows()).map(|at| (text(prefixes.value(at)), lens[at].unwrap(), ids[at])).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of).collect()
}

fn route(prefix: &str, len: u64, id: impl Into<Option<u64>>) -> (String, u64, Option<u64>) {
    (prefix.to_owned(), len, id.into())
}

#[test]
fn path_identifiers_in_records_without_are_read_and_never_taken_for_routes() {
    let announce = |nlri: &[u8]| [&[0, 0][..], &len16(PATH), PATH, nlri].concat();
    let two = [0, 0, 0, 1, 24, 198, 51, 100, 0, 0, 0, 2, 24, 203, 0, 113];
    let withdraw = [0, 7, 0, 0, 0, 7, 16, 10, 9, 0, 0];
    let v6 = [&[0_u8, 2, 1, 16][..], &[0x20; 16], &[0, 0, 0, 0, 4, 32, 0x20, 1, 0x0d, 0xb8]].concat();
    let reach = [&[0x90, 14][..], &len16(&v6), &v6].concat();
    let plain6 = [&[0, 0][..], &len16(&reach), &reach].concat();
    for (kind, subtype, micros) in [(16, 4, &[][..]), (17, 4, &[0, 0, 0, 0]), (16, 9, &[])] {
        let read = |body: &[u8]| routes(&record(kind, subtype, &[micros, &update(true, body)].concat()));
        assert_eq!(read(&announce(&[0, 0, 0, 9, 16, 10, 0])), [route("10.0.0.0", 16, 9)]);
        assert_eq!(read(&announce(&two)), [route("198.51.100.0", 24, 1), route("203.0.113.0", 24, 2)]);
        assert_eq!(read(&withdraw), [route("10.9.0.0", 16, 7)]);
        assert_eq!(read(&plain6), [route("2001:db8::", 32, 4)]);
        assert_eq!(read(&announce(&[24, 192, 0, 2])), [route("192.0.2.0", 24, None)], "a family without identifiers");
    }
    let narrow = record(16, 1, &update(false, &[&[0, 0][..], &len16(PATH_OLD), PATH_OLD, &two].concat()));
    assert_eq!(routes(&narrow).len(), 2);
    assert_eq!(routes(&record(16, 4, &update(true, &announce(&[0, 8, 10])))).len(), 2, "a default route and another");
    // Neither form fits: no row of it, and the next record is read.
    let broken = record(16, 4, &update(true, &announce(&[0, 0, 0, 1, 24, 198, 51, 100, 77])));
    let good = record(16, 4, &update(true, &announce(&[8, 11])));
    assert_eq!(routes(&[broken, good].concat()), [route("11.0.0.0", 8, None)]);
}

#[test]
fn path_identifiers_in_tables_without_are_read_and_tables_that_do_not_fit_give_no_row() {
    let with_ids = [entry(0, &[0, 0, 0, 5], PATH), entry(1, &[0, 0, 0, 6], PATH)];
    let without = [entry(0, &[], PATH), entry(1, &[], PATH)];
    let both = |prefix: &str, len| [route(prefix, len, 5), route(prefix, len, 6)];
    for (subtype, head, prefix, len) in [
        (2, &[8, 10][..], "10.0.0.0", 8),
        (8, &[8, 10], "10.0.0.0", 8),
        (4, &[16, 0x20, 1], "2001::", 16),
        (10, &[16, 0x20, 1], "2001::", 16),
        (6, &[0, 1, 1, 8, 10], "10.0.0.0", 8),
        (12, &[0, 2, 1, 16, 0x20, 1], "2001::", 16),
    ] {
        let read = |entries: &[Vec<u8>]| routes(&[peer_index(b"x"), rib(subtype, head, entries)].concat());
        assert_eq!(read(&with_ids), both(prefix, len), "{subtype}");
        assert_eq!(read(&without), [route(prefix, len, None), route(prefix, len, None)], "{subtype}");
        let mut cut = rib(subtype, head, &without);
        let end = cut.len() - 1;
        cut.truncate(end);
        cut[8..12].copy_from_slice(&u32::try_from(end - 12).unwrap().to_be_bytes());
        let good = rib(2, &[8, 11], &[entry(0, &[], PATH)]);
        assert_eq!(routes(&[peer_index(b"x"), cut, good].concat()), [route("11.0.0.0", 8, None)], "{subtype}");
    }
}

#[test]
fn paths_of_the_other_width_are_read() {
    let announce = |path: &[u8]| [&[0, 0][..], &len16(path), path, &[8, 10]].concat();
    let old_index = record(
        12,
        1,
        &[&[0, 0, 0, 1, 10, 0, 0, 0, 8, 1, 0, 0, 0, 1, 192, 0, 2, 1, 0xfb, 0xf4][..], &len16(PATH), PATH].concat(),
    );
    for (file, origin) in [
        (record(16, 1, &update(false, &announce(PATH))), 70_000),
        (record(16, 4, &update(true, &announce(PATH_OLD))), 64_500),
        ([peer_index(b"x"), rib(2, &[8, 10], &[entry(0, &[], PATH_OLD)])].concat(), 64_500),
        (old_index, 70_000),
    ] {
        let (report, batches) = decode(&file).unwrap();
        assert_eq!((report.rows, uints(&batches[0], "origin_as")), (1, vec![Some(origin)]));
    }
}

#[test]
fn peers_of_the_other_width_are_read() {
    let body = [&[0, 0][..], &len16(PATH), PATH, &[8, 10]].concat();
    for (subtype, wide, peer) in [(1, true, 70_000), (4, false, 64_500)] {
        let (report, batches) = decode(&record(16, subtype, &update(wide, &body))).unwrap();
        assert_eq!((report.rows, uints(&batches[0], "peer_as")), (1, vec![Some(peer)]), "{subtype}");
        assert_eq!(uints(&batches[0], "origin_as"), [Some(70_000)]);
    }
}

#[test]
fn broken_framing_is_refused_with_its_place_and_zero_padding_is_not() {
    let good = record(16, 4, &update(true, &[0, 2, 8, 13, 0, 0]));
    let end = good.len() as u64;
    let with = |tail: &[u8]| [&good[..], tail].concat();
    let (report, _) = decode(&with(&[0; 40])).unwrap();
    assert_eq!((report.rows, report.skipped[&Skip::Padding]), (1, 40));
    for tail in [&[1, 2, 3][..], &record(16, 4, &[1, 2, 3])[..13], &record(99, 4, &[])] {
        let error = decode(&with(tail)).unwrap_err();
        assert!(matches!(error, ImportError::Damaged { offset, .. } if offset == end), "{error}");
    }
    let error = decode(&with(&[&[0; 40][..], &[1]].concat())).unwrap_err();
    assert!(matches!(error, ImportError::Damaged { offset, .. } if offset == end + 40), "{error}");
    let long = [&record(16, 4, &[])[..8], &(RECORD_BYTES_MAX + 1).to_be_bytes()].concat();
    assert!(matches!(decode(&long), Err(ImportError::TooLarge { .. })));
    assert!(looks_like(&good) && !looks_like(b"{\"rrname\":1}") && !looks_like(&[0; 12]));
}

#[test]
fn a_small_update_cannot_fill_memory() {
    let hops = [&[2_u8, 255][..], &[0xff; 4 * 255]].concat().repeat(28);
    let path = [&[0x50, 2][..], &len16(&hops), &hops].concat();
    let body = [&[0, 0][..], &len16(&path), &path, &[1, 0].repeat(15_000)].concat();
    let (mut input, mut sink) = (&record(16, 4, &update(true, &body))[..], Largest::default());
    let report = read(&mut input, Path::new("file"), &Options::default(), &mut sink, &mut |_| ()).unwrap();
    assert_eq!((report.rows, sink.rows), (15_000, 15_000));
    assert!(sink.bytes < 4 * crate::rows::TEXT_BYTES_MAX, "{} bytes", sink.bytes);
}

/// Keeps no batch, only the size of the largest.
#[derive(Default)]
struct Largest {
    rows: u64,
    bytes: usize,
}

impl Sink for Largest {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.rows += batch.num_rows() as u64;
        self.bytes = self.bytes.max(batch.get_array_memory_size());
        Ok(())
    }
}

fn sample() -> Vec<u8> {
    let announce = [&[0, 0][..], &len16(PATH), PATH, &[8, 11, 16, 12, 1]].concat();
    [
        peer_index(b"rrc00"),
        rib(2, &[24, 198, 51, 100], &[entry(0, &[], PATH), entry(1, &[], PATH)]),
        rib(10, &[8, 0x20], &[entry(1, &[0, 0, 0, 42], PATH)]),
        record(16, 4, &update(true, &announce)),
        record(17, 9, &[&[0, 0, 0, 1][..], &update(true, &[0, 0, 0, 0, 0, 0, 0, 1, 8, 11])].concat()),
    ]
    .concat()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 11_u16..18, subtype in 0_u16..13) {
        let _ = decode(&bytes);
        let _ = decode(&[peer_index(b"x"), record(kind, subtype, &bytes)].concat());
    }

    #[test]
    fn damaged_files_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut file = sample();
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        let _ = decode(&file);
    }
}
