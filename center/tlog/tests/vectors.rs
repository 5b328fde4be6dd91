//! The worked vectors of the formats, byte for byte, and the published anchors (RFC 6962, C2SP signed-note).
//! Constants here come from an independent implementation; never regenerate them with this crate.

use ed25519_dalek::SigningKey;
use iog_tlog::witness::origin_hash;
use iog_tlog::{
    AddCheckpoint, BundleId, Checkpoint, Cosigner, EntryBundle, Hash, InclusionProof, Note, NoteSigner, Policy, TileId,
    Tree, VerifierKey, leaf_hash, verify_consistency,
};

const ORIGIN: &str = "registry.iog.example/log";
const LOG_VKEY: &str = "registry.iog.example/log+c4dcad08+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
const WITNESS_VKEY: &str = "witness.isp-a.example/w1+c861ad48+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
const TIME_VKEY: &str = "registry.iog.example/timestamp+907d0117+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR";
const LOG_LINE: &str = "— registry.iog.example/log xNytCBjIzNo4naNcEFJzXz/F4Kx4cVaC6Tdu8w4+wCbGEAyLqjmKz3Mt2tDMivXfGJ8jL9K/OU65bxiCV6xWn+FuNg4=\n";
const WITNESS_LINE: &str = "— witness.isp-a.example/w1 yGGtSAAAAABpVbkABb1TkTFvM6CKy/g9BeWTYjiK85j2V66Kdu9S7cTk3WgLw2uh4qL0KBoIJrpQP6edXXlBiud+rMPnXsnCjscuBQ==\n";
const TIME_LINE: &str = "— registry.iog.example/timestamp kH0BFwAAAABpVbkAdjgzw3gYLaRZuNjlANNNeWRksqpzKUh9z8kd4R5+0cVyfEkPHKPUPtme3SEKIZliyzp1/YrAq0bYT0zfAujPAA==\n";
const HEAD_TEXT: &str = "registry.iog.example/log\n5\nGqaNMHSQWlgfhMu9D3U3lJBP2ARRvEwT5p2aU7xZUCw=\n";
const TILE_HEX: &str = "40766b2033429026f53d54502679a839706b4741f8dcaf3a8bba5f41b5ffe075e868811a482c27d50b6d45dde79c465d6adb9b06645100477a90cf3d8518898b049d7dcdb56bcfebd313304c9839f196a3d4b6ef3bdc0b08298f93ac8191f0a827479b6ab321d2ee477452f68ba527748e863cafe8fbd1df2bf89d1570d1b697194bb5a2d5bd10e5d1aa6fd5d42980b356caf1da623cd9987c4bfa2f81771ed7";
const BUNDLE_HEX: &str = "0007656e7472792d300007656e7472792d310007656e7472792d320007656e7472792d330007656e7472792d34";
const PROOF_HEAD: &str = "c2sp.org/tlog-proof@v1\nindex 2\nJ0ebarMh0u5HdFL2i6UndI6GPK/o+9HfK/idFXDRtpc=\nLyelCCwdQq+kiKw1Cp/EOQwIT1T3Hs3/hZ6Y24QptHk=\nGUu1otW9EOXRqm/V1CmAs1bK8dpiPNmYfEv6L4F3Htc=\n";
const ADD_HEAD: &str = "old 3\nBJ19zbVrz+vTEzBMmDnxlqPUtu873AsIKY+TrIGR8Kg=\nJ0ebarMh0u5HdFL2i6UndI6GPK/o+9HfK/idFXDRtpc=\nLyelCCwdQq+kiKw1Cp/EOQwIT1T3Hs3/hZ6Y24QptHk=\nGUu1otW9EOXRqm/V1CmAs1bK8dpiPNmYfEv6L4F3Htc=\n";
const TIME: u64 = 1_767_225_600;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn entries() -> Vec<Vec<u8>> {
    (0..5).map(|i| format!("entry-{i}").into_bytes()).collect()
}

fn tree() -> Tree {
    Tree::from_leaves(entries().iter().map(|entry| leaf_hash(entry)))
}

fn served() -> String {
    format!("{HEAD_TEXT}\n{LOG_LINE}{WITNESS_LINE}{TIME_LINE}")
}

#[test]
fn verifier_keys() {
    let log = VerifierKey::ed25519(ORIGIN, &key(1).verifying_key()).unwrap();
    let witness = VerifierKey::cosigner("witness.isp-a.example/w1", &key(2).verifying_key()).unwrap();
    let time = VerifierKey::cosigner("registry.iog.example/timestamp", &key(3).verifying_key()).unwrap();
    for (key, text) in [(log, LOG_VKEY), (witness, WITNESS_VKEY), (time, TIME_VKEY)] {
        assert_eq!(key.to_string(), text);
        assert_eq!(text.parse::<VerifierKey>().unwrap(), key);
    }
}

#[test]
fn checkpoint_is_made_byte_for_byte() {
    let head = Checkpoint::new(ORIGIN, 5, tree().root());
    assert_eq!(head.to_text(), HEAD_TEXT);
    let signed = head.sign(&NoteSigner::ed25519(ORIGIN, &key(1)).unwrap());
    let mut note = Note::parse(&signed).unwrap();
    for (name, seed) in [("witness.isp-a.example/w1", 2), ("registry.iog.example/timestamp", 3)] {
        note.signatures.push(Cosigner::new(name, &key(seed)).unwrap().cosign(HEAD_TEXT, TIME));
    }
    assert_eq!(note.to_string(), served());
    assert_eq!(note.to_bytes(), served().into_bytes());
}

#[test]
fn checkpoint_is_verified() {
    let keys: Vec<VerifierKey> = [WITNESS_VKEY, TIME_VKEY].iter().map(|text| text.parse().unwrap()).collect();
    let (head, note) = Checkpoint::open_with(served().as_bytes(), &LOG_VKEY.parse().unwrap(), &keys).unwrap();
    assert_eq!((head.origin.as_str(), head.size, head.root), (ORIGIN, 5, tree().root()));
    let times: Vec<_> = note.signatures().iter().map(|signature| signature.time()).collect();
    assert_eq!(times, [None, Some(TIME), Some(TIME)]);
}

#[test]
fn tile_and_bundle() {
    let id = TileId::parse("tile/0/000.p/5").unwrap();
    assert_eq!(hex::encode(tree().tile(id).unwrap()), TILE_HEX);
    let bundle = EntryBundle { entries: entries() };
    assert_eq!(hex::encode(bundle.encode().unwrap()), BUNDLE_HEX);
    let id = BundleId::parse("tile/entries/000.p/5").unwrap();
    assert_eq!(EntryBundle::decode_exact(&hex::decode(BUNDLE_HEX).unwrap(), id).unwrap(), bundle);
}

#[test]
fn offline_proof() {
    let text = format!("{PROOF_HEAD}\n{}", served());
    let made = InclusionProof::new(2, tree().inclusion(2, 5).unwrap(), served().into_bytes());
    assert_eq!(made.to_string(), text);
    let read: InclusionProof = text.parse().unwrap();
    assert_eq!(read, made);
    let head = read.verify(&LOG_VKEY.parse().unwrap(), &leaf_hash(b"entry-2")).unwrap();
    assert_eq!(head.size, 5);
    read.verify(&LOG_VKEY.parse().unwrap(), &leaf_hash(b"entry-3")).unwrap_err();
}

#[test]
fn add_checkpoint_request() {
    let text = format!("{ADD_HEAD}\n{HEAD_TEXT}\n{LOG_LINE}");
    let read = AddCheckpoint::parse(text.as_bytes()).unwrap();
    assert_eq!((read.old_size, &read.proof), (3, &tree().consistency(3, 5).unwrap()));
    assert_eq!(read.to_string(), text);
    let old_root = tree().root_at(3).unwrap();
    verify_consistency(3, &old_root, 5, &tree().root(), &read.proof).unwrap();
    assert_eq!(origin_hash(ORIGIN), "0974a439be2fced49cb1aa76d6256af30299e277284c1183dbe62b4d66c6550f");
}

#[test]
fn policy_over_the_vector() {
    let text =
        format!("# test\nlog {LOG_VKEY}\nwitness a {WITNESS_VKEY}\nwitness t {TIME_VKEY}\ngroup g all a t\nquorum g\n");
    let policy: Policy = text.parse().unwrap();
    let head = policy.open(served().as_bytes()).unwrap();
    assert_eq!((head.checkpoint().size, head.fresh_at()), (5, Some(TIME)));
    policy.open(format!("{HEAD_TEXT}\n{LOG_LINE}{WITNESS_LINE}").as_bytes()).unwrap_err();
}

#[test]
fn rfc6962_roots() {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let tree = Tree::from_leaves(leaves.iter().map(|leaf| leaf_hash(&hex::decode(leaf).unwrap())));
    let roots = [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
        (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ];
    for (size, root) in roots {
        assert_eq!(tree.root_at(size).unwrap(), Hash::from_hex(root).unwrap(), "size {size}");
    }
}

#[test]
fn published_signed_note() {
    let key: VerifierKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k".parse().unwrap();
    let text = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let note = Note::parse(text.as_bytes()).unwrap().verify(std::slice::from_ref(&key)).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    assert!(note.signed_by(&key));
}
