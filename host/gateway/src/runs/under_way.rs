//! The runs under way. Each has a handle with its stage and progress, by which it can be watched and cancelled; a revocation
//! stops the runs of a module, a drain waits until none is left. Who may watch or cancel a run is decided by whoever asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iog_protocol::ids::{Digest, DomainId, RequestId};
use iog_sandbox::CancelFlag;
use tokio::sync::watch;

use crate::admit::Authenticated;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Accepted and waiting for its turn.
    Queued,
    /// In the sandbox.
    Running {
        /// What the guest says of itself, 0 to 100.
        percent: u8,
    },
}

/// One run under way. Clones are the same run.
#[derive(Debug, Clone)]
pub struct RunHandle {
    module: Digest,
    cancel: CancelFlag,
    stage: Arc<watch::Sender<Stage>>,
}

impl RunHandle {
    /// A run of this module that waits.
    #[must_use]
    pub fn new(module: Digest) -> Self {
        Self { module, cancel: CancelFlag::new(), stage: Arc::new(watch::Sender::new(Stage::Queued)) }
    }

    /// Its stage now.
    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Its stages from now on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// It is in the sandbox, and so far. It never goes back, so that a guest has little to tell by it.
    pub fn is_at(&self, percent: u8) {
        self.stage.send_modify(|stage| {
            let before = match *stage {
                Stage::Queued => 0,
                Stage::Running { percent } => percent,
            };
            *stage = Stage::Running { percent: percent.min(100).max(before) };
        });
    }

    /// Ends it; it gets its receipt all the same.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// What ends it.
    #[must_use]
    pub fn cancel_flag(&self) -> &CancelFlag {
        &self.cancel
    }
}

type Key = (DomainId, RequestId);

/// The runs under way, each under its caller's name for it.
#[derive(Debug, Default)]
pub struct UnderWay {
    runs: Mutex<HashMap<Key, RunHandle>>,
    count: watch::Sender<usize>,
}

/// A run's entry; taken off the list when dropped.
#[derive(Debug)]
pub struct Entered<'a> {
    all: &'a UnderWay,
    key: Key,
    /// The run.
    pub handle: RunHandle,
}

impl UnderWay {
    /// Puts a run that the journal has taken on the list.
    pub fn enter(&self, asked: &Authenticated) -> Entered<'_> {
        let key = (asked.caller.domain.clone(), asked.request.request_id.clone());
        let handle = RunHandle::new(asked.request.module);
        let mut runs = self.lock();
        runs.insert(key.clone(), handle.clone());
        self.count.send_replace(runs.len());
        Entered { all: self, key, handle }
    }

    /// The handle of one caller's run, while it is under way.
    #[must_use]
    pub fn find(&self, caller: &DomainId, id: &RequestId) -> Option<RunHandle> {
        self.lock().get(&(caller.clone(), id.clone())).cloned()
    }

    /// The handle of one caller's run, as soon as it is under way.
    pub async fn entered(&self, caller: &DomainId, id: &RequestId) -> RunHandle {
        let mut changes = self.count.subscribe();
        loop {
            if let Some(run) = self.find(caller, id) {
                return run;
            }
            // The sender is a field of this very value, so waiting cannot fail.
            let _ = changes.changed().await;
        }
    }

    /// How far one caller's run is, which the journal has and has no answer to. What is not on the list yet waits.
    #[must_use]
    pub fn stage(&self, caller: &DomainId, id: &RequestId) -> Stage {
        self.find(caller, id).map_or(Stage::Queued, |run| run.stage())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Stops every run whose module `keep` does not want to go on.
    pub fn stop_unless(&self, keep: impl Fn(&Digest) -> bool) {
        for run in self.lock().values().filter(|run| !keep(&run.module)) {
            tracing::warn!(module = %run.module, "stopping a run: its module may no longer run");
            run.cancel();
        }
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        // The sender is a field of this very value, so waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, RunHandle>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut runs = self.all.lock();
        runs.remove(&self.key);
        self.all.count.send_replace(runs.len());
    }
}
