//! Tests of a router's stream against bytes written from RFC 7854.

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

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + HEADER_BYTES).unwrap();
    [&[3][..], &len.to_be_bytes(), &[kind], body].concat()
}

fn peer(flags: u8, seconds: u32) -> Vec<u8> {
    let mut bytes = vec![0, flags];
    bytes.extend([0; 8 + 12]);
    bytes.extend([192, 0, 2, 1]);
    bytes.extend(64500_u32.to_be_bytes());
    bytes.extend([9, 9, 9, 9]);
    bytes.extend(seconds.to_be_bytes());
    bytes.extend((if seconds == 0 { 0_u32 } else { 250 }).to_be_bytes());
    bytes
}

fn bgp(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 19).unwrap();
    [&[0xff; 16][..], &len.to_be_bytes(), &[kind], body].concat()
}

fn open(mode: u8) -> Vec<u8> {
    bgp(1, &[4, 0xfb, 0xf4, 0, 90, 9, 9, 9, 9, 8, 2, 6, 69, 4, 0, 1, 1, mode])
}

fn peer_up(ours: u8, theirs: u8) -> Vec<u8> {
    message(3, &[&peer(0, 1)[..], &[0; 20], &open(ours), &open(theirs)].concat())
}

fn monitoring(flags: u8, seconds: u32, update: &[u8]) -> Vec<u8> {
    message(0, &[&peer(flags, seconds)[..], &bgp(2, update)].concat())
}

const WITHDRAW: &[u8] = &[0, 4, 24, 198, 51, 100, 0, 0];
const ANNOUNCE: &[u8] = &[0, 0, 0, 9, 0x40, 2, 6, 2, 1, 0, 1, 0x11, 0x70, 16, 10, 1];

fn decode(chunks: &[&[u8]], received: Option<i64>) -> (FileReport, Vec<RecordBatch>) {
    let (mut decoder, mut sink) = (Decoder::new(Path::new("router"), Options::default()), Batches::default());
    for chunk in chunks {
        decoder.push(chunk, received, &mut sink).unwrap();
    }
    (decoder.finish(&mut sink).unwrap(), sink.0)
}

#[test]
fn rows_are_the_same_however_the_stream_is_cut() {
    let stream = [message(4, &[]), peer_up(0, 0), monitoring(0, 100, WITHDRAW), monitoring(0, 101, ANNOUNCE)].concat();
    let (report, batches) = decode(&[&stream], None);
    assert_eq!((report.messages, report.rows, report.bytes), (4, 2, stream.len() as u64));
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode(&bytes, None), (report, batches.clone()));
    let batch = &batches[0];
    assert_eq!(batch.column_by_name("time").unwrap().as_primitive::<Int64Type>().values(), &[100_000_250, 101_000_250]);
    assert_eq!(batch.column_by_name("kind").unwrap().as_string::<i32>().value(0), "withdraw");
    assert_eq!(batch.column_by_name("as_path").unwrap().as_string::<i32>().value(1), "70000");
    let peers = batch.column_by_name("peer").unwrap().as_fixed_size_binary();
    assert_eq!(peers.value(0), address("192.0.2.1".parse().unwrap()));
}

#[test]
fn path_identifiers_are_read_when_both_sides_agreed() {
    let with_id = [&[0, 0, 0, 0][..], &[0, 0, 0, 77, 16, 10, 1]].concat();
    let stream = [peer_up(1, 2), monitoring(0, 100, &with_id)].concat();
    let (_, batches) = decode(&[&stream], None);
    assert_eq!(batches[0].column_by_name("path_id").unwrap().as_primitive::<UInt64Type>().value(0), 77);
    let stream = [peer_up(2, 1), monitoring(0, 100, &[0, 0, 0, 0, 16, 10, 1])].concat();
    let (report, batches) = decode(&[&stream], None);
    assert_eq!((report.rows, batches[0].column_by_name("path_id").unwrap().null_count()), (1, 1));
}

#[test]
fn what_gives_no_row_is_counted_by_reason() {
    let two = &[0, 0, 0, 7, 0x40, 2, 4, 2, 1, 0, 9, 16, 10, 1];
    let stream = [
        monitoring(0x40, 100, ANNOUNCE),
        monitoring(0x10, 100, ANNOUNCE),
        monitoring(0, 0, ANNOUNCE),
        monitoring(0x20, 100, two),
        monitoring(0, 100, &[9, 9]),
        message(1, &[]),
        message(2, &[0; 3]),
        message(2, &peer(0, 1)),
        vec![3, 0, 0],
    ]
    .concat();
    let (report, _) = decode(&[&stream], None);
    assert_eq!((report.messages, report.rows), (8, 1));
    let reasons: Vec<_> = report.skipped.into_iter().collect();
    let applicable = |reason: &str| (Skip::NotApplicable(reason.to_owned()), 1);
    assert_eq!(
        reasons[..4],
        ["peer down", "routes after policy", "routes sent to the peer", "statistics"].map(applicable)
    );
    assert_eq!(reasons[4], (Skip::Incomplete("time".to_owned()), 1));
    assert_eq!(reasons.len(), 8, "three malformed: {reasons:?}");
    let (report, batches) = decode(&[&monitoring(0, 0, ANNOUNCE)], Some(5));
    assert_eq!((report.rows, batches[0].column(0).as_primitive::<Int64Type>().value(0)), (1, 5));
}

#[test]
fn broken_framing_ends_the_stream() {
    let mut sink = Batches::default();
    for (bytes, damaged) in [(&[2_u8, 0][..], true), (&[3, 0, 0, 0, 5, 0], true), (&[3, 0xff, 0, 0, 0, 0], false)] {
        let mut decoder = Decoder::new(Path::new("router"), Options::default());
        let error = decoder.push(bytes, None, &mut sink).unwrap_err();
        assert_eq!(matches!(error, ImportError::Damaged { .. }), damaged, "{error}");
    }
    let many = (0..=u16::try_from(PEERS_MAX).unwrap()).flat_map(|index| {
        let mut up = peer_up(0, 0);
        up[8..10].copy_from_slice(&index.to_be_bytes());
        up
    });
    let many: Vec<u8> = many.collect();
    let error = Decoder::new(Path::new("router"), Options::default()).push(&many, None, &mut sink).unwrap_err();
    assert!(matches!(error, ImportError::TooLarge { what: "the number of peers", .. }));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), kind in 0_u8..7, cut in 1_usize..99) {
        let mut stream = monitoring(0, 100, ANNOUNCE);
        stream.extend(message(kind, &bytes));
        stream.extend(monitoring(bytes.first().copied().unwrap_or(0) & 0xa0, 100, &bytes));
        stream.extend(&bytes);
        let mut decoder = Decoder::new(Path::new("router"), Options::default());
        for chunk in stream.chunks(cut) {
            if decoder.push(chunk, Some(1), &mut Batches::default()).is_err() {
                break;
            }
            prop_assert!(decoder.buffer.len() <= MESSAGE_BYTES_MAX as usize);
        }
    }
}
