//! Tests of the tables, each in its own form.

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

fn decode(text: &[u8], options: &Options) -> Result<(FileReport, RecordBatch), ImportError> {
    let (mut input, mut sink) = (text, Batches::default());
    let report = super::read(&mut input, Path::new("file"), options, &mut sink, &mut |_| ())?;
    Ok((report, sink.0.pop().expect("a file that is read has rows")))
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

fn uints(batch: &RecordBatch, column: &str) -> Vec<Option<u64>> {
    batch.column_by_name(column).unwrap().as_primitive::<UInt64Type>().iter().collect()
}

fn times(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn pyasn_tables() {
    let text = b"; IP-ASN32-DAT file\n;\n1.0.0.0/24\t15169\n2001:db8::/32\t4200000000\n1.0.0.0/99\t1\n1.0.0.0/8\t\n";
    assert_eq!(looks_like(text), Some(TableFormat::Pyasn));
    let options = Options { valid_from: Some(7), ..Options::new(TableFormat::Pyasn) };
    let (report, batch) = decode(text, &options).unwrap();
    assert_eq!((report.messages, report.rows), (4, 2));
    assert_eq!(report.skipped[&Skip::Malformed("a prefix is malformed".to_owned())], 1);
    assert_eq!(report.skipped[&Skip::Incomplete("asn".to_owned())], 1);
    assert_eq!(uints(&batch, "asn"), [Some(15169), Some(4_200_000_000)]);
    assert_eq!(texts(&batch, "kind"), [some("bgp"), some("bgp")]);
    assert_eq!(times(&batch, "valid_from"), [Some(7), Some(7)]);
    let prefixes = batch.column(0).as_fixed_size_binary();
    assert_eq!(prefixes.value(1), address("2001:db8::".parse().unwrap()));
}

#[test]
fn ranges_of_ases() {
    let text = b"1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n1.0.1.0,1.0.3.255,2,\n1.0.3.0,1.0.1.0,2,x\n";
    assert_eq!(looks_like(text), Some(TableFormat::AsRanges));
    let options = Options { kind: Some(AsinfoKind::Rir), ..Options::new(TableFormat::AsRanges) };
    let (report, batch) = decode(text, &options).unwrap();
    assert_eq!((report.messages, report.rows), (3, 3));
    assert_eq!(texts(&batch, "organisation"), [some("Cloudflare, Inc."), None, None]);
    assert_eq!(uints(&batch, "prefix_len"), [Some(24), Some(24), Some(23)]);
    assert_eq!(texts(&batch, "kind")[0], some("rir"));
}

#[test]
fn roas_as_csv() {
    let text = concat!(
        "URI,ASN,IP Prefix,Max Length,Not Before,Not After\n",
        "rsync://x,AS13335,1.0.0.0/24,24,2000-02-29 12:00:01,951825601\n",
        "rsync://x,AS0,2001:db8::/32,,,\n",
        "rsync://x,AS1,10.0.0.0/24,23,,\n",
        "rsync://x,AS1x,10.0.0.0/24,24,,\n",
    );
    assert_eq!(looks_like(text.as_bytes()), Some(TableFormat::Roas));
    let (report, batch) = decode(text.as_bytes(), &Options::new(TableFormat::Roas)).unwrap();
    assert_eq!((report.messages, report.rows, report.skipped.len()), (5, 2, 2));
    assert_eq!((uints(&batch, "asn"), uints(&batch, "max_len")), (vec![Some(13335), Some(0)], vec![Some(24), None]));
    assert_eq!(texts(&batch, "kind"), [some("roa"), some("roa")]);
    assert_eq!(times(&batch, "valid_from")[0], Some(951_825_601_000_000));
    assert_eq!(times(&batch, "valid_to")[0], Some(951_825_601_000_000));
    let headless = decode(b"AS1,10.0.0.0/24,24,x\n", &Options::new(TableFormat::Roas));
    assert!(matches!(headless, Err(ImportError::Damaged { .. })));
}

#[test]
fn roas_as_json() {
    let text = br#"{"metadata":{"roas":[{"asn":1}],"x":"}\"{"}, "roas": [
        {"asn":"AS64500","prefix":"192.0.2.0/24","maxLength":28,"ta":"apnic"},
        {"asn":64501,"prefix":"2001:db8::/32","maxLength":48,"ta":"a\"}b","expires":5,"more":{"y":[{}]}},
        {"prefix":"192.0.2.0/24"}, {"asn":1,"prefix":7}, 5
    ], "other": [{"asn":1,"prefix":"10.0.0.0/8"}]}"#;
    assert_eq!(looks_like(text), Some(TableFormat::Roas));
    let (report, batch) = decode(text, &Options::new(TableFormat::Roas)).unwrap();
    assert_eq!((report.messages, report.rows, report.skipped.len()), (4, 2, 2), "{:?}", report.skipped);
    assert_eq!(uints(&batch, "asn"), [Some(64500), Some(64501)]);
    assert_eq!(texts(&batch, "registry"), [some("apnic"), some("a\"}b")]);
    assert_eq!(times(&batch, "valid_to"), [None, Some(5_000_000)]);
    for bad in [&text[..300], b"{}]", &[b"{\"roas\":[{\"a\":\"".to_vec(), vec![b'x'; 20_000]].concat()] {
        assert!(matches!(decode(bad, &Options::new(TableFormat::Roas)), Err(ImportError::Damaged { .. })));
    }
}

#[test]
fn geofeeds() {
    let text = "# comment\n192.0.2.0/24,US,us-al,Alabaster,\n2001:db8::1,nl,,Köln,1234\n198.51.100.0/24,ZZ\n10.0.0.0/8,,,,\n10.0.0.0/8,USA,,,\n";
    assert_eq!(looks_like(text.as_bytes()), Some(TableFormat::Geofeed));
    let (report, batch) = decode(text.as_bytes(), &Options::new(TableFormat::Geofeed)).unwrap();
    assert_eq!((report.messages, report.rows, report.skipped.len()), (5, 4, 1));
    assert_eq!(texts(&batch, "country"), [some("US"), some("NL"), None, None]);
    assert_eq!(texts(&batch, "region")[0], some("US-AL"));
    assert_eq!(
        (texts(&batch, "city")[1].clone(), texts(&batch, "postal_code")[1].clone()),
        (some("Köln"), some("1234"))
    );
    assert_eq!(uints(&batch, "prefix_len"), [Some(24), Some(128), Some(24), Some(8)]);
    assert_eq!(batch.column_by_name("latitude").unwrap().null_count(), 4);
}

#[test]
fn ranges_of_countries() {
    let text = b"1.0.0.0,1.0.0.255,AU\n1.0.1.0,1.0.3.255,CN\n1.0.4.0,1.0.4.255\n";
    assert_eq!(looks_like(text), Some(TableFormat::GeoRanges));
    let (report, batch) = decode(text, &Options::new(TableFormat::GeoRanges)).unwrap();
    assert_eq!((report.messages, report.rows, report.skipped.len()), (3, 3, 1));
    assert_eq!(texts(&batch, "country"), [some("AU"), some("CN"), some("CN")]);
}

#[test]
fn records_that_pass_a_bound_are_refused() {
    let long = [b"1.0.0.0,1.0.0.255,1,".to_vec(), vec![b'x'; csv::RECORD_BYTES_MAX]].concat();
    let many = b"1.0.0.0,".repeat(csv::FIELDS_MAX + 1);
    for text in [long, many] {
        let error = decode(&text, &Options::new(TableFormat::AsRanges)).unwrap_err();
        assert!(matches!(error, ImportError::TooLarge { .. }), "{error}");
    }
    assert_eq!(looks_like(b"\xff\xfe"), None);
}

fn survives(bytes: &[u8]) {
    use TableFormat::{AsRanges, GeoRanges, Geofeed, Pyasn, Roas};
    let _ = looks_like(bytes);
    for format in [Pyasn, AsRanges, Roas, Geofeed, GeoRanges] {
        let (mut input, mut sink) = (bytes, Batches::default());
        let _ = super::read(&mut input, Path::new("file"), &Options::new(format), &mut sink, &mut |_| ());
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&bytes);
    }

    #[test]
    fn damaged_tables_never_panic(which in 0_usize..4, place in 0_usize..50, byte in any::<u8>()) {
        let texts = [
            &b"1.0.0.0/24\t15169\n2001:db8::/32\t4200000000\n10.0.0.0/8\t1\n"[..],
            b"ASN,IP Prefix,Max Length\nAS1,1.0.0.0/24,24\nAS2,::/0,128\n",
            b"{\"roas\":[{\"asn\":1,\"prefix\":\"10.0.0.0/8\",\"maxLength\":9}]}",
            b"1.0.0.0,1.0.3.255,AU,x\n::,::ffff,1,\"y\"\n1.0.0.0/8,NL,,\n",
        ];
        let mut text = texts[which].to_vec();
        text[place] = byte;
        survives(&text);
    }
}
