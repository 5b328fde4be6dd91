//! Witness policies: what parses, what is refused, and when a quorum holds.
#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]

use ed25519_dalek::SigningKey;
use iog_tlog::{Checkpoint, Cosigner, Note, NoteSigner, Policy, PolicyError, empty_root};

const ORIGIN: &str = "log.example";

fn cosigner(seed: u8) -> Cosigner {
    Cosigner::new(&format!("witness{seed}.example"), &SigningKey::from_bytes(&[seed; 32])).unwrap()
}

fn log() -> NoteSigner {
    NoteSigner::ed25519(ORIGIN, &SigningKey::from_bytes(&[100; 32])).unwrap()
}

/// Six witnesses `w1`…`w6` and a log, followed by the rules given.
fn policy(rules: &str) -> Result<Policy, PolicyError> {
    let mut text = format!("log {} https://log.example/\n\n  # witnesses\n", log().verifier());
    for seed in 1..=6 {
        text.push_str(&format!("witness\tw{seed}  {} \n", cosigner(seed).verifier()));
    }
    format!("{text}{rules}").parse()
}

fn head(cosigners: &[(u8, u64)]) -> Vec<u8> {
    let mut note = Note::parse(&Checkpoint::new(ORIGIN, 0, empty_root()).sign(&log())).unwrap();
    for (seed, time) in cosigners {
        note.signatures.push(cosigner(*seed).cosign(&note.text, *time));
    }
    note.to_bytes()
}

const TWO_LEVELS: &str = "group x 2 w1 w2 w3\ngroup y any w4 w5 w6\ngroup both all x y\nquorum both\n";

#[test]
fn quorum_of_two_levels() {
    let policy = policy(TWO_LEVELS).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len(), policy.is_unwitnessed()), (1, 6, false));
    assert_eq!(policy.logs()[0].url.as_deref(), Some("https://log.example/"));
    for (cosigners, fresh_at) in [
        (&[(1, 10), (2, 20), (4, 30)][..], Some(10)),
        (&[(1, 10), (2, 20), (3, 30), (4, 40), (5, 5)], Some(20)),
        (&[(3, 7), (2, 7), (6, 7), (9, 1)], Some(7)),
        (&[(1, 1), (4, 1), (5, 1), (6, 1)], None),
        (&[(1, 1), (2, 1), (3, 1)], None),
        (&[(1, 1), (1, 2), (4, 1)], None),
        (&[], None),
    ] {
        let opened = policy.open(&head(cosigners));
        match fresh_at {
            Some(time) => assert_eq!(opened.unwrap().fresh_at(), Some(time), "{cosigners:?}"),
            None => assert_eq!(opened, Err(PolicyError::NoQuorum(ORIGIN.into())), "{cosigners:?}"),
        }
    }
}

#[test]
fn a_false_cosignature_spoils_the_head() {
    let mut note = Note::parse(&head(&[(1, 1), (2, 1), (4, 1), (5, 1)])).unwrap();
    note.signatures[4].bytes[20] ^= 1;
    assert!(matches!(policy(TWO_LEVELS).unwrap().open(&note.to_bytes()), Err(PolicyError::Checkpoint(_))));
}

#[test]
fn unwitnessed_policy_accepts_the_bare_head_of_its_log_only() {
    let policy = policy("quorum none\n").unwrap();
    assert!(policy.is_unwitnessed());
    assert_eq!(policy.open(&head(&[])).unwrap().fresh_at(), None);
    let other = NoteSigner::ed25519(ORIGIN, &SigningKey::from_bytes(&[101; 32])).unwrap();
    let forged = Checkpoint::new(ORIGIN, 0, empty_root()).sign(&other);
    assert!(matches!(policy.open(&forged), Err(PolicyError::Checkpoint(_))));
    policy.open_log(&forged, other.verifier()).unwrap();
}

#[test]
fn a_group_member_may_still_be_the_quorum() {
    let policy = policy("group g all w1 w2\nquorum w1\n").unwrap();
    assert_eq!(policy.open(&head(&[(1, 3)])).unwrap().fresh_at(), Some(3));
}

#[test]
fn bad_policies_are_refused() {
    for (rules, error) in [
        ("", PolicyError::Quorum),
        ("quorum w1\nquorum w1\n", PolicyError::Quorum),
        ("quorum w7\n", PolicyError::UnknownName("w7".into())),
        ("group g any w7\nquorum g\n", PolicyError::UnknownName("w7".into())),
        ("group g any g\nquorum g\n", PolicyError::UnknownName("g".into())),
        ("group g any none\nquorum g\n", PolicyError::UnknownName("none".into())),
        ("quorum g\ngroup g any w1\n", PolicyError::UnknownName("g".into())),
        ("group none any w1\nquorum w1\n", PolicyError::DuplicateName("none".into())),
        ("group w1 any w2\nquorum w1\n", PolicyError::DuplicateName("w1".into())),
        ("group g 2 w1 w1\nquorum g\n", PolicyError::DuplicateMember("w1".into())),
        ("group g any w1\ngroup h any w1 w2\nquorum h\n", PolicyError::DuplicateMember("w1".into())),
        ("group g 0 w1\nquorum g\n", PolicyError::Threshold(10)),
        ("group g 3 w1 w2\nquorum g\n", PolicyError::Threshold(10)),
        ("group g 01 w1\nquorum g\n", PolicyError::Line(10)),
        ("group g any\nquorum g\n", PolicyError::Line(10)),
        ("group g\n", PolicyError::Line(10)),
        ("quorum\n", PolicyError::Line(10)),
        ("quorum w1 w2\n", PolicyError::Line(10)),
        ("frobnicate x\n", PolicyError::Line(10)),
        ("quorum w1", PolicyError::Characters),
        ("quorum w1\r\n", PolicyError::Characters),
    ] {
        assert_eq!(policy(rules), Err(error), "{rules:?}");
    }
    let again = format!("witness again {}\nquorum w1\n", cosigner(3).verifier());
    assert_eq!(policy(&again), Err(PolicyError::DuplicateKey(10)));
    let again = format!("log {}\nquorum w1\n", log().verifier());
    assert_eq!(policy(&again), Err(PolicyError::DuplicateKey(10)));
    let wrong_kind = format!("witness w7 {}\nquorum w1\n", log().verifier());
    assert_eq!(policy(&wrong_kind), Err(PolicyError::KeyKind(10)));
    assert!(matches!(policy("log x+y\nquorum w1\n"), Err(PolicyError::Key { line: 10, .. })));
    let deep =
        (0..600).map(|i| format!("group g{} any {}\n", i + 1, if i == 0 { "w1".into() } else { format!("g{i}") }));
    assert_eq!(policy(&deep.collect::<String>()), Err(PolicyError::TooLarge));
}
