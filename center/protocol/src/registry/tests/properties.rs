//! What holds for every log: folding is deterministic and can stop and go on anywhere; no damaged entry is ever accepted.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// A log with every kind of statement, and a few without effect.
pub(super) fn story() -> World {
    let mut world = World::new();
    world.join(domain("as1", "isp-1", 50, 1), &[&root(0), &root(1)]).unwrap();
    world.join(domain("as2", "isp-2", 52, 1), &[&root(0), &root(1)]).unwrap();
    world.join(domain("as3", "isp-3", 54, 1), &[&key(50), &key(52)]).unwrap();
    let module = world.approved("1.0.0", private_data());
    let unapproved = world.submit("1.1.0", public_data());
    let stolen = world.approval_entry(&unapproved, &[&approval_key()]);
    world.force(stolen);
    world.force(b"noise".to_vec());
    world.review("b", &unapproved, |review| review.findings = vec![finding("f", Severity::Blocking)]).unwrap();
    world.suspend(&module, hour(3), &[&auditor_key("d")]).unwrap();
    let mut next = keyset();
    next.version = 2;
    world.post(sealed(&Statement::new(&world.id(), next), &[&root(1), &root(2)])).unwrap();
    world.revoke(&unapproved, hour(5), &[&auditor_key("a"), &auditor_key("c")]).unwrap();
    world
}

pub(super) fn fold(log: &[Vec<u8>]) -> Registry {
    absorb(Registry::genesis(&log[0], &Digest::of(&log[0])).unwrap(), &log[1..])
}

fn absorb<'a>(mut registry: Registry, entries: impl IntoIterator<Item = &'a Vec<u8>>) -> Registry {
    for entry in entries {
        registry.absorb(entry);
    }
    registry
}

/// All that questions are answered from, without what only says where in the log something stands.
fn content(registry: &Registry) -> Registry {
    Registry { size: 0, anomalies: Anomalies::default(), ..registry.clone() }
}

#[test]
fn folding_again_gives_the_same_registry() {
    let world = story();
    assert_eq!(fold(&world.log), world.registry);
    assert_eq!(world.registry.anomalies().len(), 2);
    assert_eq!(world.registry.size(), world.log.len() as u64);
}

#[test]
fn order_matters_only_through_the_rules() {
    let world = story();
    let mut swapped = world.log.clone();
    swapped.swap(1, 2);
    let registry = fold(&swapped);
    let ids = |registry: &Registry| registry.domains(hour(1)).map(|domain| domain.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&registry), ids(&world.registry), "two admissions by the root do not depend on each other");
    swapped.swap(1, 3);
    let registry = fold(&swapped);
    assert!(registry.domain(&"as3".parse().unwrap(), hour(1)).is_none(), "its co-signers were not members yet");
}

/// Every single entry, with one bit flipped at every byte.
#[test]
fn no_flipped_bit_is_accepted() {
    let world = story();
    let pinned = Digest::of(&world.log[0]);
    for at in 0..world.log[0].len() {
        let mut damaged = world.log[0].clone();
        damaged[at] ^= 1;
        assert!(Registry::genesis(&damaged, &pinned).is_err());
        assert!(Registry::genesis(&damaged, &Digest::of(&damaged)).is_err(), "genesis byte {at}");
    }
    let mut registry = fold(&world.log[..1]);
    for (index, entry) in world.log.iter().enumerate().skip(1) {
        for at in (index % 3..entry.len()).step_by(3) {
            refuse_damaged(&registry, entry, at, 1 << (at % 8));
        }
        registry.absorb(entry);
    }
}

/// A damaged entry is refused, unless the damage is to the type so that nobody knows it any more: then it means nothing.
fn refuse_damaged(registry: &Registry, entry: &[u8], at: usize, mask: u8) {
    let mut damaged = entry.to_vec();
    damaged[at] ^= mask;
    let mut after = registry.clone();
    match (registry.check(&damaged), after.apply(&damaged)) {
        (Ok(Change::Nothing), Ok(Change::Nothing)) => assert_eq!(content(&after), content(registry), "byte {at}"),
        (Err(foretold), Err(reason)) => assert_eq!((&foretold, &after), (&reason, registry)),
        (foretold, done) => panic!("byte {at}: {foretold:?}, then {done:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_fold_can_stop_and_go_on_anywhere(cut in 1_usize..18) {
        let world = story();
        let cut = cut.min(world.log.len());
        let resumed = absorb(fold(&world.log[..cut]), &world.log[cut..]);
        prop_assert_eq!(resumed, world.registry);
    }

    #[test]
    fn arbitrary_entries_are_anomalies_and_change_nothing(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..20)) {
        let world = story();
        let registry = absorb(world.registry.clone(), &entries);
        prop_assert_eq!(content(&registry), content(&world.registry));
        prop_assert_eq!(registry.size(), world.registry.size() + entries.len() as u64);
        prop_assert_eq!(registry.anomalies().len(), world.registry.anomalies().len() + entries.len());
    }

    #[test]
    fn asking_and_doing_agree_in_any_order(order in Just((1_usize..18).collect::<Vec<_>>()).prop_shuffle()) {
        let world = story();
        let mut registry = Arc::new(fold(&world.log[..1]));
        for entry in order.iter().filter_map(|index| world.log.get(*index)) {
            let before = Arc::clone(&registry);
            let foretold = registry.check(entry);
            let mut owned = (*registry).clone();
            prop_assert_eq!(&owned.apply(entry), &foretold);
            prop_assert_eq!(&Registry::apply_shared(&mut registry, entry), &foretold);
            prop_assert_eq!(&owned, registry.as_ref());
            prop_assert_eq!(Arc::ptr_eq(&before, &registry), foretold.is_err(), "copied only for a valid entry");
        }
    }

    #[test]
    fn a_shuffled_log_never_panics_and_never_approves_more(order in Just((1_usize..18).collect::<Vec<_>>()).prop_shuffle()) {
        let world = story();
        let start = fold(&world.log[..1]);
        let entries = order.iter().filter_map(|index| world.log.get(*index));
        let registry = absorb(start, entries);
        for record in registry.modules() {
            let needed = registry.needed_reviews(record) as usize;
            for approval in &record.approvals {
                prop_assert!(approval.reviews.len() >= needed);
                prop_assert!(approval.reviews.iter().all(|review| *review < approval.index));
            }
        }
    }
}
