//! Each view of the world as JSON: what machines are told by commands, and will be by pages and an API.

use std::path::PathBuf;

use iog_caller::verify::{ReceiptSummary, VerifyError};
use iog_caller::{
    CallReport, LeftOut, LimitKind, Merged, Part, PartOutcome, Returns, Spoils, Unmerged, Usage, VerifiedBundle, Why,
};
use iog_desk::views::domains::{NotWaiting, Waiting};
use iog_desk::views::review_sheet::SheetError;
use iog_desk::views::{
    CallView, Domains, ModulePage, Modules, Queue, ReceiptChecks, Receipts, ReviewSheet, Services,
    receipts::ReceiptPage,
};
use iog_protocol::catalog::{CatalogQuery, Coverage, Descriptor, EntryDescription, ServiceState};
use iog_protocol::dsse::Signed;
use iog_protocol::ids::{Asn, Digest, RequestId};
use iog_protocol::manifest::{LimitsDecl, ReleaseClass};
use iog_protocol::receipt::Cost;
use iog_protocol::registry::ModuleRecord;
use iog_protocol::run::{Outcome, ResultJson, RunRequest};
use iog_protocol::statements::Submission;
use serde::Serialize;
use serde_json::json;

use crate::world::{CALLER, World, domain, files, hour, key, now, older};

/// Pretty JSON of a view, as serialisation orders it.
fn golden(view: &impl Serialize) -> String {
    serde_json::to_string_pretty(view).unwrap()
}

#[test]
fn modules_and_the_queue() {
    let world = World::new();
    let (all, waiting) = (Modules::of(&world.registry, now()), Queue::of(&world.registry, now()));
    assert_eq!((all.modules.len(), waiting.modules.len()), (2, 1), "one of two runs");
    assert_eq!(waiting.modules[0].release(), "iog/hello@1.0.0");
    insta::assert_snapshot!("modules", golden(&all));
    insta::assert_snapshot!("queue", golden(&waiting));
}

#[test]
fn the_page_of_a_module() {
    let world = World::new();
    insta::assert_snapshot!("module_page", golden(&ModulePage::of(&world.registry, world.waiting(), now())));
}

#[test]
fn the_sheet_of_a_review() {
    let world = World::new();
    let sheet = ReviewSheet::of(&world.registry, world.waiting(), files(), now()).unwrap();
    let change = sheet.change.as_ref().unwrap();
    assert!(!change.nothing_more && change.limits_before.is_some() && change.release_before.is_none());
    insta::assert_snapshot!("review_sheet", golden(&sheet));
}

#[test]
fn there_is_no_sheet_of_what_was_not_signed() {
    let world = World::new();
    let mut record = world.waiting().clone();
    let refused = |record: &ModuleRecord| ReviewSheet::of(&world.registry, record, files(), now()).unwrap_err();
    record.submission = Submission { capabilities: older().capabilities, ..(*record.submission).clone() }.into();
    assert!(matches!(refused(&record), SheetError::OtherCapabilities));
    record.submission = Submission { manifest: older().manifest, ..(*record.submission).clone() }.into();
    assert!(matches!(refused(&record), SheetError::OtherFile));
    let mut broken = files();
    broken.wasm.truncate(100);
    let error = ReviewSheet::of(&world.registry, world.waiting(), broken, now()).unwrap_err();
    assert_eq!(error.to_string(), "the component is refused");
}

#[test]
fn domains_in_force_and_waiting() {
    let world = World::new();
    let domains = Domains::of(&world.registry, &world.pending(), now());
    assert_eq!(domains.pending[0].asked.as_ref().unwrap().replaces, Some(1));
    assert!(domains.pending[1].asked.is_none() && domains.pending[1].problem.is_some());
    insta::assert_snapshot!("domains", golden(&domains));
}

#[test]
fn a_statement_that_its_own_key_did_not_sign_is_not_shown_as_one() {
    let world = World::new();
    let genesis = world.registry.genesis_digest();
    let pending = world.pending();
    assert_eq!(Waiting::read(&pending[0], genesis).unwrap().domain, domain(2, "new.isp-a.example:8443"));
    assert!(matches!(Waiting::read(&pending[1], genesis), Err(NotWaiting::NotSigned)));
    let elsewhere = Digest::of(b"another");
    assert!(matches!(Waiting::read(&pending[0], &elsewhere), Err(NotWaiting::OtherDomain)));
}

#[test]
fn services_of_the_catalog() {
    let signed = Signed::sign(&descriptor(), &[&key(CALLER)]).unwrap();
    let verified = Signed::<Descriptor>::parse(&signed.to_bytes()).unwrap().verify(&[key(CALLER).public()]).unwrap();
    assert!(CatalogQuery::default().matches(&verified));
    let services = Services::of(vec![verified], 1);
    insta::assert_snapshot!("services", golden(&services));
    assert_eq!(services.clone().named("packets", Some("as64500")).services.len(), 1);
    assert!(services.named("packets", Some("as64501")).services.is_empty());
}

#[test]
fn receipts_that_hold_and_one_that_does_not() {
    let found = [(PathBuf::from("receipts/one/as64500.json"), Ok(bundle())), not()];
    let checks = ReceiptChecks::of(Digest::of(b"genesis"), 8, &found);
    assert_eq!(checks.receipts[0].short_name(), "one/as64500.json");
    insta::assert_snapshot!("receipt_checks", golden(&checks));
    let page = ReceiptPage::of(&found[0].0, bundle()).unwrap();
    insta::assert_snapshot!("receipts", golden(&Receipts { receipts: vec![page] }));
}

fn not() -> (PathBuf, Result<VerifiedBundle, VerifyError>) {
    (PathBuf::from("receipts/one/as64501.json"), Err(VerifyError::NoApproval))
}

#[test]
fn a_call_with_every_kind_of_part() {
    let part = |domain: &str, outcome| Part {
        domain: domain.parse().unwrap(),
        asn: Some(Asn(64500)),
        address: None,
        request_id: Some(RequestId::from_bytes([9; 16])),
        outcome,
        receipt: None,
        left_bytes: 2_048,
        bundle: None,
    };
    let result = |json: &str| ResultJson::parse(json.to_owned()).unwrap();
    let refused = Why::Refused { code: "policy".to_owned(), reason: "not for you".to_owned() };
    let answered = Part { receipt: Some(summary()), ..part("as64500", PartOutcome::Result(result(r#"{"ok":1234}"#))) };
    let mut report = CallReport {
        module: Digest::of(b"the component"),
        module_name: "iog/hello".parse().unwrap(),
        module_version: "1.0.0".parse().unwrap(),
        entry: "packets-to".parse().unwrap(),
        returns: Returns::default(),
        log_size: 8,
        offline: Some("the center is away".to_owned()),
        parts: vec![answered, part("as64501", PartOutcome::Missing(refused))],
        merged: Some(Merged::Result {
            result: result("[1234]"),
            usage: Usage { fuel: 5, ..Usage::default() },
            without: vec![
                LeftOut { domain: "as64502".parse().unwrap(), why: Spoils::Trapped },
                LeftOut { domain: "as64503".parse().unwrap(), why: Spoils::Limit { which: LimitKind::Fuel } },
            ],
        }),
    };
    insta::assert_snapshot!("call", golden(&CallView::of(&report).unwrap()));
    report.merged = Some(Merged::Failed { why: Unmerged::Trapped { kind: "unreachable".to_owned() } });
    let failed = serde_json::to_value(CallView::of(&report).unwrap()).unwrap();
    let problem = "the module's `merge` trapped (unreachable)";
    assert_eq!(failed["merged"], json!({"problem": problem, "whose": "module", "limit": null}));
    let (which, largest) = (LimitKind::Output, Some("as64500".parse().unwrap()));
    let why = Unmerged::Limit { which, max: 100, parts: 2, bytes: 700, largest };
    report.merged = Some(Merged::Failed { why });
    let failed = serde_json::to_value(CallView::of(&report).unwrap()).unwrap();
    assert_eq!(failed["merged"]["limit"], json!({"which": "output", "max": 100, "largest": "as64500"}));
    assert!(failed["parts"][0]["result"].is_object(), "a merge that failed leaves the parts");
    report.merged = None;
    assert!(serde_json::to_value(CallView::of(&report).unwrap()).unwrap()["merged"].is_null());
}

fn descriptor() -> Descriptor {
    Descriptor {
        domain: "as64500".parse().unwrap(),
        service: "packets".parse().unwrap(),
        sequence: 3,
        state: ServiceState::Published,
        module: older().module,
        module_name: older().name,
        module_version: older().version,
        summary: "How many packets went to a target?".to_owned(),
        entries: vec![EntryDescription {
            name: "packets-to".parse().unwrap(),
            params: json!({"type": "object"}),
            result: json!({"type": "integer"}),
            wit: "packets-to: func(target: string) -> u64".to_owned(),
        }],
        datasets: Vec::new(),
        coverage: Coverage { asns: vec![Asn(64500)], ..Coverage::default() },
        access: "any member".to_owned(),
        limits: LimitsDecl { fuel: 1_000_000_000, memory_mib: 16, wall_s: 10, result_kib: 1 },
        issued: hour(9),
        expires: hour(24),
    }
}

fn bundle() -> VerifiedBundle {
    VerifiedBundle {
        request: RunRequest {
            request_id: RequestId::from_bytes([9; 16]),
            audience: "as64500".parse().unwrap(),
            caller: "as64501".parse().unwrap(),
            module: older().module,
            entry: "packets-to".parse().unwrap(),
            params: json!({"target": "203.0.113.10"}).into(),
            purpose: "operations".to_owned(),
            service: None,
            actor: None,
            agreement: None,
            issued: hour(3),
            expires: hour(4),
        },
        receipt: summary(),
        result: Some(ResultJson::parse(r#"{"ok":1234}"#.to_owned()).unwrap()),
        module_today: Err("module is suspended".to_owned()),
    }
}

fn summary() -> ReceiptSummary {
    ReceiptSummary {
        request_id: RequestId::from_bytes([9; 16]),
        request: Digest::of(b"the signed request"),
        caller: "as64501".parse().unwrap(),
        gateway: "as64500".parse().unwrap(),
        service: None,
        module: older().module,
        module_log_index: Some(5),
        registry_size: 8,
        entry: "packets-to".parse().unwrap(),
        policy: Digest::of(b"the policy"),
        release: Some(ReleaseClass::Reviewed),
        outcome: Outcome::Succeeded,
        result_digest: Some(Digest::of(br#"{"ok":1234}"#)),
        engine: "wasmtime 48.0.8".to_owned(),
        cost_table: Digest::of(b"the cost table"),
        cost: Cost { fuel: 524_288, memory_bytes: 2_097_152, rows: 1_024, bytes: 8_192, wall_ms: 4 },
        snapshot_commitment: Digest::of(b"the rows"),
        issued: hour(3),
        leaf_index: 1,
        log_size: 2,
    }
}
