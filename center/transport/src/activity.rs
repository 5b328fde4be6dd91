//! How many requests of a connection are running, from their headers to the last byte of their answers.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// The running requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    running: AtomicUsize,
    changed: Notify,
}

/// One running request; dropping it ends it.
pub(crate) struct Running(Arc<Activity>);

impl Activity {
    pub(crate) fn start(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
        Running(Arc::clone(self))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.load(Ordering::SeqCst) == 0
    }

    /// Completes when a request has started or ended, or its answer has begun.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Running {
    /// The answer begins.
    pub(crate) fn answers(&self) {
        self.0.changed.notify_one();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_one();
    }
}
