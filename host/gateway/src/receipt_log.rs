//! The gateway's own transparency log: every receipt is a leaf, every group of receipts ends in a signed checkpoint. The
//! keeper signs, compares and shows it; here is what is stored with a receipt, and what a log that must not be continued
//! is called. It knows nothing of what a receipt says.

use std::path::{Path, PathBuf};

use iog_home::HomeError;
use iog_keeper::{FileError, KeepError, Keeper, Problem, ReplayError, Replayed, SignedHead, Storage, Whose};
use iog_protocol::ids::{DomainId, RequestId};
use iog_protocol::keys::SecretKey;
use iog_tlog::NoteSigner;

use crate::db::ledger::{self, Spent};
use crate::db::receipts::{self, NewReceipt};
use crate::db::runs::{self, RunKey};
use crate::db::{Store, StoreError, checkpoint};

/// Why the receipt log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptLogError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Receipts are missing, altered or too many.
    #[error("the receipt log does not match its last checkpoint: {problem}; restore the journal from a copy")]
    Forked {
        /// What differs.
        problem: String,
    },
    /// The database is an older copy, or another one: what was signed since would be contradicted.
    #[error(
        "the journal does not continue the last checkpoint signed, `{path}`: {problem}; restore the newest journal"
    )]
    Behind {
        /// The file with the checkpoint.
        path: PathBuf,
        /// What differs.
        problem: String,
    },
    /// The file with the last checkpoint cannot be read or written.
    #[error(transparent)]
    Head(#[from] HomeError),
    /// The receipt key cannot sign under the log's name.
    #[error("the receipt key cannot sign checkpoints of `{origin}`")]
    Key {
        /// The log's name.
        origin: String,
        /// What is wrong with the key.
        #[source]
        source: iog_tlog::KeyError,
    },
}

/// A receipt with all that becomes durable together with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The caller's name for the request.
    pub request_id: RequestId,
    /// Who asked.
    pub caller: DomainId,
    /// The log's entry.
    pub entry: Vec<u8>,
    /// What the provider keeps.
    pub provider_view: Vec<u8>,
    /// What the caller gets.
    pub answer: Vec<u8>,
    /// What the run used of what was reserved for it.
    pub spent: Spent,
}

impl Storage for Store {
    type Entry = Written;
    type Error = StoreError;

    async fn entries(&self, first: u64, count: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        receipts::entries(self.readers(), first, count).await
    }

    async fn lengths(&self, first: u64, count: u64) -> Result<Vec<(u64, u64)>, StoreError> {
        receipts::lengths(self.readers(), first, count).await
    }

    async fn head(&self) -> Result<Option<Vec<u8>>, StoreError> {
        checkpoint::read(self.readers()).await
    }

    /// Receipts, checkpoint, answers and what was used up. All of it may be tried again.
    async fn commit(&self, group: &[Written], head: &SignedHead) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        for (position, written) in (head.first..).zip(group) {
            let Written { request_id, caller, entry, provider_view, answer, spent } = written;
            let run = RunKey { caller, request_id };
            receipts::insert(&mut write, &NewReceipt { position, run, entry, provider_view }).await?;
            runs::answer(&mut write, run, position, answer).await?;
            ledger::close(&mut write, run, *spent).await?;
        }
        checkpoint::store(&mut write, &head.note).await?;
        write.commit().await?;
        Ok(())
    }
}

/// Reads all leaves and compares them with the last checkpoint, the one in the database and the one in the file `head`,
/// which is then brought up to date.
///
/// # Errors
/// [`ReceiptLogError`]: nothing may be appended then.
pub async fn open(store: &Store, key: &SecretKey, origin: &str, head: &Path) -> Result<Keeper, ReceiptLogError> {
    let signer = NoteSigner::ed25519(origin, key.ed25519())
        .map_err(|source| ReceiptLogError::Key { origin: origin.to_owned(), source })?;
    let replayed = Replayed::read(store, signer, head, |_, _| ()).await.map_err(|error| refused(error, head))?;
    match (replayed.size(), replayed.covered()) {
        (0, None) => {}
        (receipts, None) => return Err(forked(format!("{receipts} receipts and no checkpoint"))),
        (receipts, Some(covered)) if receipts == covered => {}
        (receipts, Some(covered)) => return Err(other_number(receipts, covered)),
    }
    replayed.keep(store).await.map_err(|error| match error {
        KeepError::Storage(error) => error.into(),
        KeepError::Beside(error) => file(error),
    })
}

fn refused(error: ReplayError<StoreError>, head: &Path) -> ReceiptLogError {
    let (whose, problem) = match error {
        ReplayError::Storage(error) => return error.into(),
        ReplayError::Beside(error) => return file(error),
        ReplayError::Missing { index } => return forked(format!("receipt {index} is missing")),
        ReplayError::Broken { whose, problem } => (whose, problem),
    };
    let behind = |problem| ReceiptLogError::Behind { path: head.into(), problem };
    match (whose, problem) {
        (Whose::Storage, Problem::Unverified(error)) => forked(format!("the checkpoint: {error}")),
        (Whose::Storage, Problem::OtherRoot { signed }) => forked(format!("the root over {signed} receipts differs")),
        (Whose::Storage, Problem::Shorter { signed, found }) => other_number(found, signed),
        (Whose::Beside, Problem::Unverified(error)) => behind(format!("it does not verify: {error}")),
        (Whose::Beside, Problem::OtherRoot { signed }) => {
            behind(format!("the first {signed} receipts have another root"))
        }
        (Whose::Beside, Problem::Shorter { signed, found }) => {
            behind(format!("{signed} receipts were signed, the journal has {found}: an old copy?"))
        }
    }
}

fn other_number(receipts: u64, covered: u64) -> ReceiptLogError {
    forked(format!("{receipts} receipts, the checkpoint has {covered}"))
}

fn forked(problem: String) -> ReceiptLogError {
    ReceiptLogError::Forked { problem }
}

fn file(FileError { action, path, source }: FileError) -> ReceiptLogError {
    HomeError::Io { action, path, source }.into()
}
