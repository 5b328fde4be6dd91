//! Tests of the envelope: the published vector, round trips, thresholds, and hostile bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::keys::SecretKey;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Greeting {
    text: String,
}

impl Content for Greeting {
    const PAYLOAD_TYPE: &'static str = "application/vnd.iog.test-greeting+json";
}

#[derive(Debug, Serialize, Deserialize)]
struct Farewell {
    text: String,
}

impl Content for Farewell {
    const PAYLOAD_TYPE: &'static str = "application/vnd.iog.test-farewell+json";
}

/// Made by an independent implementation; the auditor's key has the seed 04 × 32.
const VECTOR: &str = concat!(
    r#"{"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJuYW1lIjoiaW9nOmRkb3MtdHJhY2V"#,
    r#"AMS4yLjAiLCJkaWdlc3QiOnsic2hhMjU2IjoiOTNhNDRiYmI5NmM3NTEyMThlNGMwMGQ0NzllNGMxNDM1ODEyMmEzODlhY2NhMTYyMDViMWU0ZDBkY"#,
    r#"zVmOTQ3NiJ9fV0sInByZWRpY2F0ZVR5cGUiOiJodHRwczovL2lvZy5leGFtcGxlL2F0dGVzdGF0aW9uL21vZHVsZS1yZXZpZXcvdjEiLCJwcmVkaWN"#,
    r#"hdGUiOnsidmVyZGljdCI6ImFwcHJvdmUifX0=","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"c5b940ed"#,
    r#"3f65c391965de8295fc5d25f474fa57b48d36eb10ad363b8539c1b79","sig":"swm23QoSW8gj85//f5aEGaV03e9/hGSjleaqFw0Exn3XuMEN5qZ"#,
    r#"9vLd7kHFOzz5HEdysdwFMv0cf7h2Y6adjDQ=="}]}"#,
);

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn greeting() -> Greeting {
    Greeting { text: "hello".to_owned() }
}

#[test]
fn the_published_pae_example() {
    let envelope = Envelope::new("http://example.com/HelloWorld", b"hello world".to_vec());
    assert_eq!(envelope.pae(), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn the_reference_vector_verifies_and_is_reproduced_byte_for_byte() {
    let envelope = Envelope::parse(VECTOR.as_bytes()).unwrap();
    let auditor = key(4).public();
    assert_eq!(hex::encode(auditor.as_bytes()), "ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c");
    assert_eq!(envelope.signers_among(&[key(5).public(), auditor]), [auditor]);
    assert_eq!(envelope.signatures()[0].keyid, auditor.id().to_string());
    assert!(envelope.is_canonical());
    let mut again = Envelope::new("application/vnd.in-toto+json", envelope.payload().to_vec());
    again.add_signature(&key(4));
    assert_eq!(again.to_json(), VECTOR.as_bytes());
}

#[test]
fn content_is_reached_by_verifying_only() {
    let signed = Signed::sign(&greeting(), &[&key(1)]).unwrap();
    let received = Signed::<Greeting>::parse(&signed.to_bytes()).unwrap();
    assert!(!format!("{received:?}").contains("hello"));
    assert_eq!(received.key_hints(), [key(1).public().id()]);
    let verified = received.verify(&[key(2).public(), key(1).public()]).unwrap();
    assert_eq!(verified.text, "hello");
    assert_eq!(verified.signers(), [key(1).public()]);
    let none = received.verify(&[key(2).public()]).unwrap_err();
    assert_eq!(none, SignatureError::Threshold { found: 0, needed: 1 });
    assert_eq!(received.verify(&[]).unwrap_err(), SignatureError::Threshold { found: 0, needed: 1 });
}

#[test]
fn a_threshold_counts_keys_not_signatures() {
    let mut envelope = Signed::sign(&greeting(), &[&key(1)]).unwrap().envelope().clone();
    let copy = envelope.signatures()[0].clone();
    let json = String::from_utf8(envelope.to_json()).unwrap();
    let start = json.find("{\"keyid\"").unwrap();
    let one = &json[start..json.len() - 2];
    let doubled = json.replace(one, &format!("{one},{one}"));
    let doubled = Signed::<Greeting>::parse(doubled.as_bytes()).unwrap();
    assert_eq!(doubled.envelope().signatures(), [copy.clone(), copy]);
    let keys = [key(1).public(), key(1).public(), key(2).public()];
    assert!(doubled.verify_threshold(&keys, 2).is_err());
    envelope.add_signature(&key(2));
    assert!(Signed::<Greeting>::from_envelope(envelope).unwrap().verify_threshold(&keys, 2).is_ok());
}

#[test]
fn a_signature_fits_one_payload_type_only() {
    let signed = Signed::sign(&greeting(), &[&key(1)]).unwrap();
    assert!(matches!(
        Signed::<Farewell>::from_envelope(signed.envelope().clone()),
        Err(EnvelopeError::PayloadType { .. })
    ));
    let swapped = String::from_utf8(signed.to_bytes()).unwrap().replace("greeting", "farewell");
    let swapped = Signed::<Farewell>::parse(swapped.as_bytes()).unwrap();
    assert!(swapped.verify(&[key(1).public()]).is_err());
}

#[test]
fn signed_copies_are_joined_and_other_content_is_not() {
    let mut one = Signed::sign(&greeting(), &[&key(1)]).unwrap().envelope().clone();
    let two = Signed::sign(&greeting(), &[&key(2)]).unwrap();
    one.join(two.envelope()).unwrap();
    one.join(two.envelope()).unwrap();
    assert_eq!(one.signatures().len(), 2);
    let other = Signed::sign(&Greeting { text: "bye".to_owned() }, &[&key(2)]).unwrap();
    assert_eq!(one.join(other.envelope()), Err(SignatureError::OtherContent));
}

#[test]
fn exact_signers_leave_no_stray_signature() {
    let known: BTreeMap<_, _> = [1, 2].map(|seed| (key(seed).public().id(), key(seed).public())).into();
    let mut envelope = Signed::sign(&greeting(), &[&key(1), &key(2)]).unwrap().envelope().clone();
    assert_eq!(envelope.signers_exactly(|id| known.get(id).copied()).unwrap().len(), 2);
    envelope.add_signature(&key(3));
    assert!(matches!(envelope.signers_exactly(|id| known.get(id).copied()), Err(SignatureError::Unknown { .. })));
}

#[test]
fn malformed_envelopes_are_refused_by_name() {
    let good = String::from_utf8(Signed::sign(&greeting(), &[&key(1)]).unwrap().to_bytes()).unwrap();
    let refused = |text: &str| Envelope::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(refused(&good.replace("{\"payload\"", "{\"x\":1,\"payload\"")).contains("unknown field"));
    assert!(refused(&good.replace("{\"payload\"", "{\"payload\":\"\",\"payload\"")).contains("duplicate field"));
    assert!(refused(&format!("{good}x")).contains("trailing"));
    assert!(refused("{\"payload\":\"!\",\"payloadType\":\"a\",\"signatures\":[{\"sig\":\"\"}]}").contains("`payload`"));
    assert!(refused("{\"payload\":\"\",\"payloadType\":\"a\",\"signatures\":[{\"sig\":\"AA==\"}]}").contains("`sig`"));
    assert!(refused("{\"payload\":\"\",\"payloadType\":\"a\",\"signatures\":[]}").contains("`signatures`"));
    assert!(refused("{\"payload\":\"\",\"payloadType\":\"\",\"signatures\":[]}").contains("`payloadType`"));
    let large = format!("{good}{}", " ".repeat(ENVELOPE_BYTES_MAX));
    assert!(matches!(Envelope::parse(large.as_bytes()), Err(EnvelopeError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Envelope::parse(&bytes);
    }

    #[test]
    fn damaged_envelopes_never_panic(at in 0usize..600, byte in any::<u8>()) {
        let mut bytes = VECTOR.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(envelope) = Envelope::parse(&bytes) {
            let _ = envelope.signers_among(&[key(4).public()]);
        }
    }

    #[test]
    fn envelopes_round_trip(kind in "[a-z/]{1,20}", payload in proptest::collection::vec(any::<u8>(), 0..200), seeds in proptest::collection::btree_set(1u8..9, 1..4)) {
        let mut envelope = Envelope::new(&kind, payload.clone());
        for seed in &seeds {
            envelope.add_signature(&key(*seed));
        }
        let read = Envelope::parse(&envelope.to_json()).unwrap();
        prop_assert_eq!(&read, &envelope);
        prop_assert_eq!(read.payload(), &payload[..]);
        prop_assert!(read.is_canonical());
        let keys: Vec<_> = (1u8..9).map(|seed| key(seed).public()).collect();
        prop_assert_eq!(read.signers_among(&keys).len(), seeds.len());
    }
}
