//! Following the registry: the replica on disk brought up to date, the registry in force replaced, runs stopped whose module
//! may no longer run. It prepares and publishes nothing.

use std::sync::Arc;

use iog_client::{CenterClient, Replica, ReplicaError};
use iog_machine::Clock;
use iog_machine::error::chain;
use iog_protocol::registry::Registry;
use iog_transport::ServerTls;
use tokio::sync::Mutex;

use crate::registry::RegistryCell;
use crate::runs::under_way::UnderWay;

/// Follows the registry.
pub(crate) struct Follower {
    /// Who keeps the log.
    pub(crate) center: CenterClient,
    /// The replica on disk; one task synchronises it at a time.
    pub(crate) replica: Mutex<Replica>,
    /// The registry in force.
    pub(crate) registry: Arc<RegistryCell>,
    /// The runs under way.
    pub(crate) under_way: Arc<UnderWay>,
    /// The server, which trusts the authorities that the registry names.
    pub(crate) tls: Arc<ServerTls>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Follower {
    /// Brings the registry up to date; without the center it stays as it is.
    pub(super) async fn sync(&self) {
        let now = self.clock.now();
        let mut replica = self.replica.lock().await;
        match self.center.sync(&mut replica, now).await {
            Ok(synced) => self.registry.replace(synced.registry, now),
            Err(error) => missed(&self.registry, &error),
        }
        drop(replica);
        let registry = self.registry.current();
        follow_authorities(&self.tls, &registry);
        self.under_way.stop_unless(|module| registry.effective(module, now).is_ok());
    }
}

/// Trusts the authorities that the registry names, from now on.
pub(crate) fn follow_authorities(tls: &ServerTls, registry: &Registry) {
    if let Err(error) = tls.follow_authorities(&registry.keyset().authorities()) {
        tracing::error!(problem = chain(&error), "the authorities of the keyset cannot be followed");
    }
}

/// Notes why the center's log was not taken over, and where the proof is if it is not to be believed.
pub(crate) fn missed(registry: &RegistryCell, error: &ReplicaError) {
    let problem = chain(error);
    if !error.is_alarm() {
        tracing::debug!(problem, "the center was not reached; going on with what is held");
        return registry.missed(problem);
    }
    let evidence = error.evidence().map(|path| path.display().to_string());
    tracing::error!(problem, evidence, "the center's log is not to be believed; going on with what is held");
    registry.alarmed(problem);
}
