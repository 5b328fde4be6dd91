//! The log under attack: altered, rolled back or forked storage, two writers, concurrent writers, and stolen online keys.

use std::sync::Arc;

use crate::common::{Module, World, created, json, key, now, refused, signed};
use http::StatusCode;
use iog_center::{Center, CenterError};
use iog_machine::SystemClock;
use iog_protocol::{
    api::{ApiErrorCode, ModuleSubmitted, paths},
    ids::Digest,
    keys::SecretKey,
    registry::{Invalid, NotEffective, Registry, modules},
    statements::{
        Approval, DigestSet, Domain, PolicyRef, Revocation, RevocationSeverity, Statement, Target, VerificationResult,
        Verifier,
    },
};
use iog_tlog::{Checkpoint, TileId, Tree, VerifierKey, leaf_hash};
use sqlx::{AnyPool, any::install_default_drivers};

async fn sql(world: &World, statement: &'static str) {
    install_default_drivers();
    let pool = AnyPool::connect(&format!("sqlite://{}", world.path("center.db").display())).await.unwrap();
    sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn reopened(world: &World) -> String {
    match Center::open(world.config.clone(), Arc::new(SystemClock)).await {
        Err(CenterError::Log { reason }) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it opened"),
    }
}

/// A log with a submission and two reviews: five entries with the approval.
async fn filled() -> (World, Module) {
    let world = World::new().await;
    let module = Module::load("hello");
    created::<ModuleSubmitted>(&module.submit(&world).await);
    module.approve(&world, 11).await;
    module.approve(&world, 12).await;
    (world, module)
}

#[tokio::test]
async fn tiles_and_checkpoint_prove_every_entry() {
    let (world, _) = filled().await;
    let entries = world.entries().await;
    assert_eq!(entries.len(), 5);
    let key: VerifierKey = world.registry().await.founding().log_key.parse().unwrap();
    let note = world.get(paths::LOG_CHECKPOINT).await;
    let head = Checkpoint::open(&note.body, &key).unwrap();
    let tree = Tree::from_leaves(entries.iter().map(|entry| leaf_hash(entry)));
    assert_eq!((head.size, head.root), (5, tree.root()));
    let tile = TileId::new(0, 0, 5).unwrap();
    let served = world.get(&format!("/log/{}", tile.path())).await;
    assert_eq!(served.body, tree.tile(tile).unwrap());
    assert!(served.headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert!(note.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    let genesis: iog_protocol::api::GenesisAnswer = json(&world.get(paths::GENESIS).await);
    assert_eq!((genesis.entry.0, genesis.digest), (entries[0].clone(), world.registry_id));
}

#[tokio::test]
async fn an_altered_log_is_not_continued() {
    let (mut world, _) = filled().await;
    world.stop().await;
    sql(&world, "UPDATE entries SET entry = replace(entry, 'a', 'b') WHERE log_index = 2").await;
    assert!(reopened(&world).await.contains("another root"));
}

#[tokio::test]
async fn a_shortened_log_is_not_continued() {
    let (mut world, _) = filled().await;
    world.stop().await;
    sql(&world, "DELETE FROM entries WHERE log_index = 4").await;
    assert!(reopened(&world).await.contains("an old backup?"));
    // Even with the database's checkpoint gone: the file beside it knows.
    sql(&world, "DELETE FROM checkpoint").await;
    assert!(reopened(&world).await.contains("an old backup?"));
    sql(&world, "DELETE FROM entries").await;
    assert!(reopened(&world).await.contains("empty"));
}

#[tokio::test]
async fn a_log_with_a_hole_or_without_checkpoints_is_not_continued() {
    let (mut world, _) = filled().await;
    world.stop().await;
    std::fs::remove_file(world.path("last-checkpoint")).unwrap();
    sql(&world, "DELETE FROM checkpoint").await;
    assert!(reopened(&world).await.contains("no checkpoint"));
    sql(&world, "DELETE FROM entries WHERE log_index = 2").await;
    assert!(reopened(&world).await.contains("entry 2 is missing"));
}

#[tokio::test]
async fn a_stop_between_commit_and_signature_is_made_good() {
    let (mut world, module) = filled().await;
    let entries = world.entries().await;
    world.stop().await;
    // As if the machine had stopped before the last signature: the checkpoints are of four entries.
    let log = iog_tlog::NoteSigner::ed25519("net.example/log", world.online_key("log").ed25519()).unwrap();
    let tree = Tree::from_leaves(entries[..4].iter().map(|entry| leaf_hash(entry)));
    let note = Checkpoint::new("net.example/log", 4, tree.root()).sign(&log);
    std::fs::write(world.path("last-checkpoint"), note).unwrap();
    sql(&world, "DELETE FROM checkpoint").await;
    world.start().await;
    assert_eq!(world.entries().await, entries);
    // And before the approval was written: it is made at the start.
    world.stop().await;
    let tree = Tree::from_leaves(entries[..4].iter().map(|entry| leaf_hash(entry)));
    let note = Checkpoint::new("net.example/log", 4, tree.root()).sign(&log);
    std::fs::write(world.path("last-checkpoint"), note).unwrap();
    sql(&world, "DELETE FROM checkpoint; DELETE FROM entries WHERE log_index = 4").await;
    world.start().await;
    assert_eq!(world.entries().await.len(), 5);
    assert!(world.registry().await.effective(&module.digest(), now()).is_ok());
}

#[tokio::test]
async fn two_processes_cannot_write_one_log() {
    let world = World::new().await;
    let second = Center::open(world.config.clone(), Arc::new(SystemClock)).await;
    assert!(matches!(second, Err(CenterError::Running { .. })));
}

#[tokio::test]
async fn concurrent_submissions_are_all_logged_once() {
    let world = World::new().await;
    let (hello, talkers) = (Module::load("hello"), Module::load("top-talkers"));
    let (a, b, c) = tokio::join!(hello.submit(&world), talkers.submit(&world), hello.submit(&world));
    let mut indexes: Vec<u64> = Vec::new();
    let mut refusals = 0;
    for answer in [&a, &b, &c] {
        if answer.status == StatusCode::CREATED {
            indexes.push(created::<ModuleSubmitted>(answer).index);
        } else {
            refused(answer, ApiErrorCode::AlreadyExists);
            refusals += 1;
        }
    }
    indexes.sort_unstable();
    assert_eq!((indexes, refusals), (vec![1, 2], 1));
    let registry = world.registry().await;
    assert!(registry.module(&hello.digest()).is_some() && registry.module(&talkers.digest()).is_some());
    assert!(registry.anomalies().is_empty());
    // Many reviews at once, each logged once, and one approval for each module.
    let reviews = [(&hello, 11), (&hello, 12), (&hello, 13), (&talkers, 11), (&talkers, 12), (&talkers, 13)];
    let answers = reviews.map(|(module, seed)| module.approve(&world, seed));
    let [a, b, c, d, e, f] = answers;
    let done = tokio::join!(a, b, c, d, e, f);
    let mut indexes = [done.0.index, done.1.index, done.2.index, done.3.index, done.4.index, done.5.index];
    indexes.sort_unstable();
    assert!(indexes.windows(2).all(|pair| pair[0] < pair[1]));
    let registry = world.registry().await;
    assert_eq!(registry.size(), 1 + 2 + 6 + 2);
    assert!(registry.anomalies().is_empty());
}

/// Everything a thief of the center's folder can sign with.
fn stolen(world: &World) -> [SecretKey; 3] {
    ["approval", "token", "log"].map(|name| world.online_key(name))
}

fn approval(world: &World, module: &Module) -> Statement {
    let approval = Approval {
        verifier: Verifier { id: "spiffe://net.example/center".into() },
        time_verified: now(),
        resource_uri: "iog:module:iog/hello@1.0.0".into(),
        policy: PolicyRef { uri: "https://iog.example/rules/1".into(), digest: DigestSet(world.registry_id) },
        input_attestations: Vec::new(),
        verification_result: VerificationResult::Passed,
        verified_levels: vec!["IOG_REVIEWED".into()],
        manifest: module.submission.manifest,
        expires: None,
    };
    Statement::about(&world.registry_id, module.subject(), approval)
}

#[tokio::test]
async fn stolen_online_keys_approve_nothing_and_impersonate_nobody() {
    let world = World::new().await;
    let victim = world.member("as1", 31).await;
    let module = Module::load("hello");
    created::<ModuleSubmitted>(&module.submit(&world).await);
    module.approve(&world, 11).await;

    let statement = approval(&world, &module);
    let keys = stolen(&world);
    let forged = statement.sign(&[&keys[0]]).unwrap().to_json();
    // Through the door.
    let answer = world.post(paths::STATEMENTS, forged.clone()).await;
    assert!(refused(&answer, ApiErrorCode::StatementInvalid).contains("made by the center itself"));
    // Past the door, written into the log itself: everybody's fold says that it has no effect.
    let mut registry = world.registry().await;
    registry.absorb(&forged);
    let reason = &registry.anomalies().iter().next().expect("it is one").reason;
    assert!(matches!(reason, Invalid::Modules(modules::Invalid::Ineffective(_))), "{reason:?}");
    let effective = registry.effective(&module.digest(), now());
    assert!(matches!(effective, Err(NotEffective::NotApproved(_))), "{effective:?}");

    let mut impostor = registry.domain(&"as1".parse().unwrap(), now()).unwrap().statement.clone();
    impostor.caller_key = key(91).public();
    impostor.sequence = 2;
    let new_keyset = iog_protocol::statements::Keyset { version: 2, auditors: vec![], ..registry.keyset().clone() };
    let revocation = Revocation {
        severity: RevocationSeverity::Revoke,
        target: Target::Domain("as1".parse().unwrap()),
        reason_code: "x".into(),
        reason: "x".into(),
        until: None,
        issued: now(),
    };
    let newcomer = Domain {
        id: "as9".parse().unwrap(),
        caller_key: key(92).public(),
        receipt_key: key(93).public(),
        ..impostor.clone()
    };
    let with_thief = |statement: Statement, extra: &[u8]| {
        let extra: Vec<SecretKey> = extra.iter().map(|seed| key(*seed)).collect();
        let all: Vec<&SecretKey> = keys.iter().chain(&extra).collect();
        statement.sign(&all).unwrap().to_json()
    };
    let id = &world.registry_id;
    let forgeries = [
        with_thief(Statement::new(id, impostor.clone()), &[91]),
        with_thief(Statement::new(id, newcomer), &[92]),
        with_thief(Statement::new(id, new_keyset), &[]),
        with_thief(Statement::new(id, revocation), &[]),
        signed(&Statement::new(id, impostor), &[91]).to_json(),
    ];
    for forgery in forgeries {
        let mut after: Registry = registry.clone();
        after.absorb(&forgery);
        assert_eq!(after.anomalies().len(), registry.anomalies().len() + 1);
        let domain = after.domain(&"as1".parse().unwrap(), now()).unwrap();
        assert_eq!(domain.caller_key, victim.caller.public());
        assert!(after.domain(&"as9".parse().unwrap(), now()).is_none());
        assert_eq!(after.keyset().auditors.len(), 3);
        let answer = world.post(paths::STATEMENTS, forgery).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
    let digest: Digest = module.digest();
    assert!(world.module(&digest).await["approval_index"].is_null());
}
