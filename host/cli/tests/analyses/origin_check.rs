//! `origin-check` on a table of prefixes and origins of 2014 with real ROAs, and on a routing table of 2014 that is given to
//! two domains.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::roas::{self, Roa};
use crate::tables::{Batches, ROAS_HEAD, ROUTES_HEAD, Route, covers, csv, prefix, vrps};
use crate::{Analysis, shared, texts};

const RIB: &str = "routeviews_rib_2014/rib.20140523.0600.first9072.mrt.bz2";

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

/// Routes of 2014 in a few blocks that the ROAs are about: prefix, length, origin.
fn table_of_2014(path: &Path) -> Vec<(IpAddr, u8, u32)> {
    let file = BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let mut routes = Vec::new();
    for line in file.lines() {
        let line = line.unwrap();
        if !["5.", "37.", "85."].iter().any(|block| line.starts_with(block)) {
            continue;
        }
        let (route, origin) = line.split_once('\t').unwrap();
        let (address, length) = prefix(route);
        routes.push((address, length, origin.parse().unwrap()));
    }
    routes
}

#[tokio::test]
async fn validity_of_real_routes_by_real_roas_is_that_of_rfc_6811() {
    let files = (shared("routeviews_rib_2014/ipasn_20140513.dat.gz"), shared("rpki_samples/ripe-snapshot.xml"));
    let (Some(table), Some(snapshot)) = files else { return };
    let (dir, roas, routes) = (tempfile::tempdir().unwrap(), roas::read(&snapshot), table_of_2014(&table));
    assert!(roas.len() > 300 && routes.len() > 10_000, "{} ROAs, {} routes", roas.len(), routes.len());
    let line = |(address, length, origin): &(IpAddr, u8, u32)| {
        format!("1399939200000000,rib,128.223.51.102,6447,{address},{length},{origin}\n")
    };
    let routes_csv = csv(dir.path(), "routes.csv", ROUTES_HEAD, routes.iter().map(line));
    let roas_file = Batches::of_vrps(&vrps(&roas)).parquet(dir.path(), "roas.parquet");
    let analysis = Analysis::new("origin-check");
    let mut seen = BTreeMap::<&str, u32>::new();
    for asked in ["5.153.128.0/18", "37.75.8.0/21", "37.203.0.0/16", "85.22.0.0/16"] {
        let target = prefix(asked);
        let slots = [("routes", "route/1", routes_csv.as_path()), ("roas", "asinfo/1", roas_file.as_path())];
        let answer = analysis.run(json!({ "prefix": asked }), &slots).await;
        let mut expected = BTreeSet::new();
        for &(address, length, origin) in routes.iter().filter(|route| covers(target, (route.0, route.1))) {
            let validity = validity(&roas, (address, length), origin);
            *seen.entry(validity).or_default() += 1;
            expected.insert((format!("{address}/{length}"), u64::from(origin), validity.to_owned()));
        }
        assert_eq!(said(&answer["ok"]), expected, "{asked}");
        assert_eq!(answer["ok"]["roas-skipped"], 0);
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

#[tokio::test]
async fn two_domains_with_a_real_table_agree_and_a_hijack_at_one_of_them_is_named() {
    let Some(rib) = shared(RIB) else { return };
    let (dir, routes) = (tempfile::tempdir().unwrap(), Batches::of_mrt(&rib).routes());
    let mut peers: Vec<_> = routes.iter().map(|route| route.peer).collect::<BTreeSet<_>>().into_iter().collect();
    // Every second peer of the collector is a peer of the domain `east`, the others of `west`.
    let eastern: BTreeSet<_> = peers.iter().copied().step_by(2).collect();
    peers.retain(|peer| !eastern.contains(peer));
    let (east, west): (Vec<_>, Vec<_>) = routes.iter().partition(|route| eastern.contains(&route.peer));
    let carried = |routes: &[&Route]| {
        let carries = |route: &&&Route| route.prefix == prefix("8.8.8.0/24") && route.origin == Some(15_169);
        routes.iter().filter(carries).map(|route| route.peer).collect::<BTreeSet<_>>().len()
    };
    let (in_east, in_west) = (carried(&east), carried(&west));
    assert!(in_east > 10 && in_west > 10 && in_west <= peers.len(), "{in_east}, {in_west}");
    let lines = |routes: &[&Route]| routes.iter().map(|route| route.line()).collect::<Vec<_>>();
    // Two routes that were not there, an hour after the table was made: the same prefix and half of it.
    let later = "1400828400000000,announce,198.51.100.1,64500";
    let hijack = [format!("{later},8.8.8.0,24,64666\n"), format!("{later},8.8.8.0,25,64666\n")];
    let east = csv(dir.path(), "east.csv", ROUTES_HEAD, lines(&east));
    let taken = csv(dir.path(), "taken.csv", ROUTES_HEAD, lines(&west).into_iter().chain(hijack));
    let west = csv(dir.path(), "west.csv", ROUTES_HEAD, lines(&west));
    let roas =
        Batches::of_vrps(&vrps(&[("8.8.8.0".parse().unwrap(), 24, 24, 15_169)])).parquet(dir.path(), "r.parquet");
    let none = csv(dir.path(), "none.csv", ROAS_HEAD, []);

    let analysis = Analysis::new("origin-check");
    let check = async |routes: &Path, roas: &Path| {
        let slots = [("routes", "route/1", routes), ("roas", "asinfo/1", roas)];
        analysis.run(json!({ "prefix": "8.8.8.0/24" }), &slots).await
    };
    let (east_alone, west_alone) = (check(&east, &none).await, check(&west, &none).await);
    let origin = &east_alone["ok"]["origins"][0];
    assert_eq!(
        (&origin["asn"], &origin["peers"], &origin["validity"]),
        (&json!(15_169), &json!(in_east), &json!("not-found"))
    );
    let quiet = analysis.merge(&[("east", east_alone.clone()), ("west", west_alone)]).await;
    assert_eq!((&quiet["agreement"], &quiet["origins"][0]["peers"]), (&json!("same"), &json!(in_east + in_west)));
    assert_eq!((&quiet["suspects"], &quiet["expected"]["asns"]), (&json!([]), &json!([15_169])));

    let blind = analysis.merge(&[("west", check(&taken, &none).await), ("east", east_alone)]).await;
    assert_eq!(blind["agreement"], "differ");
    assert_eq!(texts(&blind["suspects"], "assessment"), ["likely-hijack", "likely-hijack"], "{blind}");
    assert_eq!(texts(&blind["suspects"], "prefix"), ["8.8.8.0/24", "8.8.8.0/25"]);
    let parts = [("west", check(&taken, &roas).await), ("east", check(&east, &roas).await)];
    let named = analysis.merge(&parts).await;
    let suspect = &named["suspects"][1];
    assert_eq!(
        texts(&suspect["reasons"], ""),
        ["rpki-invalid-asn", "other-origin", "more-specific", "new", "seen-by-some"]
    );
    assert_eq!((&suspect["asn"], &suspect["votes"]["invalid-asn"]), (&json!(64_666), &json!(1)));
    // `east` does not see the other origin, and its ROAs say what they say all the same.
    assert_eq!(named["suspects"][0]["votes"]["invalid-asn"], 2);
    assert_eq!((texts(&suspect["seen-by"], ""), texts(&suspect["not-seen-by"], "")), (vec!["west"], vec!["east"]));
    assert_eq!(named["expected"]["basis"], "rpki");
}

#[tokio::test]
async fn what_is_counted_inside_a_large_block_is_what_the_table_holds() {
    let Some(rib) = shared(RIB) else { return };
    let (dir, table) = (tempfile::tempdir().unwrap(), Batches::of_mrt(&rib));
    let mut expected = BTreeMap::<String, BTreeMap<Option<u64>, u64>>::new();
    let (block, all) = (prefix("8.0.0.0/8"), table.routes());
    assert_eq!(all.len(), 270_005);
    for route in all.iter().filter(|route| covers(block, route.prefix) && route.prefix != block) {
        let origins = expected.entry(format!("{}/{}", route.prefix.0, route.prefix.1)).or_default();
        *origins.entry(route.origin).or_default() += 1;
    }
    let routes = table.parquet(dir.path(), "routes.parquet");
    let none = csv(dir.path(), "none.csv", ROAS_HEAD, []);
    let slots = [("routes", "route/1", routes.as_path()), ("roas", "asinfo/1", none.as_path())];
    let answer = Analysis::new("origin-check").run(json!({ "prefix": "8.0.0.0/8" }), &slots).await;
    let mut found = BTreeMap::<String, BTreeMap<Option<u64>, u64>>::new();
    for inside in answer["ok"]["more-specifics"].as_array().unwrap() {
        let origins = found.entry(inside["prefix"].as_str().unwrap().to_owned()).or_default();
        for origin in inside["origins"].as_array().unwrap() {
            origins.insert(origin["asn"].as_u64(), origin["observations"].as_u64().unwrap());
        }
    }
    assert!(expected.len() > 200, "{}", expected.len());
    assert_eq!(found, expected);
}
