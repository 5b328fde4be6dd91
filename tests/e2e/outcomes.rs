//! What becomes of runs whose module misbehaves, although it was approved: an outcome each, one receipt each, and the
//! gateway goes on.

use std::time::Duration;

use iog_client::RunReply;
use iog_protocol::api::ApiErrorCode;
use iog_protocol::ids::Digest;
use iog_protocol::run::{LimitKind, Outcome, RunAnswer, RunRequest};
use iog_protocol::statements::{Revocation, RevocationSeverity, Statement, Target};
use serde_json::{Value, json};

use crate::harness::caller::{Caller, through};
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;
use crate::harness::settings::{BORDER, hostile, service};

/// The hostile guest four times: with little fuel, with little time, with all it asks for, and without `progress`.
fn tables() -> String {
    let module = "iog/hostile@1.0.0";
    format!(
        "{BORDER}{}[service.poor.limits]\nfuel = 200_000_000\nmemory_mib = 16\nresult_kib = 16\n{}[service.hasty.limits]\nwall_s = 1\n{}{}",
        service("poor", module),
        service("hasty", module),
        service("endless", module),
        service("silent", module).replace("bind =", "interfaces = [\"data\", \"log\"]\nbind ="),
    )
}

async fn stage() -> (Net, Digest, Caller) {
    let mut net = Net::of(&[PROVIDER], &[ASKER]).await;
    let (wasm, manifest) = hostile();
    let manifest = manifest.replace("fuel = 2_000_000_000", "fuel = 900_000_000_000");
    let module = net.world.publish(wasm, &manifest).await.expect("bribed auditors");
    net.start(PROVIDER, &tables()).await;
    let caller = Caller::of(&net, ASKER).await;
    (net, module, caller)
}

#[test]
fn each_misbehaviour_has_its_outcome_and_one_receipt() {
    let limit = |which| Outcome::Limit { which };
    let trap = || Outcome::Trapped { kind: "trap".to_owned() };
    let table: Vec<(&str, Value, Outcome, Option<Value>)> = vec![
        ("spin", json!({}), limit(LimitKind::Fuel), None),
        ("grow", json!({"mebibytes": 1}), Outcome::Succeeded, Some(json!(1))),
        ("huge-result", json!({"bytes": 10_000}), Outcome::Succeeded, Some(json!("x".repeat(10_000)))),
        ("huge-result", json!({"bytes": 100_000}), limit(LimitKind::Output), None),
        ("huge-result", json!({"bytes": 64_000_000}), limit(LimitKind::Memory), None),
        ("panics", json!({"message": "the password is 1234"}), trap(), None),
        ("recurse", json!({"depth": 1_000_000}), trap(), None),
        (
            "open-undeclared",
            json!({"name": "everything"}),
            Outcome::Succeeded,
            Some(json!({"err": "unknown-query: everything"})),
        ),
        ("flood-log", json!({"messages": 2000, "bytes": 1000}), Outcome::Succeeded, Some(Value::Null)),
        ("flood-progress", json!({"times": 1000}), Outcome::Succeeded, Some(Value::Null)),
        ("sum", json!({}), Outcome::Succeeded, Some(json!({"ok": 14}))),
    ];
    play(async {
        let (net, module, caller) = stage().await;
        let count = table.len() as u64;
        for (entry, params, outcome, result) in table {
            let request = through("poor", caller.ask_for(PROVIDER, module, entry, params));
            let believed =
                caller.run(net.address(PROVIDER), request).await.unwrap_or_else(|code| panic!("{entry}: {code}"));
            let answer = believed.answer();
            assert_eq!(answer.outcome, outcome, "{entry}");
            assert_eq!(answer.result.as_ref().map(|result| result.to_value().expect("JSON")), result, "{entry}");
            let receipt = believed.receipt();
            assert!(receipt.cost.fuel.is_power_of_two() && receipt.module_log_index.is_some(), "{entry}: {receipt:?}");
            let shown = serde_json::to_string(answer).expect("JSON");
            assert!(!shown.contains("password"), "what a guest says in its panic does not leave: {shown}");
        }
        assert_eq!(net.receipts(PROVIDER), count, "one receipt each");
        net.close().await;
    });
}

#[test]
fn a_provider_that_does_not_give_an_interface_refuses_and_names_it() {
    play(async {
        let (net, module, caller) = stage().await;
        let ask = |service, entry| through(service, caller.ask_for(PROVIDER, module, entry, json!({})));
        let outcome = caller.outcome(net.address(PROVIDER), ask("silent", "sum")).await.expect("an answer");
        let Outcome::Refused { code, reason } = outcome else { panic!("{outcome:?}") };
        assert_eq!(code, "not-granted");
        assert!(reason.contains("`iog:guest/progress@0.1.0`"), "{reason}");
        let given = caller.outcome(net.address(PROVIDER), ask("poor", "sum")).await.expect("an answer");
        assert_eq!(given, Outcome::Succeeded, "where every interface is given it runs");
        assert_eq!(net.receipts(PROVIDER), 2, "a receipt each");
        net.close().await;
    });
}

#[test]
fn time_ends_a_run_that_fuel_does_not() {
    play(async {
        let (net, module, caller) = stage().await;
        let request = through("hasty", caller.ask_for(PROVIDER, module, "spin", json!({})));
        let outcome = caller.outcome(net.address(PROVIDER), request).await.expect("an answer");
        assert_eq!(outcome, Outcome::Limit { which: LimitKind::Time });
        net.close().await;
    });
}

/// Asks again and again until a run has ended.
async fn end_of(net: &Net, caller: &Caller, request: &RunRequest) -> RunAnswer {
    let gateway = caller.gateway(net.address(PROVIDER));
    loop {
        match gateway.status(&request.request_id, &caller.token).await.expect("it is known") {
            RunReply::Ended(answer) => return *answer,
            RunReply::Running(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[test]
fn a_run_goes_on_to_its_receipt_when_its_caller_has_left() {
    play(async {
        let (net, module, caller) = stage().await;
        let address = net.address(PROVIDER);
        let run = caller.sign(through("hasty", caller.ask_for(PROVIDER, module, "spin", json!({}))));
        let started = caller.gateway(address).run(&run, &caller.token, 0).await.expect("it is accepted");
        assert!(matches!(started, RunReply::Running(_)), "{started:?}");
        let again: RunRequest = run.request.clone();
        let error = caller.outcome(address, again).await.expect_err("the same request is under way");
        assert_eq!(error, ApiErrorCode::AlreadyExists);
        let answer = end_of(&net, &caller, &run.request).await;
        assert_eq!(answer.outcome, Outcome::Limit { which: LimitKind::Time });
        net.close().await;
    });
}

#[test]
fn a_suspension_stops_what_runs() {
    play(async {
        let (net, module, caller) = stage().await;
        let run = caller.sign(through("endless", caller.ask_for(PROVIDER, module, "spin", json!({}))));
        let started = caller.gateway(net.address(PROVIDER)).run(&run, &caller.token, 0).await.expect("it is accepted");
        assert!(matches!(started, RunReply::Running(_)), "{started:?}");

        let registry = net.registry().await;
        let suspension = Revocation {
            severity: RevocationSeverity::Suspend,
            target: Target::Module(module),
            reason_code: "vulnerability".to_owned(),
            reason: "it spins".to_owned(),
            until: None,
            issued: net.now(),
        };
        let subject = registry.module(&module).expect("it is there").subject();
        let statement = Statement::about(registry.genesis_digest(), subject, suspension);
        let signed = statement.sign(&[&net.world.parties.auditors[0].2]).expect("it signs").to_json();
        net.world.link().expect("a link").center.post_statement(signed).await.expect("one auditor may");
        net.step(PROVIDER).await;
        assert_eq!(end_of(&net, &caller, &run.request).await.outcome, Outcome::Cancelled);
        net.close().await;
    });
}

#[test]
fn a_gateway_that_is_stopped_finishes_what_it_has_accepted() {
    play(async {
        let (mut net, module, caller) = stage().await;
        let run = caller.sign(through("hasty", caller.ask_for(PROVIDER, module, "spin", json!({}))));
        let started = caller.gateway(net.address(PROVIDER)).run(&run, &caller.token, 0).await.expect("it is accepted");
        assert!(matches!(started, RunReply::Running(_)), "{started:?}");
        net.stop(PROVIDER).await;
        net.start_again(PROVIDER).await;
        let answer = end_of(&net, &caller, &run.request).await;
        assert_eq!(answer.outcome, Outcome::Limit { which: LimitKind::Time });
        let log = caller.log_of(&run.request.audience);
        iog_client::gateway::believe(answer, &run, &log).expect("its receipt was written before the end");
        net.close().await;
    });
}
