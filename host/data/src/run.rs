//! What one run of a query carries through the engine: bound parameters, deadline, cancellation and counters. The only
//! module of this crate that reads the clock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use datafusion_common::ScalarValue;
use datafusion_execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use tokio::sync::Notify;

use crate::counts::ScanCounts;
use crate::database::SharedStates;
use crate::error::Stop;

/// Stops a query from another task. Clones share one flag.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag {
    shared: Arc<CancelState>,
}

#[derive(Debug, Default)]
struct CancelState {
    cancelled: AtomicBool,
    notify: Notify,
}

impl CancelFlag {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag for good; queries that carry it end with `Cancelled`.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Release);
        self.shared.notify.notify_waiters();
    }

    /// Whether the flag is set.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Acquire)
    }

    /// Ends when the flag is set.
    pub async fn cancelled(&self) {
        let mut notified = std::pin::pin!(self.shared.notify.notified());
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

/// A time by which something has to have ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub(crate) fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Whether it is over.
    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.0
    }

    /// What comes of a future; nothing if the time is over first.
    pub(crate) async fn of<T>(self, future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.0.into(), future).await.ok()
    }
}

/// The memory that the clones of one [`QueryLimits`] share. A default one is new.
#[derive(Debug, Clone, Default)]
pub struct SharedMemory(Arc<OnceLock<Arc<dyn MemoryPool>>>);

/// Bounds of the queries of one run. The default has no deadline and 256 MiB.
#[derive(Debug, Clone)]
pub struct QueryLimits {
    /// Most bytes that the operators and buffers may hold at a time, of all queries opened with clones of these limits.
    pub memory_bytes: usize,
    /// What they hold.
    pub memory: SharedMemory,
    /// The states of databases that they see.
    pub states: SharedStates,
    /// When the query has to have ended.
    pub deadline: Option<Instant>,
    /// Stops the query from outside.
    pub cancel: CancelFlag,
}

impl Default for QueryLimits {
    fn default() -> Self {
        let (memory, states) = (SharedMemory::default(), SharedStates::default());
        Self { memory_bytes: 256 << 20, memory, states, deadline: None, cancel: CancelFlag::new() }
    }
}

impl QueryLimits {
    /// Ends when queries under these limits have to stop.
    pub(crate) async fn stopped(&self) -> Stop {
        let deadline = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Stop::Cancelled,
            () = deadline => Stop::Deadline,
        }
    }

    /// The pool from which all queries opened with clones of these limits take their memory.
    pub(crate) fn pool(&self) -> Arc<dyn MemoryPool> {
        let new = || Arc::new(GreedyMemoryPool::new(self.memory_bytes)) as Arc<dyn MemoryPool>;
        Arc::clone(self.memory.0.get_or_init(new))
    }
}

/// Travels in the engine's session configuration to every scan and guard of one run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) params: Vec<ScalarValue>,
    pub(crate) limits: QueryLimits,
    pub(crate) rows_scanned: AtomicU64,
    counts: Mutex<ScanCounts>,
    /// Set when nobody waits for the rows any more.
    abandoned: CancelFlag,
}

impl Run {
    pub(crate) fn new(params: Vec<ScalarValue>, limits: QueryLimits) -> Self {
        let (rows_scanned, counts) = (AtomicU64::new(0), Mutex::default());
        Self { params, limits, rows_scanned, counts, abandoned: CancelFlag::new() }
    }

    /// An error once the run has to stop.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.limits.cancel.is_cancelled() || self.abandoned.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        match self.limits.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Stop::Deadline),
            _ => Ok(()),
        }
    }

    /// Milliseconds until the deadline, rounded up; `None` where there is none.
    pub(crate) fn left_ms(&self) -> Option<u64> {
        let left = self.limits.deadline?.saturating_duration_since(Instant::now());
        Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX).saturating_add(1))
    }

    pub(crate) fn counts(&self) -> ScanCounts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_counts(&self, more: &ScanCounts) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).add(more);
    }

    pub(crate) fn count_scanned(&self, rows: usize) {
        self.rows_scanned.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Says that nobody waits for the rows any more: what still computes them stops as if it was cancelled.
    pub(crate) fn abandon(&self) {
        self.abandoned.cancel();
    }

    /// Ends when the run has to stop.
    pub(crate) async fn stopped(&self) -> Stop {
        tokio::select! {
            biased;
            stop = self.limits.stopped() => stop,
            () = self.abandoned.cancelled() => Stop::Cancelled,
        }
    }
}
