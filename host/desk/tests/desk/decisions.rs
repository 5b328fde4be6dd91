//! What people decide becomes a statement that the registry takes, or is refused before anybody signs.

use std::sync::Arc;

use iog_desk::decide::endpoints::{EndpointsError, moved};
use iog_desk::decide::keyset::{KeysetDecision, KeysetError, Signing, changes, signing};
use iog_desk::decide::review::{NoReason, ReviewDecision};
use iog_desk::decide::stop::{StopDecision, StopLogged, Stopped, foreseen};
use iog_desk::decide::submission::{SubmissionError, statement};
use iog_desk::views::SigningSheet;
use iog_desk::views::domains::Replaced;
use iog_desk::views::signing_sheet::NotShown;
use iog_protocol::statements::{Auditor, RevocationSeverity, Severity, Statement, Verdict};

use crate::world::{ALICE, BOB, CALLER, OTHER_ROOT, PUBLISHER, ROOT, World, domain, files, hour, key, now};

#[test]
fn a_rejection_needs_a_finding_and_a_review_an_auditor() {
    assert_eq!(ReviewDecision::new(Verdict::Reject, Vec::new()), Err(NoReason));
    let world = World::new();
    let decision = ReviewDecision::new(Verdict::Approve, Vec::new()).unwrap();
    let stranger = key(PUBLISHER).public();
    let error = decision.statement(&world.registry, world.waiting(), &stranger, now()).unwrap_err();
    assert_eq!(*error.key, stranger);
}

#[test]
fn findings_of_one_review_have_different_names_and_a_later_review_closes_them() {
    let mut world = World::new();
    let module = world.waiting().submission.module;
    let found = vec![(Severity::Note, "one".to_owned()), (Severity::Minor, "two".to_owned())];
    world.review(&module, BOB, &ReviewDecision::new(Verdict::Approve, found).unwrap(), hour(5));
    let open = |world: &World| world.waiting().findings.values().filter(|found| found.closed.is_none()).count();
    assert_eq!((world.waiting().findings.len(), open(&world)), (3, 3));
    let mut decision = ReviewDecision::new(Verdict::Approve, Vec::new()).unwrap();
    decision.closes = world.waiting().open_blocking();
    world.review(&module, ALICE, &decision, hour(6));
    assert_eq!(open(&world), 2);
}

#[test]
fn only_the_publisher_of_a_namespace_submits_in_it() {
    let world = World::new();
    let error = statement(&world.registry, &files(), &key(ALICE).public()).unwrap_err();
    assert!(matches!(error, SubmissionError::OtherPublisher { .. }), "{error}");
    let mut other = files();
    other.manifest = other.manifest.replace("iog/hello", "acme/hello");
    let error = statement(&world.registry, &other, &key(PUBLISHER).public()).unwrap_err();
    assert_eq!(error.to_string(), "nobody may publish under `acme`; root adds publishers");
    other.manifest = other.manifest.replace("packets-to", "rows-to");
    let error = statement(&world.registry, &other, &key(PUBLISHER).public()).unwrap_err();
    assert!(error.to_string().starts_with("component and manifest do not fit:\n  "), "{error}");
}

#[test]
fn what_a_stop_would_do_is_known_before_it_is_sent() {
    let world = World::new();
    let registry = Arc::new(world.registry.clone());
    let stop = |what: &str, severity| StopDecision {
        what: Stopped::Module(what.parse().unwrap()),
        severity,
        reason_code: "vulnerability".to_owned(),
        reason: "leaks".to_owned(),
    };
    let signed = |decision: &StopDecision, signer: u8| {
        let stop = decision.statement(&registry, now()).unwrap();
        (stop.statement.sign(&[&key(signer)]).unwrap().to_json(), stop.target)
    };
    let decision = stop("iog/hello@0.9.0", RevocationSeverity::Suspend);
    let (envelope, target) = signed(&decision, ALICE);
    let after = foreseen(&registry, &envelope).unwrap();
    assert_eq!(StopLogged::of(&after, target.clone(), 9, now()).state, "suspended");
    assert_eq!(StopLogged::of(&registry, target, 9, now()).state, "not stopped", "nothing has happened yet");
    assert!(foreseen(&registry, &signed(&decision, CALLER).0).is_err(), "not theirs to stop");
    let unknown = stop("iog/other", RevocationSeverity::Revoke).statement(&registry, now()).unwrap_err();
    assert_eq!(unknown.to_string(), "the registry has no module `iog/other`; `iog module show` lists them");
}

#[test]
fn the_next_keyset_says_what_changes_and_who_still_has_to_sign() {
    let registry = World::new().registry;
    let carol = Auditor { id: "carol".to_owned(), organisation: "exchange".parse().unwrap(), key: key(42).public() };
    let mut decision = KeysetDecision {
        remove_auditors: vec!["bob".to_owned()],
        add_auditors: vec![carol],
        remove_publishers: Vec::new(),
        add_publishers: Vec::new(),
        approval: Vec::new(),
        authorities: Vec::new(),
        token: vec![key(23).public()],
        expires: hour(24 * 700),
    };
    let next = decision.after(registry.keyset()).unwrap();
    insta::assert_snapshot!("keyset_changes", changes(registry.keyset(), &next).join("\n"));
    let statement = Statement::new(registry.genesis_digest(), next);
    let one = statement.sign(&[&key(ROOT)]).unwrap();
    assert_eq!(signing(&registry, &one).unwrap(), Signing { signatures: 1, missing: 1 });
    let both = statement.sign(&[&key(ROOT), &key(OTHER_ROOT)]).unwrap();
    assert_eq!(signing(&registry, &both).unwrap(), Signing { signatures: 2, missing: 0 });
    decision.remove_auditors.push("dave".to_owned());
    assert_eq!(decision.after(registry.keyset()), Err(KeysetError::NoAuditor { id: "dave".to_owned() }));
}

#[test]
fn a_gateway_moves_by_its_domains_own_key() {
    let registry = World::new().registry;
    let (id, addresses) = (domain(1, "").id, ["new.isp-a.example:8443".to_owned()]);
    let next = moved(&registry, &id, &key(CALLER).public(), &addresses).unwrap();
    assert_eq!(next, domain(2, "new.isp-a.example:8443"));
    assert_eq!(Replaced::of(&registry, &next).unwrap().changes, ["endpoints"]);
    let wrong = moved(&registry, &id, &key(ALICE).public(), &addresses).unwrap_err();
    assert_eq!(wrong, EndpointsError::OtherKey { domain: id });
}

/// Every value of a JSON text.
fn values(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) if !members.is_empty() => members.values().for_each(|it| values(it, found)),
        serde_json::Value::Array(items) if !items.is_empty() => items.iter().for_each(|it| values(it, found)),
        leaf => found.push(leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned)),
    }
}

#[test]
fn what_is_signed_is_shown_whole_and_nothing_unknown_is_signed() {
    let world = World::new();
    let genesis = serde_json::to_value(Statement::genesis(world.registry.founding().clone())).unwrap();
    let sheet = SigningSheet::of(genesis.to_string().as_bytes()).unwrap();
    let mut expected = Vec::new();
    values(&genesis, &mut expected);
    let mut shown: Vec<_> = sheet.about.iter().map(|member| member.value.clone()).collect();
    shown.extend(sheet.groups.iter().flat_map(|group| &group.members).map(|member| member.value.clone()));
    expected.sort();
    shown.sort();
    assert_eq!(shown, expected, "each value once");
    for name in ["root", "thresholds", "keyset", "log_key"] {
        assert!(sheet.groups.iter().any(|group| group.name == name), "{name}");
    }

    // A member that only later software reads: whoever signs it here would not know what it means.
    let mut later = genesis;
    later["predicate"]["keyset"]["may_revoke_alone"] = serde_json::json!(["mallory"]);
    match SigningSheet::of(later.to_string().as_bytes()) {
        Err(NotShown::Unknown { path }) => assert_eq!(path, "predicate.keyset.may_revoke_alone[0]"),
        // Or the statement's own reader refuses it already.
        Err(NotShown::Statement(_)) => {}
        other => panic!("{other:?}"),
    }
}
