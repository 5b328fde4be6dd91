//! A whole old network goes on: the log, the modules, the services and the members are there, and new things happen.

use std::time::Duration;

use iog_caller::{CallError, CallReport, CallSpec, Caller, Merged, PartOutcome, Quiet, Whom, call};
use iog_cli::link::{Link, Network};
use iog_protocol::keys::SecretKey;
use iog_protocol::run::Outcome;
use iog_protocol::statements::{Revocation, RevocationSeverity, Statement, Target};
use iog_protocol::time::Timestamp;
use serde_json::json;

use super::receipts::replica;
use super::recorded::{ASKER, FRESH, Head, OLD_HAND, Recorded};
use super::revived::{Revived, deps, turn};
use crate::harness::play;
use crate::harness::settings::TARGET;

fn question(what: &str) -> CallSpec {
    CallSpec {
        what: what.parse().expect("a service"),
        entry: None,
        params: json!({"target": TARGET}),
        purpose: "incident".to_owned(),
        whom: Whom::Relevant { asn: None },
        deadline: Duration::from_secs(60),
        parallel_max: 2,
        merge: true,
        merge_limits: iog_caller::MergeLimits::default(),
    }
}

/// A call of the old caller's home.
async fn ask(recorded: &Recorded, question: &CallSpec) -> Result<CallReport, CallError> {
    let (home, deps) = (recorded.home(ASKER), deps(recorded));
    call(Caller { home: &home, machine: &deps.machine, sandbox: &deps.sandbox }, question, &Quiet).await
}

/// An old caller's home asks old gateways' homes through an old center's folder.
async fn everybody_answers(recorded: &Recorded) {
    let report = ask(recorded, &question("ip-traceback")).await.expect("a call");
    assert_eq!((report.offline.as_deref(), report.answered(), report.parts.len()), (None, 2, 2), "{report:?}");
    for part in &report.parts {
        let PartOutcome::Result(result) = &part.outcome else { panic!("{part:?}") };
        let flows = &result.to_value().expect("JSON")["ok"]["ingress"][0]["flows"];
        assert_eq!(flows, &json!(2), "{}", part.domain);
    }
    let Some(Merged::Result { result, .. }) = &report.merged else { panic!("{:?}", report.merged) };
    assert_eq!(result.to_value().expect("JSON")["edges"].as_array().map(Vec::len), Some(4));
    let leaves: Vec<_> = report.parts.iter().filter_map(|part| part.receipt.as_ref()).map(|it| it.leaf_index).collect();
    assert_eq!(leaves, [recorded.facts.receipts.size, 0], "the receipt logs go on where they were");
}

/// An auditor of another organisation stops the suspended module as well: a statement of today in the old log.
async fn a_new_statement_is_logged(recorded: &Recorded) {
    let network = Network::read(&recorded.folder().join("network.json")).expect("the old network file");
    let mut link = Link::of_network(&network, &recorded.folder().join("network.log"), recorded.clock())
        .expect("the auditors' old copy");
    let registry = link.registry().await.expect("the center answers");
    let key = std::fs::read_to_string(recorded.folder().join("keys/bob.key")).expect("bob has a key");
    let key = SecretKey::from_pkcs8_pem(&key).expect("an old key");
    let hello = recorded.facts.modules["hello"];
    let revocation = Revocation {
        severity: RevocationSeverity::Suspend,
        target: Target::Module(hello),
        reason_code: "vulnerability".to_owned(),
        reason: "bob saw it too".to_owned(),
        until: None,
        issued: Timestamp::from_unix(recorded.facts.moment),
    };
    let subject = registry.module(&hello).expect("it was submitted").subject();
    let statement = Statement::about(registry.genesis_digest(), subject, revocation);
    let envelope = statement.sign(&[&key]).expect("it can be signed").to_json();
    let posted = link.center.post_statement(envelope).await.expect("the old log takes it");
    assert_eq!(posted.logged().expect("it is in the log").index, recorded.facts.log.size);
}

#[test]
fn an_old_network_goes_on() {
    let _turn = turn();
    for recorded in Recorded::every() {
        play(async {
            let network = Revived::start(&recorded).await;
            everybody_answers(&recorded).await;
            let stopped = ask(&recorded, &question("hello")).await;
            assert!(stopped.is_err(), "a suspended module stays suspended: {stopped:?}");
            a_new_statement_is_logged(&recorded).await;
            for domain in [OLD_HAND, FRESH] {
                let background = network.background(domain);
                background.step().await;
                assert_eq!(background.registry().current().size(), recorded.facts.log.size + 1, "{domain}");
            }
            everybody_sees_it(&recorded).await;
            network.close().await;
        });
    }
}

/// The asker's copy grows by the new entry, and the old entries under it are what they were.
async fn everybody_sees_it(recorded: &Recorded) {
    let report = ask(recorded, &question("ip-traceback")).await.expect("a call");
    assert_eq!((report.log_size, report.answered()), (recorded.facts.log.size + 1, 2), "{report:?}");
    let replica = replica(recorded, ASKER);
    let root = replica.tree().root_at(recorded.facts.log.size).expect("it is longer");
    assert_eq!(Head::of(&iog_tlog::Checkpoint::new("", recorded.facts.log.size, root)), recorded.facts.log);
}

/// A provider that now allows one run a day, which an old journal already has, refuses; one whose journal never saw the
/// asker does not.
#[test]
fn what_an_old_journal_counted_still_counts() {
    let _turn = turn();
    for recorded in Recorded::every() {
        let path = recorded.home(OLD_HAND).root().join("gateway.toml");
        let config = std::fs::read_to_string(&path).expect("it has a configuration");
        let narrowed = config.replace("runs_per_day_max = 500", "runs_per_day_max = 1");
        assert_ne!(narrowed, config, "the quota of ip-traceback");
        std::fs::write(&path, narrowed).expect("it can be written");
        play(async {
            let network = Revived::start(&recorded).await;
            let report = ask(&recorded, &question("ip-traceback")).await.expect("a call");
            for part in &report.parts {
                let outcome = &part.receipt.as_ref().expect("a refusal has a receipt too").outcome;
                match outcome {
                    Outcome::Refused { code, .. } if part.domain.as_str() == OLD_HAND => {
                        assert_eq!(code, "quota-exceeded");
                    }
                    Outcome::Succeeded if part.domain.as_str() == FRESH => {}
                    other => panic!("{}: {other:?}", part.domain),
                }
            }
            network.close().await;
        });
    }
}
