//! Real passive DNS and real address tables: as many records as their publishers say, none of them skipped.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and says what it skips")]

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use iog_import::columns::Sink;
use iog_import::stored::Stored;
use iog_import::tables::{Options, TableFormat, looks_like, read};
use iog_import::{FileReport, pdns};

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

fn head(path: &Path) -> Vec<u8> {
    let mut file = File::open(path).unwrap();
    let mut head = Vec::new();
    Stored::open(&mut file, path).unwrap().read_up_to(4096, &mut head).unwrap();
    head
}

/// Rows, and the addresses that IPv4 prefixes cover.
#[derive(Default)]
struct Totals {
    rows: u64,
    addresses: u64,
}

impl Sink for Totals {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.rows += batch.num_rows() as u64;
        if let Some(lens) = batch.column_by_name("prefix_len") {
            let lens = lens.as_primitive::<UInt64Type>().values();
            self.addresses += lens.iter().map(|len| 1 << (32 - len)).sum::<u64>();
        }
        Ok(())
    }
}

fn import(path: &Path, format: TableFormat) -> (FileReport, Totals) {
    assert_eq!(looks_like(&head(path)), Some(format));
    let (mut file, mut totals) = (File::open(path).unwrap(), Totals::default());
    let report = read(&mut file, path, &Options::new(format), &mut totals, &mut |_| ()).unwrap();
    assert_eq!((report.rows, report.bytes), (totals.rows, path.metadata().unwrap().len()));
    assert!(report.skipped.is_empty(), "{:?}", report.skipped);
    (report, totals)
}

/// Addresses of ranges, summed without the importer.
fn addresses_of_ranges(path: &Path) -> u64 {
    let mut text = String::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(File::open(path).unwrap());
    std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
    let number = |text: &str| u64::from(text.parse::<std::net::Ipv4Addr>().unwrap().to_bits());
    let sizes = text.lines().map(|line| {
        let mut fields = line.split(',');
        let start = number(fields.next().unwrap());
        number(fields.next().unwrap()) - start + 1
    });
    sizes.sum()
}

#[test]
fn prefixes_and_their_ases() {
    let Some(path) = data("routeviews_rib_2014/ipasn_20140513.dat.gz") else { return };
    let (report, _) = import(&path, TableFormat::Pyasn);
    assert_eq!((report.format.as_str(), report.messages, report.rows), ("pyasn (gzip)", 512_621, 512_621));
}

#[test]
fn ranges_are_covered_exactly() {
    let tables = [
        ("asn_geo_db/asn-ipv4.csv.gz", TableFormat::AsRanges, 411_961),
        ("asn_geo_db/geo-whois-asn-country-ipv4.csv.gz", TableFormat::GeoRanges, 334_373),
    ];
    for (name, format, ranges) in tables {
        let Some(path) = data(name) else { continue };
        let (report, totals) = import(&path, format);
        assert_eq!(report.messages, ranges, "{name}");
        assert_eq!(totals.addresses, addresses_of_ranges(&path), "{name}");
    }
}

#[test]
fn passive_dns() {
    let Some(path) = data("dns_rootzone_pdns/pdns_cof.jsonl.gz") else { return };
    assert!(pdns::looks_like(&head(&path)));
    let (mut file, mut totals) = (File::open(&path).unwrap(), Totals::default());
    let report = pdns::read(&mut file, &path, &mut totals, &mut |_| ()).unwrap();
    assert_eq!((report.messages, report.rows, totals.rows), (19_475, 19_475, 19_475));
    assert!(report.skipped.is_empty(), "{:?}", report.skipped);
}
