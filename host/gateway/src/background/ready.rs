//! Making the services ready: modules fetched by digest and compared with what was signed, datasets opened, both bound. What
//! cannot be made ready says why and is tried again. No service waits for another, and each is used as soon as it is ready.
//! It follows no registry and publishes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use iog_client::CenterClient;
use iog_home::{Home, blobs};
use iog_machine::Clock;
use iog_machine::error::chain;
use iog_module::{AsSigned, Examined, Source};
use iog_protocol::ids::{DatasetName, ServiceName, SlotName};
use iog_protocol::registry::{EffectiveModule, Registry};
use iog_protocol::time::Timestamp;
use tokio::sync::Mutex;

use crate::config::{GatewayConfig, ServiceConfig};
use crate::datasets::{Bound, Datasets};
use crate::not_ready::NotReady;
use crate::prepare::{PrepareError, Prepared, Tools};
use crate::registry::RegistryCell;
use crate::services::{Service, Services};

/// How long the inspection of a module may take: some hundred times what the largest that its limits allow takes.
const EXAMINE_WALL: Duration = Duration::from_secs(30);

/// How long a service may take to be ready: twice what its parts may take together, which are 30 s to be inspected, 30 s to be
/// compiled, and 20 s for its queries to be planned.
const PREPARED_WALL: Duration = Duration::from_secs(160);
/// Services that are prepared at once. What is expensive about it has places of its own, compiling and planning; beyond them a
/// service holds its module's file and what was found in it, some 20 MiB.
const PREPARED_AT_ONCE: usize = 8;

/// Where modules come from: the home, else the center.
pub(crate) struct Modules {
    /// Keeps them by digest.
    pub(crate) home: Home,
    /// Has them all.
    pub(crate) center: CenterClient,
}

/// Makes services ready.
pub(crate) struct Preparer {
    /// What is configured: services and datasets.
    pub(crate) config: Arc<GatewayConfig>,
    /// Where modules come from.
    pub(crate) modules: Modules,
    /// Prepares modules.
    pub(crate) tools: Tools,
    /// The registry in force.
    pub(crate) registry: Arc<RegistryCell>,
    /// The services.
    pub(crate) services: Arc<Services>,
    /// The datasets.
    pub(crate) datasets: Mutex<Datasets>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Preparer {
    /// Prepares every service that is not ready or whose module or data have changed. Each is put in its place when it is
    /// ready, or when it is known why it is not.
    pub(super) async fn refresh(&self) {
        let mut datasets = self.datasets.lock().await;
        let before = self.services.snapshot();
        for (name, config) in &self.config.service {
            if !before.contains_key(name) {
                self.services.put(Service::new(name.clone(), config.clone()));
            }
        }
        datasets.refresh(&self.config.dataset).await;
        let (registry, now) = (self.registry.current(), self.clock.now());
        let (datasets, registry) = (&*datasets, &*registry);
        let one = |(name, config)| {
            let known = before.get(name).map(Arc::as_ref);
            async move {
                let prepared = known.and_then(|service| service.prepared.as_ref().ok());
                let task = Task { name, config, registry, now, known: prepared };
                let made = tokio::time::timeout(PREPARED_WALL, self.prepare(&task, datasets)).await;
                self.take(name, config, made.unwrap_or_else(|_| Err(late(name))), known);
            }
        };
        stream::iter(&self.config.service).for_each_concurrent(PREPARED_AT_ONCE, one).await;
    }

    /// Puts a service in its place, if anything about it is new.
    fn take(
        &self,
        name: &ServiceName,
        config: &ServiceConfig,
        prepared: Result<Arc<Prepared>, NotReady>,
        known: Option<&Service>,
    ) {
        let same = match (&prepared, known.map(|service| &service.prepared)) {
            (Ok(now), Some(Ok(before))) => Arc::ptr_eq(now, before),
            (Err(now), Some(Err(before))) => now == before,
            _ => false,
        };
        if !same {
            let service = Service { prepared, ..Service::new(name.clone(), config.clone()) };
            report(&service, known);
            self.services.put(service);
        }
    }

    /// Why datasets cannot be used, for the operator.
    pub(super) async fn data_problems(&self) -> Vec<(DatasetName, String)> {
        let datasets = self.datasets.lock().await;
        datasets.problems().map(|(name, problem)| (name.clone(), problem.to_owned())).collect()
    }

    async fn prepare(&self, task: &Task<'_>, datasets: &Datasets) -> Result<Arc<Prepared>, NotReady> {
        let digest = task.config.module.resolve(task.registry).ok_or(NotReady::NoModule)?;
        let effective =
            task.registry.effective(&digest, task.now).map_err(|e| NotReady::NotEffective { reason: e.to_string() })?;
        let bound = bind(task.config, datasets)?;
        if let Some(known) = task.known.filter(|known| still_good(known, &effective, &bound)) {
            return Ok(Arc::clone(known));
        }
        let (wasm, manifest) = self.modules.fetch(task.name, &effective).await?;
        let wasm: Arc<[u8]> = wasm.into();
        let found = examine(task.name, Arc::clone(&wasm), manifest).await?;
        let module = as_signed(task.name, found, &effective)?;
        let prepared = Prepared::new(&self.tools, module, &wasm, &bound, &task.config.allowance()).await;
        let prepared = prepared.map_err(|error| cannot_be_prepared(task.name, &error))?;
        check_targets(task.name, &prepared, task.config)?;
        Ok(Arc::new(prepared))
    }
}

impl Modules {
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

/// Inspects beside the async threads. What inspection does is bounded by its limits; that it also ends in time is held here.
async fn examine(name: &ServiceName, wasm: Arc<[u8]>, manifest: String) -> Result<Examined, NotReady> {
    let examining = tokio::task::spawn_blocking(move || Examined::examine(Source { wasm: &wasm, manifest: &manifest }));
    match tokio::time::timeout(EXAMINE_WALL, examining).await {
        Ok(Ok(examined)) => examined.map_err(|error| cannot_be_prepared(name, &error.into())),
        Ok(Err(error)) => {
            tracing::error!(service = %name, %error, "the inspection of a module failed");
            Err(NotReady::NotInspected)
        }
        Err(_) => {
            tracing::error!(service = %name, limit = ?EXAMINE_WALL, "a module is not inspected in time");
            Err(NotReady::NotInspected)
        }
    }
}

/// What was found here must be what was signed: the center's word counts for nothing.
fn as_signed(name: &ServiceName, found: Examined, effective: &EffectiveModule) -> Result<AsSigned, NotReady> {
    let capabilities = found.capabilities().clone();
    AsSigned::compare(found, &effective.submission).map_err(|error| {
        let signed = effective.capabilities();
        tracing::error!(service = %name, %error, ?signed, found = ?capabilities, "a module is not what was signed");
        NotReady::NotInspected
    })
}

fn late(name: &ServiceName) -> NotReady {
    tracing::error!(service = %name, limit = ?PREPARED_WALL, "a service is not prepared in time");
    NotReady::NotInTime
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
            tracing::warn!(service = %name, parameter, entry, "`quota.targets.parameter` is not a parameter of the entry");
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
