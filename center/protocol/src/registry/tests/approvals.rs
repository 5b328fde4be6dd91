//! Rules R1 to R3: whose reviews count, how many are needed, and what an approval without them is worth.

use super::*;

fn missing(found: u32, needed: u32) -> Invalid {
    Invalid::Modules(registry::modules::Invalid::Ineffective(Missing::Reviews { found, needed }))
}

#[test]
fn two_organisations_and_the_center_make_a_module_of_public_data_effective() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    assert_eq!(world.effective(&module, 1), Err(NotEffective::NotApproved(module)));
    assert_eq!(world.approve(&module), Err(missing(0, 2)));
    world.approve_by(&["a"], &module);
    assert_eq!(world.approve(&module), Err(missing(1, 2)));
    world.approve_by(&["b"], &module);
    assert_eq!(world.effective(&module, 1), Err(NotEffective::NotApproved(module)));
    let index = world.approve(&module).unwrap();
    let effective = world.effective(&module, 1).unwrap();
    assert_eq!((effective.approval_index, effective.submission_index), (index, 1));
    assert_eq!(effective.manifest, Digest::of(b"manifest 1.0.0"));
    assert_eq!(effective.capabilities(), &public_data());
    assert_eq!(world.registry.module(&module).unwrap().approval().unwrap().reviews, [2, 3]);
}

#[test]
fn private_data_needs_one_organisation_more() {
    let mut world = World::new();
    let module = world.submit("1.0.0", private_data());
    world.approve_by(&["a", "b"], &module);
    assert_eq!(world.approve(&module), Err(missing(2, 3)));
    world.approve_by(&["c"], &module);
    world.approve(&module).unwrap();
    assert!(world.effective(&module, 1).is_ok());
}

#[test]
fn an_outward_import_needs_one_organisation_more() {
    let mut world = World::new();
    let mut asked = public_data();
    asked.imports.push("iog:guest/probe@0.1.0".into());
    let module = world.submit("1.0.0", asked);
    world.approve_by(&["a", "b"], &module);
    assert_eq!(world.approve(&module), Err(missing(2, 3)));
}

#[test]
fn an_organisation_has_one_vote_and_the_publishers_has_none() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.approve_by(&["a", "a2", "p"], &module);
    assert_eq!(world.approve(&module), Err(missing(1, 2)));
}

#[test]
fn colleagues_who_disagree_do_not_approve() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.approve_by(&["a", "b"], &module);
    world.review("a2", &module, |review| review.verdict = Verdict::Reject).unwrap();
    assert_eq!(world.approve(&module), Err(missing(1, 2)));
}

#[test]
fn an_auditors_latest_review_counts_and_the_log_cannot_reorder_them() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.approve_by(&["b"], &module);
    let withheld = world.review_entry("a", &module, |_| ());
    world.review("a", &module, |review| review.verdict = Verdict::Reject).unwrap();
    assert_eq!(world.approve(&module), Err(missing(1, 2)));
    assert!(matches!(world.post(withheld), Err(Invalid::Modules(registry::modules::Invalid::ReviewOutdated { .. }))));
    world.review("a", &module, |_| ()).unwrap();
    world.approve(&module).unwrap();
}

#[test]
fn abstaining_is_not_approving() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.approve_by(&["a"], &module);
    world.review("b", &module, |review| review.verdict = Verdict::Abstain).unwrap();
    assert_eq!(world.approve(&module), Err(missing(1, 2)));
}

#[test]
fn a_review_of_another_manifest_or_module_or_registry_is_refused() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    let other = Digest::of(b"another manifest");
    assert_eq!(
        world.review("a", &module, |review| review.manifest = other),
        Err(Invalid::Modules(registry::modules::Invalid::OtherManifest { found: other }))
    );
    let review = world.review_of(&module);
    let mut statement = world.about(&module, review);
    statement.subjects[0].name = "iog/ip-traceback@2.0.0".into();
    assert_eq!(
        world.post(sealed(&statement, &[&auditor_key("a")])),
        Err(Invalid::Modules(registry::modules::Invalid::Flaw(Flaw::OtherSubject)))
    );
    let mut elsewhere = statement.clone();
    elsewhere.subjects[0] = world.registry.module(&module).unwrap().subject();
    elsewhere.subjects[1] = crate::statements::Subject::new("iog:registry", Digest::of(b"staging"));
    assert_eq!(world.post(sealed(&elsewhere, &[&auditor_key("a")])), Err(Invalid::OtherRegistry));
    elsewhere.subjects.pop();
    assert_eq!(world.post(sealed(&elsewhere, &[&auditor_key("a")])), Err(Invalid::OtherRegistry));
    statement.subjects[0] = crate::statements::Subject::new("iog/x@1.0.0", Digest::of(b"unknown"));
    let unknown = Invalid::Modules(registry::modules::Invalid::UnknownModule(Digest::of(b"unknown")));
    assert_eq!(world.post(sealed(&statement, &[&auditor_key("a")])), Err(unknown));
}

#[test]
fn only_auditors_review_and_alone() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    let review = world.review_of(&module);
    let statement = world.about(&module, review);
    for stranger in [key(99), publisher_key(), approval_key(), root(0)] {
        assert!(matches!(
            world.post(sealed(&statement, &[&stranger])),
            Err(Invalid::Modules(registry::modules::Invalid::Flaw(Flaw::Signature(_))))
        ));
    }
    let both = sealed(&statement, &[&auditor_key("a"), &auditor_key("b")]);
    assert!(matches!(
        world.post(both),
        Err(Invalid::Modules(registry::modules::Invalid::Flaw(Flaw::TooFewSigners { .. })))
    ));
}

#[test]
fn delta_reviews_count_for_a_later_version_that_asks_for_nothing_new() {
    let mut world = World::new();
    let old = world.approved("1.0.0", public_data());
    let delta = |review: &mut Review| review.scope = Scope::Delta { from: old };
    let new = world.submit("1.1.0", public_data());
    world.review("a", &new, delta).unwrap();
    world.review("b", &new, delta).unwrap();
    world.approve(&new).unwrap();
    assert!(world.effective(&new, 1).is_ok());
}

#[test]
fn an_added_column_or_import_needs_full_reviews() {
    let mut column = public_data();
    column.datasets.get_mut(&"routes".parse().unwrap()).unwrap().columns.push("peer_as".into());
    let mut import = public_data();
    import.imports.push("iog:guest/log@0.1.0".into());
    for asked in [column, import] {
        let mut world = World::new();
        let old = world.approved("1.0.0", public_data());
        let new = world.submit("1.1.0", asked);
        for auditor in ["a", "b", "c"] {
            world.review(auditor, &new, |review| review.scope = Scope::Delta { from: old }).unwrap();
        }
        assert_eq!(world.approve(&new), Err(missing(0, 2)));
        world.approve_by(&["a", "b"], &new);
        world.approve(&new).unwrap();
    }
}

#[test]
fn a_delta_to_another_module_does_not_count() {
    let mut world = World::new();
    let old = world.approved("1.0.0", public_data());
    let other = Submission { name: "iog/top-talkers".parse().unwrap(), ..submission("1.1.0", public_data()) };
    let module = other.module;
    world.post(sealed(&Statement::submission(&world.id(), other), &[&publisher_key()])).unwrap();
    for auditor in ["a", "b"] {
        world.review(auditor, &module, |review| review.scope = Scope::Delta { from: old }).unwrap();
    }
    assert_eq!(world.approve(&module), Err(missing(0, 2)));
}

#[test]
fn a_delta_needs_an_approved_unrevoked_version_of_the_same_module() {
    let mut world = World::new();
    let unapproved = world.submit("1.0.0", public_data());
    let revoked = world.approved("1.0.1", public_data());
    let new = world.submit("1.1.0", public_data());
    for from in [unapproved, new, Digest::of(b"nothing"), revoked] {
        for auditor in ["a", "b"] {
            world.review(auditor, &new, |review| review.scope = Scope::Delta { from }).unwrap();
        }
        if from == revoked {
            world.revoke(&revoked, hour(1), &[&publisher_key()]).unwrap();
        }
        assert_eq!(world.approve(&new), Err(missing(0, 2)));
    }
}

#[test]
fn a_blocking_finding_stops_approval_until_its_author_closes_it() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.review("c", &module, |review| review.findings = vec![finding("f1", Severity::Blocking)]).unwrap();
    world.approve_by(&["a", "b"], &module);
    let open = Invalid::Modules(registry::modules::Invalid::Ineffective(Missing::Findings(vec!["c/f1".into()])));
    assert_eq!(world.approve(&module), Err(open.clone()));
    world.review("c", &module, |_| ()).unwrap();
    assert_eq!(world.approve(&module), Err(open));
    world.review("c", &module, |review| review.closes = vec!["f1".into()]).unwrap();
    world.approve(&module).unwrap();
}

#[test]
fn k_other_organisations_close_a_finding_but_not_the_publishers_nor_the_authors() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    let close = |review: &mut Review| review.closes = vec!["a/f1".into()];
    world.review("a", &module, |review| review.findings = vec![finding("f1", Severity::Blocking)]).unwrap();
    for auditor in ["p", "a2", "b", "b"] {
        world.review(auditor, &module, close).unwrap();
        assert_eq!(world.registry.module(&module).unwrap().open_blocking(), ["a/f1"], "{auditor}");
    }
    world.review("c", &module, close).unwrap();
    assert!(world.registry.module(&module).unwrap().open_blocking().is_empty());
    let unknown = world.review("c", &module, |review| review.closes = vec!["a/f9".into()]);
    assert_eq!(unknown, Err(Invalid::Modules(registry::modules::Invalid::UnknownFinding("a/f9".into()))));
    world.review("a", &module, |review| review.findings = vec![finding("f1", Severity::Blocking)]).unwrap();
    assert_eq!(world.registry.module(&module).unwrap().open_blocking(), ["a/f1"]);
}

#[test]
fn lesser_findings_do_not_stop_approval_and_late_ones_do_not_undo_it() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.review("a", &module, |review| review.findings = vec![finding("f1", Severity::Major)]).unwrap();
    world.approve_by(&["b"], &module);
    world.approve(&module).unwrap();
    world.review("c", &module, |review| review.findings = vec![finding("f2", Severity::Blocking)]).unwrap();
    world.review("a", &module, |review| review.verdict = Verdict::Reject).unwrap();
    assert!(world.effective(&module, 1).is_ok(), "one auditor cannot stop a module for good");
}

#[test]
fn approvals_and_the_reviews_they_rest_on_expire() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.review("a", &module, |review| review.expires = Some(hour(50))).unwrap();
    world.approve_by(&["b"], &module);
    let draft = ApprovalDraft { verifier: "x".into(), now: hour(1), expires: Some(hour(100)) };
    let statement = world.registry.draft_approval(&module, &draft).unwrap();
    world.post(sealed(&statement, &[&approval_key()])).unwrap();
    assert!(world.effective(&module, 49).is_ok());
    assert_eq!(world.effective(&module, 50), Err(NotEffective::Expired(module)));
    let late = ApprovalDraft { now: hour(50), ..draft };
    let lacks = Err(Missing::Reviews { found: 1, needed: 2 });
    assert_eq!(world.registry.draft_approval(&module, &late), lacks);
    world.approve_by(&["a"], &module);
    let statement = world.registry.draft_approval(&module, &late).unwrap();
    world.post(sealed(&statement, &[&approval_key()])).unwrap();
    assert!(world.effective(&module, 99).is_ok());
    assert_eq!(world.effective(&module, 100), Err(NotEffective::Expired(module)));
}

#[test]
fn what_was_effective_then_is_judged_by_what_was_logged_then() {
    let mut world = World::new();
    let (module, other) = (world.approved("1.0.0", public_data()), world.approved("1.1.0", public_data()));
    let index = |world: &World, module| world.registry.module(module).unwrap().approval().unwrap().index;
    let (approval, others) = (index(&world, &module), index(&world, &other));
    let held = world.registry.size();
    let suspended = world.suspend(&module, hour(1), &[&auditor_key("d")]).unwrap();
    let revoked = world.revoke(&module, hour(100), &[&root(0), &root(1)]).unwrap();
    let was = |approval, size, hours| world.registry.was_effective(&module, approval, size, hour(hours));
    assert_eq!(was(approval, held, 2), Ok(()));
    assert_eq!(was(approval, approval + 1, 0), Ok(()));
    assert_eq!(was(approval, approval, 0), Err(NotEffective::NotApproved(module)), "not logged yet");
    assert_eq!(was(others, held, 0), Err(NotEffective::NotApproved(module)), "another module's approval");
    assert_eq!(was(1, held, 0), Err(NotEffective::NotApproved(module)), "no approval at all");
    assert!(matches!(was(approval, suspended + 1, 2), Err(NotEffective::Suspended { .. })));
    assert_eq!(was(approval, suspended + 1, 99), Ok(()), "the suspension has lapsed");
    assert_eq!(was(approval, revoked + 1, 99), Err(NotEffective::Revoked(module)));
    let none = Digest::of(b"none");
    let unknown = world.registry.was_effective(&none, approval, held, hour(0));
    assert_eq!(unknown, Err(NotEffective::UnknownModule(none)));
}

#[test]
fn the_center_is_told_on_which_reviews_it_can_approve() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    let none = Digest::of(b"none");
    assert_eq!(world.registry.ready_for_approval(&none, hour(0)), Err(Missing::UnknownModule(none)));
    world.approve_by(&["b", "a", "a2", "p"], &module);
    let evidence = world.registry.ready_for_approval(&module, hour(0)).unwrap();
    let seen: Vec<_> = evidence.iter().map(|review| (review.index, review.organisation.as_str())).collect();
    assert_eq!(seen, [(2, "org-b"), (3, "org-a")]);
    assert_eq!(evidence[0].entry, Digest::of(&world.log[2]));
}

#[test]
fn an_approval_may_rest_on_this_modules_reviews_only() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.approve_by(&["a", "b"], &module);
    let draft = ApprovalDraft { verifier: "x".into(), now: hour(1), expires: None };
    let mut statement = world.registry.draft_approval(&module, &draft).unwrap();
    let Predicate::Approval(approval) = &mut statement.predicate else { panic!("an approval") };
    approval.input_attestations[0].digest.0 = Digest::of(&world.log[1]);
    let unknown = Err(Invalid::Modules(registry::modules::Invalid::UnknownEvidence(Digest::of(&world.log[1]))));
    assert_eq!(world.post(sealed(&statement, &[&approval_key()])), unknown);
}

#[test]
fn a_failed_verification_changes_nothing() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    let mut statement = world.bare_approval(&module);
    let Predicate::Approval(approval) = &mut statement.predicate else { panic!("an approval") };
    approval.verification_result = crate::statements::VerificationResult::Failed;
    world.post(sealed(&statement, &[&approval_key()])).unwrap();
    assert_eq!(world.registry.module(&module).unwrap().approvals.len(), 1);
}

#[test]
fn submissions_belong_to_the_namespace_and_are_final() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    let id = world.id();
    let mut post = |change: &dyn Fn(&mut Submission), key: &SecretKey| {
        let mut submission = submission("1.0.1", public_data());
        change(&mut submission);
        world.post(sealed(&Statement::submission(&id, submission), &[key]))
    };
    assert!(matches!(
        post(&|_| (), &auditor_key("a")),
        Err(Invalid::Modules(registry::modules::Invalid::Flaw(Flaw::Signature(_))))
    ));
    let foreign = post(&|s| s.name = "other/x".parse().unwrap(), &publisher_key());
    assert_eq!(foreign, Err(Invalid::Modules(registry::modules::Invalid::UnknownNamespace("other".into()))));
    let dressed = post(&|s| s.publisher_organisation = organisation("org-a"), &publisher_key());
    assert!(matches!(dressed, Err(Invalid::Modules(registry::modules::Invalid::OtherOrganisation { .. }))));
    let again = post(&|s| s.module = module, &publisher_key());
    assert_eq!(again, Err(Invalid::Modules(registry::modules::Invalid::AlreadySubmitted { module, index: 1 })));
    let taken = post(&|s| s.version = "1.0.0".parse().unwrap(), &publisher_key());
    assert!(matches!(taken, Err(Invalid::Modules(registry::modules::Invalid::VersionTaken { .. }))));
    assert!(matches!(
        post(&|s| s.size = 0, &publisher_key()),
        Err(Invalid::Modules(registry::modules::Invalid::Flaw(Flaw::Member { member: "size", .. })))
    ));
    assert_eq!(post(&|_| (), &publisher_key()), Ok(2));
    let mut renamed = Statement::submission(&id, submission("1.0.2", public_data()));
    renamed.subjects[0].name = "iog/harmless@1.0.2".into();
    assert_eq!(
        world.post(sealed(&renamed, &[&publisher_key()])),
        Err(Invalid::Modules(registry::modules::Invalid::Flaw(Flaw::OtherSubject)))
    );
}

#[test]
fn modules_are_found_by_name_and_version() {
    let mut world = World::new();
    let first = world.approved("1.9.0", public_data());
    let second = world.submit("1.10.0", public_data());
    world.submit("2.0.0-rc.1", public_data());
    let name = "iog/ip-traceback".parse().unwrap();
    let found = |version: Option<&str>| {
        let version = version.map(|version| version.parse().unwrap());
        world.registry.find(&name, version.as_ref()).map(|record| record.submission.module)
    };
    assert_eq!(found(None), Some(second));
    assert_eq!(found(Some("1.9.0")), Some(first));
    assert_eq!(found(Some("3.0.0")), None);
    assert_eq!(world.registry.find_effective(&name, hour(1)).unwrap().submission.module, first);
    assert_eq!(world.registry.modules().count(), 3);
}
