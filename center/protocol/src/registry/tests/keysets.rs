//! Rule R5 and the genesis: who may replace the keys, and when software that is too old stops.

use super::*;

fn next(change: impl FnOnce(&mut Keyset)) -> Keyset {
    let mut next = Keyset { version: 2, ..keyset() };
    change(&mut next);
    next
}

fn post(world: &mut World, keyset: Keyset, keys: &[&SecretKey]) -> Result<u64, Invalid> {
    world.post(sealed(&Statement::new(&world.id(), keyset), keys))
}

fn open(genesis: Genesis, keys: &[&SecretKey]) -> Result<Registry, Invalid> {
    let entry = sealed(&Statement::genesis(genesis), keys);
    Registry::genesis(&entry, &Digest::of(&entry))
}

fn rules(needed: u32) -> TooNew {
    TooNew::Rules { needed, ours: RULES_VERSION }
}

#[test]
fn the_genesis_is_the_pinned_one_and_signed_by_its_root() {
    let entry = sealed(&Statement::genesis(genesis()), &[&root(0), &root(1)]);
    let other = Digest::of(b"other");
    let refused = Registry::genesis(&entry, &other);
    assert_eq!(refused, Err(Invalid::OtherGenesis { found: Digest::of(&entry), pinned: other }));
    assert!(matches!(
        open(genesis(), &[&root(0)]),
        Err(Invalid::Keysets(registry::keysets::Invalid::Flaw(Flaw::TooFewSigners { found: 1, needed: 2, .. })))
    ));
    assert!(matches!(
        open(genesis(), &[&root(0), &approval_key()]),
        Err(Invalid::Keysets(registry::keysets::Invalid::Flaw(Flaw::Signature(_))))
    ));
    let registry = open(genesis(), &[&root(2), &root(0)]).unwrap();
    assert_eq!((registry.size(), registry.keyset().version, registry.founding()), (1, 1, &genesis()));
}

#[test]
fn a_genesis_that_cannot_govern_is_refused() {
    type Change = fn(&mut Genesis);
    let broken: [(&str, Change); 10] = [
        ("root.threshold", |g| g.root.threshold = 4),
        ("root.keys", |g| g.root.keys[2] = g.root.keys[0]),
        ("thresholds.k", |g| g.thresholds.k = 0),
        ("thresholds.suspension_hours", |g| g.thresholds.suspension_hours = 0),
        ("keyset.version", |g| g.keyset.version = 2),
        ("keyset.approval", |g| g.keyset.approval.clear()),
        ("keyset.auditors", |g| g.keyset.auditors[1].key = g.keyset.auditors[0].key),
        ("keyset.publishers", |g| g.keyset.publishers.push(g.keyset.publishers[0].clone())),
        ("log_key", |g| g.log_key = "nonsense".into()),
        ("witness_policy", |g| g.witness_policy = Some("nonsense".into())),
    ];
    for (expected, change) in broken {
        let mut genesis = genesis();
        change(&mut genesis);
        let refused = open(genesis, &[&root(0), &root(1)]);
        assert!(
            matches!(refused, Err(Invalid::Keysets(registry::keysets::Invalid::Flaw(Flaw::Member { member, .. }))) if member == expected),
            "{expected}: {refused:?}"
        );
    }
    let shared: [Change; 4] = [
        |g| g.keyset.token = g.keyset.approval.clone(),
        |g| g.keyset.approval = vec![root(0).public()],
        |g| g.keyset.auditors[0].key = g.keyset.approval[0],
        |g| g.log_key = approval_key().public().vkey("iog.example/log").unwrap().to_string(),
    ];
    for change in shared {
        let mut genesis = genesis();
        change(&mut genesis);
        assert!(matches!(
            open(genesis, &[&root(0), &root(1)]),
            Err(Invalid::Keysets(registry::keysets::Invalid::Flaw(Flaw::KeyReused { .. })))
        ));
    }
}

#[test]
fn older_software_stops_at_the_genesis() {
    let mut new = genesis();
    (new.rules_version, new.min_rules_version) = (9, 9);
    assert_eq!(open(new, &[&root(0), &root(1)]), Err(Invalid::Keysets(registry::keysets::Invalid::TooNew(rules(9)))));
    let mut lenient = genesis();
    lenient.rules_version = 9;
    assert!(open(lenient, &[&root(0), &root(1)]).is_ok());
}

#[test]
fn there_is_one_genesis() {
    let mut world = World::new();
    let again = world.log[0].clone();
    assert_eq!(world.post(again), Err(Invalid::GenesisPlace));
    let keyset = sealed(&Statement::new(&world.id(), keyset()), &[&root(0), &root(1)]);
    assert_eq!(Registry::genesis(&keyset, &Digest::of(&keyset)), Err(Invalid::GenesisPlace));
}

#[test]
fn the_root_threshold_replaces_keysets_one_by_one() {
    let mut world = World::new();
    assert!(post(&mut world, next(|_| ()), &[&root(0)]).is_err());
    assert!(post(&mut world, next(|_| ()), &[&approval_key(), &token_key()]).is_err());
    let same = post(&mut world, next(|k| k.version = 1), &[&root(0), &root(1)]);
    assert_eq!(same, Err(Invalid::Keysets(registry::keysets::Invalid::KeysetVersion { found: 1, current: 1 })));
    assert!(post(&mut world, next(|k| k.version = 3), &[&root(0), &root(1)]).is_err());
    post(&mut world, next(|k| k.auditors.truncate(2)), &[&root(1), &root(2)]).unwrap();
    assert_eq!((world.registry.keyset().version, world.registry.keyset().auditors.len()), (2, 2));
    let replay = world.log[1].clone();
    assert!(matches!(world.post(replay), Err(Invalid::Keysets(registry::keysets::Invalid::KeysetVersion { .. }))));
}

#[test]
fn a_new_root_needs_the_old_thresholds_and_its_own() {
    let new_root = Root { keys: vec![key(70).public(), key(71).public()], threshold: 2 };
    let with_root = || next(|k| k.root = Some(new_root.clone()));
    let (r0, r1, n0, n1) = (root(0), root(1), key(70), key(71));
    for too_few in [vec![&r0, &r1], vec![&n0, &n1], vec![&r0, &n0, &n1], vec![&r0, &r1, &n0]] {
        assert!(post(&mut World::new(), with_root(), &too_few).is_err());
    }
    let mut world = World::new();
    post(&mut world, with_root(), &[&r0, &r1, &n0, &n1]).unwrap();
    assert_eq!(world.registry.root(), &new_root);
    let third = || next(|k| k.version = 3);
    assert!(post(&mut world, third(), &[&r0, &r1]).is_err());
    post(&mut world, third(), &[&n0, &n1]).unwrap();
}

#[test]
fn an_auditor_who_lost_the_role_no_longer_counts() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.approve_by(&["a", "b"], &module);
    post(&mut world, next(|k| k.auditors.retain(|auditor| auditor.id != "b")), &[&root(0), &root(1)]).unwrap();
    let lacks = Invalid::Modules(registry::modules::Invalid::Ineffective(Missing::Reviews { found: 1, needed: 2 }));
    assert_eq!(world.approve(&module), Err(lacks));
    assert!(matches!(
        world.review("b", &module, |_| ()),
        Err(Invalid::Modules(registry::modules::Invalid::Flaw(Flaw::Signature(_))))
    ));
    world.approve_by(&["c"], &module);
    world.approve(&module).unwrap();
}

#[test]
fn an_auditor_with_a_new_key_is_not_bound_by_what_a_thief_of_the_old_one_dated() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    world.review("a", &module, |review| review.issued = Timestamp::MAX).unwrap();
    assert!(matches!(
        world.review("a", &module, |_| ()),
        Err(Invalid::Modules(registry::modules::Invalid::ReviewOutdated { .. }))
    ));
    post(&mut world, next(|k| k.auditors[0].key = key(80).public()), &[&root(0), &root(1)]).unwrap();
    let mut review = world.review_of(&module);
    review.verdict = Verdict::Reject;
    let statement = world.about(&module, review);
    world.post(sealed(&statement, &[&key(80)])).unwrap();
    world.approve_by(&["b"], &module);
    assert!(matches!(
        world.approve(&module),
        Err(Invalid::Modules(registry::modules::Invalid::Ineffective(Missing::Reviews { found: 1, .. })))
    ));
}

#[test]
fn nothing_is_effective_under_an_expired_keyset() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    let expired = hour(24 * 365);
    assert!(world.registry.effective(&module, expired.plus_seconds(-1)).is_ok());
    assert_eq!(world.registry.effective(&module, expired), Err(NotEffective::KeysetExpired(expired)));
    post(&mut world, next(|k| k.expires = hour(24 * 700)), &[&root(0), &root(1)]).unwrap();
    assert!(world.registry.effective(&module, expired).is_ok());
}

#[test]
fn software_that_is_too_old_stops_at_the_keyset_that_says_so() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    world.join(domain("as1", "isp-1", 50, 1), &[&root(0), &root(1)]).unwrap();
    let keyset = next(|k| k.min_rules_version = Some(9));
    let unsigned = sealed(&Statement::new(&world.id(), keyset.clone()), &[&root(0)]);
    world.force(unsigned);
    assert_eq!(world.registry.stopped(), None, "only the root stops anything");
    world.force(sealed(&Statement::new(&world.id(), keyset), &[&root(0), &root(1)]));
    assert_eq!(world.registry.stopped(), Some(&rules(9)));
    assert_eq!(world.effective(&module, 1), Err(NotEffective::TooNew(rules(9))));
    assert_eq!(world.registry.ready_for_approval(&module, hour(1)), Err(Missing::TooNew(rules(9))));
    assert_eq!(world.registry.domains(hour(1)).count(), 0);
    let again = next(|_| ());
    assert_eq!(post(&mut world, again, &[&root(0), &root(1)]), Err(Invalid::Stopped(rules(9))));
    assert_eq!(world.registry.size(), world.log.len() as u64);
}

#[test]
fn the_rules_version_never_falls_and_a_center_key_is_never_a_domains() {
    let mut world = World::new();
    let lower = post(&mut world, next(|k| k.min_rules_version = Some(0)), &[&root(0), &root(1)]);
    assert!(matches!(
        lower,
        Err(Invalid::Keysets(registry::keysets::Invalid::Flaw(Flaw::Member { member: "min_rules_version", .. })))
    ));
    world.join(domain("as1", "isp-1", 50, 1), &[&root(0), &root(1)]).unwrap();
    let reused = post(&mut world, next(|k| k.token = vec![key(51).public()]), &[&root(0), &root(1)]);
    assert_eq!(
        reused,
        Err(Invalid::Keysets(registry::keysets::Invalid::Flaw(Flaw::KeyReused { member: "keyset.token" })))
    );
}
