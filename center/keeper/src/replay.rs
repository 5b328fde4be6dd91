//! What is checked before anything is signed again: every entry is hashed, and the log must continue the heads that were
//! signed last, the one in the database and the one beside it.

use std::path::{Path, PathBuf};

use iog_tlog::{Checkpoint, CheckpointError, NoteSigner, Tree, VerifierKey, leaf_hash};

use crate::beside::{self, FileError};
use crate::keeper::{KeepError, Keeper};
use crate::storage::Storage;

/// Entries read at once: 32 MiB at most, since an entry has at most 64 KiB.
const PAGE: u64 = 512;

/// Which head the stored log does not continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The one in the database.
    Storage,
    /// The one in the file beside it.
    Beside,
}

/// Why a stored log does not continue a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The head is not the log's own.
    Unverified(CheckpointError),
    /// So many entries have another root.
    OtherRoot {
        /// How many were signed.
        signed: u64,
    },
    /// Entries are missing at the end: an older copy of the database.
    Shorter {
        /// How many were signed.
        signed: u64,
        /// How many there are.
        found: u64,
    },
}

/// A log that must not be continued, or cannot be read; the operator's.
#[derive(Debug)]
pub enum ReplayError<E> {
    /// The database did not answer.
    Storage(E),
    /// The file beside it cannot be read.
    Beside(FileError),
    /// There is a hole.
    Missing {
        /// The index of the entry that is missing.
        index: u64,
    },
    /// It is not the log that was signed.
    Broken {
        /// Which head says so.
        whose: Whose,
        /// What differs.
        problem: Problem,
    },
}

/// A log that continues what was signed of it. Nothing is signed before the client has looked at it too.
#[derive(Debug)]
pub struct Replayed {
    tree: Tree,
    stored: Option<(Vec<u8>, Checkpoint)>,
    is_signed: bool,
    signer: NoteSigner,
    beside: PathBuf,
}

impl Replayed {
    /// Reads everything stored, shows each entry with its index to `see`, and compares.
    ///
    /// # Errors
    /// [`ReplayError`]: nothing may be appended then.
    pub async fn read<S: Storage>(
        storage: &S,
        signer: NoteSigner,
        beside: &Path,
        see: impl FnMut(u64, &[u8]) + Send,
    ) -> Result<Self, ReplayError<S::Error>> {
        let log = signer.verifier();
        let stored = match storage.head().await.map_err(ReplayError::Storage)? {
            Some(note) => Some((open(&note, log, Whose::Storage)?, note)),
            None => None,
        };
        let kept = beside::read(beside).map_err(ReplayError::Beside)?;
        let kept = kept.map(|note| open(&note, log, Whose::Beside)).transpose()?;
        let tree = leaves(storage, see).await?;
        if let Some((head, _)) = &stored {
            continues(&tree, head, Whose::Storage)?;
        }
        if let Some(head) = &kept {
            continues(&tree, head, Whose::Beside)?;
        }
        let is_signed = stored.is_some() || kept.is_some();
        let stored = stored.map(|(head, note)| (note, head));
        Ok(Self { tree, stored, is_signed, signer, beside: beside.to_owned() })
    }

    /// Entries there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.len()
    }

    /// Entries that the database's head covers; `None` without one. There may be more: a version that stored entries before
    /// it signed them may have been stopped in between.
    #[must_use]
    pub fn covered(&self) -> Option<u64> {
        self.stored.as_ref().map(|(_, head)| head.size)
    }

    /// Whether there is any head, in the database or beside it.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// Signs the log as it is and goes on with it.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn keep<S: Storage>(self, storage: &S) -> Result<Keeper, KeepError<S::Error>> {
        let stored = self.stored.map(|(note, _)| note);
        Keeper::start(storage, self.signer, self.beside, self.tree, stored).await
    }
}

/// Whether a head of this log was ever kept, in the database or beside it.
///
/// # Errors
/// [`ReplayError::Storage`], [`ReplayError::Beside`].
pub async fn was_signed<S: Storage>(storage: &S, beside: &Path) -> Result<bool, ReplayError<S::Error>> {
    let stored = storage.head().await.map_err(ReplayError::Storage)?;
    Ok(stored.is_some() || beside::read(beside).map_err(ReplayError::Beside)?.is_some())
}

fn open<E>(note: &[u8], log: &VerifierKey, whose: Whose) -> Result<Checkpoint, ReplayError<E>> {
    Checkpoint::open(note, log).map_err(|error| ReplayError::Broken { whose, problem: Problem::Unverified(error) })
}

async fn leaves<S: Storage>(
    storage: &S,
    mut see: impl FnMut(u64, &[u8]) + Send,
) -> Result<Tree, ReplayError<S::Error>> {
    let mut tree = Tree::new();
    loop {
        let page = storage.entries(tree.len(), PAGE).await.map_err(ReplayError::Storage)?;
        if page.is_empty() {
            return Ok(tree);
        }
        for (index, entry) in page {
            if index != tree.len() {
                return Err(ReplayError::Missing { index: tree.len() });
            }
            see(index, &entry);
            tree.push(leaf_hash(&entry));
        }
    }
}

/// A stored log may be longer than a head (a stop between the two), never shorter and never another.
fn continues<E>(tree: &Tree, head: &Checkpoint, whose: Whose) -> Result<(), ReplayError<E>> {
    let problem = match tree.root_at(head.size) {
        Ok(root) if root == head.root => return Ok(()),
        Ok(_) => Problem::OtherRoot { signed: head.size },
        Err(_) => Problem::Shorter { signed: head.size, found: tree.len() },
    };
    Err(ReplayError::Broken { whose, problem })
}
