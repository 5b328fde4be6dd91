//! Descriptors that a catalog must refuse, and what a search finds.

use super::*;
use crate::keys::SecretKey;
use serde_json::json;

const NOW: i64 = 1_800_000_000;

fn descriptor() -> Descriptor {
    Descriptor {
        domain: "as64500".parse().unwrap(),
        service: "traceback".parse().unwrap(),
        sequence: 3,
        state: ServiceState::Published,
        module: Digest::of(b"module"),
        module_name: "iog/ip-traceback".parse().unwrap(),
        module_version: "1.0.0".parse().unwrap(),
        summary: "Where traffic enters".into(),
        entries: vec![EntryDescription {
            name: "trace".parse().unwrap(),
            params: json!({"type": "object"}),
            result: json!(true),
            wit: "trace: func();".into(),
        }],
        datasets: vec![DatasetDescription {
            slot: "flows".parse().unwrap(),
            schema: "flow/1".into(),
            class: ReleaseClass::Reviewed,
            rows: Some(10),
            span: None,
        }],
        coverage: Coverage {
            asns: vec![Asn(64500)],
            prefixes: vec!["192.0.2.0/24".parse().unwrap()],
            places: vec!["Zürich".into()],
            ..Coverage::default()
        },
        access: "members".into(),
        limits: LimitsDecl::default(),
        issued: Timestamp::from_unix(NOW),
        expires: Timestamp::from_unix(NOW + 86_400),
    }
}

#[test]
fn descriptors_travel_signed() {
    let key = SecretKey::from_seed([1; 32]);
    let signed = crate::dsse::Signed::sign(&descriptor(), &[&key]).unwrap();
    let read = crate::dsse::Signed::<Descriptor>::parse(&signed.to_bytes()).unwrap();
    assert_eq!(read.verify(&[key.public()]).unwrap().into_inner(), descriptor());
}

#[test]
fn members_out_of_bounds_are_named() {
    type Change = fn(&mut Descriptor);
    let cases: [(Change, &str); 7] = [
        (|d| d.summary.clear(), "summary"),
        (|d| d.access = "x".repeat(501), "access"),
        (|d| d.entries.clear(), "entries"),
        (|d| d.datasets = vec![d.datasets[0].clone(); 17], "datasets"),
        (|d| d.coverage.asns = vec![Asn(1); 1025], "coverage"),
        (|d| d.coverage.places.push("\u{7}".into()), "coverage.places"),
        (|d| d.expires = d.issued.plus_days(91), "expires"),
    ];
    for (change, expected) in cases {
        let mut changed = descriptor();
        change(&mut changed);
        match changed.check(Timestamp::from_unix(NOW)) {
            Err(DescriptorError::Member { member, .. }) => assert_eq!(member, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    for (now, fits) in [(NOW - 61, false), (NOW - 60, true), (NOW + 86_399, true), (NOW + 86_400, false)] {
        assert_eq!(descriptor().check(Timestamp::from_unix(now)).is_ok(), fits, "{now}");
    }
}

#[test]
fn only_a_later_statement_about_the_same_service_replaces() {
    let old = descriptor();
    let newer = Descriptor { sequence: 4, state: ServiceState::Withdrawn, ..descriptor() };
    assert!(newer.replaces(&old) && !old.replaces(&newer) && !old.replaces(&old));
    assert!(!Descriptor { service: "other".parse().unwrap(), ..newer }.replaces(&old));
}

#[test]
fn a_search_finds_what_fits_every_part_of_it() {
    let digest = descriptor().module.to_string();
    let found: [serde_json::Value; 7] = [
        json!({}),
        json!({"q": "TRAFFIC zürich as64500"}),
        json!({"schema": "flow/1", "asn": 64500}),
        json!({"module": "iog/ip-traceback"}),
        json!({"module": "iog/ip-traceback@1.0.0"}),
        json!({"module": digest}),
        json!({"q": " "}),
    ];
    for query in found {
        let query: CatalogQuery = serde_json::from_value(query).unwrap();
        assert!(query.matches(&descriptor()), "{query:?}");
        let withdrawn = Descriptor { state: ServiceState::Withdrawn, ..descriptor() };
        assert!(!query.matches(&withdrawn));
    }
    for query in [
        json!({"q": "traffic nowhere"}),
        json!({"schema": "flow"}),
        json!({"asn": 1, "q": "traffic"}),
        json!({"module": "iog/ip-traceback@1.0.1"}),
        json!({"module": "ip-traceback"}),
    ] {
        let query: CatalogQuery = serde_json::from_value(query).unwrap();
        assert!(!query.matches(&descriptor()), "{query:?}");
    }
    assert!(serde_json::from_value::<CatalogQuery>(json!({"asns": 1})).is_err());
}
