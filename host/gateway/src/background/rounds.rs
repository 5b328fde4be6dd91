//! When the background work is done: the registry followed, services prepared, published and the certificate looked at, each in
//! its own time. What is done then is the tasks' own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Background;

impl Background {
    /// Works until `stop` says so. The registry is followed by itself: a slow database or a large new file delays what is
    /// offered by those that need it, never a revocation. Services are published as they become ready, whatever the others do.
    pub async fn work(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let registry_every = Duration::from_secs(self.times.registry_s);
        let renew_every = Duration::from_secs(self.times.renew_s);
        let follow = async {
            loop {
                tokio::time::sleep(registry_every).await;
                self.sync().await;
            }
        };
        let prepare = self.preparer.work(registry_every);
        let publish = async {
            if !self.times.publish {
                std::future::pending::<()>().await;
            }
            loop {
                self.publish().await;
                // Descriptors are renewed, and what was not published tried again, though no service changes.
                let _ = tokio::time::timeout(registry_every, self.preparer.services.changed()).await;
            }
        };
        let renew = async {
            loop {
                self.renewer.renew().await;
                tokio::time::sleep(renew_every).await;
            }
        };
        let mut stop = stop;
        tokio::select! {
            () = follow => {}
            () = prepare => {}
            () = publish => {}
            () = renew => {}
            // The sender is dropped only after the stop was sent; both mean the same here.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// One round: renew the certificate if that is due, look at the log, stop what may no longer run, prepare services,
    /// publish them.
    pub async fn step(&self) {
        self.renewer.renew().await;
        self.sync().await;
        self.offer().await;
    }

    /// Prepares services and publishes them.
    async fn offer(&self) {
        self.refresh().await;
        if self.times.publish {
            self.publish().await;
        }
    }
}
