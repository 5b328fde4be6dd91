//! `origin-check` on a table of prefixes and origins of 2014 with real ROAs, and on a routing table of 47 peers that is
//! given to two domains.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, UInt64Type};
use serde_json::{Value, json};

use crate::roas::{self, Roa};
use crate::{Analysis, shared, texts};

const ROUTES_HEAD: &str = "time,kind,peer,peer_as,prefix,prefix_len,origin_as\n";

fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

/// Whether one prefix lies in another.
fn covers((outer, length): (IpAddr, u8), (inner, inner_length): (IpAddr, u8)) -> bool {
    let ((outer, family), (inner, inner_family)) = (bits(outer), bits(inner));
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    family == inner_family && length <= inner_length && inner & mask == outer
}

/// RFC 6811, as its §2 writes it.
fn validity(roas: &[Roa], route: (IpAddr, u8), origin: u32) -> &'static str {
    let covering: Vec<_> = roas.iter().filter(|roa| covers((roa.0, roa.1), route)).collect();
    let matching = covering.iter().any(|roa| origin != 0 && roa.3 == origin && route.1 <= roa.2);
    let named = covering.iter().any(|roa| origin != 0 && roa.3 == origin);
    match (covering.is_empty(), matching, named) {
        (true, ..) => "not-found",
        (false, true, _) => "valid",
        (false, false, true) => "invalid-length",
        (false, false, false) => "invalid-asn",
    }
}

fn write_roas(dir: &Path, roas: &[Roa]) -> PathBuf {
    let mut text = "prefix,prefix_len,asn,max_len,kind\n".to_owned();
    for (prefix, length, most, asn) in roas {
        writeln!(text, "{prefix},{length},{asn},{most},roa").unwrap();
    }
    // What other tables say about a prefix is no authorisation.
    text.push_str("5.0.0.0,8,50459,24,irr\n");
    let path = dir.join("roas.csv");
    std::fs::write(&path, text).unwrap();
    path
}

/// Routes of 2014 in a few blocks that the ROAs are about: prefix, length, origin.
fn table_of_2014(path: &Path) -> Vec<(IpAddr, u8, u32)> {
    let file = BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let mut routes = Vec::new();
    for line in file.lines() {
        let line = line.unwrap();
        if !["5.", "37.", "85."].iter().any(|block| line.starts_with(block)) {
            continue;
        }
        let (prefix, origin) = line.split_once('\t').unwrap();
        let (address, length) = prefix.split_once('/').unwrap();
        routes.push((address.parse().unwrap(), length.parse().unwrap(), origin.parse().unwrap()));
    }
    routes
}

#[tokio::test]
async fn validity_of_real_routes_by_real_roas_is_that_of_rfc_6811() {
    let files = (shared("routeviews_rib_2014/ipasn_20140513.dat.gz"), shared("rpki_samples/ripe-snapshot.xml"));
    let (Some(table), Some(snapshot)) = files else { return };
    let (dir, roas, routes) = (tempfile::tempdir().unwrap(), roas::read(&snapshot), table_of_2014(&table));
    assert!(roas.len() > 300 && routes.len() > 10_000, "{} ROAs, {} routes", roas.len(), routes.len());
    let mut text = ROUTES_HEAD.to_owned();
    for (address, length, origin) in &routes {
        writeln!(text, "1399939200000000,rib,128.223.51.102,6447,{address},{length},{origin}").unwrap();
    }
    let routes_csv = dir.path().join("routes.csv");
    std::fs::write(&routes_csv, text).unwrap();
    let roas_csv = write_roas(dir.path(), &roas);
    let analysis = Analysis::new("origin-check");
    let mut seen = BTreeMap::<&str, u32>::new();
    for asked in ["5.153.128.0/18", "37.75.8.0/21", "37.203.0.0/16", "85.22.0.0/16"] {
        let (address, length) = asked.split_once('/').unwrap();
        let target = (address.parse().unwrap(), length.parse().unwrap());
        let slots = [("routes", "route/1", routes_csv.as_path()), ("roas", "asinfo/1", roas_csv.as_path())];
        let answer = analysis.run(json!({ "prefix": asked }), &slots).await;
        let mut expected = BTreeSet::new();
        for &(address, length, origin) in routes.iter().filter(|route| covers(target, (route.0, route.1))) {
            let validity = validity(&roas, (address, length), origin);
            *seen.entry(validity).or_default() += 1;
            expected.insert((format!("{address}/{length}"), u64::from(origin), validity.to_owned()));
        }
        assert_eq!(said(&answer["ok"]), expected, "{asked}");
    }
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), ["invalid-asn", "invalid-length", "not-found", "valid"]);
}

/// Prefix, origin and validity of every route of a report.
fn said(report: &Value) -> BTreeSet<(String, u64, String)> {
    let of = |prefix: &Value, origins: &Value| -> Vec<_> {
        let prefix = prefix.as_str().unwrap();
        let one = |origin: &Value| {
            (prefix.to_owned(), origin["asn"].as_u64().unwrap(), origin["validity"].as_str().unwrap().to_owned())
        };
        origins.as_array().unwrap().iter().map(one).collect()
    };
    let inside = report["more-specifics"].as_array().unwrap();
    let inside = inside.iter().flat_map(|inside| of(&inside["prefix"], &inside["origins"]));
    of(&report["prefix"], &report["origins"]).into_iter().chain(inside).collect()
}

/// Rows of a decoded table, as CSV lines by peer.
struct Lines(BTreeMap<IpAddr, String>);

impl iog_import::columns::Sink for Lines {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let address = |name: &str, row| {
            let bytes: [u8; 16] = column(name).as_fixed_size_binary().value(row).try_into().unwrap();
            IpAddr::from(bytes).to_canonical()
        };
        let uint = |name: &str, row| column(name).as_primitive::<UInt64Type>().value(row);
        for row in 0..batch.num_rows() {
            let (peer, time) = (address("peer", row), column("time").as_primitive::<Int64Type>().value(row));
            let kind = column("kind").as_string::<i32>().value(row);
            let known = !arrow_array::Array::is_null(column("origin_as"), row);
            let origin = known.then(|| uint("origin_as", row).to_string()).unwrap_or_default();
            let (prefix, length) = (address("prefix", row), uint("prefix_len", row));
            let lines = self.0.entry(peer).or_default();
            writeln!(lines, "{time},{kind},{peer},{},{prefix},{length},{origin}", uint("peer_as", row))?;
        }
        Ok(())
    }
}

/// The table of 2014-05-23 by peer.
fn peers(rib: &Path) -> BTreeMap<IpAddr, String> {
    let mut file = BufReader::new(std::fs::File::open(rib).unwrap());
    let mut lines = Lines(BTreeMap::new());
    let options = iog_import::mrt::Options::default();
    let report = iog_import::mrt::read(&mut file, rib, &options, &mut lines, &mut |_| {}).unwrap();
    println!("{report:?}");
    lines.0
}

/// Writes the table of one domain.
fn domain(dir: &Path, name: &str, lines: &[&str]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, format!("{ROUTES_HEAD}{}", lines.concat())).unwrap();
    path
}

#[tokio::test]
async fn two_domains_with_a_real_table_agree_and_a_hijack_at_one_of_them_is_named() {
    let Some(rib) = shared("routeviews_rib_2014/rib.20140523.0600.first9072.mrt.bz2") else { return };
    let (dir, peers) = (tempfile::tempdir().unwrap(), peers(&rib));
    assert_eq!(peers.values().map(|lines| lines.lines().count()).sum::<usize>(), 270_005);
    let half = |odd| peers.values().enumerate().filter(move |(n, _)| n % 2 == odd).map(|(_, lines)| lines.as_str());
    let (east, west): (Vec<_>, Vec<_>) = (half(0).collect(), half(1).collect());
    let carried = |lines: &[&str]| lines.iter().filter(|peer| peer.contains(",8.8.8.0,24,15169\n")).count();
    let (in_east, in_west) = (carried(&east), carried(&west));
    assert!(in_east > 10 && in_west > 10, "{in_east}, {in_west}");
    // Two routes that were not there, an hour after the table was made: the same prefix and half of it.
    let later = "1400828400000000,announce,198.51.100.1,64500";
    let hijack = format!("{later},8.8.8.0,24,64666\n{later},8.8.8.0,25,64666\n");
    let taken: Vec<_> = west.iter().copied().chain([hijack.as_str()]).collect();
    let files = [domain(dir.path(), "east.csv", &east), domain(dir.path(), "west.csv", &west)];
    let taken = domain(dir.path(), "taken.csv", &taken);
    let roas = write_roas(dir.path(), &[("8.8.8.0".parse().unwrap(), 24, 24, 15169)]);
    let none = dir.path().join("no-roas.csv");
    std::fs::write(&none, "prefix,prefix_len,asn,max_len,kind\n").unwrap();

    let analysis = Analysis::new("origin-check");
    let check = async |routes: &Path, roas: &Path| {
        let slots = [("routes", "route/1", routes), ("roas", "asinfo/1", roas)];
        analysis.run(json!({ "prefix": "8.8.8.0/24" }), &slots).await
    };
    let (east, west) = (check(&files[0], &none).await, check(&files[1], &none).await);
    let origin = &east["ok"]["origins"][0];
    assert_eq!(
        (&origin["asn"], &origin["peers"], &origin["validity"]),
        (&json!(15169), &json!(in_east), &json!("not-found"))
    );
    let quiet = analysis.merge(&[("east", east.clone()), ("west", west)]).await;
    assert_eq!((&quiet["agreement"], &quiet["origins"][0]["peers"]), (&json!("same"), &json!(in_east + in_west)));
    assert_eq!((&quiet["suspects"], &quiet["expected"]["asns"]), (&json!([]), &json!([15169])));

    let blind = analysis.merge(&[("west", check(&taken, &none).await), ("east", east)]).await;
    assert_eq!(blind["agreement"], "differ");
    assert_eq!(texts(&blind["suspects"], "assessment"), ["likely-hijack", "likely-hijack"], "{blind}");
    assert_eq!(texts(&blind["suspects"], "prefix"), ["8.8.8.0/24", "8.8.8.0/25"]);
    let parts = [("west", check(&taken, &roas).await), ("east", check(&files[0], &roas).await)];
    let named = analysis.merge(&parts).await;
    let suspect = &named["suspects"][1];
    assert_eq!(
        texts(&suspect["reasons"], ""),
        ["rpki-invalid-asn", "other-origin", "more-specific", "new", "seen-by-some"]
    );
    assert_eq!((&suspect["asn"], &suspect["votes"]["invalid-asn"]), (&json!(64666), &json!(1)));
    assert_eq!((texts(&suspect["seen-by"], ""), texts(&suspect["not-seen-by"], "")), (vec!["west"], vec!["east"]));
    assert_eq!(named["expected"]["basis"], "rpki");
}

#[tokio::test]
async fn what_is_counted_inside_a_large_block_is_what_the_table_holds() {
    let Some(rib) = shared("routeviews_rib_2014/rib.20140523.0600.first9072.mrt.bz2") else { return };
    let (dir, peers) = (tempfile::tempdir().unwrap(), peers(&rib));
    let mut expected = BTreeMap::<String, BTreeMap<String, u64>>::new();
    for line in peers.values().flat_map(|lines| lines.lines()) {
        let columns: Vec<_> = line.split(',').collect();
        let length: u8 = columns[5].parse().unwrap();
        if covers(("8.0.0.0".parse().unwrap(), 8), (columns[4].parse().unwrap(), length)) && length > 8 {
            let origins = expected.entry(format!("{}/{length}", columns[4])).or_default();
            *origins.entry(columns[6].to_owned()).or_default() += 1;
        }
    }
    let all: Vec<_> = peers.values().map(String::as_str).collect();
    let routes = domain(dir.path(), "routes.csv", &all);
    let none = dir.path().join("no-roas.csv");
    std::fs::write(&none, "prefix,prefix_len,asn,max_len,kind\n").unwrap();
    let slots = [("routes", "route/1", routes.as_path()), ("roas", "asinfo/1", none.as_path())];
    let answer = Analysis::new("origin-check").run(json!({ "prefix": "8.0.0.0/8" }), &slots).await;
    let mut found = BTreeMap::<String, BTreeMap<String, u64>>::new();
    for inside in answer["ok"]["more-specifics"].as_array().unwrap() {
        let origins = found.entry(inside["prefix"].as_str().unwrap().to_owned()).or_default();
        for origin in inside["origins"].as_array().unwrap() {
            let asn = origin["asn"].as_u64().map(|asn| asn.to_string()).unwrap_or_default();
            origins.insert(asn, origin["observations"].as_u64().unwrap());
        }
    }
    assert!(expected.len() > 200, "{}", expected.len());
    assert_eq!(found, expected);
}
