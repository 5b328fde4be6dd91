//! What others may send: misspelled, truncated, oversized, flipped, or arbitrary bytes. Nothing may panic, and nothing changed
//! may be accepted as something else.
#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]

use ed25519_dalek::SigningKey;
use iog_tlog::key::KeyError;
use iog_tlog::{
    AddCheckpoint, BundleError, BundleId, Checkpoint, CheckpointError, Cosigner, EntryBundle, Hash, InclusionError,
    InclusionProof, MAX_NOTE_BYTES, Note, NoteError, NoteSigner, TileId, Tree, VerifierKey, empty_root, leaf_hash,
};
use proptest::prelude::*;

const ORIGIN: &str = "log.example/one";

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::ed25519(name, &SigningKey::from_bytes(&[seed; 32])).unwrap()
}

fn tree(size: u64) -> Tree {
    Tree::from_leaves((0..size).map(|i| leaf_hash(&i.to_be_bytes())))
}

fn served(size: u64) -> Vec<u8> {
    Checkpoint::new(ORIGIN, size, tree(size).root()).sign(&signer(ORIGIN, 1))
}

fn cosigned() -> (Vec<u8>, VerifierKey) {
    let mut note = Note::parse(&served(7)).unwrap();
    let cosigner = Cosigner::new("witness.example", &SigningKey::from_bytes(&[2; 32])).unwrap();
    note.signatures.push(cosigner.cosign(&note.text, 1_767_225_600));
    (note.to_bytes(), cosigner.verifier().clone())
}

#[test]
fn every_byte_flip_of_a_checkpoint_is_refused() {
    let (bytes, witness) = cosigned();
    let log = signer(ORIGIN, 1).verifier().clone();
    let (head, note) = Checkpoint::open_with(&bytes, &log, std::slice::from_ref(&witness)).unwrap();
    let mut changed = bytes.clone();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            changed[at] ^= 1 << bit;
            // A flip inside a line's name or key id makes it a line of an unknown key, which is ignored by rule.
            if let Ok((got, kept)) = Checkpoint::open_with(&changed, &log, std::slice::from_ref(&witness)) {
                assert_eq!(got, head, "byte {at}");
                assert!(kept.signed_by(&log) && !kept.signed_by(&witness), "byte {at}");
                assert!(at > bytes.len() - 140, "byte {at}");
            }
            changed[at] ^= 1 << bit;
        }
    }
    assert!(note.signed_by(&witness));
}

#[test]
fn every_byte_flip_of_a_proof_is_refused() {
    let log = signer(ORIGIN, 1).verifier().clone();
    let proof = InclusionProof::new(3, tree(7).inclusion(3, 7).unwrap(), served(7));
    let (text, leaf) = (proof.to_string(), leaf_hash(&3_u64.to_be_bytes()));
    proof.verify(&log, &leaf).unwrap();
    let mut changed = text.clone().into_bytes();
    for at in 0..changed.len() {
        for bit in 0..8 {
            changed[at] ^= 1 << bit;
            let read = std::str::from_utf8(&changed).ok().and_then(|text| text.parse::<InclusionProof>().ok());
            assert!(read.is_none_or(|proof| proof.verify(&log, &leaf).is_err()), "byte {at} bit {bit}");
            changed[at] ^= 1 << bit;
        }
    }
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let log = signer(ORIGIN, 1);
    let head = Checkpoint::new("log.example/two", 7, tree(7).root());
    let other = Checkpoint::open(&head.sign(&log), log.verifier());
    assert!(matches!(other, Err(CheckpointError::OtherOrigin { .. })));
    let stranger = Checkpoint::open(&served(7), signer(ORIGIN, 9).verifier());
    assert_eq!(stranger, Err(CheckpointError::Note(NoteError::NoKnownSignature)));
    let (bytes, witness) = cosigned();
    assert_eq!(Checkpoint::open(&bytes, &witness), Err(CheckpointError::NotALogKey("witness.example".into())));
    // Only the cosignature is left: no head of the log.
    let mut note = Note::parse(&bytes).unwrap();
    note.signatures.remove(0);
    let alone = Checkpoint::open_with(&note.to_bytes(), log.verifier(), &[witness]);
    assert_eq!(alone.unwrap_err(), CheckpointError::Note(NoteError::NoKnownSignature));
}

#[test]
fn a_known_key_with_a_bad_signature_spoils_the_note() {
    let (bytes, witness) = cosigned();
    let mut note = Note::parse(&bytes).unwrap();
    note.signatures[1].bytes[7] ^= 1;
    assert_eq!(note.verify(std::slice::from_ref(&witness)), Err(NoteError::BadSignature("witness.example".into())));
    note.signatures[1].bytes.truncate(71);
    assert_eq!(note.verify(&[witness]), Err(NoteError::BadSignature("witness.example".into())));
    note.signatures[0].bytes.push(0);
    let log = signer(ORIGIN, 1).verifier().clone();
    assert_eq!(note.verify(&[log]), Err(NoteError::BadSignature(ORIGIN.into())));
}

#[test]
fn repeated_cosignatures_count_once_with_the_latest_time() {
    let (bytes, witness) = cosigned();
    let mut note = Note::parse(&bytes).unwrap();
    let cosigner = Cosigner::new("witness.example", &SigningKey::from_bytes(&[2; 32])).unwrap();
    for time in [1_767_225_700, 5] {
        note.signatures.push(cosigner.cosign(&note.text, time));
    }
    let verified = note.verify(&[witness]).unwrap();
    assert_eq!(verified.signatures().len(), 1);
    assert_eq!(verified.signatures()[0].time(), Some(1_767_225_700));
}

#[test]
fn misspelled_checkpoints_are_refused() {
    let root = tree(7).root().to_base64();
    let empty = empty_root().to_base64();
    let loose_bits = format!("{}9=", &root[..42]);
    for text in [
        format!("o\n7\n{root}"),
        format!("o\n07\n{root}\n"),
        format!("o\n+7\n{root}\n"),
        format!("o\n\n{root}\n"),
        format!("o\n18446744073709551616\n{root}\n"),
        format!("\n7\n{root}\n"),
        format!("o o\n7\n{root}\n"),
        format!("o\n7\n{}\n", root.trim_end_matches('=')),
        format!("o\n7\n{loose_bits}\n"),
        format!("o\n7\n{root}\n\n"),
        format!("o\n7\r\n{root}\n"),
        format!("o\n0\n{root}\n"),
        "o\n7\nAAAA\n".to_owned(),
        "o\n7\n".to_owned(),
    ] {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
    assert_eq!(Checkpoint::parse(&format!("o\n0\n{empty}\n")).unwrap().size, 0);
    assert_eq!(Checkpoint::parse(&format!("o\n7\n{root}\nmore\n")).unwrap().extensions, ["more"]);
}

#[test]
fn malformed_notes_are_refused() {
    let line = "— a AAAAAAA=\n";
    assert_eq!(Note::parse(format!("t\n\n{line}").as_bytes()).unwrap().signatures[0].bytes, [0]);
    let many = |count: usize| format!("t\n\n{}", line.repeat(count)).into_bytes();
    assert_eq!(Note::parse(&many(64)).unwrap().signatures.len(), 64);
    assert_eq!(Note::parse(&many(65)), Err(NoteError::TooManySignatures));
    assert_eq!(Note::parse(&vec![b'a'; MAX_NOTE_BYTES + 1]), Err(NoteError::TooLong(MAX_NOTE_BYTES + 1)));
    for text in ["", "t", "t\n", "t\n\n", "t\n\n\n", "t\n— a AAAAAAA=\n", "t\n\n— a AAAAAAA="] {
        assert_eq!(Note::parse(text.as_bytes()), Err(NoteError::Form), "{text:?}");
    }
    for bad in [
        "- a AAAAAAA=",
        "—a AAAAAAA=",
        "— a  AAAAAAA=",
        "— a+b AAAAAAA=",
        "—  AAAAAAA=",
        "— a AAAAAA==",
        "— a AAAAAAB=",
        "— a",
    ] {
        assert_eq!(Note::parse(format!("t\n\n{bad}\n").as_bytes()), Err(NoteError::SignatureLine(1)), "{bad:?}");
    }
    for bytes in [&b"t\t\n\n\xe2\x80\x94 a AAAAAAA=\n"[..], b"\xff\n\n", b"t\r\n\n"] {
        assert_eq!(Note::parse(bytes), Err(NoteError::Characters));
    }
    assert_eq!(Note::new("no newline"), Err(NoteError::Form));
    let nested = Note::parse(format!("t\n\nmore\n\n{line}").as_bytes()).unwrap();
    assert_eq!(nested.text, "t\n\nmore\n");
}

#[test]
fn misspelled_keys_are_refused() {
    let good = signer(ORIGIN, 1).verifier().to_string();
    assert_eq!(good.parse::<VerifierKey>().unwrap().to_string(), good);
    let parts: Vec<&str> = good.splitn(3, '+').collect();
    let with = |id: &str, key: &str| format!("{}+{id}+{key}", parts[0]).parse::<VerifierKey>();
    assert_eq!(with("00000000", parts[2]), Err(KeyError::IdMismatch(ORIGIN.into())));
    assert!(matches!(
        with(&parts[1].to_uppercase(), parts[2]),
        Err(KeyError::Spelling { .. } | KeyError::IdMismatch(_))
    ));
    assert_eq!(with(parts[1], "Ag=="), Err(KeyError::UnsupportedKind(2)));
    assert_eq!(with(parts[1], "AQ=="), Err(KeyError::Material(ORIGIN.into())));
    assert_eq!(with(parts[1], ""), Err(KeyError::Material(ORIGIN.into())));
    // The identity point: a valid encoding of small order.
    assert_eq!(with(parts[1], "AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), Err(KeyError::Material(ORIGIN.into())));
    assert_eq!("just-a-name".parse::<VerifierKey>(), Err(KeyError::Form));
    let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
    for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", &"x".repeat(256)] {
        assert!(matches!(VerifierKey::ed25519(name, &key), Err(KeyError::Name(_))), "{name:?}");
    }
    assert!(!format!("{:?}", signer(ORIGIN, 1)).contains("key: SigningKey"));
}

#[test]
fn bundles_are_exact() {
    let id = BundleId::new(0, 2).unwrap();
    let bundle = EntryBundle { entries: vec![vec![], vec![7; 65_535]] };
    let bytes = bundle.encode().unwrap();
    assert_eq!(EntryBundle::decode_exact(&bytes, id).unwrap(), bundle);
    assert_eq!(EntryBundle::decode(&bytes[..bytes.len() - 1]), Err(BundleError::Truncated(1)));
    assert_eq!(EntryBundle::decode(&[0]), Err(BundleError::Truncated(0)));
    assert_eq!(EntryBundle::decode_exact(&bytes[..2], id), Err(BundleError::Width { expected: 2, found: 1 }));
    let long = EntryBundle { entries: vec![vec![0; 65_536]] };
    assert_eq!(long.encode(), Err(BundleError::EntryTooLong(65_536)));
    assert_eq!(EntryBundle { entries: vec![vec![]; 257] }.encode(), Err(BundleError::TooMany));
    assert_eq!(EntryBundle::decode(&[0; 514]), Err(BundleError::TooMany));
}

#[test]
fn malformed_proof_texts_are_refused() {
    let good = InclusionProof {
        extra: Some(vec![1, 2]),
        ..InclusionProof::new(3, tree(7).inclusion(3, 7).unwrap(), served(7))
    };
    let text = good.to_string();
    assert_eq!(text.parse::<InclusionProof>().unwrap(), good);
    let hash = Hash::default().to_base64();
    for (from, to) in [
        ("@v1", "@v2"),
        ("index 3", "index 03"),
        ("index 3", "index"),
        ("index 3", "index 3 "),
        ("extra AQI=", "extra AQJ="),
        ("extra AQI=\n", "extra AQI=\nextra AQI=\n"),
        ("extra AQI=\nindex 3", "index 3\nextra AQI="),
        ("\n\n", "\n"),
    ] {
        assert!(text.replacen(from, to, 1).parse::<InclusionProof>().is_err(), "{to:?}");
    }
    let long = text.replacen("index 3\n", &format!("index 3\n{}", format!("{hash}\n").repeat(63)), 1);
    assert_eq!(long.parse::<InclusionProof>(), Err(InclusionError::TooLong));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Note::parse(&bytes);
        let _ = AddCheckpoint::parse(&bytes);
        let _ = EntryBundle::decode(&bytes);
        let _ = Checkpoint::open(&bytes, signer(ORIGIN, 1).verifier());
    }

    #[test]
    fn text_parsers_never_panic(text in "[a-z0-9+/=. \n—-]{0,200}") {
        let _ = text.parse::<InclusionProof>();
        let _ = text.parse::<VerifierKey>();
        let _ = text.parse::<TileId>();
        let _ = text.parse::<BundleId>();
        let _ = text.parse::<iog_tlog::Policy>();
        let _ = text.parse::<Hash>();
        let _ = Checkpoint::parse(&text);
    }

    #[test]
    fn what_parses_is_written_back_unchanged(text in "(old|index|log\\.x|c2sp\\.org/tlog-proof@v1|[0-9]{1,3}|— a AAAAAAA=|\n){1,20}") {
        if let Ok(note) = Note::parse(text.as_bytes()) { prop_assert_eq!(note.to_string(), text.clone()); }
        if let Ok(request) = AddCheckpoint::parse(text.as_bytes()) { prop_assert_eq!(request.to_string(), text.clone()); }
        if let Ok(proof) = text.parse::<InclusionProof>() { prop_assert_eq!(proof.to_string(), text.clone()); }
        if let Ok(head) = Checkpoint::parse(&text) { prop_assert_eq!(head.to_text(), text); }
    }

    #[test]
    fn bundles_round_trip(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..=256)) {
        let bundle = EntryBundle { entries };
        prop_assert_eq!(EntryBundle::decode(&bundle.encode().unwrap()).unwrap(), bundle);
    }

    #[test]
    fn tile_names_round_trip(level in 0_u8..=7, index in any::<u64>(), width in 1_u16..=256) {
        let index = index.checked_shr(8 + 8 * u32::from(level)).unwrap_or(0);
        let tile = TileId::new(level, index, width).unwrap();
        prop_assert_eq!(TileId::parse(&tile.path()).unwrap(), tile);
        let bundle = BundleId::new(index, width).unwrap();
        prop_assert_eq!(BundleId::parse(&bundle.path()).unwrap(), bundle);
    }

    #[test]
    fn heads_round_trip(size in 1..u64::MAX, root in any::<[u8; 32]>(), extensions in proptest::collection::vec("[a-z ]{1,9}", 0..4)) {
        let head = Checkpoint { extensions, ..Checkpoint::new(ORIGIN, size, Hash(root)) };
        prop_assert_eq!(Checkpoint::parse(&head.to_text()).unwrap(), head.clone());
        prop_assert_eq!(Checkpoint::open(&head.sign(&signer(ORIGIN, 1)), signer(ORIGIN, 1).verifier()).unwrap(), head);
    }
}
