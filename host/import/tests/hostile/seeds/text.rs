//! Text: passive DNS, address tables, and files that are compressed.

use std::io::Write as _;

use super::bytes::Seed;

const PDNS: &str = concat!(
    r#"{"rrname":"WWW.Example.org.","rrtype":"a","rdata":["192.0.2.1","192.0.2.2"],"time_first":1,"time_last":2,"count":3}"#,
    "\r\n\n",
    r#"{"rrname":".","rrtype":65280,"rdata":"\\# 0","time_first":1,"time_last_ms":2001,"zone_time_first":5,"bailiwick":"."}"#,
    "\n",
    r#"{"rrname":"x","rrtype":"28","rdata":"2001:db8::1","time_first":-1,"time_last":2,"sensor_id":"s","origin":"o"}"#,
    "\n{\"rrname\":\"x\"}\nno object\n",
);
const PYASN: &str = "; made by hand\n192.0.2.0/24\t64500\n2001:db8::/32\tAS64501\n198.51.100.7\tx\n";
const AS_RANGES: &str = "1.0.0.0,1.0.2.255,13335,\"An \"\"Organisation\"\"\"\n::1,::ffff,64500,x\n1.0.0.1,1.0.0.0,1,\n";
const GEOFEED: &str = "# comment\n192.0.2.0/24,de,DE-BE,Berlin,10115\n2001:db8::/32,ZZ,,,\n192.0.2.0/24,DEU,,,\n\n";
const GEO_RANGES: &str = "1.0.0.0,1.0.0.255,AU\n2001:db8::,2001:db8::9,\"US\"\n1.0.0.0,1.0.0.9\n";
const ROAS_CSV: &str = concat!(
    "ASN,IP Prefix,Max Length,Trust Anchor,Not Before,Not After\n",
    "AS64500,192.0.2.0/24,24,ripe,2026-01-01 00:00:00,2027-01-01T00:00:00Z\n",
    "64501,2001:db8::/32,48,arin,1,2\n64502,192.0.2.0/24,8,,,\n",
);
const ROAS_JSON: &str = concat!(
    r#"{"metadata":{"roas":1,"x":[{}]},"roas":[{"asn":"AS64500","prefix":"192.0.2.0/24","maxLength":24,"ta":"r\"ipe","#,
    r#""expires":1700000000},{"asn":64501,"prefix":"2001:db8::/32","maxLength":48},{"asn":1}, 7]}"#,
);

const PDNS_FRAMED: &str = concat!(
    "{\"cond\":\"begin\"}\n",
    r#"{"obj":{"rrname":"x","rrtype":"NS","rdata":"y","time_first":1,"time_last":2}}"#,
    "\n",
    r#"{"cond":"ongoing","obj":{"rrname":"x","rrtype":"NS","rdata":"y","time_first":"1970-01-01","time_last":2}}"#,
    "\n{\"cond\":\"limited\",\"msg\":\"m\"}\n",
);
/// As spreadsheets and people leave it.
const GEOFEED_MARKED: &str = concat!(
    "\u{feff}# comment\r\n192.0.2.77/24, US , CA,\"San \"\"Jose\"\", #1\", # moved\r\n",
    "::ffff:198.51.100.0/120,GB,UK-ENG,,\r203.0.113.0/25 # unused\r\n\"open,DE\r\n",
);
const AS_RANGES_DOTTED: &str = "::ffff:192.0.2.0,::ffff:192.0.2.9,AS1.10,No #1\n192.0.2.0;192.0.2.9;1\n";
const ROAS_FORT: &str =
    "ASN,Prefix,Max prefix length,Colour\nAS64500,192.0.2.0/24,28,red\nAS1.1,2001:db8::/32,N/A,N/A\n";
const ROAS_EXTENDED: &str = concat!(
    r#"{"roas":[{"asn":"AS64500","prefix":"192.0.2.0/24","maxLength":"24","source":[{"type":"roa","tal":"ripe","#,
    r#""validity":{"notBefore":"2025-12-01T00:00:00Z","notAfter":"2026-12-01T00:00:00.5Z"},"chainValidity":"#,
    r#"{"notBefore":"2025-12-01T00:00:00Z","notAfter":"2026-06-01T00:00:00Z"}},{"type":"exception"}]}],"#,
    r#""routerKeys":[{"asn":1}],"aspas":[{}],"others":[[{"roas":[]}]]}"#,
);
const SLURM: &str = concat!(
    r#"{"slurmVersion":1,"validationOutputFilters":{"prefixFilters":[{"asn":1}]},"locallyAddedAssertions":"#,
    r#"{"prefixAssertions":[{"asn":64500,"prefix":"192.0.2.0/24","maxPrefixLength":28,"comment":"c"}],"bgpsecAssertions":[{}]}}"#,
);

pub(super) fn add(seeds: &mut Vec<Seed>) {
    let lines = PDNS.lines().filter(|line| !line.is_empty());
    seeds.extend(lines.enumerate().map(|(index, line)| ("pdns", format!("line_{index}"), line.into())));
    seeds.push(("pdns", "all".to_owned(), PDNS.into()));
    let tables = [("pyasn", PYASN), ("as_ranges", AS_RANGES), ("geofeed", GEOFEED), ("geo_ranges", GEO_RANGES)];
    for (choice, (name, text)) in (0..).zip(tables) {
        seeds.push(("tables", name.to_owned(), [&[choice], text.as_bytes()].concat()));
    }
    seeds.push(("tables", "as_ranges_dotted".to_owned(), [&[1], AS_RANGES_DOTTED.as_bytes()].concat()));
    seeds.push(("tables", "geofeed_marked".to_owned(), [&[2], GEOFEED_MARKED.as_bytes()].concat()));
    seeds.push(("pdns", "framed".to_owned(), PDNS_FRAMED.into()));
    for (name, text) in [("fort", ROAS_FORT), ("extended", ROAS_EXTENDED), ("slurm", SLURM)] {
        seeds.push(("roas", name.to_owned(), text.into()));
    }
    seeds.push(("roas", "csv".to_owned(), ROAS_CSV.into()));
    seeds.push(("roas", "json".to_owned(), ROAS_JSON.into()));
    let stored = [
        ("plain", PDNS.into()),
        ("gz", gzip(PDNS.as_bytes())),
        ("gz_members", [gzip(b"one\n"), gzip(PDNS.as_bytes())].concat()),
        ("bz2", bzip2(PDNS.as_bytes())),
        ("bz2_streams", [bzip2(b"one\n"), bzip2(PDNS.as_bytes())].concat()),
        ("gz_zeros", gzip(&[0; 50_000])),
        ("bz2_zeros", bzip2(&[0; 50_000])),
    ];
    seeds.extend(stored.map(|(name, bytes)| ("stored", name.to_owned(), bytes)));
}

/// Bytes as gzip.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("a vector takes all bytes");
    encoder.finish().expect("a vector takes all bytes")
}

/// Bytes as bzip2.
fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).expect("a vector takes all bytes");
    encoder.finish().expect("a vector takes all bytes")
}
