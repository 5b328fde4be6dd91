//! Whether components and manifests fit each other.

use super::build::component;
use crate::{Finding, InspectLimits, check, inspect};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::manifest::Manifest;

const QUERY: &str =
    "[query.q]\nparams = { target = \"prefix\" }\nsql = \"SELECT src, bytes FROM flows WHERE ip_in(dst, $target)\"";
const DATA: &str = "import iog:guest/data@0.1.0;";

fn manifest(entries: &str, rest: &str) -> Manifest {
    let text = format!(
        "[module]\nname = 'iog/test'\nversion = '1.0.0'\nsummary = 's'\nentry = [{entries}]\n{rest}\n\
         [release]\nclass = 'reviewed'\n[source]\nrepository = 'r'\ncommit = 'c'"
    );
    Manifest::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn result(body: &str, manifest: &Manifest) -> Result<Capabilities, Vec<String>> {
    let facts = inspect(&component(body), &InspectLimits::default()).unwrap_or_else(|error| panic!("{error}"));
    check(&facts, manifest).map_err(|findings| findings.iter().map(Finding::to_string).collect())
}

#[test]
fn capabilities_are_what_is_imported_and_what_is_read() {
    let two = format!(
        "[data.flows]\nschema = 'flow/1'\n{QUERY}\n[query.r]\nsql = \"SELECT count(*) FROM flows WHERE proto = 6\""
    );
    let manifest = manifest("'trace'", &two);
    let found = result(&format!("{DATA} export trace: func();"), &manifest).expect("fits");
    assert_eq!(found.imports, ["iog:guest/data@0.1.0"]);
    let flows = found.datasets.values().next().expect("a slot");
    assert_eq!((flows.schema.as_str(), flows.columns.join(" ")), ("flow/1", "bytes dst proto src".into()));
    assert!(!found.is_public());
    assert_eq!(found.limits, manifest.limits);
}

#[test]
fn every_misfit_is_told_at_once() {
    let rest = "[data.flows]\nschema = 'flow/1'\n[query.a]\nsql = 'SELECT * FROM flows'\n[query.b]\nsql = 'SELECT x FROM flows'";
    let findings = result("export other: func();", &manifest("'trace', 'second'", rest)).expect_err("many");
    assert_eq!(
        findings,
        [
            "entry `trace` is not exported: exported are `other`",
            "entry `second` is not exported: exported are `other`",
            "function `other` is exported but is not an entry of the manifest",
            "query `a`: a wildcard is not allowed: name the columns",
            "query `b`: column `x` does not exist: there are start, end, src, dst, proto, src_port, dst_port, packets, \
             bytes, tcp_flags, ingress_as, egress_as, src_as, dst_as, ingress_if, egress_if, icmp_type, tos, sampling, exporter",
            "queries are declared but `iog:guest/data` is not imported",
        ]
    );
}

#[test]
fn a_slot_that_is_not_read_is_told() {
    let rest = format!("[data.flows]\nschema = 'flow/1'\n[data.spare]\nschema = 'geo/1'\n{QUERY}");
    let findings = result(&format!("{DATA} export trace: func();"), &manifest("'trace'", &rest)).expect_err("a slot");
    assert_eq!(findings, ["slot `spare` is read by no query"]);
}

#[test]
fn merge_takes_the_parts_of_the_first_entry() {
    let part = |outcome: &str| format!("record part {{ domain: string, asn: option<u32>, outcome: {outcome} }}");
    let merge = "export merge: func(parts: list<part>) -> u64;";
    let entry = "export trace: func() -> result<r, string>; record r { a: u8 }";
    let plain = "export trace: func() -> r; record r { a: u8 }";
    let other_err = "export trace: func() -> result<r, u8>; record r { a: u8 }";
    for (body, expected) in [
        (format!("{entry} {} {merge}", part("result<r, string>")), None),
        (format!("{plain} {} {merge}", part("result<r, string>")), None),
        (format!("{other_err} {} {merge}", part("result<result<r, u8>, string>")), None),
        (format!("export trace: func(); {} {merge}", part("result<_, string>")), None),
        (
            format!("{entry} {} {merge}", part("result<u8, string>")),
            Some("field `outcome: result<u8, string>` of its part must be `outcome: result<r, string>`"),
        ),
        (format!("{entry} {} {merge}", part("result<r>")), Some("field `outcome: result<r>`")),
        (format!("{entry} {} {merge}", part("result<result<r, string>, string>")), Some("field `outcome:")),
        (
            format!("{entry} record part {{ domain: string, asn: u32, outcome: result<r, string> }} {merge}"),
            Some("field `asn: u32` of its part must be `asn: option<u32>`"),
        ),
        (format!("{entry} record part {{ domain: string, outcome: result<r, string> }} {merge}"), Some("it has 2")),
        (
            format!("{entry} {} export merge: func(parts: part) -> u64;", part("result<r, string>")),
            Some("one parameter, a list of parts"),
        ),
        (
            format!("{entry} {} export merge: func(parts: list<part>, n: u8) -> u64;", part("result<r, string>")),
            Some("one parameter"),
        ),
        (
            format!("{entry} {} export merge: func(parts: list<part>);", part("result<r, string>")),
            Some("it must return"),
        ),
        (format!("{entry} export merge: func(parts: list<u8>) -> u8;"), Some("a record of domain, asn and outcome")),
    ] {
        match (result(&body, &manifest("'trace'", "")), expected) {
            (Ok(_), None) => (),
            (Err(findings), Some(expected)) => {
                assert_eq!(findings.len(), 1, "{findings:?}");
                assert!(findings[0].starts_with("`merge` does not fit entry `trace`: "), "{findings:?}");
                assert!(findings[0].contains(expected), "{body}: {findings:?}");
            }
            (other, _) => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn the_prebuilt_analyses_fit_their_manifests() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../modules");
    for (name, columns) in [
        ("dns-watch", "count rdata rrname rrtype time_first time_last"),
        ("hello", "dst packets"),
        ("ip-traceback", "bytes dst end ingress_as packets src start"),
        ("origin-check", "asn kind max_len prefix prefix_len valid_to"),
        ("top-talkers", "bytes dst packets src start"),
    ] {
        let wasm = std::fs::read(format!("{root}/prebuilt/{name}.wasm")).expect("the module");
        let text = std::fs::read_to_string(format!("{root}/{name}/iog.toml")).expect("the manifest");
        let manifest = Manifest::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let facts = inspect(&wasm, &InspectLimits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = check(&facts, &manifest).unwrap_or_else(|findings| panic!("{name}: {findings:?}"));
        assert_eq!(found.datasets.values().next().expect("a slot").columns.join(" "), columns, "{name}");
    }
}
