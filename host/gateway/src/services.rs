//! The provider's services, prepared: the module fetched by digest and compared, inspected again, its datasets bound, its
//! queries planned, the columns its plans read compared with the signed ones. A service that cannot be prepared says why
//! and is tried again; it never runs half prepared.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use iog_protocol::ids::{Digest, ServiceName};
use iog_protocol::run::RunRequest;
use tokio::sync::Notify;

use crate::admit::{Offer, PreparedFacts};
use crate::config::ServiceConfig;
use crate::not_ready::NotReady;
use crate::policy::Policy;
use crate::prepare::Prepared;

/// A service as configured, with what could be prepared.
#[derive(Debug)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// The configuration.
    pub config: ServiceConfig,
    /// What the provider allows.
    pub policy: Policy,
    /// Names the policy in receipts.
    pub policy_digest: Digest,
    /// Everything a run needs; or why there is nothing, in words that callers may read.
    pub prepared: Result<Arc<Prepared>, NotReady>,
}

/// All services of a gateway; a snapshot that runs hold on to while the next one is made.
#[derive(Debug, Default)]
pub struct Services {
    by_name: RwLock<Arc<BTreeMap<ServiceName, Arc<Service>>>>,
    changed: Notify,
}

impl Services {
    /// The services as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<BTreeMap<ServiceName, Arc<Service>>> {
        Arc::clone(&self.by_name.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts newly prepared services in their place.
    pub fn replace(&self, services: impl IntoIterator<Item = Service>) {
        let next = services.into_iter().map(|s| (s.name.clone(), Arc::new(s))).collect();
        *self.by_name.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    /// Puts one newly prepared service in its place, where it is used at once.
    pub fn put(&self, service: Service) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = BTreeMap::clone(&by_name);
        next.insert(service.name.clone(), Arc::new(service));
        *by_name = Arc::new(next);
        drop(by_name);
        self.changed.notify_one();
    }

    /// Ends when a service was put in its place since this ended last. One task waits for it.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The service a request is for: the one it names, else the only one that runs its module.
    #[must_use]
    pub fn choose(&self, request: &RunRequest, named: Option<&ServiceName>) -> Option<Arc<Service>> {
        let services = self.snapshot();
        if let Some(name) = named.or(request.service.as_ref()) {
            return services.get(name).map(Arc::clone);
        }
        let mut fitting = services.values().filter(|s| s.module() == Some(request.module));
        match (fitting.next(), fitting.next()) {
            (Some(service), None) => Some(Arc::clone(service)),
            _ => None,
        }
    }
}

impl Service {
    /// A configured service that is still to be prepared.
    #[must_use]
    pub fn new(name: ServiceName, config: ServiceConfig) -> Self {
        let policy = config.policy();
        let policy_digest = policy.digest();
        Self { name, config, policy, policy_digest, prepared: Err(NotReady::Pending) }
    }

    /// The module it runs, once prepared.
    #[must_use]
    pub fn module(&self) -> Option<Digest> {
        self.prepared.as_ref().ok().map(|p| p.module.digest())
    }

    /// The service as the decision sees it.
    #[must_use]
    pub fn offer(&self) -> Offer<'_> {
        let prepared = self.prepared.as_ref().map(|p| PreparedFacts {
            module: p.module.digest(),
            manifest: p.module.manifest_digest(),
            entries: &p.module.manifest().module.entry,
        });
        Offer { name: &self.name, policy: &self.policy, prepared }
    }
}
