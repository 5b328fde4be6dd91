//! One receipt, both views, and every way to change it.

use super::*;
use crate::keys::SecretKey;
use crate::manifest::ReleaseClass;
use crate::run::{Outcome, ResultJson, RunAnswer};
use crate::time::Timestamp;
use iog_tlog::{Checkpoint, InclusionProof, NoteSigner, Tree, VerifierKey, leaf_hash};
use proptest::prelude::*;
use serde_json::{Value, json};

const RESULT: &str = r#"{"edges":[]}"#;

fn fields() -> (CallerFields, ProviderFields) {
    let caller = CallerFields {
        request_id: crate::ids::RequestId::from_bytes([9; 16]),
        request: Digest::of(b"request"),
        caller: "as64501".parse().unwrap(),
        gateway: "as64500".parse().unwrap(),
        service: None,
        module: Digest::of(b"module"),
        module_log_index: Some(12),
        registry_size: 40,
        entry: "trace".parse().unwrap(),
        policy: Digest::of(b"policy"),
        release: Some(ReleaseClass::Reviewed),
        outcome: Outcome::Succeeded,
        result_digest: Some(Digest::of(RESULT.as_bytes())),
        engine: "wasmtime 48.0.8".into(),
        cost_table: Digest::of(b"costs"),
        cost: Cost::default(),
        issued: Timestamp::from_unix(1_800_000_000),
    };
    let provider = ProviderFields {
        cost_exact: Cost { fuel: 331_000, memory_bytes: 1_114_112, rows: 1000, bytes: 16_000, wall_ms: 3 },
        snapshots: [("flows".parse().unwrap(), Digest::of(b"rows"))].into(),
        purpose: "incident 4711".into(),
        actor: Some("analyst-7".into()),
        agreement: None,
        detail: Some("dataset border-flows".into()),
        logs: None,
    };
    (caller, provider)
}

fn sealed(caller: CallerFields, provider: ProviderFields) -> SealedReceipt {
    let mut next = 0_u8;
    let salts = || {
        next += 1;
        [next; SALT_BYTES]
    };
    ReceiptDraft::new(caller, provider).seal(salts).expect("seals")
}

fn signer(name: &str) -> (NoteSigner, VerifierKey) {
    let signer = NoteSigner::ed25519(name, SecretKey::from_seed([5; 32]).ed25519()).expect("a key name");
    let key = signer.verifier().clone();
    (signer, key)
}

/// Puts the receipt third into a log of seven entries and proves it.
fn proven(receipt: &SealedReceipt, log: &str) -> (InclusionProof, VerifierKey) {
    let (signer, key) = signer(log);
    let mut tree = Tree::new();
    for index in 0..7_u8 {
        let entry = if index == 2 { receipt.entry().expect("an entry") } else { vec![index] };
        tree.push(leaf_hash(&entry));
    }
    let checkpoint = Checkpoint::new(log, tree.len(), tree.root()).sign(&signer);
    (InclusionProof::new(2, tree.inclusion(2, 7).expect("in the tree"), checkpoint), key)
}

fn views() -> (ReceiptView, ReceiptView, VerifierKey) {
    let (caller, provider) = fields();
    let receipt = sealed(caller, provider);
    let (proof, key) = proven(&receipt, "demo.invalid/receipts/as64500");
    (receipt.view(Audience::Caller, &proof), receipt.view(Audience::Provider, &proof), key)
}

#[test]
fn field_lists_are_the_fields_of_the_structs() {
    let (caller, provider) = fields();
    for (value, names) in [
        (serde_json::to_value(caller).unwrap(), &CALLER_FIELDS[..]),
        (serde_json::to_value(provider).unwrap(), &PROVIDER_FIELDS[..]),
    ] {
        let mut found: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        found.sort();
        assert_eq!(found, names);
    }
}

#[test]
fn both_views_verify_to_the_same_leaf() {
    let (caller, provider, key) = views();
    let (seen, kept) = (caller.verify(&key).unwrap(), provider.verify(&key).unwrap());
    assert_eq!(seen.leaf_index(), kept.leaf_index());
    assert_eq!(seen.checkpoint(), kept.checkpoint());
    assert_eq!(caller.body, provider.body);
    assert_eq!(*seen, *kept);
    assert!(seen.provider().is_none());
    assert_eq!(kept.provider(), Some(&fields().1));
    assert_eq!(seen.snapshot_commitment(), &caller.body.commitments["snapshots"]);
}

#[test]
fn the_callers_view_shows_nothing_of_the_providers_values() {
    let (caller, provider, key) = views();
    let text = serde_json::to_string(&caller).unwrap();
    for hidden in ["331000", "1114112", "incident", "analyst", "border-flows", &Digest::of(b"rows").hex()] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    assert!(serde_json::to_string(&provider).unwrap().contains("border-flows"));
    let cost = caller.verify(&key).unwrap().cost;
    assert_eq!(cost, Cost { fuel: 524_288, memory_bytes: 2_097_152, rows: 1024, bytes: 16_384, wall_ms: 4 });
}

#[test]
fn open_data_cost_exactly_what_they_cost() {
    let (mut caller, provider) = fields();
    for (release, exact) in [(Some(ReleaseClass::Open), true), (Some(ReleaseClass::Aggregate), false), (None, false)] {
        caller.release = release;
        let receipt = sealed(caller.clone(), provider.clone());
        let (proof, key) = proven(&receipt, "demo.invalid/receipts/as64500");
        let seen = receipt.view(Audience::Caller, &proof).verify(&key).unwrap();
        assert_eq!(seen.cost == provider.cost_exact, exact);
    }
}

#[test]
fn quantising_rounds_up_to_powers_of_two() {
    for (value, expected) in [(0, 0), (1, 1), (2, 2), (3, 4), (1025, 2048), (u64::MAX, 1 << 63)] {
        assert_eq!(quantise(value), expected);
    }
}

#[test]
fn equal_values_have_unequal_commitments() {
    let (caller, provider) = fields();
    let mut byte = 0_u8;
    let mut salts = || {
        byte += 1;
        [byte; SALT_BYTES]
    };
    let draft = ReceiptDraft::new(caller, provider);
    let (one, two) = (draft.seal(&mut salts).unwrap(), draft.seal(&mut salts).unwrap());
    for (field, commitment) in &one.body.commitments {
        assert_ne!(commitment, &two.body.commitments[field]);
    }
}

#[test]
fn a_view_must_show_what_its_reader_is_owed() {
    let (caller, _, key) = views();
    for field in CALLER_FIELDS {
        let mut view = caller.clone();
        view.disclosed.remove(field);
        assert_eq!(view.verify(&key), Err(ReceiptError::Undisclosed { field: field.into() }));
    }
}

#[test]
fn a_commitment_too_many_too_few_or_changed_is_refused() {
    let (caller, _, key) = views();
    for field in CALLER_FIELDS.iter().chain(&PROVIDER_FIELDS) {
        let mut lacking = caller.clone();
        lacking.body.commitments.remove(*field);
        assert_eq!(lacking.verify(&key), Err(ReceiptError::Fields { field: (*field).into() }));
        let mut changed = caller.clone();
        changed.body.commitments.insert((*field).into(), Digest::of(b"other"));
        assert!(changed.verify(&key).is_err(), "{field}");
    }
    let mut extra = caller;
    extra.body.commitments.insert("zzz".into(), Digest::of(b"x"));
    assert_eq!(extra.verify(&key), Err(ReceiptError::Fields { field: "zzz".into() }));
}

#[test]
fn fields_cannot_be_swapped_or_added() {
    let (caller, provider, key) = views();
    let mut swapped = caller.clone();
    let module = swapped.disclosed["module"].clone();
    swapped.disclosed.insert("policy".into(), module);
    assert_eq!(swapped.verify(&key), Err(ReceiptError::Commitment { field: "policy".into() }));
    let mut added = caller;
    added.disclosed.insert("note".into(), provider.disclosed["detail"].clone());
    assert_eq!(added.verify(&key), Err(ReceiptError::Commitment { field: "note".into() }));
}

#[test]
fn a_receipt_of_another_log_version_or_gateway_is_refused() {
    let (caller, provider) = fields();
    let receipt = sealed(caller, provider);
    let (proof, key) = proven(&receipt, "demo.invalid/receipts/as64999");
    let view = receipt.view(Audience::Caller, &proof);
    assert!(matches!(view.verify(&key), Err(ReceiptError::WrongLog { .. })));

    let (view, _, _) = views();
    let stranger = NoteSigner::ed25519("demo.invalid/receipts/as64500", SecretKey::from_seed([6; 32]).ed25519());
    assert!(matches!(view.verify(stranger.unwrap().verifier()), Err(ReceiptError::Proof(_))));

    let (mut view, _, key) = views();
    view.body.version = 2;
    assert_eq!(view.verify(&key), Err(ReceiptError::Version { found: 2 }));

    let (mut view, _, key) = views();
    view.proof = view.proof.replacen("index", "extra AAAA\nindex", 1);
    assert_eq!(view.verify(&key), Err(ReceiptError::Extra));
}

#[test]
fn receipts_that_contradict_themselves_are_refused() {
    let changes: [fn(&mut CallerFields); 2] =
        [|fields| fields.result_digest = None, |fields| fields.outcome = Outcome::Cancelled];
    for change in changes {
        let (mut caller, provider) = fields();
        change(&mut caller);
        let receipt = sealed(caller, provider);
        let (proof, key) = proven(&receipt, "demo.invalid/receipts/as64500");
        let verified = receipt.view(Audience::Caller, &proof).verify(&key);
        assert!(matches!(verified, Err(ReceiptError::Contradiction(_))));
    }
}

#[test]
fn an_answer_must_say_what_the_receipt_states() {
    type Change = fn(&mut RunAnswer);
    let (view, _, key) = views();
    let verified = view.verify(&key).unwrap();
    let answer = RunAnswer {
        request_id: verified.request_id.clone(),
        domain: verified.gateway.clone(),
        outcome: Outcome::Succeeded,
        result: Some(ResultJson::parse(RESULT.to_owned()).unwrap()),
        receipt: view,
    };
    verified.fits(&answer).unwrap();
    let again: RunAnswer = serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap();
    assert_eq!(again, answer);
    let changes: [(Change, &str); 5] = [
        (|a| a.request_id = crate::ids::RequestId::from_bytes([1; 16]), "request_id"),
        (|a| a.domain = "as1".parse().unwrap(), "domain"),
        (|a| a.outcome = Outcome::Cancelled, "outcome"),
        (|a| a.result = None, "result"),
        (|a| a.result = Some(ResultJson::parse(r#"{"edges": []}"#.to_owned()).unwrap()), "result"),
    ];
    for (change, member) in changes {
        let mut other = answer.clone();
        change(&mut other);
        assert_eq!(verified.fits(&other), Err(ReceiptError::Answer { member }));
    }
}

#[test]
fn a_result_of_null_survives_the_answer() {
    let (view, _, key) = views();
    let verified = view.verify(&key).unwrap();
    let answer = RunAnswer {
        request_id: verified.request_id.clone(),
        domain: verified.gateway.clone(),
        outcome: Outcome::Succeeded,
        result: Some(ResultJson::parse("null".to_owned()).unwrap()),
        receipt: view,
    };
    let again: RunAnswer = serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap();
    assert_eq!(again.result.unwrap().as_str(), "null");
}

#[test]
fn spaces_in_the_json_of_a_view_do_not_matter() {
    let (caller, _, key) = views();
    let pretty = serde_json::to_string_pretty(&caller).unwrap();
    serde_json::from_str::<ReceiptView>(&pretty).unwrap().verify(&key).unwrap();
}

#[test]
fn values_that_nothing_can_commit_to_are_refused() {
    let (mut caller, _, key) = views();
    caller.disclosed.get_mut("cost").unwrap().value = json!(1.5);
    assert!(matches!(caller.verify(&key), Err(ReceiptError::Value { .. })));
    caller.disclosed.get_mut("cost").unwrap().value = Value::String("x".repeat(VALUE_BYTES_MAX));
    assert!(matches!(caller.verify(&key), Err(ReceiptError::Value { .. })));
}

#[test]
fn any_changed_or_missing_character_of_proof_and_checkpoint_fails() {
    let (view, _, key) = views();
    for (at, character) in view.proof.char_indices() {
        for with in ["", "0", "1", "A", "/", "\n", " "] {
            let mut changed = view.clone();
            changed.proof.replace_range(at..at + character.len_utf8(), with);
            assert!(changed == view || changed.verify(&key).is_err(), "`{with}` instead of `{character}` at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_change_of_a_value_or_salt_fails(
        pick in any::<prop::sample::Index>(), provider in any::<bool>(), other in any::<u64>(), bit in 0..128_usize,
        salt in any::<bool>(),
    ) {
        let (caller, kept, key) = views();
        let mut view = if provider { kept } else { caller };
        let field = view.disclosed.keys().nth(pick.index(view.disclosed.len())).unwrap().clone();
        let disclosure = view.disclosed.get_mut(&field).unwrap();
        if salt {
            disclosure.salt.0[bit / 8] ^= 1 << (bit % 8);
        } else {
            let changed = json!(other);
            prop_assume!(disclosure.value != changed);
            disclosure.value = changed;
        }
        prop_assert_eq!(view.verify(&key), Err(ReceiptError::Commitment { field }));
    }

    #[test]
    fn any_change_of_a_commitment_fails(pick in any::<prop::sample::Index>(), bit in 0..256_usize) {
        let (mut view, _, key) = views();
        let field = view.body.commitments.keys().nth(pick.index(view.body.commitments.len())).unwrap().clone();
        let mut bytes = *view.body.commitments[&field].as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        view.body.commitments.insert(field, Digest::from_bytes(bytes));
        prop_assert!(view.verify(&key).is_err());
    }

    #[test]
    fn no_damaged_view_panics(pick in any::<prop::sample::Index>(), with in "[ -~]{0,4}") {
        let (_, view, key) = views();
        let mut text = serde_json::to_string(&view).unwrap();
        let places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
        text.insert_str(places[pick.index(places.len())], &with);
        if let Ok(view) = serde_json::from_str::<ReceiptView>(&text) {
            let _ = view.verify(&key);
        }
    }
}
