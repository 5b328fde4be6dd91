//! Making the services ready: modules fetched by digest and compared with what was signed, the datasets they need opened, both
//! bound. What cannot be made ready says why and is tried again. No service waits for another or for another's data, each is
//! used as soon as it is ready, and each is looked at again in its own time. It follows no registry and publishes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use iog_client::CenterClient;
use iog_home::{Home, blobs};
use iog_machine::Clock;
use iog_machine::error::chain;
use iog_module::{AsSigned, Examined, Source};
use iog_protocol::ids::{DatasetName, ServiceName, SlotName};
use iog_protocol::registry::EffectiveModule;
use tokio::sync::{Mutex, Semaphore};

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
    pub(crate) datasets: Datasets,
    /// Whose turn it is to prepare, by service, and how many do at once.
    pub(crate) turns: Turns,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

/// One turn for each service, so that nobody prepares what somebody prepares already; and places for all together, which only
/// those take that have their data.
pub(crate) struct Turns {
    of: BTreeMap<ServiceName, Mutex<()>>,
    places: Semaphore,
}

impl Turns {
    /// Of these services.
    pub(crate) fn new<'a>(services: impl IntoIterator<Item = &'a ServiceName>) -> Self {
        let of = services.into_iter().map(|name| (name.clone(), Mutex::new(()))).collect();
        Self { of, places: Semaphore::new(PREPARED_AT_ONCE) }
    }
}

impl Preparer {
    /// Prepares every service that is not ready or whose module or data have changed, and ends with the last of them.
    pub(super) async fn refresh(&self) {
        self.announce();
        join_all(self.config.service.iter().map(|(name, config)| self.look(name, config))).await;
    }

    /// The same again and again, each service so long after it was done last.
    pub(super) async fn work(&self, every: Duration) {
        let one = |(name, config)| async move {
            loop {
                tokio::time::sleep(every).await;
                self.look(name, config).await;
            }
        };
        join_all(self.config.service.iter().map(one)).await;
        std::future::pending().await
    }

    /// Shows services that nobody has looked at yet as what they are.
    fn announce(&self) {
        let shown = self.services.snapshot();
        for (name, config) in self.config.service.iter().filter(|(name, _)| !shown.contains_key(*name)) {
            self.services.put(Service::new(name.clone(), config.clone()));
        }
    }

    /// Prepares one service, if it is not ready or its module or data have changed. It is put in its place when it is ready, or
    /// when it is known why it is not.
    async fn look(&self, name: &ServiceName, config: &ServiceConfig) {
        let Some(turn) = self.turns.of.get(name) else { return };
        let _mine = turn.lock().await;
        let before = self.services.snapshot();
        let known = before.get(name).map(Arc::as_ref);
        let prepared = known.and_then(|service| service.prepared.as_ref().ok());
        let made = self.prepare(name, config, prepared).await;
        self.take(name, config, made, known);
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
    pub(super) fn data_problems(&self) -> Vec<(DatasetName, String)> {
        self.datasets.problems()
    }

    /// What is known already if it is still good, else a service that is prepared anew, within its time.
    async fn prepare(
        &self,
        name: &ServiceName,
        config: &ServiceConfig,
        known: Option<&Arc<Prepared>>,
    ) -> Result<Arc<Prepared>, NotReady> {
        let effective = self.effective(config)?;
        let bound = self.bind(config).await?;
        if let Some(known) = known.filter(|known| still_good(known, &effective, &bound)) {
            return Ok(Arc::clone(known));
        }
        let _place = self.turns.places.acquire().await;
        let task = Task { name, config, effective, bound };
        tokio::time::timeout(PREPARED_WALL, self.make(task)).await.unwrap_or_else(|_| Err(late(name)))
    }

    /// The service's module, if it may run now.
    fn effective(&self, config: &ServiceConfig) -> Result<EffectiveModule, NotReady> {
        let registry = self.registry.current();
        let digest = config.module.resolve(&registry).ok_or(NotReady::NoModule)?;
        let effective = registry.effective(&digest, self.clock.now());
        effective.map_err(|e| NotReady::NotEffective { reason: e.to_string() })
    }

    /// The datasets that the service needs, all looked at at once.
    async fn bind(&self, config: &ServiceConfig) -> Result<BTreeMap<SlotName, Bound>, NotReady> {
        let looks = config.bind.iter().map(|(slot, name)| async move {
            let bound = self.datasets.usable(name).await.ok_or_else(|| NotReady::NoData { slot: slot.clone() })?;
            Ok::<_, NotReady>((slot.clone(), bound))
        });
        Ok(try_join_all(looks).await?.into_iter().collect())
    }

    async fn make(&self, Task { name, config, effective, bound }: Task<'_>) -> Result<Arc<Prepared>, NotReady> {
        let (wasm, manifest) = self.modules.fetch(name, &effective).await?;
        let wasm: Arc<[u8]> = wasm.into();
        let found = examine(name, Arc::clone(&wasm), manifest).await?;
        let module = as_signed(name, found, &effective)?;
        let prepared = Prepared::new(&self.tools, module, &wasm, &bound, &config.allowance()).await;
        let prepared = prepared.map_err(|error| cannot_be_prepared(name, &error))?;
        check_targets(name, &prepared, config)?;
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

/// One service to prepare, with the module and the data that it is to have.
struct Task<'a> {
    name: &'a ServiceName,
    config: &'a ServiceConfig,
    effective: EffectiveModule,
    bound: BTreeMap<SlotName, Bound>,
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
