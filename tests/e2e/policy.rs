//! What providers decide: who may ask, for what, how often, and over which data. Refusals are answers with receipts.

use iog_protocol::api::{ApiErrorCode, paths};
use iog_protocol::ids::Digest;
use iog_protocol::run::{Outcome, RunRequest};
use iog_transport::Request;
use serde_json::json;

use crate::harness::caller::{Caller, refused, through};
use crate::harness::evil::StolenKeys;
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;
use crate::harness::settings::{BORDER, FLOWS, TRACEBACK, traceback};

/// A service `name` of the traceback with these further tables.
fn offer(name: &str, further: &str) -> String {
    format!("[service.{name}]\nmodule = \"iog/ip-traceback@1.0.0\"\nbind = {{ flows = \"border\" }}\n{further}\n")
}

/// How runs end: `ok`, or the code of the refusal.
async fn ends(net: &Net, caller: &Caller, request: RunRequest) -> String {
    match caller.outcome(net.address(PROVIDER), request).await.expect("an answer") {
        Outcome::Succeeded => "ok".to_owned(),
        other => refused(&other).to_owned(),
    }
}

async fn stage(tables: &str) -> (Net, Digest, Caller) {
    let mut net = Net::of(&[PROVIDER], &[ASKER, "other"]).await;
    let module = net.publish(&TRACEBACK).await;
    net.start(PROVIDER, &format!("{BORDER}{tables}")).await;
    let caller = Caller::of(&net, ASKER).await;
    (net, module, caller)
}

#[test]
fn who_may_ask_what_and_why() {
    let allow = |name: &str, what: &str| offer(name, &format!("[service.{name}.allow]\n{what}"));
    let table = [
        ("nobody", offer("nobody", ""), "policy-denied"),
        ("members", allow("members", "callers = [\"members\"]"), "ok"),
        ("named", allow("named", "callers = [\"domain:response\"]"), "ok"),
        ("housed", allow("housed", "callers = [\"organisation:response-org\"]"), "ok"),
        ("others", allow("others", "callers = [\"domain:other\"]"), "policy-denied"),
        ("elsewhere", allow("elsewhere", "callers = [\"organisation:other-org\"]"), "policy-denied"),
        ("traced", allow("traced", "callers = [\"members\"]\nentries = [\"trace\"]"), "ok"),
        ("untraced", allow("untraced", "callers = [\"members\"]\nentries = []"), "policy-denied"),
        ("tested", allow("tested", "callers = [\"members\"]\npurposes = [\"end-to-end test\"]"), "ok"),
        ("billed", allow("billed", "callers = [\"members\"]\npurposes = [\"billing\"]"), "policy-denied"),
    ];
    play(async {
        let tables: String = table.iter().map(|(_, text, _)| text.as_str()).collect();
        let (net, module, caller) = stage(&tables).await;
        for (service, _, end) in &table {
            let request = through(service, caller.ask(PROVIDER, module));
            assert_eq!(ends(&net, &caller, request).await, *end, "service `{service}`");
        }
        let request = caller.ask(PROVIDER, module);
        assert_eq!(ends(&net, &caller, request).await, "unknown-service", "several services run it: name one");
        net.close().await;
    });
}

#[test]
fn how_often() {
    let quota = |name: &str, what: &str| {
        offer(name, &format!("[service.{name}.allow]\ncallers = [\"members\"]\n[service.{name}.quota]\n{what}"))
    };
    let tables = quota("hourly", "runs_per_hour_max = 2")
        + &quota("daily", "runs_per_day_max = 1")
        + &quota("targets", "targets = { parameter = \"target\", distinct_per_day_max = 2 }");
    play(async {
        let (net, module, caller) = stage(&tables).await;
        let other = Caller::of(&net, "other").await;
        let ask = |service: &str, target: &str| {
            through(service, caller.ask_for(PROVIDER, module, "trace", json!({"target": target})))
        };
        for (service, target, end) in [
            ("hourly", "203.0.113.1", "ok"),
            ("hourly", "203.0.113.1", "ok"),
            ("hourly", "203.0.113.1", "quota-exceeded"),
            ("hourly", "203.0.113.1", "quota-exceeded"),
            ("daily", "203.0.113.1", "ok"),
            ("daily", "203.0.113.1", "quota-exceeded"),
            ("targets", "203.0.113.1", "ok"),
            ("targets", "203.0.113.2", "ok"),
            ("targets", "203.0.113.3", "quota-exceeded"),
            ("targets", "203.0.113.1", "ok"),
            ("targets", "203.0.113.2", "ok"),
            ("targets", "203.0.113.3", "quota-exceeded"),
        ] {
            assert_eq!(ends(&net, &caller, ask(service, target)).await, end, "`{service}` about {target}");
        }
        let limits = caller.gateway(net.address(PROVIDER)).limits(&caller.token).await.expect("a member may look");
        assert!(limits.quotas.iter().any(|quota| quota.limit == 2 && quota.remaining == 0), "{limits:?}");
        let theirs = through("hourly", other.ask(PROVIDER, module));
        assert_eq!(ends(&net, &other, theirs).await, "ok", "quotas are each caller's own");
        net.close().await;
    });
}

/// A prefix of one family that holds the other is no way around a limit of either; what is refused has a receipt that says so.
#[test]
fn a_target_that_holds_both_families_passes_no_limit_of_one() {
    let limited = |name: &str, limit: &str| {
        let targets = format!("targets = {{ parameter = \"target\", distinct_per_day_max = 4, {limit} }}");
        offer(name, &format!("[service.{name}.allow]\ncallers = [\"members\"]\n[service.{name}.quota]\n{targets}"))
    };
    let tables = limited("six", "min_prefix_v6 = 48") + &limited("four", "min_prefix_v4 = 24");
    play(async {
        let (net, module, caller) = stage(&tables).await;
        let before = net.receipts(PROVIDER);
        let asked = [
            ("six", "::/0", "policy-denied"),
            ("six", "::/1", "policy-denied"),
            ("six", "2001:db8::/47", "policy-denied"),
            ("six", "2001:db8::/48", "ok"),
            ("four", "::/0", "policy-denied"),
            ("four", "::ffff:0:0/96", "policy-denied"),
            ("four", "::fffe:0:0/95", "policy-denied"),
            ("four", "203.0.113.0/24", "ok"),
        ];
        for (service, target, end) in asked {
            let request = through(service, caller.ask_for(PROVIDER, module, "trace", json!({"target": target})));
            assert_eq!(ends(&net, &caller, request).await, end, "`{service}` about {target}");
        }
        assert_eq!(net.receipts(PROVIDER) - before, 8, "each is in the provider's log");
        net.close().await;
    });
}

/// What the gateway tells its operator about its data.
fn operator_is_told(net: &Net) -> String {
    let background = net.background(PROVIDER);
    let problems = background.data_problems();
    problems.into_iter().map(|(name, problem)| format!("{name}: {problem}\n")).collect()
}

#[test]
fn data_that_do_not_fit_their_schema() {
    let table = [
        ("without a column", FLOWS.replace(",bytes,", ",octets,"), "has no column `bytes`"),
        ("with words for numbers", FLOWS.replace(",3000,", ",many,"), "line 2, column `bytes`: `many`"),
        ("with words for addresses", FLOWS.replace("198.51.100.1", "somewhere"), "line 2, column `src`: `somewhere`"),
        ("with lines cut off", FLOWS.replace(",2,3000,0,64510", ""), "line 2: the record has 7 fields"),
        ("without a header", FLOWS.lines().skip(1).collect::<Vec<_>>().join("\n"), "has no column `start`"),
        ("of no rows and no header", String::new(), "the file is empty"),
    ];
    play(async {
        let mut net = Net::of(&[PROVIDER], &[ASKER]).await;
        let module = net.publish(&TRACEBACK).await;
        let caller = Caller::of(&net, ASKER).await;
        let flows = net.home_of(PROVIDER).join("flows.csv");
        net.start_over(PROVIDER, &traceback(), &table[0].1).await;
        for (name, text, named) in &table {
            std::fs::write(&flows, text).expect("it is written");
            net.step(PROVIDER).await;
            let told = operator_is_told(&net);
            assert!(told.starts_with("border: ") && told.contains(named), "data {name} should name {named}: {told}");
            let request = through("ip-traceback", caller.ask(PROVIDER, module));
            match caller.outcome(net.address(PROVIDER), request).await.expect("an answer") {
                Outcome::Refused { code, reason } => {
                    assert_eq!(code, "unavailable", "data {name}: {reason}");
                    assert!(reason.contains("`flows`") && !reason.contains("somewhere"), "data {name}: {reason}");
                }
                other => panic!("data {name}: {other}"),
            }
            assert!(caller.gateway(net.address(PROVIDER)).health().await.is_ok(), "the gateway goes on");
        }
        std::fs::remove_file(&flows).expect("it was there");
        net.step(PROVIDER).await;
        let request = through("ip-traceback", caller.ask(PROVIDER, module));
        assert_eq!(ends(&net, &caller, request).await, "unavailable", "data that are not there");
        std::fs::write(&flows, FLOWS).expect("it is written");
        net.step(PROVIDER).await;
        assert_eq!(ends(&net, &caller, caller.ask(PROVIDER, module)).await, "ok", "mended data are taken up");
        net.close().await;
    });
}

#[test]
fn a_class_that_cannot_be_enforced_is_not_run() {
    play(async {
        let mut net = Net::of(&[PROVIDER], &[ASKER]).await;
        let module = net.publish(&TRACEBACK).await;
        net.start(PROVIDER, &traceback().replace("class = \"reviewed\"", "class = \"aggregate\"")).await;
        let caller = Caller::of(&net, ASKER).await;
        let request = through("ip-traceback", caller.ask(PROVIDER, module));
        assert_eq!(ends(&net, &caller, request).await, "release-denied");
        net.close().await;
    });
}

#[test]
fn a_suspended_module_and_a_suspended_caller_stop_at_once() {
    use iog_protocol::statements::{Revocation, RevocationSeverity, Statement, Target};
    play(async {
        let (mut net, module) = Net::usual().await;
        let caller = Caller::of(&net, ASKER).await;
        assert_eq!(ends(&net, &caller, caller.ask(PROVIDER, module)).await, "ok");
        let suspend = |target| Revocation {
            severity: RevocationSeverity::Suspend,
            target,
            reason_code: "vulnerability".to_owned(),
            reason: "found in a test".to_owned(),
            until: None,
            issued: net.now(),
        };
        let registry = net.registry().await;
        let subject = registry.module(&module).expect("it is there").subject();
        let auditor = &net.world.parties.auditors[0].2;
        let module_stops = Statement::about(registry.genesis_digest(), subject, suspend(Target::Module(module)));
        let caller_stops = Statement::new(registry.genesis_digest(), suspend(Target::Domain(caller.domain())));
        let link = net.world.link().expect("a link");
        link.center
            .post_statement(module_stops.sign(&[auditor]).expect("signed").to_json())
            .await
            .expect("one auditor may");
        net.step(PROVIDER).await;
        let request = through("ip-traceback", caller.ask(PROVIDER, module));
        assert_eq!(ends(&net, &caller, request).await, "module-not-effective");

        link.center
            .post_statement(caller_stops.sign(&[auditor]).expect("signed").to_json())
            .await
            .expect("one auditor may");
        net.step(PROVIDER).await;
        let error =
            caller.outcome(net.address(PROVIDER), caller.ask(PROVIDER, module)).await.expect_err("not accepted");
        assert_eq!(error, ApiErrorCode::DomainSuspended);

        // What stopped stays stopped when the center is gone and the gateway starts again from its own copy of the log.
        net.world.stop_center().await.expect("it ends");
        net.stop(PROVIDER).await;
        net.start_again(PROVIDER).await;
        let error =
            caller.outcome(net.address(PROVIDER), caller.ask(PROVIDER, module)).await.expect_err("not accepted");
        assert_eq!(error, ApiErrorCode::DomainSuspended);
        net.close().await;
    });
}

#[test]
fn a_gateway_that_has_not_heard_of_the_center_for_a_day_runs_nothing() {
    play(async {
        let mut net = Net::of(&[PROVIDER], &[ASKER]).await;
        let module = net.publish(&TRACEBACK).await;
        net.start(PROVIDER, &traceback()).await;
        let mut caller = Caller::of(&net, ASKER).await;
        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        let leaf = caller.http.tls().leaf().expect("it shows a certificate").leaf_sha256;
        net.world.stop_center().await.expect("it ends");
        for (hours, end) in [(23, "ok"), (2, "registry-stale")] {
            net.clock.advance(hours * 3600);
            // A token of this hour, which only the center can give, so that only the registry is old.
            caller.token = keys.token(&caller.domain(), &leaf, net.now());
            net.step(PROVIDER).await;
            assert_eq!(ends(&net, &caller, caller.ask(PROVIDER, module)).await, end);
        }
        let bearer = format!("Bearer {}", caller.token).parse::<http::HeaderValue>().expect("a header");
        for path in [paths::HEALTH, paths::LIMITS] {
            let request = Request::get(format!("https://{}{path}", net.address(PROVIDER)));
            let request = request.header(http::header::AUTHORIZATION, bearer.clone());
            let shown = caller.http.send(request).await.expect("it says how it is");
            let shown: serde_json::Value = serde_json::from_slice(&shown.body).expect("JSON");
            let (age, most) = (shown["registry_age_s"].as_u64(), shown["registry_age_max_s"].as_u64());
            assert!(age.is_some_and(|age| age >= 25 * 3600) && most == Some(24 * 3600), "{path}: {shown}");
        }

        net.world.start_center().await.expect("it is back");
        net.step(PROVIDER).await;
        net.step(PROVIDER).await;
        assert_eq!(ends(&net, &caller, caller.ask(PROVIDER, module)).await, "ok");
        net.close().await;
    });
}
