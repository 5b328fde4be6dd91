//! The replica against a center that behaves, one that lies in every way it can, and one that is away.
#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]

mod common;

use common::{Center, Log, NOW, genesis, key, log_signer, witness};
use iog_client::{ClientError, Pins, Replica, ReplicaError};
use iog_protocol::ids::Digest;
use iog_tlog::{Checkpoint, EntryBundle, TileId, Tree, leaf_hash};
use iog_transport::TransportError;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn synced(center: &Center, log: &Log, folder: &Path) -> Replica {
    let mut replica = Replica::open(folder, log.pins()).unwrap();
    replica.sync(center.remote(), NOW).await.unwrap();
    replica
}

/// A replica of the first `size` entries, at a center that now serves `now`.
async fn behind(size: u64, now: &Log) -> (Replica, Center, TempDir) {
    let center = Center::serving(&Log::new(size)).await;
    let folder = folder();
    let replica = synced(&center, &Log::new(size), folder.path()).await;
    center.serve(now);
    (replica, center, folder)
}

/// What was refused must not have changed anything, in memory or on disk.
fn assert_holds(replica: &Replica, folder: &TempDir, size: u64) {
    assert_eq!((replica.size(), replica.registry().unwrap().size()), (size, size));
    let again = Replica::open(folder.path(), replica.pins().clone()).unwrap();
    assert_eq!((again.size(), again.signed_head()), (size, replica.signed_head()));
}

#[tokio::test]
async fn grows_with_the_log_and_opens_offline() {
    let center = Center::serving(&Log::new(3)).await;
    let folder = folder();
    let mut replica = Replica::open(folder.path(), Log::new(3).pins()).unwrap();
    assert!(replica.registry().is_none() && replica.head().is_none() && replica.synced().is_none());
    let mut before = 0;
    for size in [3, 5, 5, 256, 257, 600, 1030] {
        let log = Log::new(size);
        center.serve(&log);
        let done = replica.sync(center.remote(), NOW.plus_hours(1)).await.unwrap();
        assert_eq!((done.size_before, done.size, done.registry.size()), (before, size, size));
        let id = "as64500".parse().unwrap();
        assert!(done.registry.domain(&id, NOW).is_some());
        assert_eq!(replica.head().unwrap().root, log.tree().root());
        let offline = Replica::open(folder.path(), log.pins()).unwrap();
        assert_eq!(offline.registry(), replica.registry());
        assert_eq!(offline.synced(), Some(NOW.plus_hours(1)));
        for index in [0, 1, size / 2, size - 1] {
            assert_eq!(offline.entry(index).unwrap().as_ref(), log.entries.get(usize::try_from(index).unwrap()));
        }
        assert_eq!(offline.entry(size).unwrap(), None);
        // The directory is the static log itself, without leftovers, and beside it the lock and the state.
        let mut names: Vec<String> = log.files().into_keys().chain(["lock".into(), "state.json".into()]).collect();
        names.sort();
        assert_eq!(files_below(folder.path()), names);
        before = size;
    }
}

#[tokio::test]
async fn refuses_a_rollback() {
    let (mut replica, center, folder) = behind(7, &Log::new(6)).await;
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::Rollback { held_size: 7, offered_size: 6, .. }));
    assert!(error.is_alarm() && !error.is_away() && error.evidence().is_some());
    assert_holds(&replica, &folder, 7);
}

#[tokio::test]
async fn refuses_forks_and_keeps_the_proof() {
    for size in [7, 9, 300] {
        let mut fork = Log::new(size);
        fork.entries[4] = b"another history".to_vec();
        let (mut replica, center, folder) = behind(7, &fork).await;
        let error = replica.sync(center.remote(), NOW).await.unwrap_err();
        assert!(error.is_alarm());
        let kept = std::fs::read_to_string(error.evidence().unwrap()).unwrap();
        let again = replica.sync(center.remote(), NOW.plus_seconds(5)).await.unwrap_err();
        assert_eq!(again.evidence(), error.evidence(), "the same proof is written once");
        let ReplicaError::Fork { held_size, offered_size, held, offered, .. } = error else { panic!("{error:?}") };
        for head in [&held, &offered] {
            assert!(kept.contains(std::str::from_utf8(head).unwrap()), "{kept}");
        }
        assert_eq!((held_size, offered_size), (7, size));
        let heads = [held, offered].map(|head| Checkpoint::open(&head, &fork.log_key()).unwrap());
        assert_eq!(heads[0].root, Log::new(7).tree().root());
        assert_eq!(heads[1].root, fork.tree().root());
        assert_holds(&replica, &folder, 7);
    }
}

#[tokio::test]
async fn refuses_a_fork_hidden_below_full_bundles() {
    let mut fork = Log::new(600);
    fork.entries[100] = b"another history".to_vec();
    let (mut replica, center, folder) = behind(300, &fork).await;
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::Fork { held_size: 300, offered_size: 600, .. }), "{error:?}");
    assert_holds(&replica, &folder, 300);
}

#[tokio::test]
async fn refuses_a_truncated_bundle() {
    let (mut replica, center, folder) = behind(3, &Log::new(7)).await;
    center.change("tile/entries/000.p/7", |bytes| bytes.truncate(bytes.len() - 1));
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::Bundle { .. }), "{error:?}");
    let six = EntryBundle { entries: Log::new(6).entries }.encode().unwrap();
    center.put("tile/entries/000.p/7", six);
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::Bundle { .. }), "{error:?}");
    assert_holds(&replica, &folder, 3);
}

#[tokio::test]
async fn refuses_an_oversized_bundle_before_reading_it() {
    let (mut replica, center, folder) = behind(3, &Log::new(4)).await;
    center.put("tile/entries/000.p/4", vec![0; 4 * 65_537 + 1]);
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    let ReplicaError::Fetch(ClientError::Transport { source, .. }) = error else { panic!("{error:?}") };
    assert!(matches!(source, TransportError::ResponseTooLarge { limit_bytes: 262_148, .. }));
    assert_holds(&replica, &folder, 3);
}

#[tokio::test]
async fn refuses_a_head_of_another_key() {
    let (mut replica, center, folder) = behind(3, &Log { seed: 5, ..Log::new(7) }).await;
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::Checkpoint(_)), "{error:?}");
    center.serve(&Log::new(7));
    center.change("checkpoint", |bytes| *bytes.iter_mut().nth_back(10).unwrap() ^= 1);
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::Checkpoint(_)), "{error:?}");
    let other = Checkpoint::new("net.example/other", 7, Log::new(7).tree().root()).sign(&log_signer(1));
    center.put("checkpoint", other);
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::Checkpoint(_)), "{error:?}");
    assert_holds(&replica, &folder, 3);
}

#[tokio::test]
async fn refuses_replaced_entries_and_names_them() {
    for replaced in [1, 5] {
        let (mut replica, center, folder) = behind(3, &Log::new(7)).await;
        let mut lie = Log::new(7).entries;
        lie[replaced] = b"a lie".to_vec();
        center.put("tile/entries/000.p/7", EntryBundle { entries: lie.clone() }.encode().unwrap());
        let error = replica.sync(center.remote(), NOW).await.unwrap_err();
        assert!(matches!(error, ReplicaError::ReplacedEntry { index } if index == replaced as u64), "{error:?}");
        // With the tile changed too, nothing served leads to the signed root.
        let tree = Tree::from_leaves(lie.iter().map(|entry| leaf_hash(entry)));
        center.put("tile/0/000.p/7", tree.tile(TileId::new(0, 0, 7).unwrap()).unwrap());
        let error = replica.sync(center.remote(), NOW).await.unwrap_err();
        assert!(matches!(error, ReplicaError::WrongRoot { size: 7 }), "{error:?}");
        assert_holds(&replica, &folder, 3);
        center.serve(&Log::new(7));
        replica.sync(center.remote(), NOW).await.unwrap();
        assert_holds(&replica, &folder, 7);
    }
}

#[tokio::test]
async fn goes_on_when_the_center_is_away() {
    let (mut replica, mut center, folder) = behind(3, &Log::new(7)).await;
    center.server.stop().await;
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(error.is_away() && !error.is_alarm(), "{error:?}");
    assert_holds(&replica, &folder, 3);
}

#[tokio::test]
async fn refuses_another_genesis_or_log_key() {
    let log = Log::new(3);
    let center = Center::serving(&log).await;
    let folder = folder();
    let pins = Pins { genesis: Digest::of(b"another"), ..log.pins() };
    let error = Replica::open(folder.path(), pins).unwrap().sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::Genesis { .. }) && error.is_alarm(), "{error:?}");
    // A center that signs with a key its own genesis does not name.
    let pins = Pins { log: log_signer(5).verifier().clone(), ..log.pins() };
    center.serve(&Log { seed: 5, ..log.clone() });
    let error = Replica::open(folder.path(), pins).unwrap().sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::GenesisContent { .. }), "{error:?}");
    assert!(!folder.path().join("checkpoint").exists());
    center.serve(&log);
    synced(&center, &log, folder.path()).await;
    let pins = Pins { log: log_signer(5).verifier().clone(), ..log.pins() };
    assert!(matches!(Replica::open(folder.path(), pins), Err(ReplicaError::OtherLog { .. })));
    let pins = Pins { genesis: Digest::of(b"another"), ..log.pins() };
    assert!(matches!(Replica::open(folder.path(), pins), Err(ReplicaError::Genesis { .. })));
}

#[tokio::test]
async fn refuses_an_empty_log_and_a_huge_one() {
    let log = Log { entries: vec![], ..Log::new(3) };
    let center = Center::serving(&log).await;
    let folder = folder();
    let mut replica = Replica::open(folder.path(), Log::new(3).pins()).unwrap();
    assert!(matches!(replica.sync(center.remote(), NOW).await, Err(ReplicaError::Empty)));
    let huge = Checkpoint::new(common::ORIGIN, u64::MAX, leaf_hash(b"")).sign(&log_signer(1));
    center.put("checkpoint", huge);
    assert!(matches!(replica.sync(center.remote(), NOW).await, Err(ReplicaError::TooLarge { .. })));
}

#[tokio::test]
async fn asks_for_the_witnesses_the_genesis_names() {
    let policy = format!("witness w {}\nquorum w\n", witness().verifier());
    let bare = Log::with_genesis(genesis(Some(policy)), 3);
    let center = Center::serving(&bare).await;
    let folder = folder();
    let mut replica = Replica::open(folder.path(), bare.pins()).unwrap();
    assert!(matches!(replica.sync(center.remote(), NOW).await, Err(ReplicaError::Witnesses(_))));
    center.serve(&Log { witnessed_at: Some(77), ..bare.clone() });
    replica.sync(center.remote(), NOW).await.unwrap();
    assert_eq!(replica.witnessed(), Some(77));
    // The same head, cosigned again: fresher, and kept.
    center.serve(&Log { witnessed_at: Some(99), ..bare.clone() });
    replica.sync(center.remote(), NOW).await.unwrap();
    assert_eq!(Replica::open(folder.path(), bare.pins()).unwrap().witnessed(), Some(99));
}

#[tokio::test]
async fn offline_every_damaged_or_missing_file_is_found() {
    let log = Log::new(300);
    let center = Center::serving(&log).await;
    let folder = folder();
    synced(&center, &log, folder.path()).await;
    for name in log.files().keys().filter(|name| *name != "checkpoint") {
        let path = folder.path().join(name);
        let good = fs::read(&path).unwrap();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            assert_corrupt(folder.path(), &log, name);
        }
        fs::write(&path, [good.as_slice(), b"x"].concat()).unwrap();
        assert_corrupt(folder.path(), &log, name);
        fs::remove_file(&path).unwrap();
        assert_corrupt(folder.path(), &log, name);
        fs::write(&path, good).unwrap();
    }
    Replica::open(folder.path(), log.pins()).unwrap();
    fs::write(folder.path().join("checkpoint"), Log { seed: 5, ..log.clone() }.checkpoint()).unwrap();
    assert!(matches!(Replica::open(folder.path(), log.pins()), Err(ReplicaError::OtherLog { .. })));
    // A signed head that the entries do not lead to.
    let head = Checkpoint::new(common::ORIGIN, 300, leaf_hash(b"")).sign(&log_signer(1));
    fs::write(folder.path().join("checkpoint"), head).unwrap();
    assert!(matches!(Replica::open(folder.path(), log.pins()), Err(ReplicaError::Corrupt { .. })));
}

#[tokio::test]
async fn processes_share_a_directory() {
    let center = Center::serving(&Log::new(3)).await;
    let folder = folder();
    let mut slow = synced(&center, &Log::new(3), folder.path()).await;
    let mut fast = Replica::open(folder.path(), Log::new(3).pins()).unwrap();
    center.serve(&Log::new(300));
    fast.sync(center.remote(), NOW).await.unwrap();
    assert_eq!(slow.entry(2).unwrap(), Some(Log::new(3).entries[2].clone()));
    center.serve(&Log::new(4));
    slow.sync(center.remote(), NOW).await.unwrap();
    assert_eq!(slow.size(), 4);
    assert_eq!(Replica::open(folder.path(), Log::new(3).pins()).unwrap().size(), 300);
    center.serve(&Log::new(310));
    slow.sync(center.remote(), NOW).await.unwrap();
    assert_eq!(Replica::open(folder.path(), Log::new(3).pins()).unwrap().size(), 310);
}

#[tokio::test]
async fn a_write_cut_off_by_a_crash_loses_nothing() {
    let (replica, center, folder) = behind(3, &Log::new(300)).await;
    // Everything but the checkpoint was written, and one file was not finished.
    for (name, bytes) in Log::new(300).files().into_iter().filter(|(name, _)| name != "checkpoint") {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::write(folder.path().join("new.tmp"), b"half a fi").unwrap();
    assert_holds(&replica, &folder, 3);
    let mut again = Replica::open(folder.path(), replica.pins().clone()).unwrap();
    again.sync(center.remote(), NOW).await.unwrap();
    assert_holds(&again, &folder, 300);
}

#[tokio::test]
async fn a_synchronisation_given_up_at_any_moment_loses_nothing() {
    let (mut replica, center, folder) = behind(3, &Log::new(1030)).await;
    for micros in (0..40_000).step_by(1000) {
        let limit = std::time::Duration::from_micros(micros);
        let done = tokio::time::timeout(limit, replica.sync(center.remote(), NOW)).await.is_ok();
        assert_eq!(replica.size(), replica.registry().unwrap().size());
        assert_eq!(replica.tree().root(), replica.head().unwrap().root);
        let offline = Replica::open(folder.path(), replica.pins().clone()).unwrap();
        assert!([3, 1030].contains(&offline.size()) && offline.size() >= replica.size());
        if done {
            break;
        }
    }
    replica.sync(center.remote(), NOW).await.unwrap();
    assert_holds(&replica, &folder, 1030);
}

/// 40 complete bundles and some entries: more than two steps. The 37th bundle is missing, then it is there.
#[tokio::test]
async fn a_synchronisation_that_broke_off_goes_on_where_it_was() {
    let log = Log::new(40 * 256 + 7);
    let center = Center::serving(&log).await;
    let folder = folder();
    center.change("tile/entries/036", |bytes| bytes.truncate(9));
    let mut replica = Replica::open(folder.path(), log.pins()).unwrap();
    assert!(matches!(replica.sync(center.remote(), NOW).await, Err(ReplicaError::Bundle { .. })));
    assert!(replica.registry().is_none() && replica.size() == 0);
    assert!(Replica::open(folder.path(), log.pins()).unwrap().registry().is_none(), "nothing of it counts yet");
    let kept = |index: usize| folder.path().join(format!("tile/entries/{index:03}")).exists();
    assert!((0..36).all(kept) && !kept(36), "what came before it is on disk");
    center.serve(&log);
    // What is on disk is not fetched again: the center has lost it, and one file that was damaged meanwhile has not.
    (0..36).filter(|index| *index != 5).for_each(|index| center.remove(&format!("tile/entries/{index:03}")));
    fs::write(folder.path().join("tile/entries/005"), b"damaged").unwrap();
    replica.sync(center.remote(), NOW).await.unwrap();
    assert_holds(&replica, &folder, 40 * 256 + 7);
    assert_eq!(replica.entry(5 * 256).unwrap().as_ref(), log.entries.get(5 * 256));
}

/// Each complete bundle is checked by itself: a false one is named before those behind it are looked at, and stays out.
#[tokio::test]
async fn a_false_bundle_among_many_is_named() {
    let log = Log::new(20 * 256);
    let (mut replica, center, folder) = behind(300, &log).await;
    center.change("tile/entries/017", |bytes| *bytes.last_mut().unwrap() ^= 1);
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::ReplacedEntry { index } if index == 18 * 256 - 1), "{error:?}");
    assert_holds(&replica, &folder, 300);
    // A tile of roots that leads elsewhere.
    center.serve(&log);
    center.change("tile/1/000.p/20", |bytes| *bytes.last_mut().unwrap() ^= 1);
    let error = replica.sync(center.remote(), NOW).await.unwrap_err();
    assert!(matches!(error, ReplicaError::WrongRoot { size } if size == 20 * 256), "{error:?}");
    assert_holds(&replica, &folder, 300);
}

/// A bundle of the largest entries there can be does not fit beside others and is fetched alone.
#[tokio::test]
async fn a_large_bundle_is_fetched_alone() {
    let mut log = Log::new(3 * 256);
    log.entries[256..512].iter_mut().for_each(|entry| *entry = vec![b'x'; 65_535]);
    let center = Center::serving(&log).await;
    let folder = folder();
    let replica = synced(&center, &log, folder.path()).await;
    assert_holds(&replica, &folder, 3 * 256);
}

#[tokio::test]
async fn a_misspelled_entry_is_an_anomaly_and_no_failure() {
    let log = Log::new(4);
    let center = Center::serving(&log).await;
    let folder = folder();
    let replica = synced(&center, &log, folder.path()).await;
    let registry = replica.registry().unwrap();
    assert_eq!(registry.anomalies().iter().map(|anomaly| anomaly.index).collect::<Vec<_>>(), [2, 3]);
    assert!(registry.domain_by_caller_key(&key(20).public(), NOW).is_some());
}

fn assert_corrupt(folder: &Path, log: &Log, name: &str) {
    let error = Replica::open(folder, log.pins()).unwrap_err();
    assert!(matches!(error, ReplicaError::Corrupt { .. } | ReplicaError::Genesis { .. }), "{name}: {error:?}");
}

fn files_below(root: &Path) -> Vec<String> {
    let (mut names, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!entries.is_empty(), "{} is empty", folder.display());
        for path in entries {
            match path.is_dir() {
                true => folders.push(path),
                false => names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    names.sort();
    names
}
