//! One question to everybody: answers that are proven are merged, everything else has its reason in the report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use iog_caller::{CallError, CallReport, CallSpec, Merged, Part, PartOutcome, Quiet, Whom, Why, call, verify_bundle};
use iog_home::Home;
use iog_protocol::api::paths;
use iog_protocol::keys::SecretKey;
use iog_tlog::Checkpoint;
use iog_transport::Request;
use iog_transport::ca::Validity;
use serde_json::{Value, json};

use crate::harness::caller::Caller;
use crate::harness::evil::StolenKeys;
use crate::harness::evil_gateway::{self, Lie};
use crate::harness::net::{ASKER, Net};
use crate::harness::play;
use crate::harness::settings::{BORDER, Shipped, TALKERS, TARGET, TRACEBACK, service, traceback};

const NORTH: &str = "as64500";
const SOUTH: &str = "as64501";

/// Asks every provider of a service, as `iog call --all` does.
pub(crate) async fn ask(net: &Net, service: &str, params: Value) -> CallReport {
    asked(net, service, params).await.expect("there is somebody to ask")
}

async fn asked(net: &Net, service: &str, params: Value) -> Result<CallReport, CallError> {
    let home = Home::open(&net.home_of(ASKER)).expect("the home is there");
    let spec = CallSpec {
        what: service.parse().expect("a service"),
        entry: None,
        params,
        purpose: "end-to-end test".to_owned(),
        whom: Whom::Relevant { asn: None },
        deadline: Duration::from_secs(20),
        parallel_max: 8,
        merge: true,
        merge_limits: iog_caller::MergeLimits::default(),
    };
    let caller = iog_caller::Caller { home: &home, machine: &net.world.machine, sandbox: &net.world.sandbox };
    call(caller, &spec, &Quiet).await
}

/// Two providers whose services are in the catalog.
async fn stage(wasm: &'static [u8]) -> Net {
    let mut net = Net::of(&[NORTH, SOUTH], &[ASKER]).await;
    net.publish(&Shipped { wasm, ..TRACEBACK }).await;
    for provider in [NORTH, SOUTH] {
        net.start(provider, &traceback()).await;
        net.step(provider).await;
    }
    net
}

fn part<'a>(report: &'a CallReport, domain: &str) -> &'a Part {
    report.parts.iter().find(|part| part.domain.as_str() == domain).expect("it was asked")
}

fn why<'a>(report: &'a CallReport, domain: &str) -> &'a Why {
    match &part(report, domain).outcome {
        PartOutcome::Missing(why) => why,
        PartOutcome::Result(_) => panic!("`{domain}` answered"),
    }
}

/// The joint answer.
pub(crate) fn merged(report: &CallReport) -> Value {
    match &report.merged {
        Some(Merged::Result { result, .. }) => result.to_value().expect("JSON"),
        other => panic!("not merged: {other:?}"),
    }
}

/// From, to, flows and bytes of every edge.
fn edges(graph: &Value) -> Vec<[u64; 4]> {
    let short = |edge: &Value| ["from", "to", "flows", "bytes"].map(|name| edge[name].as_u64().expect("a number"));
    graph["edges"].as_array().expect("edges").iter().map(short).collect()
}

async fn two_answers_become_one_graph(wasm: &'static [u8]) {
    let net = stage(wasm).await;
    let report = ask(&net, "ip-traceback", json!({"target": TARGET})).await;
    assert_eq!((report.answered(), report.parts.len(), &report.offline), (2, 2, &None));
    let graph = merged(&report);
    let north = [[64510, 64500, 2, 4500], [64511, 64500, 1, 60]];
    let south = [[64510, 64501, 2, 4500], [64511, 64501, 1, 60]];
    assert_eq!(edges(&graph), [north[0], south[0], north[1], south[1]]);
    assert_eq!(graph["inside"].as_array().map(Vec::len), Some(2), "each saw one source of its own");
    let home = Home::open(&net.home_of(ASKER)).expect("the home is there");
    for part in &report.parts {
        let bundle = part.bundle.as_ref().expect("every answer is kept");
        assert_eq!(verify_bundle(&home, bundle).expect("it holds").receipt.gateway, part.domain);
    }
    net.close().await;
}

#[test]
fn everybody_is_asked_and_one_answer_comes_back() {
    play(two_answers_become_one_graph(TRACEBACK.wasm));
}

/// The folder of components that were built from source just now.
fn rebuilt() -> Option<PathBuf> {
    let folder = std::env::var_os("IOG_REBUILT_MODULES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: no rebuilt modules; `tests/run` builds them where it can");
    }
    folder
}

fn record(folder: &Path, name: &str) -> Value {
    let file = folder.join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(&file).expect("every component has its record")).expect("JSON")
}

#[test]
fn rebuilt_components_are_of_the_same_source_and_answer_alike() {
    let Some(folder) = rebuilt() else { return };
    let prebuilt = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../modules/prebuilt");
    for name in ["dns-watch", "hello", "ip-traceback", "origin-check", "top-talkers"] {
        assert_eq!(record(&folder, name)["source"], record(&prebuilt, name)["source"], "source of `{name}`");
    }
    let wasm = std::fs::read(folder.join("ip-traceback.wasm")).expect("it was built");
    play(two_answers_become_one_graph(wasm.leak()));
}

#[test]
fn a_provider_that_refuses_has_its_reason_in_the_answer() {
    play(async {
        let mut net = Net::of(&[NORTH, SOUTH], &[ASKER]).await;
        net.publish(&TALKERS).await;
        let open = format!("{BORDER}{}", service("top-talkers", "iog/top-talkers@1.0.0"));
        let closed = open.replace("callers = [\"members\"]", "callers = [\"domain:nobody\"]");
        for (provider, tables) in [(NORTH, &open), (SOUTH, &closed)] {
            net.start(provider, tables).await;
            net.step(provider).await;
        }
        let report = ask(&net, "top-talkers", json!({"side": "source", "measure": "bytes", "n": 1})).await;
        assert_eq!((report.answered(), report.parts.len()), (1, 2), "{report:?}");
        assert!(matches!(why(&report, SOUTH), Why::Refused { code, .. } if code == "policy-denied"), "{report:?}");
        assert!(part(&report, SOUTH).receipt.is_some(), "a refusal has its receipt too");
        let joint = merged(&report);
        assert_eq!((&joint["flows"], &joint["bytes"]), (&json!(5), &json!(5520)), "{joint}");
        assert_eq!(joint["talkers"].as_array().map(Vec::len), Some(1), "{joint}");
        assert_eq!(joint["silent"][0]["domain"], SOUTH, "{joint}");
        net.close().await;
    });
}

/// Receipts of a gateway, by the signed head of their log.
async fn receipts(net: &Net, domain: &str) -> u64 {
    let caller = Caller::of(net, ASKER).await;
    let url = format!("https://{}{}", net.address(domain), paths::LOG_CHECKPOINT);
    let response = caller.http.send(Request::get(url)).await.expect("the log is public");
    let log = caller.log_of(&domain.parse().expect("a domain id"));
    Checkpoint::open(&response.body, &log).expect("its head is signed").size
}

#[test]
fn parameters_that_do_not_fit_are_named_once_and_nobody_is_asked() {
    play(async {
        let net = stage(TRACEBACK.wasm).await;
        let home = Home::open(&net.home_of(ASKER)).expect("the home is there");
        for (params, told) in [
            (json!({}), "missing `target: string`; for example `target=TEXT`"),
            (json!({"target": 5}), "the parameter `target: string` does not fit: expected string, found the number 5"),
            (json!({"target": TARGET, "from": 5}), "the entry has no parameter `from`; it takes `target: string`"),
        ] {
            let Err(CallError::Params(misfit)) = asked(&net, "ip-traceback", params).await else {
                panic!("it fits: {told}")
            };
            assert!(misfit.to_string().starts_with(told), "{misfit}");
        }
        let kept = std::fs::read_dir(home.receipts_folder()).expect("it is there").count();
        assert_eq!((kept, receipts(&net, NORTH).await, receipts(&net, SOUTH).await), (0, 0, 0), "nobody was asked");
        ask(&net, "ip-traceback", json!({"target": TARGET})).await;
        assert_eq!((receipts(&net, NORTH).await, receipts(&net, SOUTH).await), (1, 1), "and now everybody");
        net.close().await;
    });
}

#[test]
fn liars_in_a_providers_place_are_left_out() {
    play(async {
        let mut net = stage(TRACEBACK.wasm).await;
        let caller = Caller::of(&net, ASKER).await;
        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        net.stop(SOUTH).await;
        let own = SecretKey::from_seed([0xee; 32]);
        for key in [&own, &keys.log, &keys.token] {
            let identity = keys.identity(SOUTH, Validity::leaf(net.now().unix()));
            let evil = evil_gateway::serve(Lie::of(SOUTH, &keys, key), net.listen_as(SOUTH).await, identity, &keys);
            let report = ask(&net, "ip-traceback", json!({"target": TARGET})).await;
            assert!(matches!(why(&report, SOUTH), Why::NotBelieved { .. }), "{:?}", why(&report, SOUTH));
            assert_eq!((report.answered(), edges(&merged(&report)).len()), (1, 2), "only the honest one counts");
            evil.abort();
            let _ = evil.await;
        }
        // Another member's certificate in this place: nobody even talks to it.
        let identity = keys.identity(NORTH, Validity::leaf(net.now().unix()));
        let evil = evil_gateway::serve(Lie::of(SOUTH, &keys, &own), net.listen_as(SOUTH).await, identity, &keys);
        let report = ask(&net, "ip-traceback", json!({"target": TARGET})).await;
        assert!(matches!(why(&report, SOUTH), Why::Unreachable { .. } | Why::NotBelieved { .. }), "{report:?}");
        assert_eq!(report.answered(), 1);
        evil.abort();
        let _ = evil.await;
        net.close().await;
    });
}

#[test]
fn a_provider_that_answers_something_else_spoils_nobodys_answer() {
    play(async {
        let mut net = stage(TRACEBACK.wasm).await;
        let caller = Caller::of(&net, ASKER).await;
        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        net.stop(SOUTH).await;
        // The provider itself lies: certificate and receipt key are its own, and its receipt proves what it said.
        let own = Home::open(&net.home_of(SOUTH)).expect("the home is there").receipt_key().expect("it has a key");
        let canonical = r#"{"ok":{"target":"203.0.113.10/32","ingress":[],"inside":{"flows":0,"packets":0,"bytes":0,"sources":0,"first-us":null,"last-us":null},"flows":0,"packets":0,"bytes":0}}"#;
        for (result, place) in [
            (r#"{"ok":{"flows":0}}"#, "`$.ok.target`"),
            ("7", "expected result"),
            (r#"{"ok":{"target":"203.0.113.10/32","ingress":[{}]}}"#, "`$.ok.ingress[0].asn`"),
            (r#"{"err": "no data"}"#, "not in canonical form"),
        ] {
            let identity = keys.identity(SOUTH, Validity::leaf(net.now().unix()));
            let lie = Lie::of(SOUTH, &keys, &own).saying(result);
            let evil = evil_gateway::serve(lie, net.listen_as(SOUTH).await, identity, &keys);
            let report = ask(&net, "ip-traceback", json!({"target": TARGET})).await;
            let Why::WrongType { problem } = why(&report, SOUTH) else { panic!("{:?}", why(&report, SOUTH)) };
            assert!(problem.contains(place), "{problem}");
            let liar = part(&report, SOUTH);
            assert!(liar.receipt.is_some() && liar.bundle.is_some(), "what it signed is kept");
            let graph = merged(&report);
            assert_eq!((report.answered(), edges(&graph).len()), (1, 2), "only the honest one counts: {graph}");
            assert_eq!(graph["silent"][0]["domain"], SOUTH, "{graph}");
            evil.abort();
            let _ = evil.await;
        }
        // With an answer of the type its receipt is all that is asked for.
        let identity = keys.identity(SOUTH, Validity::leaf(net.now().unix()));
        let lie = Lie::of(SOUTH, &keys, &own).saying(canonical);
        let evil = evil_gateway::serve(lie, net.listen_as(SOUTH).await, identity, &keys);
        let report = ask(&net, "ip-traceback", json!({"target": TARGET})).await;
        assert_eq!(report.answered(), 2, "{report:?}");
        evil.abort();
        let _ = evil.await;
        net.close().await;
    });
}

#[test]
fn a_center_that_is_away_stops_nobody() {
    play(async {
        let mut net = stage(TRACEBACK.wasm).await;
        let before = ask(&net, "ip-traceback", json!({"target": TARGET})).await;
        net.world.stop_center().await.expect("it ends");
        let report = ask(&net, "ip-traceback", json!({"target": TARGET})).await;
        assert_eq!(report.answered(), 2);
        assert!(report.offline.is_some(), "the report says so");
        assert_eq!(merged(&report), merged(&before));

        net.stop(NORTH).await;
        net.start_again(NORTH).await;
        let report = ask(&net, "ip-traceback", json!({"target": TARGET})).await;
        assert_eq!(report.answered(), 2, "a gateway starts again without the center: {report:?}");
        net.close().await;
    });
}
