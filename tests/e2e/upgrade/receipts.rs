//! What a caller and an auditor keep: every old receipt proves its answer, and every old copy of the log folds to the
//! registry that it was. No server runs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use iog_caller::verify_bundle;
use iog_client::Replica;
use iog_client::gateway::{SignedRun, believe, receipt_log};
use iog_home::connect;
use iog_protocol::dsse::Signed;
use iog_protocol::registry::Registry;
use iog_protocol::run::{RunAnswer, RunRequest};
use iog_protocol::time::Timestamp;

use super::recorded::{ASKER, Exchange, FRESH, Head, OLD_HAND, Recorded};

/// The asker's old copy of the registry.
pub(super) fn replica(recorded: &Recorded, domain: &str) -> Replica {
    connect::replica(&recorded.home(domain)).expect("the old copy of the log holds")
}

/// An old request, after its signature was verified with the key of its time.
pub(super) fn request(registry: &Registry, recorded: &Recorded, exchange: &Exchange) -> SignedRun {
    let envelope = Signed::<RunRequest>::parse(&exchange.request).expect("it is a signed request");
    assert_eq!(envelope.to_bytes(), exchange.request, "a request is written as it was");
    let moment = Timestamp::from_unix(recorded.facts.moment);
    let caller = registry.domain(&ASKER.parse().expect("a domain id"), moment).expect("the asker is in force");
    let request = envelope.verify(std::slice::from_ref(&caller.caller_key)).expect("the asker signed it").into_inner();
    SignedRun { request, envelope }
}

#[test]
fn old_bundles_verify() {
    for recorded in Recorded::every() {
        let home = recorded.home(ASKER);
        let bundles: Vec<PathBuf> = iog_caller::bundle::list(&home.receipts_folder()).expect("they are there");
        assert_eq!(bundles.len(), recorded.facts.bundles, "{}", recorded.facts.version);
        let mut ends = BTreeSet::new();
        for bundle in &bundles {
            let verified = verify_bundle(&home, bundle).unwrap_or_else(|error| panic!("{}: {error}", bundle.display()));
            let (succeeded, has_result) = (verified.receipt.outcome.is_success(), verified.result.is_some());
            assert_eq!(succeeded, has_result, "{}", verified.receipt.outcome);
            ends.insert(serde_json::to_value(&verified.receipt.outcome).expect("JSON")["state"].to_string());
        }
        assert_eq!(
            ends.into_iter().collect::<Vec<_>>(),
            ["limit", "refused", "succeeded", "trapped"].map(|end| format!("\"{end}\""))
        );
    }
}

#[test]
fn old_copies_of_the_log_fold_to_the_registry_they_were() {
    for recorded in Recorded::every() {
        let moment = Timestamp::from_unix(recorded.facts.moment);
        let newest = replica(&recorded, ASKER);
        assert_eq!(Head::of(newest.head().expect("it has a head")), recorded.facts.log);
        let registry = newest.registry().expect("it has entries");
        assert_eq!((registry.size(), registry.anomalies().len()), (recorded.facts.log.size, 0));
        assert_eq!(registry.domains(moment).count(), 3);
        let effective = |name: &str| registry.effective(&recorded.facts.modules[name], moment).is_ok();
        assert!(effective("ip-traceback") && effective("hostile"), "two auditors approved them");
        assert!(!effective("hello"), "one auditor suspended it");
        for domain in [FRESH, OLD_HAND] {
            let older = replica(&recorded, domain);
            let head = older.head().expect("it has a head");
            assert_eq!(newest.tree().root_at(head.size).ok(), Some(head.root), "`{domain}` holds the same log");
        }
    }
}

#[test]
fn old_answers_are_believed() {
    for recorded in Recorded::every() {
        let registry = replica(&recorded, ASKER).registry().expect("it has entries");
        let home = recorded.home(ASKER);
        for exchange in recorded.exchanges() {
            let run = request(&registry, &recorded, &exchange);
            let answer: RunAnswer = serde_json::from_slice(&exchange.answer).expect("an old answer can be read");
            let moment = Timestamp::from_unix(recorded.facts.moment);
            let gateway = registry.domain(&answer.domain, moment).expect("the gateway is in force");
            let log = receipt_log(home.trust_domain(), gateway).expect("a good key");
            let believed = believe(answer, &run, &log).expect("the old receipt proves the old answer");
            assert_eq!(
                serde_json::to_vec(believed.answer()).expect("JSON"),
                exchange.answer,
                "and is written as it was"
            );
        }
    }
}
