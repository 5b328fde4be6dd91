//! Whole answers as people see them, on 80 and on 200 columns: a call, a trial, receipts, a service of the catalog; the
//! demo's is beside its report. The results are those of modules that ship, read by the types of their files.

use std::path::Path;

use iog_caller::verify::ReceiptSummary;
use iog_caller::{CallReport, Merged, Part, PartOutcome, Returns, Usage, Why};
use iog_desk::views::receipts::ReceiptPage;
use iog_inspect::{ExportFact, InspectLimits};
use iog_protocol::catalog::{Coverage, DatasetDescription, Descriptor, EntryDescription, ServiceState};
use iog_protocol::ids::{Asn, Digest, RequestId};
use iog_protocol::manifest::{LimitsDecl, ReleaseClass};
use iog_protocol::receipt::Cost;
use iog_protocol::run::{Outcome, ResultJson, RunRequest};
use iog_protocol::time::Timestamp;
use iog_sandbox::RunOutcome;
use serde_json::{Value, json};

use crate::trial::TryReport;
use crate::ui::Ui;
use crate::{call, catalog_page, module_try, receipt};

const TRACEBACK: &[u8] = include_bytes!("../../../modules/prebuilt/ip-traceback.wasm");
const TALKERS: &[u8] = include_bytes!("../../../modules/prebuilt/top-talkers.wasm");

fn export(wasm: &[u8], name: &str) -> ExportFact {
    iog_inspect::inspect(wasm, &InspectLimits::default()).unwrap().export(name).unwrap().clone()
}

fn result(sample: &str) -> ResultJson {
    ResultJson::parse(sample.trim().to_owned()).unwrap()
}

fn noon() -> Timestamp {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

fn summary(gateway: &str) -> ReceiptSummary {
    ReceiptSummary {
        request_id: RequestId::from_bytes([9; 16]),
        request: Digest::of(b"the signed request"),
        caller: "response".parse().unwrap(),
        gateway: gateway.parse().unwrap(),
        service: Some("ip-traceback".parse().unwrap()),
        module: Digest::of(b"the component"),
        module_log_index: Some(5),
        registry_size: 8,
        entry: "trace".parse().unwrap(),
        policy: Digest::of(b"the policy"),
        release: Some(ReleaseClass::Reviewed),
        outcome: Outcome::Succeeded,
        result_digest: Some(Digest::of(b"the result")),
        engine: "wasmtime 48.0.8".to_owned(),
        cost_table: Digest::of(b"the cost table"),
        cost: Cost { fuel: 33_554_432, memory_bytes: 2_097_152, rows: 131_072, bytes: 4_194_304, wall_ms: 128 },
        snapshot_commitment: Digest::of(b"the rows"),
        issued: noon(),
        leaf_index: 1,
        log_size: 2,
    }
}

fn part(asn: u32, outcome: PartOutcome) -> Part {
    let domain = format!("as{asn}");
    let recorded = !matches!(outcome, PartOutcome::Missing(Why::Unreachable { .. } | Why::TimedOut { .. }));
    Part {
        receipt: recorded.then(|| summary(&domain)),
        domain: domain.parse().unwrap(),
        asn: Some(Asn(asn)),
        address: Some(format!("gateway.as{asn}.example.net:8443")),
        request_id: Some(RequestId::from_bytes([u8::try_from(asn % 256).unwrap(); 16])),
        outcome,
        left_bytes: if recorded { 4_754 } else { 0 },
        bundle: recorded.then(|| Path::new(".iog/receipts/20261129T120000Z-0a1b2c3d").join(format!("as{asn}.json"))),
    }
}

/// A call of which three domains answered, three refused for one reason, and two went away in the middle.
pub(crate) fn report() -> CallReport {
    let answer = include_str!("ui/samples/ip-traceback.json");
    let answered = (64496..64499).map(|asn| part(asn, PartOutcome::Result(result(answer))));
    let reason = "callers are limited to members of the response team".to_owned();
    let refused = Why::Refused { code: "policy-denied".to_owned(), reason };
    let refused = (64499..64502).map(|asn| part(asn, PartOutcome::Missing(refused.clone())));
    let away = "the connection was closed before the answer was complete".to_owned();
    let away = (64502..64504).map(|asn| part(asn, PartOutcome::Missing(Why::Unreachable { detail: away.clone() })));
    let merged = result(include_str!("ui/samples/ip-traceback-merged.json"));
    let returns = |name| export(TRACEBACK, name).result;
    CallReport {
        module: Digest::of(b"the component"),
        module_name: "iog/ip-traceback".parse().unwrap(),
        module_version: "1.0.0".parse().unwrap(),
        entry: "trace".parse().unwrap(),
        returns: Returns { entry: returns("trace"), merge: returns("merge") },
        log_size: 8,
        offline: None,
        parts: answered.chain(refused).chain(away).collect(),
        merged: Some(Merged::Result { result: merged, usage: Usage::default(), without: Vec::new() }),
    }
}

#[test]
fn a_call() {
    let report = report();
    insta::assert_snapshot!("call", Ui::pages(|ui| call::print(ui, &report, Path::new(".iog"))));
}

#[test]
fn a_call_whose_answers_are_not_merged() {
    let mut report = report();
    report.parts.truncate(2);
    report.merged = None;
    report.offline = Some("no connection to center.example.net:8440".to_owned());
    insta::assert_snapshot!("call_not_merged", Ui::pages(|ui| call::print(ui, &report, Path::new(".iog"))));
}

#[test]
fn a_trial() {
    let answer = result(include_str!("ui/samples/top-talkers.json"));
    let manifest = include_str!("../../../modules/top-talkers/iog.toml");
    let examined = iog_module::Examined::examine(iog_module::Source { wasm: TALKERS, manifest }).unwrap();
    let report = TryReport {
        entry: "top".parse().unwrap(),
        outcome: RunOutcome::Succeeded { json: answer.as_str().to_owned() },
        ended: "succeeded".to_owned(),
        result: Some(answer),
        returns: export(TALKERS, "top").result,
        usage: Usage { fuel: 31_415_926, memory_peak_bytes: 1_900_000, rows: 1, bytes: 3_000_000, ..Usage::default() },
        snapshots: iog_gateway::executor::Snapshots::default(),
        capabilities: examined.capabilities().clone(),
        limits: LimitsDecl::default(),
        class: ReleaseClass::Reviewed,
    };
    insta::assert_snapshot!("try", Ui::pages(|ui| module_try::print(ui, &report)));
}

fn receipt_page() -> ReceiptPage {
    let params = json!({"side": "source", "measure": "bytes", "n": 5});
    let answer: Value = serde_json::from_str(include_str!("ui/samples/top-talkers.json")).unwrap();
    let receipt = ReceiptSummary { entry: "top".parse().unwrap(), ..summary("as64500") };
    ReceiptPage {
        file: "receipts/one/as64500.json".to_owned(),
        request: RunRequest {
            request_id: receipt.request_id.clone(),
            audience: receipt.gateway.clone(),
            caller: receipt.caller.clone(),
            module: receipt.module,
            entry: receipt.entry.clone(),
            params: params.into(),
            purpose: "operations".to_owned(),
            service: receipt.service.clone(),
            actor: None,
            agreement: None,
            issued: noon(),
            expires: noon(),
        },
        receipt,
        result: Some(answer),
        module_today: Some("module is suspended".to_owned()),
    }
}

#[test]
fn a_receipt_with_and_without_the_modules_file() {
    let (page, top) = (receipt_page(), export(TALKERS, "top"));
    insta::assert_snapshot!("receipt", Ui::pages(|ui| receipt::print(ui, &page, Some(&top))));
    let without = Ui::page(80, |ui| receipt::print(ui, &page, None));
    assert!(without.contains("  | {\""), "{without}");
}

#[test]
fn a_service_that_domains_describe_alike_is_described_once() {
    let trace = export(TRACEBACK, "trace");
    let of = |asn: u32| Descriptor {
        domain: format!("as{asn}").parse().unwrap(),
        service: "ip-traceback".parse().unwrap(),
        sequence: 3,
        state: ServiceState::Published,
        module: Digest::of(b"the component"),
        module_name: "iog/ip-traceback".parse().unwrap(),
        module_version: "1.0.0".parse().unwrap(),
        summary: "Where does traffic to an address enter?".to_owned(),
        entries: vec![EntryDescription {
            name: "trace".parse().unwrap(),
            params: trace.params_schema(),
            result: trace.result_schema(),
            wit: trace.wit.clone(),
        }],
        datasets: vec![DatasetDescription {
            slot: "flows".parse().unwrap(),
            schema: "flow/1".to_owned(),
            class: ReleaseClass::Reviewed,
            rows: None,
            span: None,
        }],
        coverage: Coverage { asns: vec![Asn(asn)], ..Coverage::default() },
        access: "callers: members".to_owned(),
        limits: LimitsDecl::default(),
        issued: noon(),
        expires: noon(),
    };
    let services = [of(64496), of(64497), of(64498)];
    let shown = Ui::pages(|ui| catalog_page::print(ui, &services));
    assert_eq!(shown.matches("| trace: func(").count(), 2, "once on each page");
    insta::assert_snapshot!("catalog", shown);
}
