//! The one writer of the log. It takes statements in order, asks the registry's fold about each before anything is stored, and appends
//! what the fold accepts through the log's keeper: signature, commit, publication, then the answers. Statements that wait together are written together.
//! When reviews complete, it appends the center's approval. Nothing else may append.

use std::{collections::BTreeSet, sync::Arc};

use iog_keeper::Keeper;
use iog_machine::Clock;
use iog_protocol::{
    ids::Digest,
    keys::SecretKey,
    registry::{Change, Invalid, Registry, Said, modules},
    time::Timestamp,
};
use iog_tlog::leaf_hash;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    approve,
    db::{Database, log::NewEntry},
    error::CenterError,
    head::Published,
    rates::{Declined, Rates, SharedRates},
};

/// Statements written in one transaction at most.
const BATCH_MAX: usize = 256;
/// Statements that may wait; more requests wait for a place.
const QUEUE_MAX: usize = 1024;

/// Why a statement was not appended.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The registry's rules refuse it: its sender's fault.
    Invalid(Box<Invalid>),
    /// It is valid and does not become an entry now: too much was said, or its time is not the center's.
    Declined(Declined),
    /// The center cannot write: ours.
    Center(CenterError),
}

impl From<Invalid> for AppendError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(Box::new(invalid))
    }
}

struct Job {
    entry: Vec<u8>,
    reply: oneshot::Sender<Result<u64, AppendError>>,
}

/// The way to the sequencer. Clones share it; the sequencer ends when the last one is gone.
#[derive(Clone)]
pub(crate) struct Sequencer(mpsc::Sender<Job>);

impl Sequencer {
    /// Appends an entry and returns its index once it is durable and covered by the published checkpoint.
    pub(crate) async fn append(&self, entry: Vec<u8>) -> Result<u64, AppendError> {
        let (reply, answer) = oneshot::channel();
        let stopped = || AppendError::Center(CenterError::Stopped);
        self.0.send(Job { entry, reply }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// False once the writer has stopped.
    pub(crate) fn is_running(&self) -> bool {
        !self.0.is_closed()
    }
}

/// What the writer works with.
pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) published: Published,
    pub(crate) keeper: Keeper,
    pub(crate) approval_key: SecretKey,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rates: SharedRates,
}

impl Writer {
    /// Appends the approvals that a stop had left undone, then starts to take statements.
    pub(crate) async fn start(mut self) -> Result<(Sequencer, JoinHandle<()>), CenterError> {
        self.approve_ready(None).await?;
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        Ok((Sequencer(sender), tokio::spawn(self.run(receiver))))
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::new();
        while jobs.recv_many(&mut batch, BATCH_MAX).await > 0 {
            if let Err(error) = self.write(std::mem::take(&mut batch)).await {
                // What was signed may be stored or not; opening the center again settles that.
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "the log cannot be written");
                return;
            }
        }
    }

    /// Writes one batch. Every job is answered, whatever happens.
    async fn write(&mut self, jobs: Vec<Job>) -> Result<(), CenterError> {
        let judged = judge(self.published.registry(), jobs, &self.rates, self.clock.now());
        let Accepted { registry, entries, replies, touched } = judged;
        let first = self.published.log().size();
        if entries.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.append(entries, registry).await {
            for reply in replies {
                let _ = reply.send(Err(AppendError::Center(CenterError::Stopped)));
            }
            return Err(error);
        }
        let approved = match touched {
            Touched::Nothing => Ok(()),
            Touched::Modules(modules) => self.approve_ready(Some(&modules)).await,
            Touched::Everything => self.approve_ready(None).await,
        };
        for (index, reply) in (first..).zip(replies) {
            let _ = reply.send(Ok(index));
        }
        approved
    }

    /// Makes entries durable under a signed checkpoint and shows them, then the registry folded from them.
    async fn append(&mut self, entries: Vec<String>, registry: Arc<Registry>) -> Result<(), CenterError> {
        let appended = self.clock.now().unix();
        let mut group = self.keeper.sign(entries.iter().map(|entry| leaf_hash(entry.as_bytes())))?;
        let entries: Vec<_> = entries.into_iter().map(|text| NewEntry { text, appended }).collect();
        group.commit(&self.database, &entries).await?;
        self.published.replace(registry);
        Ok(())
    }

    /// Appends an approval for each of `modules` (all, if `None`) whose reviews are complete and that has none in effect.
    async fn approve_ready(&mut self, modules: Option<&BTreeSet<Digest>>) -> Result<(), CenterError> {
        let now = self.clock.now();
        let (mut next, mut entries) = (self.published.registry(), Vec::new());
        for module in approve::due(&next, modules, now) {
            if !Rates::has_room(&next) {
                tracing::error!(%module, "the log is full, the module is not approved");
                break;
            }
            let Some(entry) = approve::approval(&next, &module, now, &self.approval_key) else { continue };
            match Registry::apply_shared(&mut next, entry.as_bytes()) {
                Ok(_) => {
                    tracing::info!(%module, "approved");
                    self.rates.lock().count_bytes(entry.len());
                    entries.push(entry);
                }
                Err(reason) => tracing::error!(%module, %reason, "our own approval was refused"),
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.append(entries, next).await
    }
}

/// What accepted entries may have made ready.
enum Touched {
    Nothing,
    Modules(BTreeSet<Digest>),
    Everything,
}

impl Touched {
    /// A review may complete a module's, a keyset anybody's: new auditors, or none who had spoken.
    fn add(&mut self, change: &Change) {
        match (change, &mut *self) {
            (Change::Keysets(_), _) => *self = Self::Everything,
            (Change::Modules(modules::Change::Reviewed(module)), Self::Modules(modules)) => {
                modules.insert(*module);
            }
            (Change::Modules(modules::Change::Reviewed(module)), Self::Nothing) => {
                *self = Self::Modules(BTreeSet::from([*module]));
            }
            _ => {}
        }
    }
}

struct Accepted {
    registry: Arc<Registry>,
    entries: Vec<String>,
    replies: Vec<oneshot::Sender<Result<u64, AppendError>>>,
    touched: Touched,
}

/// Asks the fold about each statement in turn, and whether so much may be said; those that are refused are answered here and
/// leave no trace. The registry is copied once, when the first is accepted: readers go on with the published one.
fn judge(mut registry: Arc<Registry>, jobs: Vec<Job>, rates: &SharedRates, now: Timestamp) -> Accepted {
    let (mut entries, mut replies) = (Vec::new(), Vec::new());
    let mut touched = Touched::Nothing;
    for Job { entry, reply } in jobs {
        let admit = |registry: &Registry, said: &Said| {
            rates.lock().admit(registry, said, entry.len(), now).map_err(AppendError::Declined)
        };
        match Registry::apply_if(&mut registry, &entry, admit) {
            Ok(change) => {
                touched.add(&change);
                // An envelope is JSON, so what the fold has accepted is UTF-8.
                entries.push(String::from_utf8_lossy(&entry).into_owned());
                replies.push(reply);
            }
            Err(reason) => drop(reply.send(Err(reason))),
        }
    }
    Accepted { registry, entries, replies, touched }
}
