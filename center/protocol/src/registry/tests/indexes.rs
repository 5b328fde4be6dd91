//! The indexes of the fold against what they stand for: a search through everything, as the rules say it. And that the work
//! of an entry does not grow with what was folded before.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::ids::KeyId;
use crate::keys::PublicKey;
use crate::registry::members::judge::Candidates;
use crate::registry::shared_map::work;

/// A step of a random log of domains: who speaks of whom, with which key and whose help.
#[derive(Debug, Clone)]
struct Step {
    domain: u8,
    caller: u8,
    cosigners: Vec<u8>,
    revokes: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let cosigners = prop::collection::vec(0_u8..14, 0..4);
    (0_u8..6, 0_u8..12, cosigners, prop::bool::weighted(0.15)).prop_map(|(domain, caller, cosigners, revokes)| Step {
        domain,
        caller,
        cosigners,
        revokes,
    })
}

/// Keys by small numbers: callers' first, then two of the root.
fn speaker(number: u8) -> SecretKey {
    if number >= 12 { root(number - 12) } else { key(50 + 2 * number) }
}

fn take(world: &mut World, step: &Step, sequence: u64) {
    let id = format!("as{}", step.domain);
    let numbers: std::collections::BTreeSet<u8> = step.cosigners.iter().copied().chain([step.caller]).collect();
    let keys: Vec<SecretKey> = numbers.into_iter().map(speaker).collect();
    let statement = if step.revokes {
        world.revocation(RevocationSeverity::Revoke, Target::Domain(id.parse().unwrap()), hour(1))
    } else {
        Statement::new(&world.id(), domain(&id, &format!("org{}", step.domain), 50 + 2 * step.caller, sequence))
    };
    let _ = world.post(sealed(&statement, &keys.iter().collect::<Vec<_>>()));
}

/// All keys that may sign a statement of this domain, found by looking at every member.
fn candidates(registry: &Registry, domain: &Domain) -> BTreeMap<KeyId, PublicKey> {
    let states = &registry.states;
    let standing = states.members.iter().filter(|state| states.halts.of_domain(&state.record.id).revoked().is_none());
    let old = states.members.iter().find(|state| state.record.id == domain.id);
    let members = standing.chain(old).map(|state| state.record.caller_key);
    let all = states.keysets.root.keys.iter().copied().chain(members).chain([domain.caller_key]);
    all.map(|key| (key.id(), key)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_key_is_found_as_a_search_through_all_members_finds_it(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for (number, step) in steps.iter().enumerate() {
            take(&mut world, step, number as u64 + 1);
            let registry = &world.registry;
            let asked = domain(&format!("as{}", step.domain), "org", 50 + 2 * step.caller, 99);
            let (naive, indexed) = (candidates(registry, &asked), Candidates::of(&registry.states, &asked));
            for number in 0..15 {
                let key = speaker(number).public();
                prop_assert_eq!(indexed.find(&key.id()), naive.get(&key.id()).copied());
                let now = registry.domains(hour(2)).find(|member| member.caller_key == key);
                prop_assert_eq!(registry.domain_by_caller_key(&key, hour(2)), now);
                let mut current = registry.states.members.iter().filter(|member| member.record.caller_key == key);
                prop_assert!(current.all(|member| registry.states.members.key_owner(&key) == Some(&member.record.id)));
            }
        }
        prop_assert_eq!(&super::properties::fold(&world.log), &world.registry);
    }

    #[test]
    fn an_organisation_may_suspend_again_as_a_search_through_all_suspensions_says(
        who in prop::collection::vec(0_usize..6, 1..24),
    ) {
        let mut world = World::new();
        let module = world.submit("1.0.0", public_data());
        for (number, auditor) in who.iter().enumerate() {
            let by = auditor_key(AUDITORS[*auditor].0);
            let _ = world.suspend(&module, hour(number as i64), &[&by]);
            let halts = world.registry.halts(&Target::Module(module));
            for (_, name, _) in AUDITORS {
                let own = |s: &&Suspension| s.party == Party::Organisation(organisation(name));
                let last = halts.suspensions().iter().rev().find(own);
                let seconded = |last: &Suspension| halts.suspensions().iter().any(|s| s.index > last.index);
                prop_assert_eq!(halts.may_suspend(&organisation(name)), last.is_none_or(seconded));
            }
        }
    }
}

#[test]
fn versions_are_found_as_a_search_through_all_files_finds_them() {
    let mut world = World::new();
    for version in ["1.10.0", "1.9.0", "2.0.0-rc.1", "1.0.0", "1.10.0-rc.2"] {
        world.submit(version, public_data());
    }
    let mut other = submission("1.0.0", public_data());
    other.name = "iog/ip-tracebacks".parse().unwrap();
    other.module = Digest::of(b"other");
    world.post(sealed(&Statement::submission(&world.id(), other), &[&publisher_key()])).unwrap();
    let registry = &world.registry;
    for record in registry.modules() {
        let (name, version) = (&record.submission.name, &record.submission.version);
        assert_eq!(registry.find(name, Some(version)).unwrap().submission.module, record.submission.module);
    }
    let name = "iog/ip-traceback".parse().unwrap();
    assert_eq!(registry.find(&name, None).unwrap().submission.version, "1.10.0".parse().unwrap());
    assert_eq!(registry.states.modules.named(&name).len(), 5);
    assert!(registry.find(&name, Some(&"3.0.0".parse().unwrap())).is_none());
}

/// Replaced reviews are given up, and nothing that a rule asks for is: the latest word of each auditor, what carries an
/// approval, and that every review was one.
#[test]
fn of_many_reviews_those_are_kept_that_a_rule_asks_for() {
    let mut world = World::new();
    let module = world.submit("1.0.0", public_data());
    let first = world.review("a", &module, |_| ()).unwrap();
    world.review("b", &module, |_| ()).unwrap();
    let approval = world.approve(&module).unwrap();
    let replaced = Digest::of(&world.log[usize::try_from(first).unwrap()]);
    for _ in 0..40 {
        world.review("a", &module, |review| review.verdict = Verdict::Abstain).unwrap();
    }
    let record = world.registry.module(&module).unwrap();
    assert_eq!((record.review_count(), record.reviews_by(&auditor_key("a").public())), (42, 41));
    assert_eq!(record.reviews.len(), 2 + 1 + registry::modules::REPLACED_KEPT);
    assert_eq!(record.reviews.last().unwrap().index, world.registry.size() - 1);
    assert!(record.reviews.iter().any(|said| said.index == first), "it carries the approval");
    world.effective(&module, 1).unwrap();
    world.registry.was_effective(&module, approval, world.registry.size(), hour(1)).unwrap();
    let mut known = world.bare_approval(&module);
    let Predicate::Approval(said) = &mut known.predicate else { panic!() };
    said.input_attestations = [4, 5]
        .map(|index: usize| crate::statements::ResourceRef {
            uri: String::new(),
            digest: crate::statements::DigestSet(Digest::of(&world.log[index + 1])),
        })
        .to_vec();
    assert_ne!(world.log[5], world.log[6]);
    let outcome = world.registry.check(&sealed(&known, &[&approval_key()])).unwrap_err();
    assert!(matches!(outcome, Invalid::Modules(modules::Invalid::Ineffective(_))), "known, though given up: {outcome}");
    assert!(world.registry.states.modules.get(&module).unwrap().was_reviewed_by(&replaced));
    let late = world.review_entry("a", &module, |review| review.issued = hour(0));
    assert!(world.registry.check(&late).is_err(), "the latest word is known");
}

/// A log of so many domains, admitted by the root, each with one update.
fn log_of(world: &World, domains: u32) -> Vec<Vec<u8>> {
    let own = |number: u32| {
        let mut seed = [7; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        SecretKey::from_seed(seed)
    };
    let statement = |sequence: u64, number: u32| {
        let member = Domain {
            caller_key: own(number).public(),
            receipt_key: own(number | 1 << 31).public(),
            ..domain(&format!("as{number}"), "isp", 50, sequence)
        };
        sealed(&Statement::new(&world.id(), member), &[&own(number), &root(0), &root(1)])
    };
    (1..=2)
        .flat_map(|sequence| (0..domains).map(move |number| (sequence, number)))
        .map(|(s, n)| statement(s, n))
        .collect()
}

/// What an entry of the last quarter costs in lookups, hashes of keys and copies, in a fold that nobody else looks at and in one
/// of which somebody holds a copy at every entry.
fn work_of_an_entry(domains: u32) -> [u64; 2] {
    let world = World::new();
    let log = log_of(&world, domains);
    let measured = log.len() / 4;
    let mut registry = std::sync::Arc::new(world.registry);
    let (before, last) = log.split_at(log.len() - measured);
    let folded =
        |registry: &mut std::sync::Arc<Registry>, entry: &[u8]| Registry::apply_shared(registry, entry).map(drop);
    before.iter().for_each(|entry| folded(&mut registry, entry).unwrap());
    let start = registry.clone();
    [false, true].map(|is_held| {
        let mut registry = std::sync::Arc::new(Registry::clone(&start));
        work::taken();
        for entry in last {
            let held = is_held.then(|| registry.clone());
            folded(&mut registry, entry).unwrap();
            assert!(held.is_none_or(|held| held.size() < registry.size()));
        }
        assert_eq!(registry.domain_count(), domains as usize);
        work::taken() / measured as u64
    })
}

#[test]
fn an_entry_costs_as_much_among_four_times_as_many_domains() {
    let (few, many) = (work_of_an_entry(1_000), work_of_an_entry(4_000));
    assert!(many[0] < 2 * few[0], "{few:?} among 1,000 domains, {many:?} among 4,000");
    assert!(many[1] < 2 * few[1], "with copies held: {few:?} among 1,000 domains, {many:?} among 4,000");
}
