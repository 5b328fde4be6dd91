//! Rule R4: suspension and revocation of modules and domains.

use super::*;

fn suspended(world: &World, module: &Digest, hours: i64) -> bool {
    matches!(world.effective(module, hours), Err(NotEffective::Suspended { .. }))
}

#[test]
fn one_auditor_suspends_for_72_hours_and_not_again() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    world.suspend(&module, hour(10), &[&auditor_key("d")]).unwrap();
    assert!(world.effective(&module, 9).is_ok());
    assert!(suspended(&world, &module, 10) && suspended(&world, &module, 81));
    assert!(world.registry.has_suspension(&module, hour(10)));
    assert!(world.effective(&module, 82).is_ok(), "it lapses by itself");
    let again = world.suspend(&module, hour(90), &[&auditor_key("d")]);
    assert_eq!(again, Err(Invalid::Halts(registry::halts::Invalid::SuspendedBefore(organisation("org-d")))));
}

#[test]
fn an_organisation_suspends_once_whichever_of_its_auditors_signs() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    world.suspend(&module, hour(10), &[&auditor_key("a")]).unwrap();
    let again = world.suspend(&module, hour(90), &[&auditor_key("a2")]);
    assert_eq!(again, Err(Invalid::Halts(registry::halts::Invalid::SuspendedBefore(organisation("org-a")))));
}

#[test]
fn another_organisation_seconds_and_then_the_first_may_again() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    world.suspend(&module, hour(0), &[&auditor_key("a")]).unwrap();
    world.suspend(&module, hour(60), &[&auditor_key("b")]).unwrap();
    assert!(suspended(&world, &module, 131) && world.effective(&module, 132).is_ok());
    world.suspend(&module, hour(130), &[&auditor_key("a")]).unwrap();
    assert!(suspended(&world, &module, 201));
    let again = world.suspend(&module, hour(200), &[&auditor_key("a")]);
    assert_eq!(
        again,
        Err(Invalid::Halts(registry::halts::Invalid::SuspendedBefore(organisation("org-a")))),
        "nobody seconded the second one"
    );
}

#[test]
fn a_revocation_names_its_target_in_the_subject_too() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    let other = world.approved("1.1.0", public_data());
    let mut statement = world.revocation(RevocationSeverity::Revoke, Target::Module(module), hour(0));
    statement.subjects[0] = world.registry.module(&other).unwrap().subject();
    assert_eq!(
        world.post(sealed(&statement, &[&publisher_key()])),
        Err(Invalid::Halts(registry::halts::Invalid::Flaw(Flaw::OtherSubject)))
    );
}

#[test]
fn a_suspension_can_end_earlier_but_not_later_and_cannot_be_postdated() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    let with_until = |world: &World, until| {
        let mut statement = world.revocation(RevocationSeverity::Suspend, Target::Module(module), hour(0));
        let Predicate::Revocation(revocation) = &mut statement.predicate else { panic!("a revocation") };
        revocation.until = Some(until);
        statement
    };
    let early = with_until(&world, hour(5));
    world.post(sealed(&early, &[&auditor_key("a")])).unwrap();
    assert!(suspended(&world, &module, 4) && world.effective(&module, 5).is_ok());
    let late = with_until(&world, hour(5000));
    world.post(sealed(&late, &[&auditor_key("b")])).unwrap();
    assert!(suspended(&world, &module, 71) && world.effective(&module, 72).is_ok());
    world.suspend(&module, hour(1000), &[&auditor_key("c")]).unwrap();
    assert!(world.effective(&module, 100).is_ok());
    assert!(suspended(&world, &module, 1000) && world.effective(&module, 1072).is_ok());
}

#[test]
fn an_approval_on_fresh_reviews_lifts_a_suspension_and_one_on_old_reviews_does_not() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    world.suspend(&module, hour(0), &[&auditor_key("d")]).unwrap();
    let entry = world.approval_entry(&module, &[&approval_key()]);
    world.force(entry);
    assert!(suspended(&world, &module, 1), "the center alone cannot lift it");
    assert_eq!(world.registry.ready_for_approval(&module, hour(1)), Err(Missing::Reviews { found: 0, needed: 2 }));
    world.approve_by(&["a", "b"], &module);
    assert!(suspended(&world, &module, 1));
    let draft = ApprovalDraft { verifier: "x".into(), now: hour(1), expires: None };
    let statement = world.registry.draft_approval(&module, &draft).unwrap();
    world.post(sealed(&statement, &[&approval_key()])).unwrap();
    assert!(world.effective(&module, 1).is_ok());
}

#[test]
fn two_organisations_revoke_for_good_in_one_statement_or_two() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    world.revoke(&module, hour(0), &[&auditor_key("a")]).unwrap();
    assert!(suspended(&world, &module, 1), "the first vote suspends");
    assert!(world.effective(&module, 72).is_ok());
    world.revoke(&module, hour(72), &[&auditor_key("a2")]).unwrap();
    assert!(world.effective(&module, 73).is_ok(), "one organisation, one vote");
    world.revoke(&module, hour(80), &[&auditor_key("b")]).unwrap();
    assert_eq!(world.effective(&module, 200), Err(NotEffective::Revoked(module)));
    assert_eq!(world.approve(&module), Err(Invalid::Modules(registry::modules::Invalid::Revoked)));
    let other = world.approved("1.1.0", public_data());
    world.revoke(&other, hour(0), &[&auditor_key("a"), &auditor_key("d")]).unwrap();
    assert_eq!(world.effective(&other, 1), Err(NotEffective::Revoked(other)));
}

#[test]
fn the_vote_of_an_auditor_who_lost_the_role_does_not_count() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    world.revoke(&module, hour(0), &[&auditor_key("d")]).unwrap();
    let mut next = keyset();
    next.version = 2;
    next.auditors.retain(|auditor| auditor.id != "d");
    world.post(sealed(&Statement::new(&world.id(), next), &[&root(0), &root(1)])).unwrap();
    world.revoke(&module, hour(1), &[&auditor_key("a")]).unwrap();
    assert!(world.effective(&module, 100).is_ok());
    world.revoke(&module, hour(2), &[&auditor_key("b")]).unwrap();
    assert_eq!(world.effective(&module, 100), Err(NotEffective::Revoked(module)));
}

#[test]
fn root_and_publisher_revoke_alone_and_the_center_never() {
    for (keys, revokes) in [
        (vec![root(0), root(1)], true),
        (vec![publisher_key()], true),
        (vec![root(0)], false),
        (vec![approval_key()], false),
        (vec![approval_key(), token_key(), log_key()], false),
    ] {
        let mut world = World::new();
        let module = world.approved("1.0.0", public_data());
        let keys: Vec<&SecretKey> = keys.iter().collect();
        assert_eq!(world.revoke(&module, hour(0), &keys).is_ok(), revokes);
        assert_eq!(world.effective(&module, 1).is_err(), revokes);
        assert!(world.suspend(&module, hour(0), &keys).is_err(), "revoked, or not entitled");
    }
}

#[test]
fn a_publisher_has_no_power_over_another_namespace() {
    let mut genesis = genesis();
    genesis.keyset.publishers.push(Publisher {
        namespace: "other".into(),
        organisation: organisation("org-x"),
        keys: vec![key(31).public()],
    });
    let mut world = World::with(genesis);
    let module = world.approved("1.0.0", public_data());
    assert!(matches!(
        world.revoke(&module, hour(0), &[&key(31)]),
        Err(Invalid::Halts(registry::halts::Invalid::Flaw(Flaw::Signature(_))))
    ));
}

#[test]
fn domains_are_suspended_and_revoked_like_modules() {
    let mut world = World::new();
    world.join(domain("as1", "isp-1", 50, 1), &[&root(0), &root(1)]).unwrap();
    let id: DomainId = "as1".parse().unwrap();
    let target = || Target::Domain(id.clone());
    let suspend = world.revocation(RevocationSeverity::Suspend, target(), hour(0));
    world.post(sealed(&suspend, &[&auditor_key("a")])).unwrap();
    assert!(world.registry.domain(&id, hour(1)).is_none());
    assert!(world.registry.domain_by_caller_key(&key(50).public(), hour(1)).is_none());
    assert!(world.registry.domain(&id, hour(72)).is_some());
    let center = world.revocation(RevocationSeverity::Revoke, target(), hour(1));
    assert!(world.post(sealed(&center, &[&approval_key(), &token_key()])).is_err());
    let own = world.revocation(RevocationSeverity::Revoke, target(), hour(2));
    world.post(sealed(&own, &[&key(50)])).unwrap();
    assert!(world.registry.domain(&id, hour(500)).is_none());
    let unknown = world.revocation(RevocationSeverity::Revoke, Target::Domain("as9".parse().unwrap()), hour(1));
    assert!(matches!(
        world.post(sealed(&unknown, &[&auditor_key("a")])),
        Err(Invalid::Halts(registry::halts::Invalid::UnknownDomain(_)))
    ));
}
