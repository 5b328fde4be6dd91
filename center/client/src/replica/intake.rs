//! Taking over the entries of a log whose outline leads to its signed root: fetched some at a time, checked, folded and stored
//! one bundle after the other. Complete bundles stay on disk whatever happens then, so that a synchronisation that breaks off
//! is resumed without fetching them again. The head that is held stays the one before until all of it is there.
//!
//! In memory are at most 64 MiB, whatever is on disk or comes: 32 under way ([`super::window`]), 16 that are not stored yet and the bundle
//! that makes them so many; or, when one is fetched alone, those that are under way and twice 16 MiB.

use super::ReplicaError;
use super::disk::Disk;
use super::fetch::Bundle;
use super::fold::Fold;
use super::outline::Outline;
use super::pipeline::{Came, Pipeline};
use super::static_files::{Files, new_tiles};
use crate::remote::Remote;
use iog_protocol::registry::Registry;
use iog_tlog::{Checkpoint, Hash, TileId, Tree};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Entries after which what has come is made durable: 16 bundles.
const STEP_ENTRIES: u64 = 4_096;
/// Bytes after which it is made durable before that.
const STEP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Time after which it is made durable before that, so that on a slow link no more than this is lost.
const STEP_TIME: Duration = Duration::from_secs(5);

/// Why taking over ended early.
pub(super) enum Halt {
    /// Something failed that says for itself whose fault it is.
    Failed(ReplicaError),
    /// A bundle does not fit. What is wrong has to be found out.
    Suspicious(Suspicion),
}

impl From<ReplicaError> for Halt {
    fn from(error: ReplicaError) -> Self {
        Self::Failed(error)
    }
}

/// Entries that are not the ones that the signed log, or the one that is held, has in this place.
pub(super) struct Suspicion {
    pub(super) first: u64,
    pub(super) leaves: Vec<Hash>,
}

impl Suspicion {
    pub(super) fn of(bundle: Option<&Bundle>) -> Self {
        Self {
            first: bundle.map_or(0, |bundle| bundle.id.first_entry()),
            leaves: bundle.map_or_else(Vec::new, |bundle| bundle.leaves.clone()),
        }
    }
}

/// A log that is being taken over. Dropped before [`Self::keep`], it leaves the tree as it was.
pub(super) struct Intake<'a> {
    disk: &'a Disk,
    tree: &'a mut Tree,
    fold: Fold<'a>,
    size_before: u64,
    /// Entries up to which complete bundles and tiles are on disk.
    stored: u64,
    stored_at: Instant,
    /// What is not on disk yet.
    files: Files,
    /// The names of bundles that were on disk before.
    found: Vec<String>,
    is_kept: bool,
}

/// What is left to be written when all is taken.
pub(super) struct Rest {
    pub(super) files: Files,
    /// The names of bundles that were on disk before, perhaps not durably.
    pub(super) found: Vec<String>,
}

impl Drop for Intake<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.tree.truncate(self.size_before);
        }
    }
}

impl<'a> Intake<'a> {
    pub(super) fn new(disk: &'a Disk, tree: &'a mut Tree, fold: Fold<'a>) -> Self {
        let size_before = tree.len();
        let (stored, files, found) = (size_before, Files::new(), Vec::new());
        Self { disk, tree, fold, size_before, stored, stored_at: Instant::now(), files, found, is_kept: false }
    }

    /// Takes all that a log with this head has beyond what is held.
    pub(super) async fn take(&mut self, center: &Remote, head: &Checkpoint) -> Result<(), Halt> {
        if head.size == self.size_before {
            return Ok(());
        }
        let mut outline = Outline::fetch(center, self.tree, head.size).await?;
        if outline.root() != head.root {
            return Err(Halt::Suspicious(Suspicion::of(outline.last.as_ref())));
        }
        let last = outline.last.take();
        self.take_complete(center, &outline).await?;
        last.map_or(Ok(()), |last| self.add(last, false))
    }

    async fn take_complete(&mut self, center: &Remote, outline: &Outline) -> Result<(), Halt> {
        let mut pipeline = Pipeline::new(center, self.disk, outline, self.size_before);
        let taken = self.take_from(&mut pipeline, outline).await;
        if let Err(Halt::Failed(_)) = taken {
            // The same log will be asked for again. What came of it need not come again.
            let rest = pipeline.rest().into_iter().map(|bundle| (bundle.id.path(), bundle.bytes));
            self.files.extend(rest);
            if let Err(error) = self.store().await {
                tracing::warn!(%error, "what came before a synchronisation broke off could not be stored");
            }
        }
        taken
    }

    async fn take_from(&mut self, pipeline: &mut Pipeline<'_>, outline: &Outline) -> Result<(), Halt> {
        while let Some(came) = pipeline.next().await {
            let came = match came? {
                Came::Alone(id) => {
                    // It may be large, so nothing else waits in memory meanwhile that need not.
                    self.store().await?;
                    pipeline.alone(id).await?
                }
                beside => beside,
            };
            let (bundle, is_here) = match came {
                Came::Here(bundle) => (bundle, true),
                Came::Fetched(bundle) => (bundle, false),
                Came::Alone(_) => return Err(ReplicaError::Interrupted.into()),
            };
            if !outline.has(&bundle) {
                return Err(Halt::Suspicious(Suspicion::of(Some(&bundle))));
            }
            self.add(bundle, is_here)?;
            if self.is_step_due() {
                self.store().await?;
            }
        }
        Ok(())
    }

    /// The registry over all that was taken, and what is left to be written for it.
    pub(super) fn rest(&mut self) -> Result<(Arc<Registry>, Rest), ReplicaError> {
        let written = self.stored;
        let is_written = |id: &TileId| {
            let end = id.first_node() + u64::from(id.width());
            id.is_full() && end << (8 * u32::from(id.level())) <= written
        };
        let tiles = new_tiles(self.size_before, self.tree.len()).filter(|id| !is_written(id));
        let tiles = tiles.filter_map(|id| Some((id.path(), self.tree.tile(id)?)));
        let files = self.files.drain(..).chain(tiles).collect();
        Ok((self.fold.registry()?, Rest { files, found: std::mem::take(&mut self.found) }))
    }

    /// Leaves the tree as it is now.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }

    /// Compares a bundle's held entries and adds the others.
    fn add(&mut self, bundle: Bundle, is_here: bool) -> Result<(), Halt> {
        let held = bundle.place(self.size_before);
        let same = (bundle.id.first_entry()..).zip(&bundle.leaves[..held]);
        if same.into_iter().any(|(index, leaf)| self.tree.leaf(index) != Some(*leaf)) {
            return Err(Halt::Suspicious(Suspicion::of(Some(&bundle))));
        }
        self.tree.extend(bundle.leaves[held..].iter().copied());
        self.fold.add(bundle.entries(held))?;
        if is_here {
            self.found.push(bundle.id.path());
        } else {
            self.files.push((bundle.id.path(), bundle.bytes));
        }
        Ok(())
    }

    fn is_step_due(&self) -> bool {
        let waiting = self.files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        self.tree.len() - self.stored >= STEP_ENTRIES
            || waiting >= STEP_BYTES_MAX
            || (waiting > 0 && self.stored_at.elapsed() >= STEP_TIME)
    }

    /// Makes the complete bundles that came, and the tiles that they complete, durable.
    async fn store(&mut self) -> Result<(), ReplicaError> {
        let mut files = std::mem::take(&mut self.files);
        let tiles = new_tiles(self.stored, self.tree.len()).filter(|id| id.is_full());
        files.extend(tiles.filter_map(|id| Some((id.path(), self.tree.tile(id)?))));
        let (disk, end) = (self.disk.clone(), self.tree.len());
        let writer = tokio::task::spawn_blocking(move || disk.write_all(&files));
        writer.await.map_err(|_| ReplicaError::Interrupted)??;
        (self.stored, self.stored_at) = (end, Instant::now());
        Ok(())
    }
}
