//! The order of durability, over a database in memory that fails when it is told to.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use ed25519_dalek::SigningKey;
use iog_tlog::{BundleId, Checkpoint, EntryBundle, NoteSigner, TileId, Tree, leaf_hash};

use super::*;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rows {
    entries: Vec<(u64, Vec<u8>)>,
    head: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Nothing is stored.
    Refuses,
    /// Everything is stored and the answer is lost.
    IsUnclear,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the disk is full")]
struct DiskFull;

#[derive(Debug, Default)]
struct Memory {
    rows: Mutex<Rows>,
    /// What the next commits do, last first; then they work.
    failures: Mutex<Vec<Failure>>,
    /// Every head that was to be committed.
    heads: Mutex<Vec<SignedHead>>,
}

impl Memory {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// A copy of the database, as a backup has it.
    fn copy(&self) -> Self {
        Self { rows: Mutex::new(self.rows().clone()), ..Self::default() }
    }
}

impl Storage for Memory {
    type Entry = Vec<u8>;
    type Error = DiskFull;

    async fn entries(&self, first: u64, count: u64) -> Result<Vec<(u64, Vec<u8>)>, DiskFull> {
        let rows = self.rows();
        let asked = rows.entries.iter().filter(|(index, _)| *index >= first);
        Ok(asked.take(usize::try_from(count).unwrap()).cloned().collect())
    }

    async fn lengths(&self, first: u64, count: u64) -> Result<Vec<(u64, u64)>, DiskFull> {
        Ok(self.entries(first, count).await?.iter().map(|(index, entry)| (*index, entry.len() as u64)).collect())
    }

    async fn head(&self) -> Result<Option<Vec<u8>>, DiskFull> {
        Ok(self.rows().head.clone())
    }

    async fn commit(&self, entries: &[Vec<u8>], head: &SignedHead) -> Result<(), DiskFull> {
        self.heads.lock().unwrap().push(head.clone());
        let failure = self.failures.lock().unwrap().pop();
        if failure != Some(Failure::Refuses) {
            let mut rows = self.rows();
            for (index, entry) in (head.first..).zip(entries) {
                if !rows.entries.iter().any(|(known, _)| *known == index) {
                    rows.entries.push((index, entry.clone()));
                }
            }
            rows.head = Some(head.note.to_vec());
        }
        failure.map_or(Ok(()), |_| Err(DiskFull))
    }
}

struct Place {
    folder: tempfile::TempDir,
    storage: Memory,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), storage: Memory::default() }
    }

    fn beside(&self) -> PathBuf {
        self.folder.path().join("head")
    }

    async fn open(&self) -> Keeper {
        let replayed = replay(&self.storage, &self.beside()).await.unwrap();
        replayed.keep(&self.storage).await.unwrap()
    }
}

fn signer() -> NoteSigner {
    NoteSigner::ed25519("log.example/one", &SigningKey::from_bytes(&[7; 32])).unwrap()
}

async fn replay(storage: &Memory, beside: &Path) -> Result<Replayed, ReplayError<DiskFull>> {
    Replayed::read(storage, signer(), beside, |_, _| ()).await
}

fn entries(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

async fn append(keeper: &mut Keeper, storage: &Memory, texts: &[&str]) {
    let entries = entries(texts);
    let mut group = keeper.sign(entries.iter().map(|entry| leaf_hash(entry))).unwrap();
    group.commit(storage, &entries).await.unwrap();
}

fn size(note: &[u8]) -> u64 {
    Checkpoint::open(note, signer().verifier()).unwrap().size
}

#[tokio::test]
async fn what_is_committed_is_shown_and_proven_also_after_a_restart() {
    let place = Place::new();
    let mut keeper = place.open().await;
    assert_eq!((keeper.log().size(), size(&keeper.log().checkpoint())), (0, 0));
    append(&mut keeper, &place.storage, &["a", "b"]).await;
    append(&mut keeper, &place.storage, &["c"]).await;
    let head = keeper.log().head();
    assert_eq!((size(&head.signed), head.witnessed.clone()), (3, None));
    assert_eq!(std::fs::read(place.beside()).unwrap(), *head.signed);
    drop(keeper);
    let mut seen = Vec::new();
    let see = |index, entry: &[u8]| seen.push((index, entry.to_vec()));
    let replayed = Replayed::read(&place.storage, signer(), &place.beside(), see).await.unwrap();
    assert_eq!(seen, place.storage.rows().entries);
    assert_eq!((replayed.size(), replayed.covered(), replayed.is_signed()), (3, Some(3), true));
    let commits = place.storage.heads.lock().unwrap().len();
    let keeper = replayed.keep(&place.storage).await.unwrap();
    assert_eq!(keeper.log().head(), head, "the same head, signed again");
    assert_eq!(place.storage.heads.lock().unwrap().len(), commits, "and not stored again");
}

#[tokio::test]
async fn nothing_is_shown_before_it_is_durable_and_a_retry_signs_nothing_again() {
    for failure in [Failure::Refuses, Failure::IsUnclear] {
        let place = Place::new();
        let mut keeper = place.open().await;
        append(&mut keeper, &place.storage, &["a"]).await;
        let (log, shown) = (keeper.log().clone(), keeper.log().head());
        let unseen = |log: &Log| {
            assert_eq!((log.size(), log.head()), (1, shown.clone()));
            assert_eq!(log.tile(TileId::new(0, 0, 2).unwrap()), None);
            assert_eq!(std::fs::read(place.beside()).unwrap(), *shown.signed);
        };
        place.storage.failures.lock().unwrap().extend([failure; 2]);
        let more = entries(&["b", "c"]);
        let mut group = keeper.sign(more.iter().map(|entry| leaf_hash(entry))).unwrap();
        let proof = group.prove(2).unwrap();
        for _ in 0..2 {
            assert!(matches!(group.commit(&place.storage, &more).await, Err(KeepError::Storage(DiskFull))));
            unseen(&log);
        }
        group.commit(&place.storage, &more).await.unwrap();
        assert_eq!((log.size(), place.storage.rows().entries.len()), (3, 3));
        let heads = place.storage.heads.lock().unwrap().clone();
        assert!(heads[1..].iter().all(|head| *head == heads[1]), "one head for one group: {heads:?}");
        assert_eq!(proof, keeper.sign([]).unwrap().prove(2).unwrap(), "it was proven under the head that is shown");
    }
}

#[tokio::test]
async fn a_head_that_cannot_be_kept_beside_the_database_is_not_shown_and_only_that_is_tried_again() {
    let place = Place::new();
    let mut keeper = place.open().await;
    let log = keeper.log().clone();
    // A folder in the place of the file cannot be replaced by it.
    std::fs::remove_file(place.beside()).unwrap();
    std::fs::create_dir(place.beside()).unwrap();
    let one = entries(&["a"]);
    let mut group = keeper.sign([leaf_hash(b"a")]).unwrap();
    for _ in 0..2 {
        assert!(matches!(group.commit(&place.storage, &one).await, Err(KeepError::Beside(_))));
        assert_eq!((log.size(), place.storage.rows().entries.len()), (0, 1));
    }
    std::fs::remove_dir(place.beside()).unwrap();
    group.commit(&place.storage, &one).await.unwrap();
    assert_eq!((log.size(), size(&std::fs::read(place.beside()).unwrap())), (1, 1));
    assert_eq!(place.storage.heads.lock().unwrap().len(), 1, "the database was asked once");
}

#[tokio::test]
async fn after_a_group_that_was_given_up_nothing_is_signed_until_the_log_is_opened_again() {
    let place = Place::new();
    let mut keeper = place.open().await;
    place.storage.failures.lock().unwrap().push(Failure::IsUnclear);
    let mut group = keeper.sign([leaf_hash(b"a")]).unwrap();
    group.commit(&place.storage, &entries(&["a"])).await.unwrap_err();
    assert_eq!(keeper.sign([leaf_hash(b"b")]).unwrap_err(), Unsettled);
    let mut keeper = place.open().await;
    assert_eq!(keeper.log().size(), 1, "it had been stored after all");
    append(&mut keeper, &place.storage, &["b"]).await;
}

#[tokio::test]
async fn an_older_copy_and_another_log_are_noticed() {
    let place = Place::new();
    let mut keeper = place.open().await;
    append(&mut keeper, &place.storage, &["a"]).await;
    let older = place.storage.copy();
    append(&mut keeper, &place.storage, &["b"]).await;
    let refused = replay(&older, &place.beside()).await.unwrap_err();
    let shorter = Problem::Shorter { signed: 2, found: 1 };
    assert!(matches!(refused, ReplayError::Broken { whose: Whose::Beside, problem } if problem == shorter));
    // One that went on from the copy is another log, though it is as long.
    let elsewhere = place.folder.path().join("elsewhere");
    let mut forked = replay(&older, &elsewhere).await.unwrap().keep(&older).await.unwrap();
    append(&mut forked, &older, &["another"]).await;
    let refused = replay(&older, &place.beside()).await.unwrap_err();
    let other = Problem::OtherRoot { signed: 2 };
    assert!(matches!(refused, ReplayError::Broken { whose: Whose::Beside, problem } if problem == other));
    // Without the file, the database's own head.
    place.storage.rows().entries[0].1 = b"altered".to_vec();
    let refused = replay(&place.storage, &elsewhere).await.unwrap_err();
    assert!(matches!(refused, ReplayError::Broken { whose: Whose::Storage, problem } if problem == other));
    place.storage.rows().entries.remove(0);
    assert!(matches!(replay(&place.storage, &elsewhere).await, Err(ReplayError::Missing { index: 0 })));
}

#[tokio::test]
async fn a_head_of_another_key_is_not_continued() {
    let place = Place::new();
    append(&mut place.open().await, &place.storage, &["a"]).await;
    let stranger = NoteSigner::ed25519("log.example/one", &SigningKey::from_bytes(&[8; 32])).unwrap();
    let refused = Replayed::read(&place.storage, stranger, &place.beside(), |_, _| ()).await.unwrap_err();
    let ReplayError::Broken { whose: Whose::Storage, problem: Problem::Unverified(_) } = refused else {
        panic!("{refused:?}")
    };
}

#[tokio::test]
async fn a_stop_between_any_two_steps_is_made_good() {
    let place = Place::new();
    let mut keeper = place.open().await;
    append(&mut keeper, &place.storage, &["a"]).await;
    let (before, head) = (std::fs::read(place.beside()).unwrap(), place.storage.rows().head.clone());
    append(&mut keeper, &place.storage, &["b"]).await;
    // Stored, and the file beside has the head before.
    std::fs::write(place.beside(), &before).unwrap();
    assert_eq!(place.open().await.log().size(), 2);
    assert_eq!(size(&std::fs::read(place.beside()).unwrap()), 2, "brought up to date");
    // Entries of a version that signed after it had stored.
    std::fs::write(place.beside(), &before).unwrap();
    place.storage.rows().head = head;
    assert_eq!(replay(&place.storage, &place.beside()).await.unwrap().covered(), Some(1));
    assert_eq!(size(&place.open().await.log().checkpoint()), 2);
    assert_eq!(place.storage.rows().head.as_deref().map(size), Some(2), "brought up to date");
}

#[tokio::test]
async fn files_of_the_log_are_those_of_what_is_shown() {
    let place = Place::new();
    let mut keeper = place.open().await;
    append(&mut keeper, &place.storage, &["a", "b", "c"]).await;
    let log = keeper.log();
    let (tile, bundle) = (TileId::new(0, 0, 3).unwrap(), BundleId::new(0, 3).unwrap());
    let served = log.file(&place.storage, &tile.path()).await.unwrap().unwrap();
    let tree = Tree::from_leaves(["a", "b", "c"].map(|text| leaf_hash(text.as_bytes())));
    assert_eq!(served, Served { content: Content::Tile(tree.tile(tile).unwrap()), is_full: false });
    let served = log.file(&place.storage, &bundle.path()).await.unwrap().unwrap();
    let Content::Entries(opened) = served.content else { panic!("{served:?}") };
    let pieces = read(opened, &place.storage).await.unwrap();
    let decoded = EntryBundle::decode_exact(&pieces.concat(), bundle).unwrap();
    assert_eq!((decoded.entries, served.is_full, pieces.len()), (entries(&["a", "b", "c"]), false, 1));
    for path in ["tile/0/000.p/4", "tile/entries/000.p/4", "tile/entries/000", "tile/9/000", "checkpoint", ""] {
        assert_eq!(log.file(&place.storage, path).await.unwrap(), None, "{path}");
    }
    place.storage.rows().entries.remove(1);
    let lost = log.file(&place.storage, &bundle.path()).await;
    assert!(matches!(lost, Err(ServeError::Missing { first: 0 })), "{lost:?}");
}

/// All pieces of a bundle.
async fn read(mut bundle: Bundle, storage: &Memory) -> Result<Vec<Vec<u8>>, ServeError<DiskFull>> {
    let mut pieces = Vec::new();
    while let Some(piece) = bundle.piece(storage).await? {
        pieces.push(piece);
    }
    Ok(pieces)
}

#[tokio::test]
async fn a_large_bundle_is_read_piece_by_piece_and_breaks_off_where_it_is_not_as_it_was() {
    let place = Place::new();
    let mut keeper = place.open().await;
    // Short ones, the longest there are, empty ones.
    let texts: Vec<String> = (0..256).map(|at| "x".repeat([10, 65_535, 0, 30_000][at % 4])).collect();
    append(&mut keeper, &place.storage, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let id = BundleId::new(0, 256).unwrap();
    let opened = keeper.log().bundle(&place.storage, id).await.unwrap().unwrap();
    let pieces = read(opened.clone(), &place.storage).await.unwrap();
    assert_eq!(opened.left(), pieces.iter().map(|piece| piece.len() as u64).sum::<u64>());
    assert!(pieces.iter().all(|piece| piece.len() as u64 <= PIECE_BYTES + 1), "one that is longer goes alone");
    assert!(pieces.len() > 64, "{}", pieces.len());
    let decoded = EntryBundle::decode_exact(&pieces.concat(), id).unwrap();
    assert!(decoded.entries.iter().zip(&texts).all(|(entry, text)| entry == text.as_bytes()));
    place.storage.rows().entries[200].1.push(b'x');
    let altered = read(opened, &place.storage).await;
    assert!(matches!(altered, Err(ServeError::Missing { .. })), "{altered:?}");
}
