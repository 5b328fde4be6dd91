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
    assert_eq!((report.messages, report.rows, report.skipped.len()), (4, 2, 4), "{:?}", report.skipped);
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

fn read(text: &str, format: TableFormat) -> (FileReport, RecordBatch) {
    assert_eq!(looks_like(text.as_bytes()), Some(format), "{text}");
    decode(text.as_bytes(), &Options::new(format)).unwrap()
}

fn prefixes(batch: &RecordBatch) -> Vec<String> {
    let (prefixes, lens) = (batch.column(0).as_fixed_size_binary(), uints(batch, "prefix_len"));
    let text = |at: usize| {
        let address = std::net::Ipv6Addr::from(<[u8; 16]>::try_from(prefixes.value(at)).unwrap());
        format!("{}/{}", address.to_canonical(), lens[at].unwrap())
    };
    (0..batch.num_rows()).map(text).collect()
}

#[test]
fn geofeeds_as_people_and_spreadsheets_leave_them() {
    let marked = "\u{feff}192.0.2.0/24,US,US-CA,San Jose,\r\n198.51.100.0/24,DE,DE-BE,Berlin,\r\n";
    let (report, batch) = read(marked, TableFormat::Geofeed);
    assert_eq!((report.rows, report.skipped.len(), texts(&batch, "country")[0].clone()), (2, 0, some("US")));
    let commented = concat!(
        "# Geofeed of AS64500\r\n192.0.2.0/24,US,US-CA,San Jose,\r\n198.51.100.0/24,DE,DE-BE,Berlin, # moved in May\r\n",
        "203.0.113.0/25,NL,,,# no city\r\n203.0.113.128/25 # unused\r\n\r\n",
        "2001:db8::/32,FR,FR-IDF,\"Paris, \"\"15e\"\"\",\r\n2001:db8:1::/48,FR,,\"No #1\",\r\n",
    );
    let (report, batch) = read(commented, TableFormat::Geofeed);
    assert_eq!((report.messages, report.rows, report.skipped.len()), (6, 6, 0), "{:?}", report.skipped);
    let cities = ["San Jose", "Berlin", "", "", "Paris, \"15e\"", "No #1"];
    assert_eq!(texts(&batch, "city"), cities.map(|city| some(city).filter(|city| !city.is_empty())));
    assert_eq!(texts(&batch, "postal_code"), vec![None; 6]);
    assert_eq!(texts(&batch, "country")[3], None);
    let first = "203.0.113.128/25 # unused\n203.0.113.0/25,NL,,,\n";
    assert_eq!(read(first, TableFormat::Geofeed).0.rows, 2, "the first line alone says nothing");
    let mapped = "192.0.2.77/24,US,,,\n2001:db8::1,NL,,,\n::ffff:198.51.100.0/120,DE,,,\n::ffff:203.0.113.9,DE,,,\n";
    let wanted = ["192.0.2.0/24", "2001:db8::1/128", "198.51.100.0/24", "203.0.113.9/32"];
    assert_eq!(prefixes(&read(mapped, TableFormat::Geofeed).1), wanted);
}

#[test]
fn regions_are_codes_of_their_country_or_left_out() {
    let text = concat!(
        "192.0.2.0/24, US, CA, San Francisco, 94103\n198.51.100.0/24,USA,US-NC,Asheville,\n",
        "203.0.113.0/24,GB,UK-ENG,,\n203.0.113.0/25,GB,gb-eng,,\n203.0.113.0/26,,DE-BE,,\n",
    );
    let (report, batch) = read(text, TableFormat::Geofeed);
    assert_eq!((report.messages, report.rows), (5, 3));
    assert_eq!(texts(&batch, "region"), [None, some("GB-ENG"), some("DE-BE")]);
    assert_eq!(texts(&batch, "city")[0], some("San Francisco"));
    let reasons: Vec<String> = report.skipped.iter().map(|(why, count)| format!("{count} {why}")).collect();
    assert_eq!(
        reasons,
        [
            "1 regions that are not ISO 3166-2 codes such as `US-CA`, left out of their rows",
            "1 malformed: a country is not two letters",
            "1 malformed: a region is not one of its country",
        ]
    );
}

#[test]
fn as_numbers_in_two_halves_and_ranges_of_mapped_addresses() {
    let text = "192.0.2.0,192.0.2.255,64500,Plain\n198.51.100.0,198.51.100.255,1.10,No #1\n203.0.113.0,203.0.113.255,AS64502,x\n";
    let (_, batch) = read(text, TableFormat::AsRanges);
    assert_eq!(uints(&batch, "asn"), [Some(64_500), Some(65_546), Some(64_502)]);
    assert_eq!(texts(&batch, "organisation")[1], some("No #1"));
    let (_, batch) = read("192.0.2.0/24\tAS1.10 ; dotted\r2001:db8::/32\t64500\r", TableFormat::Pyasn);
    assert_eq!(uints(&batch, "asn"), [Some(65_546), Some(64_500)]);
    let (_, batch) =
        read("::ffff:192.0.2.0,::ffff:192.0.2.255,US # all\n2001:db8::,2001:db8::ff,NL\n", TableFormat::GeoRanges);
    assert_eq!(prefixes(&batch), ["192.0.2.0/24", "2001:db8::/120"]);
}

#[test]
fn other_separators_and_encodings_are_named() {
    let refused = |text: &str, format| decode(text.as_bytes(), &Options::new(format)).unwrap_err().to_string();
    let semicolons = "192.0.2.0/24;US;US-CA;San Jose;\n";
    assert_eq!(looks_like(semicolons.as_bytes()), Some(TableFormat::Geofeed), "so that it is refused with a reason");
    let said = refused(semicolons, TableFormat::Geofeed);
    assert!(said.contains("separated by semicolons; a table of this format separates them by commas"), "{said}");
    assert!(refused("192.0.2.0/24,64500\n", TableFormat::Pyasn).contains("by commas"), "{said}");
    assert!(refused("1.0.0.0\t1.0.0.9\t1\n", TableFormat::AsRanges).contains("by tabs"));
    assert!(refused("ASN;IP Prefix;Max Length\nAS1;1.0.0.0/8;8\n", TableFormat::Roas).contains("by semicolons"));
    for format in [TableFormat::Geofeed, TableFormat::Roas] {
        let wide: Vec<u8> = "192.0.2.0/24,US".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(looks_like(&wide), None);
        let error = decode(&wide, &Options::new(format)).unwrap_err();
        assert!(matches!(error, ImportError::Encoding { encoding: "UTF-16", .. }), "{error}");
    }
    let open = "192.0.2.0/24,US,,\"San Jose\n198.51.100.0/24,DE,,Berlin\n";
    let (report, batch) = decode(open.as_bytes(), &Options::new(TableFormat::Geofeed)).unwrap();
    assert_eq!((report.rows, texts(&batch, "city")), (1, vec![some("Berlin")]), "a stray mark costs its line");
}

/// What a payload became: AS, prefix, largest length, registry, from when until when.
type Row = (u64, String, Option<u64>, Option<String>, Option<i64>, Option<i64>);

fn payloads(text: &str) -> (Vec<String>, Vec<Row>) {
    let (report, batch) = read(text, TableFormat::Roas);
    let (asns, lens) = (uints(&batch, "asn"), uints(&batch, "max_len"));
    let (registries, from, to) = (texts(&batch, "registry"), times(&batch, "valid_from"), times(&batch, "valid_to"));
    let prefixes = prefixes(&batch);
    let row = |at: usize| (asns[at].unwrap(), prefixes[at].clone(), lens[at], registries[at].clone(), from[at], to[at]);
    let skipped = report.skipped.iter().map(|(why, count)| format!("{count} {why}")).collect();
    (skipped, (0..batch.num_rows()).map(row).collect())
}

#[test]
fn the_csv_of_every_validator_keeps_all_that_it_says() {
    let (prefix, ripe) = ("192.0.2.0/24".to_owned(), some("ripe"));
    let s = 1_000_000;
    for (text, registry, from, to) in [
        ("ASN,IP Prefix,Max Length,Trust Anchor\nAS64500,192.0.2.0/24,28,ripe\n", ripe.clone(), None, None),
        (
            "\"ASN\",\"IP Prefix\",\"Max Length\",\"Trust Anchor\"\n\"64500\",\"192.0.2.0/24\",\"28\",\"ripe\"\n",
            ripe.clone(),
            None,
            None,
        ),
        (
            "URI,ASN,IP Prefix,Max Length,Not Before,Not After\nrsync://x,AS64500,192.0.2.0/24,28,2026-01-01 00:00:00,2026-06-01 00:00:00\n",
            None,
            Some(1_767_225_600 * s),
            Some(1_780_272_000 * s),
        ),
        ("URI,ASN,IP Prefix,Max Length,Not Before,Not After\nN/A,AS64500,192.0.2.0/24,28,N/A,N/A\n", None, None, None),
        ("ASN,IP Prefix,Max Length,Trust Anchor\nAS64500,192.0.2.0/24,28,N/A\n", None, None, None),
        (
            "ASN,IP Prefix,Max Length,Trust Anchor,Expires\nAS64500,192.0.2.0/24,28,ripe,1780272000\n",
            ripe,
            None,
            Some(1_780_272_000 * s),
        ),
        ("ASN,Prefix,Max prefix length\nAS64500,192.0.2.0/24,28\n", None, None, None),
        ("\u{feff}as number , IP-Prefix,maxPrefixLen\r\nAS0.64500,192.0.2.0/24, 28 \r\n", None, None, None),
    ] {
        assert_eq!(payloads(text), (vec![], vec![(64_500, prefix.clone(), Some(28), registry, from, to)]), "{text}");
    }
    let (skipped, rows) = payloads("ASN,Prefix,Colour,Max Length,maxLength\nAS1,10.0.0.0/8,red,9,24\n");
    assert_eq!(rows[0].2, Some(9));
    assert_eq!(
        skipped,
        ["1 a column that is not understood `Colour`", "1 a column that is not understood `maxLength`"]
    );
    for header in ["ASN,Prefix,Length", "ASN,Prefix,Mask,Max Length", "ASN,Prefix,Longest len"] {
        let error =
            decode(format!("{header}\nAS1,10.0.0.0/8,9,9\n").as_bytes(), &Options::new(TableFormat::Roas)).unwrap_err();
        assert!(error.to_string().contains("it is not clear whether it is the largest one"), "{error}");
    }
    let keys =
        decode(b"ASN,Subject Key Identifier,Subject Public Key Info\nAS1,a,b\n", &Options::new(TableFormat::Roas));
    assert!(keys.unwrap_err().to_string().contains("no columns `ASN` and `IP Prefix`"));
}

#[test]
fn the_json_of_every_validator_keeps_all_that_it_says() {
    let s = 1_000_000;
    let row = |registry: Option<&str>, from: Option<i64>, to: Option<i64>| {
        let time = |time: Option<i64>| time.map(|seconds| seconds * s);
        (64_500, "192.0.2.0/24".to_owned(), Some(28), registry.map(str::to_owned), time(from), time(to))
    };
    let payload = r#""prefix":"192.0.2.0/24","maxLength":28"#;
    let source = |tal: &str, validity: &str| format!(r#"{{"type":"roa","uri":"rsync://x","tal":"{tal}"{validity}}}"#);
    let span = |name: &str, from: &str, to: &str| format!(r#","{name}":{{"notBefore":"{from}","notAfter":"{to}"}}"#);
    let chain = [
        span("validity", "2025-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        span("chainValidity", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00.5+00:00"),
        r#","stale":"2026-01-02T00:00:00Z""#.to_owned(),
    ]
    .concat();
    let later = span("validity", "2025-12-31T00:00:00Z", "2026-06-02T00:00:00Z");
    let extended = |sources: &str| {
        format!(
            r#"{{"metadata":{{"generated":1}},"roas":[{{"asn":"AS64500",{payload},"source":[{sources}]}}],"routerKeys":[],"aspas":[]}}"#
        )
    };
    let (one, two) = (source("ripe", &chain), source("ripe", &later));
    let exception = r#"{"type":"exception","path":"/x","comment":"y"}"#;
    let mut half = row(Some("ripe"), Some(1_767_225_600), Some(1_780_272_000));
    half.5 = half.5.map(|to| to + 500_000);
    for (text, wanted) in [
        (format!(r#"{{"metadata":{{"generated":1,"generatedTime":"x"}},"roas":[{{"asn":"AS64500",{payload},"ta":"ripe"}}]}}"#), row(Some("ripe"), None, None)),
        (extended(&one), half),
        (extended(&format!("{one},{two}")), row(Some("ripe"), Some(1_767_139_200), Some(1_780_358_400))),
        (extended(&format!("{one},{exception}")), row(Some("ripe"), None, None)),
        (extended(exception), row(None, None, None)),
        (format!(r#"{{"metadata":{{"roas":1,"vrps":2}},"roas":[{{"asn":64500,{payload},"ta":"ripe","expires":1780272000}}],"bgpsec_keys":[],"provider_authorizations":{{"ipv4":[],"ipv6":[]}},"aspas":[]}}"#), row(Some("ripe"), None, Some(1_780_272_000))),
        (format!("{{ \"roas\" : [\n  {{ \"asn\" : \"AS64500\", {payload} }}\n]}}\n"), row(None, None, None)),
        (format!(r#"{{"metadata":{{"counts":1,"generated":1,"valid":2,"signature":"x","signatureDate":"y"}},"roas":[{{{payload},"asn":"AS64500","ta":"Cloudflare - RIPE"}}]}}"#), row(Some("Cloudflare - RIPE"), None, None)),
        (format!(r#"{{"roas":[{{"asn":"64500",{payload},"ta":"ripe","notBefore":"2026-01-01 00:00:00","notAfter":"2026-06-01T00:00:00Z","serialNumber":7,"uri":"rsync://x"}}]}}"#), row(Some("ripe"), Some(1_767_225_600), Some(1_780_272_000))),
        (r#"{"roas":[{"asn":"0.64500","prefix":"192.0.2.0/24","maxPrefixLength":"28","ta":null,"expires":null}]}"#.to_owned(), row(None, None, None)),
        (format!("\u{feff}{{\"roas\":[{{\"asn\":64500,{payload},\"ta\":\"N/A\"}}]}}"), row(None, None, None)),
        (r#"{"slurmVersion":1,"validationOutputFilters":{"prefixFilters":[],"bgpsecFilters":[]},"locallyAddedAssertions":{"prefixAssertions":[{"asn":64500,"prefix":"192.0.2.0/24","maxPrefixLength":28,"comment":"c"}],"bgpsecAssertions":[]}}"#.to_owned(), row(None, None, None)),
    ] {
        assert_eq!(payloads(&text), (vec![], vec![wanted]), "{text}");
    }
}

#[test]
fn what_else_validators_list_is_counted() {
    let (skipped, rows) = payloads(
        r#"{"roas":[{"asn":1,"prefix":"10.0.0.0/8","colour":"red","source":[]}],"routerKeys":[{"SKI":"x"},{}],"bgpsec_keys":[{}],
        "aspas":[{"customer_asid":1,"providers":[1,2]}],"provider_authorizations":{"ipv4":[{}],"ipv6":[{"p":[{}]}]},
        "nonfunc_cas":[{},{}],"metadata":{"x":[1]}}"#,
    );
    assert_eq!(rows.len(), 1);
    let wanted = [
        "1 a list that is not understood `nonfunc_cas`",
        "1 a member that is not understood `colour`",
        "3 authorisations of providers (ASPA)",
        "3 router keys (BGPsec)",
    ];
    assert_eq!(skipped, wanted);
    let (skipped, _) = payloads(
        r#"{"slurmVersion":2,"validationOutputFilters":{"prefixFilters":[{"asn":1},{"prefix":"10.0.0.0/8"}],"aspaFilters":[{}]},
        "locallyAddedAssertions":{"prefixAssertions":[{"asn":1,"prefix":"10.0.0.0/8"}],"bgpsecAssertions":[{}],"aspaAssertions":[{}],"others":[1]}}"#,
    );
    let wanted = [
        "1 a list that is not understood `others`",
        "1 authorisations of providers (ASPA)",
        "3 filters of SLURM, which take payloads of others away",
        "1 router keys (BGPsec)",
    ];
    assert_eq!(skipped, wanted);
    let unclear = r#"{"roas":[{"asn":1,"prefix":"10.0.0.0/8","length":9}]}"#;
    let error = decode(unclear.as_bytes(), &Options::new(TableFormat::Roas)).unwrap_err();
    assert!(error.to_string().contains("it is not clear whether it is the largest one"), "{error}");
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
    let long = [b"1.0.0.0,1.0.0.255,1,".to_vec(), vec![b'x'; crate::text::RECORD_BYTES_MAX]].concat();
    let many = b"1.0.0.0,".repeat(crate::text::FIELDS_MAX + 1);
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
