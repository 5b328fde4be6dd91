//! Stories of hijacks, and of what only looks like one: three domains, each with routes and ROAs of its own, from CSV
//! through the sandbox to the joint answer.

use serde_json::{Value, json};

use crate::tables::{Batches, ROUTES_HEAD, csv, prefix, vrps};
use crate::{Analysis, texts};

/// 2026-01-01T00:00:00Z, when the tables were dumped.
const DUMP_US: i64 = 1_767_225_600_000_000;
/// An hour later.
const LATER_US: i64 = DUMP_US + 3_600_000_000;

/// The holder of 203.0.113.0/24 and 2001:db8::/32, its second AS, and whoever else.
const HOLDER: u32 = 64_500;
const SECOND: u32 = 64_501;
const OTHER: u32 = 64_666;

/// What one domain's three peers have in their tables, and what one of them announces later: prefix and origin.
struct Domain<'a> {
    name: &'a str,
    table: &'a [(&'a str, u32)],
    later: &'a [(&'a str, u32)],
    /// Prefix, greatest length and AS number.
    roas: &'a [(&'a str, u8, u32)],
}

fn line(time: i64, kind: &str, peer: u8, (route, origin): (&str, u32)) -> String {
    let (address, length) = prefix(route);
    format!("{time},{kind},198.51.100.{peer},{},{address},{length},{origin}\n", 64_510 + u32::from(peer))
}

/// The joint answer about a prefix.
async fn asked(about: &str, domains: &[Domain<'_>]) -> Value {
    let (analysis, dir) = (Analysis::new("origin-check"), tempfile::tempdir().unwrap());
    let mut parts = Vec::new();
    for domain in domains {
        let table = (1..=3).flat_map(|peer| domain.table.iter().map(move |&route| line(DUMP_US, "rib", peer, route)));
        let later = domain.later.iter().map(|&route| line(LATER_US, "announce", 1, route));
        let routes = csv(dir.path(), "routes.csv", ROUTES_HEAD, table.chain(later));
        let roa = |&(route, most, asn): &(&str, u8, u32)| (prefix(route).0, prefix(route).1, most, asn);
        let roas: Vec<_> = domain.roas.iter().map(roa).collect();
        // An unrelated one, so that no table is empty.
        let list = vrps(&[roas, vec![("192.0.2.0".parse().unwrap(), 24, 24, 64_499)]].concat());
        let roas = Batches::of_vrps(&list).parquet(dir.path(), "roas.parquet");
        let slots = [("routes", "route/1", routes.as_path()), ("roas", "asinfo/1", roas.as_path())];
        parts.push((domain.name, analysis.run(json!({ "prefix": about }), &slots).await));
    }
    analysis.merge(&parts).await
}

/// Likely or not, prefix, AS number and reasons.
type Named<'a> = (bool, &'a str, u64, Vec<&'a str>);

fn named(suspect: &Value) -> Named<'_> {
    let (likely, asn) = (suspect["assessment"] == "likely-hijack", suspect["asn"].as_u64().unwrap());
    (likely, suspect["prefix"].as_str().unwrap(), asn, texts(&suspect["reasons"], ""))
}

/// Every suspect.
fn suspects(joint: &Value) -> Vec<Named<'_>> {
    joint["suspects"].as_array().unwrap().iter().map(named).collect()
}

const KNOWN: &[(&str, u32)] = &[("203.0.113.0/24", HOLDER)];
const SIGNED: &[(&str, u8, u32)] = &[("203.0.113.0/24", 24, HOLDER)];

#[tokio::test]
async fn an_origin_that_the_rpki_forbids_in_one_domain_is_named() {
    let quiet = |name| Domain { name, table: KNOWN, later: &[], roas: SIGNED };
    let taken = Domain { name: "gamma", table: KNOWN, later: &[("203.0.113.0/24", OTHER)], roas: SIGNED };
    let joint = asked("203.0.113.0/24", &[quiet("alpha"), quiet("beta"), taken]).await;
    let reasons = vec!["rpki-invalid-asn", "other-origin", "new", "seen-by-some"];
    assert_eq!(suspects(&joint), [(true, "203.0.113.0/24", u64::from(OTHER), reasons)], "{joint}");
    let suspect = &joint["suspects"][0];
    assert_eq!((&suspect["seen-by"], &suspect["not-seen-by"]), (&json!(["gamma"]), &json!(["alpha", "beta"])));
    assert_eq!(
        (&suspect["peers"], &suspect["peers-of"], &suspect["first-us"]),
        (&json!(1), &json!(3), &json!(LATER_US))
    );
    assert_eq!(suspect["votes"], json!({ "valid": 0, "invalid-asn": 3, "invalid-length": 0, "not-found": 0 }));
    assert_eq!((&joint["expected"]["asns"], &joint["agreement"]), (&json!([HOLDER]), &json!("differ")));
}

#[tokio::test]
async fn the_roas_of_others_judge_where_the_domain_that_sees_the_hijack_has_none() {
    let quiet = |name| Domain { name, table: KNOWN, later: &[], roas: SIGNED };
    let taken = Domain { name: "gamma", table: &[("203.0.113.0/24", OTHER)], later: &[], roas: &[] };
    let joint = asked("203.0.113.0/24", &[quiet("alpha"), quiet("beta"), taken]).await;
    let reasons = vec!["rpki-invalid-asn", "other-origin", "seen-by-some"];
    assert_eq!(suspects(&joint), [(true, "203.0.113.0/24", u64::from(OTHER), reasons)], "{joint}");
}

#[tokio::test]
async fn several_origins_with_roas_are_no_hijack_though_one_is_new_and_rare() {
    let signed = &[("203.0.113.0/24", 24, HOLDER), ("203.0.113.0/24", 24, SECOND)];
    let quiet = |name| Domain { name, table: KNOWN, later: &[], roas: signed };
    let moas = Domain { name: "gamma", table: KNOWN, later: &[("203.0.113.0/24", SECOND)], roas: signed };
    let joint = asked("203.0.113.0/24", &[quiet("alpha"), quiet("beta"), moas]).await;
    assert_eq!(suspects(&joint), [], "{joint}");
    assert_eq!((&joint["agreement"], &joint["expected"]["asns"]), (&json!("differ"), &json!([HOLDER, SECOND])));
}

#[tokio::test]
async fn a_part_of_the_prefix_announced_by_another_is_named() {
    let table = &[("2001:db8::/32", HOLDER), ("2001:db8:1::/48", SECOND)];
    let signed = &[("2001:db8::/32", 32, HOLDER), ("2001:db8:1::/48", 48, SECOND)];
    let quiet = |name| Domain { name, table, later: &[], roas: signed };
    let taken = Domain { later: &[("2001:db8:2::/48", OTHER)], ..quiet("gamma") };
    let joint = asked("2001:db8::/32", &[quiet("alpha"), quiet("beta"), taken]).await;
    let reasons = vec!["rpki-invalid-asn", "other-origin", "more-specific", "new", "seen-by-some"];
    assert_eq!(suspects(&joint), [(true, "2001:db8:2::/48", u64::from(OTHER), reasons)], "{joint}");
    assert_eq!(texts(&joint["more-specifics"], "prefix"), ["2001:db8:1::/48", "2001:db8:2::/48"]);
}

#[tokio::test]
async fn a_forged_origin_shows_in_the_length_that_no_roa_allows() {
    let quiet = |name| Domain { name, table: KNOWN, later: &[], roas: SIGNED };
    let taken = Domain { later: &[("203.0.113.128/25", HOLDER)], ..quiet("gamma") };
    let joint = asked("203.0.113.0/24", &[quiet("alpha"), taken]).await;
    let reasons = vec!["rpki-invalid-length", "more-specific", "new", "seen-by-some"];
    assert_eq!(suspects(&joint), [(true, "203.0.113.128/25", u64::from(HOLDER), reasons)], "{joint}");
}
