//! What a gateway does by itself: follow the registry, prepare services, renew its certificate, publish what it offers.
//! Nothing here stands in the way of a request; what fails is logged and tried again.

pub mod publish;
mod rounds;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use iog_client::{CenterClient, Replica, ReplicaError};
use iog_home::Home;
use iog_home::blobs;
use iog_home::renewal::Renewal;
use iog_machine::Clock;
use iog_machine::error::chain;
use iog_module::{AsSigned, Examined, Source};
use iog_protocol::ids::{ServiceName, SlotName};
use iog_protocol::registry::{EffectiveModule, Registry};
use iog_protocol::time::Timestamp;
use iog_transport::{HttpClient, ServerTls};
use tokio::sync::Mutex;

use crate::config::{GatewayConfig, ServiceConfig};
use crate::datasets::{Bound, Datasets};
use crate::not_ready::NotReady;
use crate::prepare::{PrepareError, Prepared, Tools};
use crate::registry::RegistryCell;
use crate::runs::under_way::UnderWay;
use crate::services::{Service, Services};

/// The background work of one gateway.
pub struct Background {
    /// The domain's home.
    pub home: Home,
    /// The configuration.
    pub config: Arc<GatewayConfig>,
    /// Prepares modules.
    pub tools: Tools,
    /// The center.
    pub center: CenterClient,
    /// The client that shows the certificate.
    pub http: HttpClient,
    /// The server's certificate.
    pub tls: Arc<ServerTls>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The registry in force.
    pub registry: Arc<RegistryCell>,
    /// The services.
    pub services: Arc<Services>,
    /// The runs under way, to stop those whose module may no longer run.
    pub under_way: Arc<UnderWay>,
    /// The replica on disk; one task synchronises it at a time.
    pub replica: Mutex<Replica>,
    /// The datasets.
    pub datasets: Mutex<Datasets>,
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").field("home", &self.home).finish_non_exhaustive()
    }
}

impl Background {
    /// Brings the registry up to date; without the center it stays as it is.
    pub async fn sync(&self) {
        let now = self.clock.now();
        let mut replica = self.replica.lock().await;
        match self.center.sync(&mut replica, now).await {
            Ok(synced) => self.registry.replace(synced.registry, now),
            Err(error) => missed(&self.registry, &error),
        }
        drop(replica);
        let registry = self.registry.current();
        self.under_way.stop_unless(|module| registry.effective(module, now).is_ok());
    }

    /// Prepares every service that is not ready or whose module or data have changed.
    pub async fn refresh(&self) {
        let mut datasets = self.datasets.lock().await;
        datasets.refresh(&self.config.dataset).await;
        let before = self.services.snapshot();
        let (registry, now) = (self.registry.current(), self.clock.now());
        let mut next = Vec::new();
        for (name, config) in &self.config.service {
            let known = before.get(name);
            let task =
                Task { name, config, registry: &registry, now, known: known.and_then(|s| s.prepared.as_ref().ok()) };
            let mut service = Service::new(name.clone(), config.clone());
            service.prepared = self.prepare(&task, &datasets).await;
            report(&service, known.map(Arc::as_ref));
            next.push(service);
        }
        self.services.replace(next);
    }

    /// Renews the certificate where it is time.
    async fn renew(&self) {
        let renewal = Renewal { home: &self.home, http: &self.http, center: &self.center, server: Some(&self.tls) };
        if let Err(error) = renewal.renew_if_due(&self.tls.leaf(), self.clock.now()).await {
            tracing::warn!(problem = chain(&error), "the certificate was not renewed");
        }
    }

    async fn prepare(&self, task: &Task<'_>, datasets: &Datasets) -> Result<Arc<Prepared>, NotReady> {
        let digest = task.config.module.resolve(task.registry).ok_or(NotReady::NoModule)?;
        let effective =
            task.registry.effective(&digest, task.now).map_err(|e| NotReady::NotEffective { reason: e.to_string() })?;
        let bound = bind(task.config, datasets)?;
        if let Some(known) = task.known.filter(|known| still_good(known, &effective, &bound)) {
            return Ok(Arc::clone(known));
        }
        let (wasm, manifest) = self.fetch(task.name, &effective).await?;
        let module = as_signed(task.name, Source { wasm: &wasm, manifest: &manifest }, &effective)?;
        let prepared = Prepared::new(&self.tools, module, &wasm, &bound, &task.config.limits).await;
        let prepared = prepared.map_err(|error| cannot_be_prepared(task.name, &error))?;
        check_targets(task.name, &prepared, task.config)?;
        Ok(Arc::new(prepared))
    }

    async fn fetch(&self, name: &ServiceName, effective: &EffectiveModule) -> Result<(Vec<u8>, String), NotReady> {
        let failed = |e: blobs::BlobError| {
            tracing::warn!(service = %name, problem = chain(&e), "a module cannot be fetched");
            NotReady::NotFetched
        };
        let wasm = blobs::module(&self.home, &self.center, &effective.digest).await.map_err(failed)?;
        let manifest = blobs::manifest(&self.home, &self.center, &effective.manifest).await.map_err(failed)?;
        Ok((wasm, manifest))
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

/// One service to prepare.
struct Task<'a> {
    name: &'a ServiceName,
    config: &'a ServiceConfig,
    registry: &'a Registry,
    now: Timestamp,
    known: Option<&'a Arc<Prepared>>,
}

fn bind(config: &ServiceConfig, datasets: &Datasets) -> Result<BTreeMap<SlotName, Bound>, NotReady> {
    let open = |(slot, name)| match datasets.get(name) {
        Some(bound) => Ok((SlotName::clone(slot), bound.clone())),
        None => Err(NotReady::NoData { slot: SlotName::clone(slot) }),
    };
    config.bind.iter().map(open).collect()
}

/// Whether what is prepared is of the same module and reads the same handles.
fn still_good(known: &Prepared, effective: &EffectiveModule, bound: &BTreeMap<SlotName, Bound>) -> bool {
    let same = |(slot, bound): (&SlotName, &Bound)| {
        known.datasets.get(slot).is_some_and(|known| Arc::ptr_eq(&known.data, &bound.data))
    };
    known.module.digest() == effective.digest
        && known.module.manifest_digest() == effective.manifest
        && known.datasets.len() == bound.len()
        && bound.iter().all(same)
}

/// What was found here must be what was signed: the center's word counts for nothing.
fn as_signed(name: &ServiceName, source: Source<'_>, effective: &EffectiveModule) -> Result<AsSigned, NotReady> {
    let found = Examined::examine(source).map_err(|error| cannot_be_prepared(name, &error.into()))?;
    let capabilities = found.capabilities().clone();
    AsSigned::compare(found, &effective.submission).map_err(|error| {
        let signed = effective.capabilities();
        tracing::error!(service = %name, %error, ?signed, found = ?capabilities, "a module is not what was signed");
        NotReady::NotInspected
    })
}

fn cannot_be_prepared(name: &ServiceName, error: &PrepareError) -> NotReady {
    tracing::warn!(service = %name, problem = chain(error), "a service cannot be prepared");
    error.into()
}

/// The policy may only count a parameter that every entry has.
fn check_targets(name: &ServiceName, prepared: &Prepared, config: &ServiceConfig) -> Result<(), NotReady> {
    let Some(targets) = &config.quota.targets else { return Ok(()) };
    let has = |entry: &iog_sandbox::EntryType| entry.params.iter().any(|(name, _)| *name == targets.parameter);
    let entries = prepared.module.manifest().module.entry.iter();
    match entries.filter_map(|entry| prepared.loaded.entry(entry.as_str())).find(|entry| !has(entry)) {
        None => Ok(()),
        Some(entry) => {
            let (parameter, entry) = (&targets.parameter, &entry.name);
            tracing::warn!(service = %name, parameter, entry, "`quota.targets.parameter` is no parameter of the entry");
            Err(NotReady::PolicyMismatch)
        }
    }
}

fn report(service: &Service, before: Option<&Service>) {
    let was = before.map(|b| b.prepared.as_ref().map(|p| p.module.digest()));
    match &service.prepared {
        Ok(prepared) if was != Some(Ok(prepared.module.digest())) => {
            tracing::info!(service = %service.name, module = %prepared.module.digest(), "service is ready");
        }
        Err(reason) if was != Some(Err(reason)) => {
            tracing::info!(service = %service.name, %reason, "service is not ready");
        }
        _ => {}
    }
}
