//! Inputs that real users reported to other importers, with the values that are right: files of `shared/data`, which are
//! only read where they are. The same kinds, made here, are in the tests of each decoder.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at once, and says what it skips")]

mod common;

use std::fs::File;
use std::path::PathBuf;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use common::{Kept, shared};
use iog_import::detect::Format;
use iog_import::files::{ImportOptions, Importer, format_of};
use iog_import::tables::TableFormat;
use iog_import::{FileReport, ImportError};

/// Imports a case as the command does, in the format that its content says unless one is named.
fn import(file: &str, named: Option<Format>) -> Option<(Result<FileReport, ImportError>, Kept)> {
    let path: PathBuf = shared(&format!("imports_that_failed/{file}"))?;
    let mut kept = Kept::default();
    let format = named.map_or_else(|| format_of(&mut File::open(&path).unwrap(), &path), Ok);
    let read = format.and_then(|format| {
        let mut importer = Importer::new(ImportOptions::default());
        importer.read(&mut File::open(&path).unwrap(), &path, format, &mut kept, &mut |_| ())
    });
    Some((read, kept))
}

/// A column of text, null as `-`.
fn texts(kept: &Kept, column: &str) -> Vec<String> {
    let of = |batch: &arrow_array::RecordBatch| {
        let array = batch.column_by_name(column).unwrap().as_string::<i32>().clone();
        (0..array.len()).map(|at| if array.is_valid(at) { array.value(at) } else { "-" }.to_owned()).collect::<Vec<_>>()
    };
    kept.0.iter().flat_map(of).collect()
}

/// Rows as text: these columns of numbers behind the prefix, then these of text.
fn rows(kept: &Kept, prefix: &str, numbers: &[&str], words: &[&str]) -> Vec<String> {
    let prefixes = kept.addresses(prefix);
    let numbers: Vec<_> = numbers.iter().map(|column| kept.uints(column)).collect();
    let words: Vec<_> = words.iter().map(|column| texts(kept, column)).collect();
    let row = |at: usize| {
        let numbers = numbers.iter().map(|column| column[at].map_or("-".to_owned(), |number| number.to_string()));
        let words = words.iter().map(|column| column[at].clone());
        std::iter::once(prefixes[at].clone()).chain(numbers).chain(words).collect::<Vec<_>>().join(" ")
    };
    (0..prefixes.len()).map(row).collect()
}

const GEO: [&str; 4] = ["country", "region", "city", "postal_code"];

#[test]
fn tables_of_places() {
    for (file, wanted, skipped) in [
        ("geofeed-bom/x.csv", vec!["192.0.2.0 24 US US-CA San Jose -", "198.51.100.0 24 DE DE-BE Berlin -"], 0),
        (
            "geofeed-host-bits/x.csv",
            vec!["192.0.2.0 24 US - - -", "2001:db8::1 128 NL - - -", "198.51.100.0 24 DE - - -"],
            0,
        ),
        ("geofeed-host-bits/mapped.csv", vec!["192.0.2.0 24 US - - -", "2001:db8:: 120 NL - - -"], 0),
        ("geofeed-bad-region/x.csv", vec!["192.0.2.0 24 US - San Francisco 94103"], 3),
        (
            "geofeed-trailing-comments/x.csv",
            vec![
                "192.0.2.0 24 US US-CA San Jose -",
                "198.51.100.0 24 DE DE-BE Berlin -",
                "203.0.113.0 25 NL - - -",
                "203.0.113.128 25 - - - -",
                "2001:db8:: 32 FR FR-IDF Paris, \"15e\" -",
            ],
            0,
        ),
    ] {
        let Some((report, kept)) = import(file, None) else { return };
        assert_eq!(rows(&kept, "prefix", &["prefix_len"], &GEO), wanted, "{file}");
        assert_eq!(report.unwrap().skipped.values().sum::<u64>(), skipped, "{file}");
    }
}

#[test]
fn tables_of_ases_and_payloads() {
    let as_ranges = Some(Format::Table(TableFormat::AsRanges));
    for (file, format, wanted) in [
        (
            "as-ranges-asdot/x.csv",
            as_ranges,
            vec!["192.0.2.0 64500 - -", "198.51.100.0 65546 - -", "203.0.113.0 64502 - -"],
        ),
        ("roas-fort-csv/x.csv", None, vec!["192.0.2.0 64500 28 -"]),
        ("roas-fort-csv/fort.csv", None, vec!["198.51.100.0 64500 28 -"]),
        ("roas-fort-csv/routinator.csv", None, vec!["198.51.100.0 64500 28 ripe"]),
        ("roas-routinator-jsonext/x.json", None, vec!["192.0.2.0 64500 24 ripe"]),
    ] {
        let Some((report, kept)) = import(file, format) else { return };
        assert_eq!(rows(&kept, "prefix", &["asn", "max_len"], &["registry"]), wanted, "{file}");
        assert!(report.unwrap().skipped.is_empty(), "{file}");
        if file.ends_with(".json") {
            assert_eq!(kept.times("valid_to"), [1_780_272_000_000_000]);
        }
    }
}

#[test]
fn captures() {
    let flow = |kept: &Kept| rows(kept, "src", &["proto", "src_port", "dst_port", "packets", "bytes"], &[]);
    for (file, wanted) in [
        ("ppp/x.pcap", "192.0.2.10 17 5000 53 1 48"),
        ("llc-snap/x.pcap", "192.0.2.10 17 5000 53 1 48"),
        ("ipv6-no-next-header/x.pcap", "2001:db8::1 59 0 0 1 40"),
    ] {
        let Some((report, kept)) = import(file, None) else { return };
        assert_eq!((report.unwrap().rows, flow(&kept)), (1, vec![wanted.to_owned()]), "{file}");
    }
    let Some((refused, _)) = import("pcap-unknown-link/x.pcap", None) else { return };
    assert!(refused.unwrap_err().to_string().contains("link type 105"));
}

#[test]
fn routes_and_answers() {
    let Some((report, kept)) = import("addpath-in-plain-mrt/x.mrt", None) else { return };
    let routes = rows(&kept, "prefix", &["prefix_len", "path_id", "origin_as"], &["kind"]);
    let wanted =
        ["10.0.0.0 16 9 64510 announce", "198.51.100.0 24 1 64511 announce", "203.0.113.0 24 1 64511 announce"];
    assert_eq!((report.unwrap().rows, routes.as_slice()), (3, &wanted.map(str::to_owned)[..]));
    let Some((report, kept)) = import("pdns-saf/x.jsonl", None) else { return };
    assert_eq!(texts(&kept, "rrname"), ["www.example.org", "b.example.org"]);
    assert!(report.unwrap().skipped.is_empty());
}
