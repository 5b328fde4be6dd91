//! A network of separate `iog` processes made from configuration files: partial answers when a provider dies, answers
//! without a center, receipts that verify in yet another process, and what a crash leaves behind.

use std::path::Path;
use std::sync::Arc;

use iog_caller::verify_bundle;
use iog_client::RunReply;
use iog_home::Home;
use iog_home::connect;
use iog_machine::SystemClock;
use iog_protocol::run::Outcome;
use serde_json::{Value, json};

use crate::harness::caller::Caller;
use crate::harness::deployment::{Deployment, home, words};
use crate::harness::play;
use crate::harness::settings::{BORDER, TARGET, TRACEBACK, hostile, service, traceback};

/// Exit code of `iog call` when some domains did not answer.
const PARTIAL: i32 = 3;

fn call(network: &Deployment) -> (i32, Value) {
    let home = home("response");
    let target = format!("target={TARGET}");
    let done = network.iog.run(&["call", "ip-traceback", "--all", "--param", &target, "--home", &home, "--json"]);
    (done.code, done.json())
}

fn part<'a>(answer: &'a Value, domain: &str) -> &'a Value {
    let parts = answer["parts"].as_array().expect("parts");
    parts.iter().find(|part| part["domain"] == domain).unwrap_or_else(|| panic!("no `{domain}` in {answer}"))
}

/// The edges that one provider sees in the flows of all stories.
fn edges_into(asn: u32) -> Vec<Value> {
    let edge = |(from, flows, bytes): (u32, u64, u64)| json!({"from": from, "to": asn, "flows": flows, "bytes": bytes});
    [(64510, 2, 4500), (64511, 1, 60)].map(edge).to_vec()
}

fn edges(answer: &Value) -> Vec<Value> {
    let short =
        |edge: &Value| json!({"from": edge["from"], "to": edge["to"], "flows": edge["flows"], "bytes": edge["bytes"]});
    answer["merged"]["result"]["edges"].as_array().expect("edges").iter().map(short).collect()
}

#[test]
fn a_dead_provider_and_a_dead_center_leave_a_partial_answer() {
    let mut network = Deployment::found();
    for domain in ["as64500", "as64501", "response"] {
        network.join(domain);
    }
    network.publish(TRACEBACK.wasm, TRACEBACK.manifest);
    network.configure("as64500", &traceback());
    network.configure("as64501", &traceback());
    let _alive = network.serve("as64500");
    let dying = network.serve("as64501");
    network.wait_for_services("response", 2);

    let (code, whole) = call(&network);
    assert_eq!((code, &whole["answered"], &whole["asked"]), (0, &json!(2), &json!(2)), "{whole}");
    let mut both = [edges_into(64500), edges_into(64501)].concat();
    both.sort_by_key(|edge| (edge["from"].as_u64(), edge["to"].as_u64()));
    assert_eq!(edges(&whole), both);

    dying.kill();
    let (code, partial) = call(&network);
    assert_eq!((code, &partial["answered"], &partial["asked"]), (PARTIAL, &json!(1), &json!(2)), "{partial}");
    assert_eq!(partial["offline"], Value::Null);
    assert_eq!(part(&partial, "as64501")["missing"]["why"], "unreachable");
    assert_eq!(part(&partial, "as64501")["receipt"], Value::Null);
    assert_eq!(edges(&partial), edges_into(64500));
    let silent = &partial["merged"]["result"]["silent"];
    assert_eq!((&silent[0]["domain"], &silent[0]["asn"]), (&json!("as64501"), &json!(64501)), "{silent}");

    network.center.take().expect("it runs").kill();
    let (code, offline) = call(&network);
    assert_eq!((code, &offline["answered"]), (PARTIAL, &json!(1)), "{offline}");
    assert!(offline["offline"].is_string(), "the answer says that the center is away: {offline}");
    assert_eq!(part(&offline, "as64500")["missing"], Value::Null);
    assert_eq!(part(&offline, "as64501")["missing"]["why"], "unreachable");
    assert_eq!(edges(&offline), edges_into(64500));

    receipts_verify_offline(&network, &whole);
}

/// Center and one gateway are dead: the asker's files are all there is.
fn receipts_verify_offline(network: &Deployment, whole: &Value) {
    let (iog, home) = (&network.iog, home("response"));
    let verified = iog.json(&["receipt", "verify", "--home", &home]);
    assert_eq!((&verified["verified"], &verified["failed"]), (&json!(4), &json!(0)), "{verified}");
    let bundle = part(whole, "as64501")["bundle"].as_str().expect("a bundle").to_owned();
    let shown = iog.json(&["receipt", "show", &bundle, "--home", &home]);
    assert_eq!(shown["receipts"][0]["receipt"]["gateway"], "as64501");
    assert_eq!(shown["receipts"][0]["receipt"]["outcome"], json!({"state": "succeeded"}));

    let other = format!("sha256:{}", "0".repeat(64));
    let done = iog.run(&["receipt", "verify", &bundle, "--genesis", &other, "--home", &home]);
    assert_eq!(done.code, 1, "another genesis is another network");
    flipped_bytes_do_not_verify(network, Path::new(&bundle));
}

fn flipped_bytes_do_not_verify(network: &Deployment, bundle: &Path) {
    let bundle = network.folder().join(bundle);
    let honest = std::fs::read(&bundle).expect("the bundle is there");
    let copy = network.folder().join("flipped.json");
    let home_folder = Home::open(&network.home_of("response")).expect("the home is there");
    std::fs::write(&copy, &honest).expect("it is written");
    verify_bundle(&home_folder, &copy).expect("a copy is as good");
    for position in (0..honest.len()).step_by(honest.len() / 60) {
        let mut flipped = honest.clone();
        flipped[position] ^= 1;
        std::fs::write(&copy, &flipped).expect("it is written");
        let found = verify_bundle(&home_folder, &copy);
        assert!(found.is_err(), "byte {position} is `{}` instead of `{}`", flipped[position], honest[position]);
    }
    let done = network.iog.run(&["receipt", "verify", "flipped.json", "--home", &home("response"), "--json"]);
    assert_eq!((done.code, &done.json()["failed"]), (1, &json!(1)));
}

#[test]
fn a_crash_between_acceptance_and_receipt_leaves_a_receipt_of_failure() {
    let mut network = Deployment::found();
    for domain in ["as64500", "response"] {
        network.join(domain);
    }
    let (wasm, manifest) = hostile();
    let module = network.publish(wasm, &manifest.replace("2_000_000_000", "400_000_000_000"));
    let digest = module.parse().expect("a digest");
    let tables = format!("{BORDER}{}", service("hostile", "iog/hostile@1.0.0"));
    network.configure("as64500", &tables);
    let gateway = network.serve("as64500");
    network.wait_for_services("response", 1);

    let asker = play(Caller::at(&network.home_of("response"), Arc::new(SystemClock)));
    let run = asker.sign(asker.ask_for("as64500", digest, "spin", json!({})));
    let port = std::fs::read_to_string(network.folder().join("as64500.port")).expect("it enrolled");
    let address = format!("localhost:{port}");
    let begun = play(asker.gateway(&address).run(&run, &asker.token, 1)).expect("it is accepted");
    assert!(matches!(begun, RunReply::Running(_)), "{begun:?}");
    gateway.kill();

    let _again = network.serve("as64500");
    let id = &run.request.request_id;
    let answer = match play(asker.gateway(&address).status(id, &asker.token)).expect("the gateway is back") {
        RunReply::Ended(answer) => *answer,
        RunReply::Running(status) => panic!("{status:?}"),
    };
    let log = asker.log_of(&run.request.audience);
    let believed = iog_client::gateway::believe(answer, &run, &log).expect("the receipt holds");
    assert!(matches!(believed.answer().outcome, Outcome::Failed { .. }), "{:?}", believed.answer().outcome);
    let again = play(asker.answer(&address, &run)).expect("a repetition gets the stored answer");
    assert_eq!(&again, believed.answer());

    the_center_forgets_nothing(&mut network, &asker);
}

/// SIGKILL and a new process: the same log, the same members, the same modules, and it goes on from there.
fn the_center_forgets_nothing(network: &mut Deployment, asker: &Caller) {
    let before = network.iog.json(&words("module show --network network.json"));
    let domains = network.iog.json(&words("root domains --network network.json"));
    let size = asker.registry.size();
    network.center.take().expect("it runs").kill();
    network.start_center();
    assert_eq!(network.iog.json(&words("module show --network network.json")), before);
    assert_eq!(network.iog.json(&words("root domains --network network.json")), domains);
    network.join("newcomer");
    let center = connect::center(&asker.home, &asker.http);
    let mut replica = connect::replica(&asker.home).expect("the replica holds");
    let synced = play(center.sync(&mut replica, asker.clock.now())).expect("the log goes on");
    assert_eq!(synced.size, size + 1);
    assert!(synced.registry.anomalies().is_empty());
}
