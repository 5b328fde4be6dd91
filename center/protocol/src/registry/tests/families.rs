//! Families: what a reader who does not know one sees, who may demand that it is known, and what the table promises. The
//! family `notices` exists in these tests alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::properties::{fold, story};
use super::*;
use crate::registry::notices;
use crate::registry::notices::statement::Notice;
use crate::statements::{PAYLOAD_TYPE, RequiredFamily};

fn notice(world: &World, text: &str, signer: u8) -> Vec<u8> {
    sealed(&Statement::new(&world.id(), Notice { text: text.into() }), &[&key(signer)])
}

/// The same statement under a type that nobody knows, as software without the family reads it.
fn unknown(entry: &[u8], signer: u8) -> Vec<u8> {
    let payload = String::from_utf8(Envelope::parse(entry).unwrap().payload().to_vec()).unwrap();
    let foreign = payload.replace("statement/notice/v1", "statement/ballot/v1");
    assert_ne!(payload, foreign);
    let mut envelope = Envelope::new(PAYLOAD_TYPE, foreign.into_bytes());
    envelope.add_signature(&key(signer));
    envelope.to_json()
}

fn required(family: &str, version: u32) -> RequiredFamily {
    RequiredFamily { family: family.into(), version }
}

/// Rules version 2 from the genesis on, so that families can be required.
fn requiring(families: Vec<RequiredFamily>) -> Genesis {
    let mut genesis = Genesis { rules_version: 2, min_rules_version: 2, ..genesis() };
    genesis.keyset.required_families = families;
    genesis
}

fn renew(world: &mut World, version: u32, families: Vec<RequiredFamily>) -> Result<u64, Invalid> {
    let keyset = Keyset { version, required_families: families, ..keyset() };
    world.post(sealed(&Statement::new(&world.id(), keyset), &[&root(0), &root(1)]))
}

fn lacks(family: &str, needed: u32, ours: Option<u32>) -> TooNew {
    TooNew::Family { family: family.into(), needed, ours }
}

#[test]
fn who_ignores_a_family_sees_everything_else_alike() {
    let world = story();
    let valid = notice(&world, "the exchange is down", 50);
    let strange = notice(&world, "buy now", 99);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for entry in &world.log {
        for log in [&mut with, &mut without] {
            log.push(entry.clone());
        }
        // The fold sees notices everywhere: before the author is a member, again, and by strangers.
        for (entry, signer) in [(&valid, 50), (&strange, 99)] {
            with.push(entry.clone());
            without.push(unknown(entry, signer));
        }
    }
    let (with, without) = (fold(&with), fold(&without));
    assert_eq!(with.free.notices.notices, [("as1".parse().unwrap(), "the exchange is down".to_owned())]);
    assert!(without.free.notices.notices.is_empty());
    let elsewhere = |registry: &Registry| {
        let anomalies = registry.anomalies().iter().filter(|anomaly| anomaly.reason.family() != Some(Family::Notices));
        (registry.size(), registry.states.keysets.clone(), anomalies.cloned().collect::<Vec<_>>())
    };
    assert_eq!(elsewhere(&with), elsewhere(&without));
    assert_eq!(with.states, without.states);
    for hours in [0, 1, 4, 100, 24 * 400] {
        let effective = |registry: &Registry| {
            registry.modules().map(|m| registry.effective(&m.submission.module, hour(hours))).collect::<Vec<_>>()
        };
        assert_eq!(effective(&with), effective(&without));
    }
}

#[test]
fn a_free_family_says_what_it_changes_and_why_it_refuses() {
    let mut world = story();
    let author: DomainId = "as1".parse().unwrap();
    let entry = notice(&world, "the exchange is down", 50);
    let change = world.registry.check(&entry).unwrap();
    assert_eq!(change, Change::Notices(notices::judge::Change { author }));
    assert_eq!(change.family(), Some(Family::Notices));
    world.post(entry.clone()).unwrap();
    let again = world.post(entry).unwrap_err();
    assert_eq!((again.family(), again.fault()), (Some(Family::Notices), Fault::Exists));
    assert_eq!(again.to_string(), "this notice was given before");
    let stranger = notice(&world, "x", 99);
    assert_eq!(world.post(stranger).unwrap_err().fault(), Fault::Signature);
}

#[test]
fn a_required_family_that_is_unknown_stops_the_reader() {
    let mut world = World::with(requiring(Vec::new()));
    let module = world.approved("1.0.0", public_data());
    assert_eq!(world.registry.required("ballots"), None);
    let keyset = Keyset { version: 2, required_families: vec![required("ballots", 1)], ..keyset() };
    let statement = Statement::new(&world.id(), keyset);
    world.force(sealed(&statement, &[&root(0)]));
    assert_eq!(world.registry.stopped(), None, "only the root stops anything");
    world.force(sealed(&statement, &[&root(0), &root(1)]));
    let lacking = lacks("ballots", 1, None);
    assert_eq!(world.registry.stopped(), Some(&lacking));
    assert_eq!(world.effective(&module, 1), Err(NotEffective::TooNew(lacking.clone())));
    assert_eq!(world.registry.keyset().version, 1, "it judges nothing from here on");
    let next = world.review("a", &module, |_| ()).unwrap_err();
    assert_eq!((next.fault(), &next), (Fault::TooNew, &Invalid::Stopped(lacking)));
    let text = "the registry needs version 1 of the family `ballots`, this software does not know it: update it";
    assert_eq!(next.to_string(), text);
}

#[test]
fn a_genesis_can_require_families_too() {
    let open = |genesis| {
        let entry = sealed(&Statement::genesis(genesis), &[&root(0), &root(1)]);
        Registry::genesis(&entry, &Digest::of(&entry))
    };
    let stops = |needed| Err(Invalid::Keysets(registry::keysets::Invalid::TooNew(needed)));
    assert_eq!(open(requiring(vec![required("ballots", 3)])), stops(lacks("ballots", 3, None)));
    assert_eq!(open(requiring(vec![required("members", 2)])), stops(lacks("members", 2, Some(1))));
    let registry = open(requiring(vec![required("notices", 1)])).unwrap();
    assert_eq!(["notices", "halts", "ballots"].map(|name| registry.required(name)), [Some(1), Some(1), None]);
    for bad in [vec![required("Ballots", 1)], vec![required("notices", 0)], vec![required("notices", 1); 2]] {
        let refused = open(requiring(bad)).unwrap_err();
        assert!(matches!(refused.flaw(), Some(Flaw::Member { .. })), "{refused:?}");
    }
}

#[test]
fn what_is_required_stays_required() {
    let mut world = World::with(requiring(vec![required("notices", 1)]));
    renew(&mut world, 2, Vec::new()).unwrap();
    assert_eq!(world.registry.required("notices"), Some(1), "silence takes nothing away");
    renew(&mut world, 3, vec![required("notices", 1), required("modules", 1)]).unwrap();
    let later = renew(&mut world, 4, vec![required("notices", 2)]).unwrap_err();
    assert_eq!(later.too_new(), Some(&lacks("notices", 2, Some(1))));
    let too_many = (0..33).map(|n| required(&format!("f{n}"), 1)).collect();
    let refused = renew(&mut world, 4, too_many).unwrap_err();
    assert!(matches!(refused.flaw(), Some(Flaw::Member { member: "required_families", .. })));
}

#[test]
fn under_rules_version_1_the_member_means_nothing() {
    let mut world = World::new();
    renew(&mut world, 2, vec![required("ballots", 1), required("members", 7)]).unwrap();
    assert_eq!((world.registry.stopped(), world.registry.required("ballots")), (None, None));
    assert_eq!(world.registry.required("members"), Some(1));
    let mut founded = genesis();
    founded.keyset.required_families = vec![required("ballots", 1)];
    assert_eq!(World::with(founded).registry.required("ballots"), None);
}

#[test]
fn a_member_of_another_form_is_ignored_under_version_1_and_refused_under_version_2() {
    let mut text = serde_json::to_value(keyset()).unwrap();
    for odd in [serde_json::Value::Null, "ballots".into(), serde_json::json!([{ "family": "ballots", "version": -1 }])]
    {
        text["required_families"] = odd;
        let odd = Keyset { version: 2, ..serde_json::from_value(text.clone()).unwrap() };
        let mut old = World::new();
        old.post(sealed(&Statement::new(&old.id(), odd.clone()), &[&root(0), &root(1)])).unwrap();
        assert_eq!(old.registry.keyset().version, 2);
        let mut new = World::with(requiring(Vec::new()));
        let refused = new.post(sealed(&Statement::new(&new.id(), odd), &[&root(0), &root(1)])).unwrap_err();
        assert!(matches!(refused.flaw(), Some(Flaw::Member { .. })), "{refused}");
    }
}

#[test]
fn a_statement_without_the_new_member_is_written_as_before() {
    let text = serde_json::to_string(&keyset()).unwrap();
    assert!(!text.contains("required_families"), "{text}");
    assert_eq!(serde_json::from_str::<Keyset>(&text).unwrap(), keyset());
}

#[test]
fn the_table_names_each_family_once() {
    let names: BTreeSet<&str> = Family::ALL.iter().map(|family| family.name()).collect();
    assert_eq!(names.len(), Family::ALL.len());
    assert!(names.iter().all(|name| name.parse::<OrganisationId>().is_ok()), "as keysets spell them");
    for family in Family::ALL {
        assert_eq!(Family::named(family.name()), Some(*family));
        assert!(family.version() >= 1);
    }
    assert_eq!(Family::named("ballots"), None);
}

#[test]
fn from_rules_version_2_on_a_keyset_names_an_authority() {
    let none = |version: u32, min_rules: Option<u32>| Keyset {
        version,
        min_rules_version: min_rules,
        ca_spki_sha256: Vec::new(),
        ..keyset()
    };
    let flaw = Flaw::Member { member: "keyset.ca_spki_sha256", expected: "1 to 32 digests" };
    let refused = Err(Invalid::Keysets(registry::keysets::Invalid::Flaw(flaw)));
    let root = [&root(0), &root(1)];
    // What an older registry has in its log stays valid; the keyset that raises the number is judged by the new rules.
    let mut old = World::new();
    let post = |world: &mut World, keyset| world.post(sealed(&Statement::new(&world.id(), keyset), &root));
    assert_eq!(post(&mut old, none(2, Some(2))), refused);
    post(&mut old, none(2, None)).unwrap();
    assert_eq!(post(&mut old, none(3, Some(2))), refused);
    post(&mut old, Keyset { version: 3, min_rules_version: Some(2), ..keyset() }).unwrap();
    assert_eq!(post(&mut old, none(4, None)), refused);
    let mut new = World::with(requiring(Vec::new()));
    assert_eq!(post(&mut new, none(2, None)), refused);
}

#[test]
fn nobody_answers_for_what_nobody_judged() {
    let world = story();
    let valid = notice(&world, "the exchange is down", 50);
    let mut registry = Arc::new(world.registry.clone());
    let mut signers = Vec::new();
    for entry in [&valid, &unknown(&valid, 50)] {
        let admit = |_: &Registry, said: &Said| -> Result<(), Invalid> {
            signers.push(said.signers.len());
            Ok(())
        };
        Registry::apply_if(&mut registry, entry, admit).unwrap();
    }
    assert_eq!(signers, [1, 0], "the signature of the second was not looked at");
}
