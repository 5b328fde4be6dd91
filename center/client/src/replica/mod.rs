//! A verified copy of the center's log on disk, and the registry it folds to.
//!
//! Whatever the center says is checked against the pinned genesis, the pinned log key and what is already held; a head that is
//! smaller, forked, wrongly signed or not backed by its entries is refused and nothing changes. When the center is away the
//! replica goes on with what it holds: `open` needs the files and the pins alone.

mod disk;
mod error;
mod evidence;
mod fetch;
mod fold;
mod pins;

use crate::remote::Remote;
use disk::{CHECKPOINT, Disk, State};
use fetch::Fetched;
use iog_protocol::registry::Registry;
use iog_protocol::time::Timestamp;
use iog_tlog::bundle::MAX_BUNDLE_BYTES;
use iog_tlog::{BundleId, Checkpoint, EntryBundle, Hash, TileId, Tree, leaf_hash, tiles_for};
use std::path::Path;
use std::sync::Arc;

pub use error::ReplicaError;
pub use pins::Pins;

/// Largest log a replica accepts, in entries.
pub const ENTRIES_MAX: u64 = 1 << 22;

/// A local copy of the log. One task synchronises it; the registry can be shared with any number.
#[derive(Debug)]
pub struct Replica {
    disk: Disk,
    pins: Pins,
    tree: Tree,
    held: Option<Held>,
}

/// The verified head and what follows from it.
#[derive(Debug, Clone)]
struct Held {
    head: Checkpoint,
    signed: Vec<u8>,
    registry: Arc<Registry>,
    witnessed: Option<u64>,
    synced: Option<Timestamp>,
}

/// What a synchronisation did.
#[derive(Debug, Clone)]
pub struct Synced {
    /// Entries held before.
    pub size_before: u64,
    /// Entries held now.
    pub size: u64,
    /// The registry over them.
    pub registry: Arc<Registry>,
}

/// The newest registry that could be had.
#[derive(Debug)]
pub struct CaughtUp {
    /// The registry.
    pub registry: Arc<Registry>,
    /// Why it is the one that was held before, where it is. What to make of an alarm is the asker's.
    pub missed: Option<ReplicaError>,
}

impl Replica {
    /// Opens a replica without network: every entry is hashed again, the root compared with the signed checkpoint, the
    /// registry folded from the pinned genesis. An empty directory gives an empty replica.
    ///
    /// # Errors
    /// [`ReplicaError::Disk`], [`ReplicaError::Corrupt`], [`ReplicaError::OtherLog`], and those of the fold.
    pub fn open(directory: &Path, pins: Pins) -> Result<Self, ReplicaError> {
        let disk = Disk::open(directory)?;
        let mut replica = Self { disk, pins, tree: Tree::new(), held: None };
        let _lock = replica.disk.lock_shared()?;
        if let Some(signed) = replica.disk.checkpoint()? {
            replica.load(signed)?;
        }
        Ok(replica)
    }

    /// Brings the replica up to date with the center's log. Both checkpoints of a fork or rollback are kept in its folder.
    ///
    /// # Errors
    /// [`ReplicaError`]; the replica then holds what it held before ([`ReplicaError::is_away`], [`ReplicaError::is_alarm`]).
    pub async fn sync(&mut self, center: &Remote, now: Timestamp) -> Result<Synced, ReplicaError> {
        let done = self.advance(center, now).await;
        done.map_err(|error| evidence::keep(&self.disk, error, now))
    }

    async fn advance(&mut self, center: &Remote, now: Timestamp) -> Result<Synced, ReplicaError> {
        let size_before = self.size();
        let signed = fetch::checkpoint(center).await?;
        let head = Checkpoint::open(&signed, &self.pins.log)?;
        self.check_progress(&head, &signed)?;
        let fetched = fetch::entries(center, size_before, head.size).await?;
        let mut files = match self.check_entries(&head, &fetched) {
            Ok(tiles) => tiles,
            Err(suspicion) => return Err(self.blame(center, &head, signed, suspicion).await),
        };
        files.splice(0..0, fetched.files());
        let before = self.held.as_ref().map(|held| Arc::clone(&held.registry));
        let registry = fold::extend(before, &fetched.entries_from(size_before), &self.pins)?;
        let witnessed = fold::witnessed(&registry, &signed, &self.pins)?;
        let held = Held { head, signed, registry, witnessed, synced: Some(now) };
        self.store(&held, files, now).await?;
        self.tree.extend(fetched.leaves_from(size_before));
        let synced = Synced { size_before, size: held.head.size, registry: Arc::clone(&held.registry) };
        self.held = Some(held);
        Ok(synced)
    }

    /// Number of entries held.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.len()
    }

    /// The registry over the entries held; `None` before the first synchronisation.
    #[must_use]
    pub fn registry(&self) -> Option<Arc<Registry>> {
        self.held.as_ref().map(|held| Arc::clone(&held.registry))
    }

    /// The head held.
    #[must_use]
    pub fn head(&self) -> Option<&Checkpoint> {
        self.held.as_ref().map(|held| &held.head)
    }

    /// The checkpoint held, with its signatures, as the log served it.
    #[must_use]
    pub fn signed_head(&self) -> Option<&[u8]> {
        self.held.as_ref().map(|held| held.signed.as_slice())
    }

    /// When the center last confirmed this head; `None` if that is not known.
    #[must_use]
    pub fn synced(&self) -> Option<Timestamp> {
        self.held.as_ref()?.synced
    }

    /// Latest time (POSIX seconds) at which a quorum of witnesses saw this head; `None` if the genesis asks for none.
    #[must_use]
    pub fn witnessed(&self) -> Option<u64> {
        self.held.as_ref()?.witnessed
    }

    /// The Merkle tree over the entries held, for proofs.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// What the replica is pinned to.
    #[must_use]
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Reads one entry back from disk, verified; `None` if the index lies beyond the entries held.
    ///
    /// # Errors
    /// [`ReplicaError::Disk`], [`ReplicaError::Corrupt`].
    pub fn entry(&self, index: u64) -> Result<Option<Vec<u8>>, ReplicaError> {
        let Some(leaf) = self.tree.leaf(index) else { return Ok(None) };
        let _lock = self.disk.lock_shared()?;
        // Another process may have written a longer log here, with other partial bundles.
        let signed = self.disk.checkpoint()?.ok_or_else(|| self.disk.corrupt(CHECKPOINT))?;
        let stored = Checkpoint::open(&signed, &self.pins.log).map_err(|_| self.disk.corrupt(CHECKPOINT))?;
        let id = fetch::bundle_of(index, stored.size).ok_or_else(|| self.disk.corrupt(CHECKPOINT))?;
        let place = usize::try_from(index - id.first_entry()).expect("a place in a bundle is below 256");
        let entry = self.read_bundle(id)?.swap_remove(place);
        if leaf_hash(&entry) == leaf { Ok(Some(entry)) } else { Err(self.disk.corrupt(&id.path())) }
    }

    fn load(&mut self, signed: Vec<u8>) -> Result<(), ReplicaError> {
        let head = Checkpoint::open(&signed, &self.pins.log)
            .map_err(|source| ReplicaError::OtherLog { path: self.disk.path(CHECKPOINT), source })?;
        check_size(head.size)?;
        let mut entries = Vec::new();
        for id in BundleId::all_for(head.size) {
            entries.extend(self.read_bundle(id)?);
        }
        let tree = Tree::from_leaves(entries.iter().map(|entry| leaf_hash(entry)));
        if tree.root() != head.root {
            return Err(self.disk.corrupt(CHECKPOINT));
        }
        self.check_tiles(&tree)?;
        let registry = fold::extend(None, &entries.iter().map(Vec::as_slice).collect::<Vec<_>>(), &self.pins)?;
        let witnessed = fold::witnessed(&registry, &signed, &self.pins)?;
        let synced = self.disk.state()?.map(|state| Timestamp::from_unix(state.synced));
        self.tree = tree;
        self.held = Some(Held { head, signed, registry, witnessed, synced });
        Ok(())
    }

    fn read_bundle(&self, id: BundleId) -> Result<Vec<Vec<u8>>, ReplicaError> {
        let path = id.path();
        let bytes = self.disk.read(&path, MAX_BUNDLE_BYTES)?.ok_or_else(|| self.disk.corrupt(&path))?;
        let bundle = EntryBundle::decode_exact(&bytes, id).map_err(|_| self.disk.corrupt(&path))?;
        Ok(bundle.entries)
    }

    /// Hash tiles follow from the entries, but whoever serves this directory must not serve damaged ones.
    fn check_tiles(&self, tree: &Tree) -> Result<(), ReplicaError> {
        for id in tiles_for(tree.len()) {
            let path = id.path();
            if self.disk.read(&path, id.byte_len())? != tree.tile(id) {
                return Err(self.disk.corrupt(&path));
            }
        }
        Ok(())
    }

    fn check_progress(&self, head: &Checkpoint, signed: &[u8]) -> Result<(), ReplicaError> {
        check_size(head.size)?;
        if head.size == 0 && self.held.is_none() {
            return Err(ReplicaError::Empty);
        }
        let Some(held) = &self.held else { return Ok(()) };
        if head.size < held.head.size {
            return Err(ReplicaError::Rollback {
                held_size: held.head.size,
                offered_size: head.size,
                held: held.signed.clone(),
                offered: signed.to_vec(),
                evidence: None,
            });
        }
        if head.size == held.head.size && head.root != held.head.root {
            return Err(held.fork(head.size, signed.to_vec()));
        }
        Ok(())
    }

    /// Checks that entries served again are those held, and that with the new ones they lead to the signed root; gives the
    /// hash tiles that are new then. The tree itself stays as it was, in case writing fails.
    fn check_entries(&mut self, head: &Checkpoint, fetched: &Fetched) -> Result<Files, Suspicion> {
        let size = self.size();
        for (index, leaf) in fetched.leaves_before(size) {
            if self.tree.leaf(index) != Some(leaf) {
                return Err(Suspicion { changed: Some(index), leaves: Vec::new() });
            }
        }
        self.tree.extend(fetched.leaves_from(size));
        let root = self.tree.root();
        let tiles = new_tiles(size, head.size).filter_map(|id| Some((id.path(), self.tree.tile(id)?))).collect();
        self.tree.truncate(size);
        if root == head.root { Ok(tiles) } else { Err(Suspicion { changed: None, leaves: fetched.leaves_from(size) }) }
    }

    /// Finds out what is wrong: the log's own hash tiles either prove a fork, point at the replaced entry, or are wrong too.
    async fn blame(&self, center: &Remote, head: &Checkpoint, signed: Vec<u8>, seen: Suspicion) -> ReplicaError {
        let tree = match fetch::leaves(center, head.size).await {
            Ok(leaves) => Tree::from_leaves(leaves),
            Err(error) => return error,
        };
        if tree.root() != head.root {
            return ReplicaError::WrongRoot { size: head.size };
        }
        let size = self.size();
        if let Some(held) = &self.held
            && tree.root_at(size).ok() != Some(held.head.root)
        {
            return held.fork(head.size, signed);
        }
        let replaced = (size..).zip(&seen.leaves).find(|(index, leaf)| tree.leaf(*index).as_ref() != Some(*leaf));
        let index = seen.changed.or(replaced.map(|(index, _)| index));
        index.map_or(ReplicaError::WrongRoot { size: head.size }, |index| ReplicaError::ReplacedEntry { index })
    }

    /// Writes entries, tiles, checkpoint and state, in this order, unless another process is ahead already.
    async fn store(&self, held: &Held, mut files: Files, now: Timestamp) -> Result<(), ReplicaError> {
        let size = held.head.size;
        files.push((CHECKPOINT.to_owned(), held.signed.clone()));
        let old = superseded(self.size(), size);
        let state = State::new(self.pins.genesis, &self.pins.log, now.unix());
        let (disk, log) = (self.disk.clone(), self.pins.log.clone());
        let writer = move || {
            let _lock = disk.lock_exclusive()?;
            let stored = disk.checkpoint()?.and_then(|bytes| Checkpoint::open(&bytes, &log).ok());
            if stored.is_some_and(|stored| stored.size > size) {
                return Ok(());
            }
            files.iter().try_for_each(|(name, bytes)| disk.write(name, bytes))?;
            disk.write_state(&state)?;
            old.iter().for_each(|name| disk.remove_partial(name));
            Ok(())
        };
        tokio::task::spawn_blocking(writer).await.map_err(|_| ReplicaError::Interrupted)?
    }
}

/// Files to write: name below the directory, and bytes.
type Files = Vec<(String, Vec<u8>)>;

/// Entries that do not fit: one that was held differently, or new ones that lead elsewhere.
struct Suspicion {
    changed: Option<u64>,
    leaves: Vec<Hash>,
}

impl Held {
    fn fork(&self, offered_size: u64, offered: Vec<u8>) -> ReplicaError {
        let (held_size, held) = (self.head.size, self.signed.clone());
        ReplicaError::Fork { held_size, offered_size, held, offered, evidence: None }
    }
}

fn check_size(size: u64) -> Result<(), ReplicaError> {
    if size > ENTRIES_MAX { Err(ReplicaError::TooLarge { size, size_max: ENTRIES_MAX }) } else { Ok(()) }
}

/// Hash tiles of the larger tree that the smaller one has not, or not as wide.
fn new_tiles(size_before: u64, size: u64) -> impl Iterator<Item = TileId> {
    tiles_for(size)
        .filter(move |id| id.first_node() + u64::from(id.width()) > size_before >> (8 * u32::from(id.level())))
}

/// Partial tiles and bundles of the smaller tree that wider ones of the larger replace.
fn superseded(size_before: u64, size: u64) -> Vec<String> {
    if size_before == size {
        return Vec::new();
    }
    let bundle = BundleId::all_for(size_before).last().filter(|id| id.width() < 256).map(|id| id.path());
    let tiles = tiles_for(size_before).filter(|id| !id.is_full() && !tiles_for(size).any(|new| new == *id));
    bundle.into_iter().chain(tiles.map(|id| id.path())).collect()
}
