//! Who becomes a member, and who may change a member's keys.

use super::*;

fn id(text: &str) -> DomainId {
    text.parse().unwrap()
}

/// Three members of different organisations: `as1` (50), `as2` (52), `as3` (54).
fn members() -> World {
    let mut world = World::new();
    for (name, org, seed) in [("as1", "isp-1", 50), ("as2", "isp-2", 52), ("as3", "isp-3", 54)] {
        world.join(domain(name, org, seed, 1), &[&root(0), &root(2)]).unwrap();
    }
    world
}

#[test]
fn the_root_admits_domains_and_their_keys_are_found() {
    let world = members();
    let record = world.registry.domain(&id("as2"), hour(1)).unwrap();
    assert_eq!((record.organisation.as_str(), record.index), ("isp-2", 2));
    assert_eq!(record.asns, [crate::ids::Asn(64500)]);
    assert_eq!(world.registry.domain_by_caller_key(&key(52).public(), hour(1)).unwrap().id, id("as2"));
    assert!(world.registry.domain_by_caller_key(&key(53).public(), hour(1)).is_none(), "that is its receipt key");
    assert_eq!(world.registry.domains(hour(1)).count(), 3);
}

#[test]
fn two_member_organisations_admit_one_does_not_and_its_own_does_not_count() {
    let mut world = members();
    let new = || domain("as4", "isp-4", 56, 1);
    assert!(matches!(
        world.join(new(), &[]),
        Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::TooFewSigners { found: 0, .. })))
    ));
    assert!(matches!(
        world.join(new(), &[&key(50)]),
        Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::TooFewSigners { found: 1, .. })))
    ));
    assert!(matches!(
        world.join(new(), &[&root(0)]),
        Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::TooFewSigners { .. })))
    ));
    let sibling = domain("as4", "isp-1", 56, 1);
    assert!(matches!(
        world.join(sibling, &[&key(50), &key(52)]),
        Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::TooFewSigners { found: 1, .. })))
    ));
    world.join(new(), &[&key(50), &key(52)]).unwrap();
    assert!(world.registry.domain(&id("as4"), hour(1)).is_some());
}

#[test]
fn without_member_cosigners_only_the_root_admits() {
    let mut genesis = genesis();
    genesis.thresholds.member_cosigners = 0;
    let mut world = World::with(genesis);
    assert!(world.join(domain("as1", "isp-1", 50, 1), &[]).is_err());
    world.join(domain("as1", "isp-1", 50, 1), &[&root(0), &root(1)]).unwrap();
}

#[test]
fn a_revoked_member_admits_nobody() {
    let mut world = members();
    let revoke = world.revocation(RevocationSeverity::Revoke, Target::Domain(id("as2")), hour(0));
    world.post(sealed(&revoke, &[&root(0), &root(1)])).unwrap();
    assert!(matches!(
        world.join(domain("as4", "isp-4", 56, 1), &[&key(50), &key(52)]),
        Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::Signature(_))))
    ));
}

#[test]
fn a_domain_must_sign_for_itself() {
    let mut world = members();
    let statement = Statement::new(&world.id(), domain("as4", "isp-4", 56, 1));
    let entry = sealed(&statement, &[&root(0), &root(1)]);
    assert!(matches!(
        world.post(entry),
        Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::TooFewSigners {
            who: "the domain's caller key",
            ..
        })))
    ));
}

#[test]
fn a_change_needs_the_old_key_or_the_root() {
    let mut world = members();
    let moved = domain("as1", "isp-1", 60, 2);
    let stolen = world.join(moved.clone(), &[&key(52), &key(54)]);
    assert!(matches!(
        stolen,
        Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::TooFewSigners { who: "the root", .. })))
    ));
    world.join(moved, &[&key(50), &key(52), &key(54)]).unwrap();
    assert!(world.registry.domain_by_caller_key(&key(50).public(), hour(1)).is_none());
    assert_eq!(world.registry.domain_by_caller_key(&key(60).public(), hour(1)).unwrap().sequence, 2);
    world.join(domain("as1", "isp-1", 62, 3), &[&root(1), &root(2)]).unwrap();
    let back = world.join(domain("as1", "isp-1", 50, 2), &[&root(1), &root(2)]);
    assert_eq!(
        back,
        Err(Invalid::Members(registry::members::Invalid::DomainSequence { domain: id("as1"), found: 2, current: 3 }))
    );
}

#[test]
fn a_former_key_stays_with_its_domain() {
    let mut world = members();
    world.join(domain("as1", "isp-1", 60, 2), &[&root(0), &root(1)]).unwrap();
    let mut new = domain("as4", "isp-4", 56, 1);
    new.receipt_key = key(51).public();
    assert_eq!(
        world.join(new, &[&root(0), &root(1)]),
        Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::KeyReused { member: "receipt_key" })))
    );
    assert!(world.registry.domain_by_caller_key(&key(50).public(), hour(1)).is_none());
}

#[test]
fn a_suspension_survives_a_change_of_keys() {
    let mut world = members();
    let suspend = world.revocation(RevocationSeverity::Suspend, Target::Domain(id("as1")), hour(0));
    world.post(sealed(&suspend, &[&auditor_key("a")])).unwrap();
    world.join(domain("as1", "isp-1", 60, 2), &[&key(50), &key(52), &key(54)]).unwrap();
    assert!(world.registry.domain(&id("as1"), hour(1)).is_none());
    assert!(world.registry.domain(&id("as1"), hour(73)).is_some());
}

#[test]
fn a_revoked_domain_returns_with_new_keys_and_the_root_only() {
    let mut world = members();
    let revoke = world.revocation(RevocationSeverity::Revoke, Target::Domain(id("as1")), hour(0));
    world.post(sealed(&revoke, &[&auditor_key("a"), &auditor_key("b")])).unwrap();
    assert_eq!(
        world.join(domain("as1", "isp-1", 50, 2), &[&root(0), &root(1)]),
        Err(Invalid::Members(registry::members::Invalid::Revoked))
    );
    assert!(world.join(domain("as1", "isp-1", 60, 2), &[&key(52), &key(54), &key(50)]).is_err());
    world.join(domain("as1", "isp-1", 60, 2), &[&root(0), &root(1)]).unwrap();
    assert!(world.registry.domain(&id("as1"), hour(1)).is_some());
}

#[test]
fn an_old_revocation_does_not_count_again_when_the_center_repeats_it() {
    let mut world = members();
    let revoke = world.revocation(RevocationSeverity::Revoke, Target::Domain(id("as1")), hour(0));
    let (a, b) = (auditor_key("a"), auditor_key("b"));
    world.post(sealed(&revoke, &[&a, &b])).unwrap();
    world.join(domain("as1", "isp-1", 60, 2), &[&root(0), &root(1)]).unwrap();
    for keys in [vec![&a, &b], vec![&b, &a], vec![&a], vec![&b]] {
        assert_eq!(world.post(sealed(&revoke, &keys)), Err(Invalid::Halts(registry::halts::Invalid::SaidBefore)));
    }
    assert!(world.registry.domain(&id("as1"), hour(1)).is_some());
    let anew = world.revocation(RevocationSeverity::Revoke, Target::Domain(id("as1")), hour(1));
    world.post(sealed(&anew, &[&a])).unwrap();
    world.post(sealed(&anew, &[&b])).unwrap();
    assert!(world.registry.domain(&id("as1"), hour(500)).is_none(), "the same words of another signer count");
}

#[test]
fn a_domains_keys_are_known_as_they_were_at_every_size_of_the_log() {
    let mut world = members();
    let joined = world.registry.domain(&id("as1"), hour(0)).unwrap().index;
    let moved = world.join(domain("as1", "isp-1", 60, 2), &[&root(0), &root(1)]).unwrap();
    let revoke = world.revocation(RevocationSeverity::Revoke, Target::Domain(id("as1")), hour(0));
    let revoked = world.post(sealed(&revoke, &[&root(0), &root(1)])).unwrap();
    let back = world.join(domain("as1", "isp-1", 62, 3), &[&root(0), &root(1)]).unwrap();
    let receipt_key = |size: u64| world.registry.domain_at(&id("as1"), size).map(|record| record.receipt_key);
    let keys = [
        (joined, None),
        (joined + 1, Some(51)),
        (moved, Some(51)),
        (moved + 1, Some(61)),
        (revoked, Some(61)),
        (revoked + 1, None),
        (back, None),
        (back + 1, Some(63)),
        (u64::MAX, Some(63)),
    ];
    for (size, seed) in keys {
        assert_eq!(receipt_key(size), seed.map(|seed| key(seed).public()), "{size}");
    }
    assert_eq!(world.registry.domain_at(&id("as9"), 100), None);
}

#[test]
fn a_key_serves_one_domain_and_one_purpose() {
    let mut world = members();
    let mut post = |change: &dyn Fn(&mut Domain)| {
        let mut new = domain("as4", "isp-4", 56, 1);
        change(&mut new);
        world.join(new, &[&root(0), &root(1)])
    };
    let reused = |member| Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::KeyReused { member })));
    assert_eq!(post(&|d| d.receipt_key = d.caller_key), reused("receipt_key"));
    assert_eq!(post(&|d| d.receipt_key = key(51).public()), reused("receipt_key"));
    for governing in [approval_key(), token_key(), log_key(), root(2)] {
        assert_eq!(post(&|d| d.receipt_key = governing.public()), reused("receipt_key"));
    }
    assert!(matches!(
        post(&|d| d.asns.push(d.asns[0])),
        Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::Member { member: "asns", .. })))
    ));
    for address in ["gw", ":443", "gw:x", "gw:99999", "g w:1", ""] {
        let bad = post(&|d| d.endpoints[0].address = address.into());
        assert!(
            matches!(
                bad,
                Err(Invalid::Members(registry::members::Invalid::Flaw(Flaw::Member { member: "endpoints", .. })))
            ),
            "{address}"
        );
    }
    assert_eq!(post(&|_| ()), Ok(4));
}
