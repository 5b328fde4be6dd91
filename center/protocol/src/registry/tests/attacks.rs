//! An attacker with every online key of the center (log, approval, token) writes what it likes into the log.

use super::*;

fn center_keys() -> [SecretKey; 3] {
    [approval_key(), token_key(), log_key()]
}

/// Every combination of the center's keys as signers.
fn every_way(statement: &Statement) -> Vec<Vec<u8>> {
    let keys = center_keys();
    (1..8_u8)
        .map(|mask| {
            let chosen: Vec<&SecretKey> =
                keys.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, key)| key).collect();
            sealed(statement, &chosen)
        })
        .collect()
}

fn force_every_way(world: &mut World, statement: &Statement) {
    for entry in every_way(statement) {
        world.force(entry);
    }
}

#[test]
fn an_approval_without_reviews_is_an_anomaly_and_runs_nothing() {
    let mut world = World::new();
    let module = world.submit("1.0.0", private_data());
    world.approve_by(&["a", "b"], &module);
    let statement = world.bare_approval(&module);
    force_every_way(&mut world, &statement);
    assert_eq!(world.effective(&module, 1), Err(NotEffective::NotApproved(module)));
    let alarm = world
        .registry
        .anomalies()
        .iter()
        .find(|anomaly| matches!(anomaly.reason, Invalid::Modules(registry::modules::Invalid::Ineffective(_))));
    let alarm = alarm.expect("the approval that only lacks reviews is told apart");
    assert_eq!(alarm.entry, Digest::of(&world.log[usize::try_from(alarm.index).unwrap()]));
    assert_eq!(world.registry.anomalies().len(), 7);
    world.approve_by(&["c"], &module);
    assert!(world.effective(&module, 1).is_err(), "an ineffective approval does not become effective later");
}

#[test]
fn the_center_cannot_submit_review_revoke_or_change_keys() {
    let mut world = World::new();
    let module = world.approved("1.0.0", public_data());
    world.join(domain("as1", "isp-1", 50, 1), &[&root(0), &root(1)]).unwrap();
    let before = world.registry.clone();
    let id = world.id();
    let review = world.review_of(&module);
    let mut seized = keyset();
    (seized.version, seized.auditors[0].key) = (2, key(99).public());
    let own_domain = Domain { caller_key: approval_key().public(), ..domain("evil", "evil", 60, 1) };
    let hijack = Domain { caller_key: token_key().public(), ..domain("as1", "isp-1", 60, 2) };
    let statements = [
        Statement::submission(&id, submission("6.6.6", public_data())),
        world.about(&module, review),
        world.revocation(RevocationSeverity::Revoke, Target::Module(module), hour(0)),
        world.revocation(RevocationSeverity::Suspend, Target::Module(module), hour(0)),
        world.revocation(RevocationSeverity::Revoke, Target::Domain("as1".parse().unwrap()), hour(0)),
        Statement::new(&id, seized),
        Statement::new(&id, own_domain),
        Statement::new(&id, hijack),
    ];
    for statement in &statements {
        force_every_way(&mut world, statement);
    }
    assert_eq!(world.registry.anomalies().len(), statements.len() * 7);
    assert_eq!(world.registry.states.modules, before.states.modules);
    assert_eq!(world.registry.states.members, before.states.members);
    assert_eq!(world.registry.states.halts, before.states.halts);
    assert_eq!((world.registry.keyset(), world.registry.root()), (before.keyset(), before.root()));
}

#[test]
fn a_domain_of_the_attackers_own_key_needs_the_members() {
    let mut world = World::new();
    let statement = Statement::new(&world.id(), domain("as1", "isp-1", 50, 1));
    world.force(sealed(&statement, &[&key(50)]));
    assert_eq!(world.registry.domains(hour(1)).count(), 0);
    let mut signed = statement.sign(&[&key(50)]).unwrap();
    center_keys().iter().for_each(|key| signed.add_signature(key));
    world.force(signed.to_json());
    assert_eq!(world.registry.domains(hour(1)).count(), 0);
}

#[test]
fn one_stolen_auditor_key_with_the_center_approves_nothing_and_kills_nothing_for_good() {
    let mut world = World::new();
    let good = world.approved("1.0.0", public_data());
    let evil = world.submit("1.0.1", public_data());
    for _ in 0..3 {
        let entry = world.review_entry("a", &evil, |_| ());
        world.force(entry);
        let entry = world.approval_entry(&evil, &[&approval_key()]);
        world.force(entry);
        let suspend = world.revocation(RevocationSeverity::Suspend, Target::Module(good), hour(0));
        world.force(sealed(&suspend, &[&auditor_key("a"), &approval_key()]));
        let late = world.revocation(RevocationSeverity::Revoke, Target::Module(good), hour(40));
        world.force(sealed(&late, &[&auditor_key("a")]));
    }
    assert!(world.effective(&evil, 1).is_err());
    assert!(world.effective(&good, 41).is_err(), "suspended");
    assert!(world.effective(&good, 40 + 72).is_ok(), "and free again");
}

#[test]
fn entries_of_another_registry_and_foreign_signatures_are_refused() {
    let mut other = genesis();
    other.trust_domain = "staging.example".parse().unwrap();
    let mut staging = World::with(other);
    staging.approved("1.0.0", public_data());
    let mut world = World::new();
    for entry in &staging.log[1..] {
        assert_eq!(world.post(entry.clone()), Err(Invalid::OtherRegistry));
    }
}

#[test]
fn malformed_entries_are_recorded_and_never_fatal() {
    let mut world = World::new();
    let good = sealed(&Statement::submission(&world.id(), submission("1.0.0", public_data())), &[&publisher_key()]);
    let spaced = [&good[..], b" "].concat();
    let mut other_type = Envelope::new("application/json", b"{}".to_vec());
    other_type.add_signature(&root(0));
    let mut no_statement = Envelope::new(crate::statements::PAYLOAD_TYPE, b"{}".to_vec());
    no_statement.add_signature(&root(0));
    assert_eq!(world.post(spaced.clone()), Err(Invalid::NotCanonical));
    let hostile = [
        Vec::new(),
        b"null".to_vec(),
        vec![b'['; 60_000],
        vec![b'x'; 70_000],
        spaced,
        other_type.to_json(),
        no_statement.to_json(),
    ];
    let count = hostile.len();
    for entry in hostile {
        world.force(entry);
    }
    assert_eq!(world.registry.anomalies().len(), count);
    assert!(matches!(
        world.registry.anomalies().iter().nth(3).unwrap().reason,
        Invalid::TooLarge { bytes: 70_000, .. }
    ));
    assert_eq!(world.registry.size(), count as u64 + 1);
    world.post(good).unwrap();
}

#[test]
fn unknown_and_reserved_statements_take_an_index_and_mean_nothing() {
    let mut world = World::new();
    let before = world.registry.clone();
    for name in crate::statements::RESERVED {
        let text = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"x","digest":{{"sha256":"{}"}}}}],"predicateType":"{}{name}","predicate":{{"any":1}}}}"#,
            Digest::of(b"x").hex(),
            crate::statements::PREDICATE_PREFIX,
        );
        let mut envelope = Envelope::new(crate::statements::PAYLOAD_TYPE, text.into_bytes());
        envelope.add_signature(&key(99));
        world.post(envelope.to_json()).unwrap();
    }
    assert_eq!(world.registry, Registry { size: 1 + crate::statements::RESERVED.len() as u64, ..before });
}
