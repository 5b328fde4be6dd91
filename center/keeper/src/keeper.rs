//! The one writer of a log. A group of leaves is signed once, made durable with its head, kept beside the database, shown:
//! in this order, and each step again until it is done.

use std::path::PathBuf;
use std::sync::Arc;

use iog_tlog::{Checkpoint, Hash, InclusionProof, NoteSigner, Tree};

use crate::beside::{self, FileError};
use crate::log::Log;
use crate::storage::{SignedHead, Storage};

/// A group was given up after it was signed. Another one at its place would contradict it, should it be stored after all:
/// opening the log again settles that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a group that was signed is not durable; open the log again")]
pub struct Unsettled;

/// A group is not durable yet; ours. It may be committed again.
#[derive(Debug, thiserror::Error)]
pub enum KeepError<E> {
    /// The database did not take it.
    #[error(transparent)]
    Storage(E),
    /// The database has it, the file beside it has the head before.
    #[error(transparent)]
    Beside(#[from] FileError),
}

/// The writer. There is one for a log, or the log forks.
#[derive(Debug)]
pub struct Keeper {
    log: Log,
    signer: NoteSigner,
    beside: PathBuf,
}

impl Keeper {
    /// Goes on with a log that was replayed, signs it as it is, and has that head in both places. `stored` is the head that
    /// the database has.
    pub(crate) async fn start<S: Storage>(
        storage: &S,
        signer: NoteSigner,
        beside: PathBuf,
        tree: Tree,
        stored: Option<Vec<u8>>,
    ) -> Result<Self, KeepError<S::Error>> {
        let size = tree.len();
        let note: Arc<[u8]> = sign(&signer, size, tree.root());
        // A log without entries has no head in the database, only beside it.
        if size > 0 && stored.as_deref() != Some(&*note) {
            let head = SignedHead { first: size, size, note: Arc::clone(&note) };
            storage.commit(&[], &head).await.map_err(KeepError::Storage)?;
        }
        beside::write(&beside, &note).await?;
        Ok(Self { log: Log::new(signer.verifier().clone(), tree, note), signer, beside })
    }

    /// The log as it is shown.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Adds leaves in memory and signs the head over them. There is no way back: whoever has a group commits it.
    ///
    /// # Errors
    /// [`Unsettled`]: the group before was given up.
    pub fn sign(&mut self, leaves: impl IntoIterator<Item = Hash>) -> Result<Group<'_>, Unsettled> {
        let (first, size, root) = self.log.extend(leaves).ok_or(Unsettled)?;
        let head = SignedHead { first, size, note: sign(&self.signer, size, root) };
        Ok(Group { keeper: self, head, is_stored: false })
    }
}

fn sign(signer: &NoteSigner, size: u64, root: Hash) -> Arc<[u8]> {
    Checkpoint::new(signer.verifier().name(), size, root).sign(signer).into()
}

/// Leaves that are signed and not shown yet. Nothing of it may be shown before it is committed.
#[derive(Debug)]
pub struct Group<'a> {
    keeper: &'a mut Keeper,
    head: SignedHead,
    is_stored: bool,
}

impl Group<'_> {
    /// The head over it.
    #[must_use]
    pub fn head(&self) -> &SignedHead {
        &self.head
    }

    /// Proves a leaf, under the group's head.
    #[must_use]
    pub fn prove(&self, index: u64) -> Option<InclusionProof> {
        let hashes = self.keeper.log.inclusion(index, self.head.size)?;
        Some(InclusionProof::new(index, hashes, self.head.note.to_vec()))
    }

    /// Makes the group durable with its head, keeps the head beside the database, and shows both. After an error it may be
    /// called again, with the same entries; it goes on where it failed and signs nothing again.
    ///
    /// # Errors
    /// [`KeepError`]: nothing of the group is shown.
    pub async fn commit<S: Storage>(&mut self, storage: &S, entries: &[S::Entry]) -> Result<(), KeepError<S::Error>> {
        if !self.is_stored {
            storage.commit(entries, &self.head).await.map_err(KeepError::Storage)?;
            self.is_stored = true;
        }
        beside::write(&self.keeper.beside, &self.head.note).await?;
        self.keeper.log.show(self.head.size, &self.head.note);
        Ok(())
    }
}
