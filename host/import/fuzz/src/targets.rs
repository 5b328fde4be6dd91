//! What every fuzz target does with its bytes, and what it holds true: no panic, rows as many as reported, batches and
//! state within their bounds, progress that never passes the length of the file, errors that point into the file.
//!
//! The bodies are plain functions, so that a fuzzer and an ordinary test can call the same ones.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use arrow_array::RecordBatch;
use iog_import::columns::{BATCH_ROWS, Sink};
use iog_import::exports::Exports;
use iog_import::flows::{FlowOptions, FlowTable};
use iog_import::listen::{ListenLimits, Listener, Outcome};
use iog_import::netflow::{AsRole, ExportOptions, TemplateLimits, WhenUnknown, check};
use iog_import::packet::{Link, parse, parse_ip};
use iog_import::rows::TEXT_BYTES_MAX;
use iog_import::stored::{Compression, Stored};
use iog_import::tables::{Options, TableFormat};
use iog_import::{FileReport, ImportError, bmp, detect, mrt, nfdump, pcap, pdns, sflow, tables};

/// A target: its name, which is that of its corpus, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 14] = [
    ("exports", exports),
    ("exports_capture", exports_capture),
    ("datagrams", datagrams),
    ("sflow", sflow),
    ("nfdump", nfdump),
    ("pcap", pcap),
    ("packet", packet),
    ("mrt", mrt),
    ("bmp", bmp),
    ("pdns", pdns),
    ("tables", tables),
    ("roas", roas),
    ("stored", stored),
    ("detect", detect),
];

/// Bytes that the arrays of a batch may hold: its text may be [`TEXT_BYTES_MAX`] and a row, in vectors that grow by
/// doubling.
const BATCH_BYTES_MAX: usize = 4 * TEXT_BYTES_MAX;
/// Bytes that an error's text may have. It names the file and one reason.
const ERROR_BYTES_MAX: usize = 1024;
/// Bytes that `stored` decompresses of a file: bombs are held by the test of memory, here they would cost time.
const DECOMPRESSED_BYTES_MAX: u64 = 4 << 20;
/// Rows that a byte of a table may become: 254 prefixes cover the worst range of IPv6, whose line has 7 bytes or more.
const ROWS_PER_BYTE_OF_TABLE: u64 = 254 / 7 + 1;

/// Holds batches to their bounds, counts their rows and drops them.
#[derive(Default)]
struct Watch {
    rows: u64,
}

impl Sink for Watch {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        assert!((1..=BATCH_ROWS).contains(&batch.num_rows()), "a batch of {} rows", batch.num_rows());
        assert!(batch.get_array_memory_size() <= BATCH_BYTES_MAX, "a batch of {}", batch.get_array_memory_size());
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

/// What an importer is called with.
struct Call<'a> {
    input: &'a mut dyn Read,
    path: &'a Path,
    sink: &'a mut dyn Sink,
    progress: &'a mut dyn FnMut(u64),
}

/// Calls an importer with the bytes and judges what comes of it.
fn judge(data: &[u8], rows_max: u64, import: impl FnOnce(Call<'_>) -> Result<FileReport, ImportError>) {
    let length = data.len() as u64;
    let (mut input, mut sink, mut told) = (data, Watch::default(), 0);
    let mut progress = |bytes: u64| {
        assert!((told..=length).contains(&bytes), "progress {bytes} after {told} of {length}");
        told = bytes;
    };
    let path = Path::new("hostile");
    let result = import(Call { input: &mut input, path, sink: &mut sink, progress: &mut progress });
    assert!(sink.rows <= rows_max, "{} rows of {length} bytes", sink.rows);
    match result {
        Ok(report) => {
            assert_eq!(report.rows, sink.rows, "the report and the sink count differently");
            assert!(report.bytes <= length, "{} bytes read of {length}", report.bytes);
            assert_eq!(report.bytes, told, "the last progress is not what the report says");
            assert!(report.skipped.values().all(|count| *count > 0), "{:?}", report.skipped);
        }
        Err(error) => fault(&error, data),
    }
}

/// Holds an error to what errors promise.
fn fault(error: &ImportError, data: &[u8]) {
    match error {
        ImportError::Damaged { offset, .. } => {
            let plain = Compression::of(data) == Compression::Plain;
            assert!(!plain || *offset <= data.len() as u64, "damaged at {offset} of {}", data.len());
        }
        ImportError::TooLarge { found, max, .. } => assert!(found > max, "{error}"),
        ImportError::UnknownFormat { .. } | ImportError::Encoding { .. } | ImportError::LinkType { .. } => {}
        ImportError::Io { .. } | ImportError::Sink(_) => panic!("neither disk nor sink fail here: {error}"),
    }
    assert!(error.to_string().len() <= ERROR_BYTES_MAX, "{error}");
}

/// Whether the bytes are not compressed; compressed ones are the business of `stored`.
fn is_plain(data: &[u8]) -> bool {
    Compression::of(data) == Compression::Plain
}

/// How exports become rows; the last byte chooses, so that real files and changed ones take both ways.
fn export_options(data: &[u8]) -> ExportOptions {
    if data.last().is_none_or(|last| last.is_multiple_of(2)) {
        return ExportOptions::default();
    }
    let mut options = ExportOptions {
        as_role: AsRole::Peer,
        neighbours: [((None, 3), 64_500)].into(),
        unknown_ingress: WhenUnknown::Skip,
        unknown_times: WhenUnknown::Skip,
        ..ExportOptions::default()
    };
    options.share_domains = true;
    options
}

/// A file of flow exports in both passes. A record that gives a row has 11 bytes or more, one that gives two has 13.
pub fn exports(data: &[u8]) {
    if is_plain(data) {
        read_exports(data, Exports::new(export_options(data)));
    }
}

fn read_exports(data: &[u8], mut exports: Exports) {
    let mut input = data;
    if let Err(error) = exports.collect(&mut input, Path::new("hostile"), &mut |_| ()) {
        fault(&error, data);
    }
    let rows_max = data.len() as u64 * 2 / 13;
    judge(data, rows_max, |call| exports.read(call.input, call.path, call.sink, call.progress));
    assert!(exports.templates.bytes() <= TemplateLimits::default().bytes_max);
}

/// Datagrams of sFlow, back to back, which have the time when they were received.
pub fn sflow(data: &[u8]) {
    let whole = if sflow::is_sflow(data) { data.to_vec() } else { [&[0, 0, 0, 5, 0, 0, 0, 1], data].concat() };
    let mut exports = Exports::new(export_options(data));
    exports.origin.received_us = Some(1_700_000_000_000_000);
    read_exports(&whole, exports);
}

/// Flow exports in a capture, in both passes.
pub fn exports_capture(data: &[u8]) {
    if !is_plain(data) {
        return;
    }
    let mut exports = Exports::new(export_options(data));
    let mut input = data;
    if let Err(error) = exports.collect_capture(&mut input, Path::new("hostile"), &mut |_| ()) {
        fault(&error, data);
    }
    let rows_max = data.len() as u64 * 2 / 13;
    judge(data, rows_max, |call| exports.read_capture(call.input, call.path, call.sink, call.progress));
}

/// What a listener hears: each datagram behind its sender, the seconds since the one before, and its length.
pub fn datagrams(data: &[u8]) {
    let templates =
        TemplateLimits { streams_max: 5, templates_max: 4, fields_max: 64, bytes_max: 6000, samplers_max: 3 };
    let limits = ListenLimits { exporters_max: 3, idle_s: 120, templates };
    let mut listener = Listener::new(export_options(data), limits);
    let (mut sink, mut rest, mut seconds, mut rows) = (Watch::default(), data, 0, 0);
    while let [sender, later, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (datagram, next) = after.split_at(length);
        (rest, seconds) = (next, seconds + i64::from(*later));
        let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, *sender));
        let outcome = listener.datagram(from, seconds * 1_000_000, datagram, &mut sink);
        match outcome.expect("the sink does not fail") {
            Outcome::Rows(count) | Outcome::Full { rows: count, .. } => rows += count,
            Outcome::Damaged(fault) => assert!(fault.offset <= length, "{fault:?} in {length} bytes"),
        }
        assert!(listener.exporters().count() <= limits.exporters_max);
        assert!(listener.templates().streams() <= limits.templates.streams_max);
        assert!(listener.templates().bytes() <= limits.templates.bytes_max);
    }
    listener.flush(&mut sink).expect("the sink does not fail");
    assert_eq!(listener.tally().rows, sink.rows);
    assert!(rows == sink.rows && sink.rows <= data.len() as u64 * 2 / 13, "{rows} and {} rows", sink.rows);
}

/// A file of nfdump. Its blocks may be compressed, so that rows are bounded by each block alone.
pub fn nfdump(data: &[u8]) {
    if is_plain(data) {
        let options = export_options(data);
        judge(data, u64::MAX, |call| nfdump::read(call.input, call.path, &options, call.sink, call.progress));
    }
}

/// A capture of packets, with a table of flows that is soon full. A packet has 16 bytes in front of it.
pub fn pcap(data: &[u8]) {
    if is_plain(data) {
        let mut table = FlowTable::new(FlowOptions { flows_max: 3, ..FlowOptions::default() });
        let rows_max = data.len() as u64 / 16;
        judge(data, rows_max, |call| pcap::read(call.input, call.path, &mut table, call.sink, call.progress));
        assert_eq!(table.open(), 0, "the end of a capture ends its flows");
    }
}

/// The headers of one packet, on every link.
pub fn packet(data: &[u8]) {
    let wire_bytes = data.len() as u64;
    for link in [0, 1, 9, 51, 100, 101, 104, 113, 166, 204, 205, 228, 229, 239, 276, 999].map(Link::of) {
        if let Ok(packet) = parse(link, data, wire_bytes) {
            assert!(packet.bytes <= 40 + wire_bytes.max(u64::from(u16::MAX)), "{packet:?}");
        }
    }
    let _not_ip = parse_ip(data, u64::MAX);
}

/// Routes of MRT. A prefix has a byte or more.
pub fn mrt(data: &[u8]) {
    if is_plain(data) {
        let options = mrt::Options { collector: data.len().is_multiple_of(2).then(|| "rrc00".to_owned()) };
        judge(data, data.len() as u64, |call| mrt::read(call.input, call.path, &options, call.sink, call.progress));
    }
}

/// A stream of BMP.
pub fn bmp(data: &[u8]) {
    if is_plain(data) {
        let table = if data.len().is_multiple_of(2) { bmp::Table::PrePolicy } else { bmp::Table::PostPolicy };
        let options = bmp::Options { collector: None, table };
        judge(data, data.len() as u64, |call| bmp::read(call.input, call.path, &options, call.sink, call.progress));
    }
}

/// Lines of passive DNS. A value has its quotation marks.
pub fn pdns(data: &[u8]) {
    if is_plain(data) {
        judge(data, data.len() as u64 / 2, |call| pdns::read(call.input, call.path, call.sink, call.progress));
    }
}

/// The tables that are lines of fields; the first byte chooses which.
pub fn tables(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let formats = [TableFormat::Pyasn, TableFormat::AsRanges, TableFormat::Geofeed, TableFormat::GeoRanges];
    table(formats[usize::from(*choice) % formats.len()], data);
}

/// Lists of ROA payloads, as CSV and as JSON.
pub fn roas(data: &[u8]) {
    table(TableFormat::Roas, data);
}

fn table(format: TableFormat, data: &[u8]) {
    if is_plain(data) {
        let options = Options::new(format);
        let rows_max = data.len() as u64 * ROWS_PER_BYTE_OF_TABLE;
        judge(data, rows_max, |call| tables::read(call.input, call.path, &options, call.sink, call.progress));
    }
}

/// Compressed files, by lines; then as passive DNS, when they are small.
pub fn stored(data: &[u8]) {
    let (mut input, path) = (data, Path::new("hostile"));
    let mut stored = Stored::open(&mut input, path).expect("bytes in memory can be read");
    let (mut line, mut offset) = (Vec::new(), 0);
    loop {
        match stored.read_line(4096, &mut line) {
            Ok(true) => assert!(line.len() <= 4096 && stored.offset() > offset),
            Ok(false) => break,
            Err(error) => {
                fault(&error, data);
                break;
            }
        }
        offset = stored.offset();
        assert!(stored.bytes() <= data.len() as u64);
        if offset > DECOMPRESSED_BYTES_MAX {
            return;
        }
    }
    judge(data, offset / 2, |call| pdns::read(call.input, call.path, call.sink, call.progress));
}

/// Guesses by first bytes, and the length of the first message of an export.
pub fn detect(data: &[u8]) {
    let _guesses = (detect::detect(data), tables::looks_like(data), pdns::looks_like(data));
    let _guesses = (mrt::looks_like(data), bmp::looks_like(data), pcap::is_capture(data), nfdump::is_nfdump(data));
    match check(data) {
        Ok(length) => assert!((1..=data.len()).contains(&length), "a message of {length} bytes in {}", data.len()),
        Err(fault) => assert!(fault.offset <= data.len() && !fault.reason.is_empty(), "{fault:?}"),
    }
}
