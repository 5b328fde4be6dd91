//! What gives no row, or is not all there, is in the report: one case for each way in which something could be lost.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

#[expect(dead_code, reason = "the seeds of the fuzz targets use all of it")]
#[path = "hostile/seeds/bytes.rs"]
mod bytes;
mod common;
#[expect(dead_code, reason = "the tests of nfdump's files use all of it")]
#[path = "nfdump/writer.rs"]
mod writer;

use std::path::Path;

use bytes::{shorts, words};
use common::Kept;
use iog_import::exports::Exports;
use iog_import::flows::{FlowOptions, FlowTable};
use iog_import::netflow::ExportOptions;
use iog_import::netflow::TemplateLimits;
use iog_import::tables::{Options, TableFormat};
use iog_import::{FileReport, ImportError, Skip, bmp, mrt, nfdump, pcap, pdns, tables};
use writer::{Method, layout_1, layout_2};

type Read = Result<FileReport, ImportError>;

fn path() -> &'static Path {
    Path::new("file")
}

fn malformed(what: &str) -> Skip {
    Skip::Malformed(what.to_owned())
}

/// A capture of raw IP: UDP from these ports, one a second.
fn capture(ports: &[u16]) -> Vec<u8> {
    let mut file = words(&[0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, 101]);
    for (second, port) in (0..).zip(ports) {
        file.extend(words(&[second, 0, 28, 28, 0x4500_001c, 0, 0x4011_0000, 0x0a00_0001, 0x0a00_0002]));
        file.extend(shorts(&[*port, 53, 8, 0]));
    }
    file
}

#[test]
fn flows_that_end_early_are_in_the_report() {
    let mut table = FlowTable::new(FlowOptions { flows_max: 2, ..FlowOptions::default() });
    let mut read = |ports: &[u16]| {
        let mut kept = Kept::default();
        pcap::read(&mut &capture(ports)[..], path(), &mut table, &mut kept, &mut |_| ()).unwrap()
    };
    let early = Skip::NotApplicable("flows ended early because the table of open flows was full".to_owned());
    let report = read(&[1, 2, 3, 1]);
    assert_eq!((report.rows, report.skipped.get(&early)), (4, Some(&2)), "the flow of port 1 is in two rows");
    let report = read(&[1, 2, 1]);
    assert_eq!((report.rows, report.skipped.len()), (2, 0), "those of the capture before do not count");
}

#[test]
fn a_refused_capture_leaves_no_flow_to_the_next() {
    let mut table = FlowTable::new(FlowOptions::default());
    let mut kept = Kept::default();
    let damaged = [capture(&[1, 2]), words(&[0, 0, u32::MAX, 0])].concat();
    let error = pcap::read(&mut &damaged[..], path(), &mut table, &mut kept, &mut |_| ()).unwrap_err();
    assert!(matches!(error, ImportError::Damaged { offset: 112, .. }), "{error}");
    let report = pcap::read(&mut &capture(&[9])[..], path(), &mut table, &mut kept, &mut |_| ()).unwrap();
    assert_eq!((report.rows, kept.rows()), (1, 1));
}

fn nfdump(file: &[u8]) -> FileReport {
    nfdump::read(&mut &*file, path(), &ExportOptions::default(), &mut Kept::default(), &mut |_| ()).unwrap()
}

#[test]
fn bytes_that_nfdumps_headers_do_not_announce_are_counted() {
    for file in [layout_1(Method::None), layout_2(Method::None)] {
        let whole = nfdump(&file);
        let twice = nfdump(&[&file[..], &file].concat());
        let bytes = file.len() as u64;
        assert_eq!(twice.rows, whole.rows);
        assert_eq!(twice.bytes, 2 * bytes);
        assert_eq!(twice.skipped[&malformed("bytes behind the last block of the file")], bytes);
        assert_eq!(nfdump(&[&file[..], &[0; 9]].concat()).skipped[&Skip::Padding], 9);
    }
    let mut fewer = layout_2(Method::None);
    fewer[40] -= 1;
    assert_eq!(nfdump(&fewer).skipped[&malformed("bytes behind the last record of a block")], 1);
}

#[test]
fn an_impossible_time_of_nfdump_is_no_row() {
    let mut file = layout_2(Method::None);
    let at = file.windows(8).position(|window| window == 1_600_000_000_007_u64.to_le_bytes()).unwrap();
    let rows = nfdump(&file).rows;
    file[at + 7] = 0xff;
    let report = nfdump(&file);
    let impossible = malformed("flow record that contradicts its own lengths or has an impossible time");
    assert_eq!((report.rows, report.skipped[&impossible]), (rows - 1, 1));
}

fn read_mrt(file: &[u8]) -> Read {
    mrt::read(&mut &*file, path(), &mrt::Options::default(), &mut Kept::default(), &mut |_| ())
}

fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [words(&[1]), shorts(&[kind, subtype]), words(&[length]), body.to_vec()].concat()
}

#[test]
fn a_table_record_that_its_entries_do_not_fill_gives_no_row_and_bytes_behind_a_message_are_counted() {
    let index = record(13, 1, &[&[0; 6][..], &[0, 1], &[0; 11]].concat());
    let route = [0, 0, 0, 1, 8, 10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let table = [index, record(13, 2, &route), record(13, 2, &[&route[..], &[7, 7]].concat())].concat();
    let report = read_mrt(&table).unwrap();
    let lost = malformed("bytes follow the last entry of a table record");
    assert_eq!((report.rows, report.skipped[&lost]), (1, 1));
    let message = [&[0xff; 16][..], &[0, 25, 2], &[0, 2, 8, 10, 0, 0]].concat();
    let peers = [words(&[1, 1]), shorts(&[0, 1]), vec![0; 8]].concat();
    let report = read_mrt(&record(16, 4, &[peers, message, vec![1]].concat())).unwrap();
    assert_eq!((report.rows, report.skipped[&malformed("bytes follow the BGP message of a record")]), (1, 1));
}

#[test]
fn a_stream_of_bmp_of_which_nothing_could_be_used_is_damaged() {
    let read =
        |stream: &[u8]| bmp::read(&mut &*stream, path(), &bmp::Options::default(), &mut Kept::default(), &mut |_| ());
    assert!(matches!(read(&[3, 0, 0, 0, 50, 0, 1]), Err(ImportError::Damaged { offset: 0, .. })));
    assert_eq!(read(&[3, 0, 0, 0, 6, 4]).unwrap().messages, 1);
}

#[test]
fn objects_that_dns_cannot_carry_give_no_rows() {
    let line = |name: usize, values: usize, origin: usize| {
        let (name, origin) = ("x".repeat(name), "o".repeat(origin));
        let values = vec!["\"v\""; values].join(",");
        format!(
            "{{\"rrname\":\"{name}\",\"rrtype\":1,\"rdata\":[{values}],\"time_first\":1,\"time_last\":2,\"origin\":\"{origin}\"}}\n"
        )
    };
    let text = [line(1020, 2, 2048), line(1021, 1, 1), line(1, pdns::VALUES_MAX + 1, 1), line(1, 1, 2049)].concat();
    let report = pdns::read(&mut text.as_bytes(), path(), &mut Kept::default(), &mut |_| ()).unwrap();
    assert_eq!((report.messages, report.rows, report.skipped.len()), (4, 2, 3), "{:?}", report.skipped);
    assert_eq!(report.skipped[&malformed("a name is longer than DNS allows")], 1);
}

#[test]
fn payloads_that_are_no_objects_are_counted_and_a_list_without_payloads_is_damaged() {
    let read = |text: &str| {
        let options = Options::new(TableFormat::Roas);
        tables::read(&mut text.as_bytes(), path(), &options, &mut Kept::default(), &mut |_| ())
    };
    let report = read(r#"{"roas":[{"asn":1,"prefix":"10.0.0.0/8"}, 5, "a,b]", [{}, 6], null]}"#).unwrap();
    assert_eq!((report.rows, report.skipped[&malformed("a payload is not an object of the known form")]), (1, 4));
    assert!(matches!(read(r#"{"metadata":{}}"#), Err(ImportError::Damaged { offset: 15, .. })));
}

#[test]
fn padding_ends_before_every_kind_of_export() {
    let v5 = [shorts(&[5, 1]), vec![0; 20], vec![1; 48]].concat();
    let sflow = words(&[5, 1, 0x0a00_0001, 0, 0, 0, 0]);
    for message in [&v5, &sflow] {
        let file = [&v5[..], &[0; 16], message, &[0; 4]].concat();
        let report = Exports::default().read(&mut &file[..], path(), &mut Kept::default(), &mut |_| ()).unwrap();
        assert_eq!((report.messages, report.skipped[&Skip::Padding]), (2, 20), "{report:?}");
    }
}

/// Options template 257 of a sampler, and the rates of many samplers, from one exporter.
fn samplers(domain: u32, count: u32) -> Vec<u8> {
    let v9 = |id: u16, body: &[u8]| {
        let length = u16::try_from(body.len() + 4).unwrap();
        [shorts(&[9, 9]), words(&[0, 0, 0, domain]), shorts(&[id, length]), body.to_vec()].concat()
    };
    let record = |sampler: u32| [words(&[1, sampler]), shorts(&[9])].concat();
    let records: Vec<u8> = (0..count).flat_map(record).collect();
    [v9(1, &shorts(&[257, 4, 8, 1, 4, 48, 4, 34, 2])), v9(257, &records)].concat()
}

#[test]
fn sampling_rates_count_against_the_bytes_of_all_exporters() {
    let limits = TemplateLimits { bytes_max: 4000, ..TemplateLimits::default() };
    let read = |file: &[u8]| {
        let mut exports = Exports { templates: iog_import::netflow::Templates::new(limits), ..Exports::default() };
        exports.read(&mut &*file, path(), &mut Kept::default(), &mut |_| ())
    };
    read(&[samplers(1, 30), samplers(1, 30)].concat()).unwrap();
    let error = read(&[samplers(1, 30), samplers(2, 30), samplers(3, 30)].concat()).unwrap_err();
    let what = "the size of all templates and sampling rates in bytes";
    assert!(matches!(error, ImportError::TooLarge { what: found, max: 4000, .. } if found == what), "{error}");
}
