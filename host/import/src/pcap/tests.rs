//! Captures built by hand in every form, and any bytes at all.

use std::io::Write;

use arrow_array::{Int64Array, RecordBatch, UInt64Array};
use proptest::prelude::*;

use super::*;
use crate::Skip;
use crate::flows::FlowOptions;

#[derive(Default)]
struct Kept(Vec<RecordBatch>);

impl Sink for Kept {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.push(batch);
        Ok(())
    }
}

impl Kept {
    fn sum(&self, column: &str) -> u64 {
        let values = |batch: &RecordBatch| -> u64 {
            batch.column_by_name(column).unwrap().as_any().downcast_ref::<UInt64Array>().unwrap().values().iter().sum()
        };
        self.0.iter().map(values).sum()
    }

    fn starts(&self) -> Vec<i64> {
        let values = |batch: &RecordBatch| {
            batch.column_by_name("start").unwrap().as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
        };
        self.0.iter().flat_map(values).collect()
    }
}

fn import(mut bytes: &[u8]) -> (Result<FileReport, ImportError>, Kept) {
    let mut kept = Kept::default();
    let mut table = FlowTable::new(FlowOptions { flows_max: 64, ..FlowOptions::default() });
    let report = read(&mut bytes, Path::new("capture"), &mut table, &mut kept, &mut |_| {});
    (report, kept)
}

/// An Ethernet frame around an empty UDP packet from this port.
fn frame(port: u16) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    frame.extend(port.to_be_bytes());
    frame.extend([0, 53, 0, 8, 0, 0]);
    frame
}

fn number(big: bool, value: u32) -> [u8; 4] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

#[expect(clippy::fn_params_excessive_bools, reason = "the two bits of the magic number")]
fn classic(big: bool, nanoseconds: bool, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = number(big, if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }).to_vec();
    let version = if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    file.extend(version);
    for value in [0, 0, 65535, 0x1000_0001] {
        file.extend(number(big, value));
    }
    for (at, frame) in frames.iter().enumerate() {
        let fraction = if nanoseconds { 7_999 } else { 7 };
        for value in [100 + u32::try_from(at).unwrap(), fraction, frame.len().try_into().unwrap(), 1514] {
            file.extend(number(big, value));
        }
        file.extend(frame);
    }
    file
}

fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let total = number(big, u32::try_from(body.len()).unwrap() + 12);
    [&number(big, kind)[..], &total, &body, &total].concat()
}

fn numbers(big: bool, values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| number(big, *value)).collect()
}

fn section(big: bool) -> Vec<u8> {
    block(big, 0x0a0d_0d0a, &numbers(big, &[0x1a2b_3c4d, if big { 1 << 16 } else { 1 }, u32::MAX, u32::MAX]))
}

/// An interface description with a unit of 2^-10 s when asked for.
#[expect(clippy::fn_params_excessive_bools, reason = "byte order and unit of time are one bit each")]
fn interface(big: bool, link: u32, binary: bool) -> Vec<u8> {
    let mut body = if big { numbers(big, &[link << 16, 0]) } else { numbers(big, &[link, 0]) };
    if binary {
        body.extend(if big { [0, 9, 0, 1] } else { [9, 0, 1, 0] });
        body.extend([0x80 | 10, 0, 0, 0, 0, 0, 0, 0]);
    }
    block(big, 1, &body)
}

fn enhanced(big: bool, interface: u32, time: u64, frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a number of eight bytes")]
    let mut body = numbers(big, &[interface, (time >> 32) as u32, time as u32, length, 1514]);
    body.extend(frame);
    block(big, 6, &body)
}

fn ng(big: bool) -> Vec<u8> {
    let mut file = section(big);
    file.extend(interface(big, 1, false));
    file.extend(interface(big, 101, true));
    file.extend(block(big, 5, &[0; 40]));
    file.extend(enhanced(big, 0, 100_000_007, &frame(1)));
    file.extend(enhanced(big, 1, 101 << 10, &frame(2)[14..]));
    file.extend(enhanced(big, 2, 1, &frame(3)));
    file.extend(block(big, 3, &[0; 64]));
    file
}

fn skipped(report: &FileReport) -> u64 {
    report.skipped.values().sum()
}

#[test]
fn every_classic_form_gives_the_same_rows() {
    let frames = [frame(1), frame(2), frame(1)];
    for big in [false, true] {
        for nanoseconds in [false, true] {
            let (report, kept) = import(&classic(big, nanoseconds, &frames));
            let report = report.unwrap();
            assert_eq!((report.messages, report.rows), (3, 2));
            assert_eq!(report.format, if nanoseconds { "pcap, nanoseconds" } else { "pcap" });
            assert_eq!((kept.sum("packets"), kept.sum("bytes")), (3, 84));
            assert_eq!(kept.starts(), [101_000_007, 100_000_007]);
            assert_eq!(skipped(&report), 0);
        }
    }
}

#[test]
fn every_ng_form_gives_the_same_rows() {
    for big in [false, true] {
        let (report, kept) = import(&ng(big));
        let report = report.unwrap();
        assert_eq!((report.messages, report.rows, report.format.as_str()), (4, 2, "pcapng"));
        assert_eq!(kept.starts(), [100_000_007, 101_000_000]);
        assert_eq!(
            report.skipped.keys().collect::<Vec<_>>(),
            [
                &Skip::Incomplete("start".to_owned()),
                &Skip::Malformed("packet block that contradicts itself or names no interface".to_owned())
            ]
        );
    }
}

#[test]
fn sections_may_differ_in_byte_order() {
    let (report, kept) = import(&[ng(false), ng(true)].concat());
    assert_eq!(report.unwrap().messages, 8);
    assert_eq!(kept.sum("packets"), 4);
}

#[test]
fn compressed_captures_are_read() {
    let file = classic(false, false, &[frame(1), frame(2)]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&file).unwrap();
    let stored = encoder.finish().unwrap();
    let report = import(&stored).0.unwrap();
    assert_eq!((report.rows, report.bytes, report.format.as_str()), (2, stored.len() as u64, "pcap (gzip)"));
}

#[test]
fn a_capture_cut_off_is_read_up_to_there() {
    for (file, first) in [(classic(false, false, &[frame(1), frame(2)]), 24 + 58), (ng(false), 28 + 20 + 32 + 52 + 76)]
    {
        for end in first + 1..file.len() {
            let report = import(&file[..end]).0.unwrap();
            assert!(report.messages >= 1, "{end}");
        }
        let report = import(&file[..first + 9]).0.unwrap();
        assert_eq!(report.skipped[&Skip::Malformed("packet cut off by the end of the file".to_owned())], 1);
    }
}

#[test]
fn other_files_and_broken_ones_are_refused() {
    assert!(matches!(import(b"").0, Err(ImportError::UnknownFormat { .. })));
    assert!(matches!(import(b"GET / HTTP/1.1").0, Err(ImportError::UnknownFormat { .. })));
    assert!(matches!(import(&classic(false, false, &[])[..20]).0, Err(ImportError::Damaged { offset: 4, .. })));
    let mut huge = classic(false, false, &[frame(1), frame(2)]);
    huge[24 + 58 + 8..24 + 58 + 12].copy_from_slice(&262_145u32.to_le_bytes());
    assert!(matches!(import(&huge).0, Err(ImportError::Damaged { offset: 82, .. })));
    let mut odd = ng(false);
    odd[28 + 4] = 13;
    assert!(matches!(import(&odd).0, Err(ImportError::Damaged { offset: 28, .. })));
    let flood: Vec<u8> = [section(false), interface(false, 1, false).repeat(INTERFACES + 1)].concat();
    assert!(matches!(import(&flood).0, Err(ImportError::Damaged { .. })));
}

const INTERFACES: usize = 4_096;

#[test]
fn datagrams_are_handed_on_whole_or_counted() {
    let udp = |length: u8, payload: &[u8]| {
        let mut frame = frame(2055);
        frame[17] = 28 + u8::try_from(payload.len()).unwrap();
        frame[39] = length;
        frame.extend(payload);
        frame
    };
    let mut later = udp(12, b"late");
    later[21] = 1;
    let mut tcp = udp(12, b"tcp!");
    tcp[23] = 6;
    let frames = [udp(12, b"full"), udp(13, b"part"), udp(7, b"less"), later, tcp, udp(8, b""), vec![0; 14]];
    let (file, mut taken) = (classic(false, false, &frames), Vec::new());
    let mut take = |datagram: Datagram<'_>| {
        taken.push((datagram.time, datagram.src_port, datagram.dst_port, datagram.payload.to_vec()));
        Ok(())
    };
    let report = datagrams(&mut &file[..], Path::new("capture"), &mut take, &mut |_| {}).unwrap();
    assert_eq!(taken, [(100_000_007, 2055, 53, b"full".to_vec()), (105_000_007, 2055, 53, Vec::new())]);
    assert_eq!((report.messages, report.rows), (7, 0));
    assert_eq!(report.skipped.values().copied().collect::<Vec<_>>(), [1, 1, 3]);
}

#[test]
fn many_packets_cross_the_buffers() {
    let frames: Vec<_> = (0..5_000).map(|at| frame(at % 7)).collect();
    let (report, kept) = import(&classic(false, false, &frames));
    assert_eq!((report.unwrap().messages, kept.sum("packets")), (5_000, 5_000));
}

fn mutated(mut file: Vec<u8>, changes: Vec<(prop::sample::Index, u8)>, end: prop::sample::Index) {
    for (at, value) in changes {
        let at = at.index(file.len());
        file[at] = value;
    }
    let end = end.index(file.len() + 1);
    let _ = datagrams(&mut &file[..end], Path::new("capture"), &mut |_| Ok(()), &mut |_| {});
    let (report, kept) = import(&file[..end]);
    if let Ok(report) = report {
        assert_eq!(report.rows, kept.0.iter().map(|batch| batch.num_rows() as u64).sum::<u64>());
    }
}

proptest! {
    #[test]
    fn any_bytes_after_a_magic_number_do_not_panic(
        kind in 0usize..5,
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let head = [classic(false, false, &[]), classic(true, true, &[]), section(false), section(true), Vec::new()];
        let _ = import(&[&head[kind][..], &bytes].concat());
    }

    #[test]
    fn mutated_captures_do_not_panic(
        big: bool,
        ng_file: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        end: prop::sample::Index,
    ) {
        let file = if ng_file { ng(big) } else { classic(big, big, &[frame(1), frame(2), frame(3)]) };
        mutated(file, changes, end);
    }
}
