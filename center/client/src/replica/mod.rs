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
mod intake;
mod outline;
mod pins;
mod pipeline;
mod static_files;
mod window;

use crate::remote::Remote;
use disk::{CHECKPOINT, Disk, State};
use fold::Fold;
use intake::{Halt, Intake, Rest, Suspicion};
use iog_protocol::registry::{LOG_ENTRIES_MAX, Registry};
use iog_protocol::time::Timestamp;
use iog_tlog::bundle::MAX_BUNDLE_BYTES;
use iog_tlog::{BundleId, Checkpoint, EntryBundle, Tree, leaf_hash, tiles_for};
use static_files::superseded;
use std::path::Path;
use std::sync::Arc;

pub use error::ReplicaError;
pub use pins::Pins;

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

    /// Brings the replica up to date with the center's log. Both checkpoints of a fork or rollback are kept in its folder. Of a
    /// synchronisation that breaks off, what came stays on disk and is not fetched again.
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
        let before = self.held.as_ref().map(|held| Arc::clone(&held.registry));
        let mut intake = Intake::new(&self.disk, &mut self.tree, Fold::after(before, &self.pins));
        if let Err(halt) = intake.take(center, &head).await {
            drop(intake);
            return Err(match halt {
                Halt::Failed(error) => error,
                Halt::Suspicious(seen) => self.blame(center, &head, signed, seen).await,
            });
        }
        let (registry, rest) = intake.rest()?;
        let witnessed = fold::witnessed(&registry, &signed, &self.pins)?;
        let held = Held { head, signed, registry, witnessed, synced: Some(now) };
        let state = State::new(self.pins.genesis, &self.pins.log, now.unix());
        store(&self.disk, &self.pins, &held, rest, state, size_before).await?;
        intake.keep();
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
        let (mut tree, mut fold) = (Tree::new(), Fold::after(None, &self.pins));
        let mut folded = Ok(());
        for id in BundleId::all_for(head.size) {
            let entries = self.read_bundle(id)?;
            tree.extend(entries.iter().map(|entry| leaf_hash(entry)));
            folded = folded.and_then(|()| fold.add(entries.iter().map(Vec::as_slice)));
        }
        if tree.root() != head.root {
            return Err(self.disk.corrupt(CHECKPOINT));
        }
        self.check_tiles(&tree)?;
        folded?;
        let registry = fold.registry()?;
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
        let mut served = (seen.first..).zip(&seen.leaves);
        let replaced = served.find(|(index, leaf)| tree.leaf(*index).as_ref() != Some(*leaf));
        replaced.map_or(ReplicaError::WrongRoot { size: head.size }, |(index, _)| ReplicaError::ReplacedEntry { index })
    }
}

/// Writes what is left of entries and tiles, then checkpoint and state, unless another process is ahead already. `size_before`
/// is the size of the log that was held.
async fn store(
    disk: &Disk,
    pins: &Pins,
    held: &Held,
    rest: Rest,
    state: State,
    size_before: u64,
) -> Result<(), ReplicaError> {
    let size = held.head.size;
    let (disk, log, signed) = (disk.clone(), pins.log.clone(), held.signed.clone());
    let writer = move || {
        let _lock = disk.lock_exclusive()?;
        let stored = disk.checkpoint()?.and_then(|bytes| Checkpoint::open(&bytes, &log).ok());
        if stored.is_some_and(|stored| stored.size > size) {
            return Ok(());
        }
        disk.write_all(&rest.files)?;
        disk.settle(&rest.found)?;
        disk.write(CHECKPOINT, &signed)?;
        disk.write_state(&state)?;
        superseded(size_before, size).iter().for_each(|name| disk.remove_partial(name));
        Ok(())
    };
    tokio::task::spawn_blocking(writer).await.map_err(|_| ReplicaError::Interrupted)?
}

impl Held {
    fn fork(&self, offered_size: u64, offered: Vec<u8>) -> ReplicaError {
        let (held_size, held) = (self.head.size, self.signed.clone());
        ReplicaError::Fork { held_size, offered_size, held, offered, evidence: None }
    }
}

fn check_size(size: u64) -> Result<(), ReplicaError> {
    if size > LOG_ENTRIES_MAX { Err(ReplicaError::TooLarge { size, size_max: LOG_ENTRIES_MAX }) } else { Ok(()) }
}
