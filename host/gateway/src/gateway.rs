//! A gateway from its configuration to its end: open and check everything, finish what a crash cut off, serve, drain. It
//! puts the parts together and holds none of their rules.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use iog_client::CaughtUp;
use iog_data::Engine;
use iog_home::connect::{self, ConnectError};
use iog_home::{Home, HomeError};
use iog_machine::error::chain;
use iog_machine::{Clock, Machine};
use iog_protocol::receipt::log_origin;
use iog_protocol::registry::Registry;
use iog_sandbox::{Compiling, Sandbox};
use iog_transport::{App, ClientAuth, Drained, Identity, PeerIdentity, ServerTls, TransportError};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::background::{self, Background, Follower, Modules, Preparer, Publisher, Renewer, Turns};
use crate::config::GatewayConfig;
use crate::datasets::Datasets;
use crate::db::{Store, StoreError};
use crate::executor::Executor;
use crate::journal;
use crate::parts::{Parts, Recording};
use crate::policy::Policy;
use crate::prepare::Tools;
use crate::receipt_log::{self, ReceiptLogError};
use crate::receipts::{Letterhead, Receipts, ReceiptsError};
use crate::registry::RegistryCell;
use crate::routes;
use crate::runs::ending::{Accepted, Ending};
use crate::services::Services;
use crate::vantage::Vantage;

/// How long runs may go on after the connections are closed.
const DRAIN: Duration = Duration::from_secs(10);

/// How long a start waits for the services to be ready. What takes longer becomes ready while the others are served.
const READY_WAIT: Duration = Duration::from_secs(5);

/// What gateways of one process share, and what tests replace.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Loads and runs modules; clones share engine and compiled modules.
    pub sandbox: Sandbox,
    /// Time and random numbers.
    pub machine: Machine,
}

/// Why a gateway does not start; the operator's, as the variant says.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Home, certificate, pins or replica.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A file of the home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The journal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The receipt log.
    #[error(transparent)]
    ReceiptLog(#[from] ReceiptLogError),
    /// Receipts of what a crash cut off could not be written.
    #[error("the receipts of unfinished runs could not be written")]
    Receipts(#[from] ReceiptsError),
    /// Certificate and roots.
    #[error("the server's certificate cannot be used")]
    Transport(#[from] TransportError),
    /// There is no registry yet and the center is away.
    #[error("this home holds no registry yet and the center `{center}` cannot be reached")]
    NoRegistry {
        /// The center.
        center: String,
        /// Why it was not reached.
        #[source]
        source: Box<iog_client::ReplicaError>,
    },
    /// The registry has another receipt key for this domain than the home.
    #[error("the registry has another receipt key for domain `{domain}`; nobody would believe receipts signed here")]
    OtherReceiptKey {
        /// The domain.
        domain: String,
    },
    /// The query engine does not start.
    #[error("the query engine does not start")]
    Engine(#[from] iog_data::QueryError),
}

/// A gateway that is ready to serve.
pub struct Gateway {
    parts: Parts,
    background: Arc<Background>,
    tls: Arc<ServerTls>,
    config: Arc<GatewayConfig>,
    home: Home,
    writer: JoinHandle<()>,
    /// Prepares the services for the first time.
    preparing: JoinHandle<()>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("home", &self.home).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Opens everything, checks the receipt log, gives cut-off runs their receipts and prepares the services, for some seconds
    /// before it returns and then beside what it serves.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn open(config: GatewayConfig, deps: Deps) -> Result<Self, GatewayError> {
        let config = Arc::new(config);
        let home = Home::open(&config.home)?;
        let http = connect::http(&home, &deps.machine.clock)?;
        let center = connect::center(&home, &http);
        let mut replica = connect::replica(&home)?;
        let registry = first_registry(&home, &center, &mut replica, deps.machine.clock.as_ref()).await?;
        check_receipt_key(&home, &registry.current(), deps.machine.clock.as_ref())?;
        let (receipts, store, writer) = open_receipts(&home, &deps).await?;
        finish_cut_off(&store, &receipts, &registry, deps.machine.clock.as_ref()).await?;
        let services = Arc::new(Services::default());
        let vantage = Arc::new(Vantage {
            domain: home.domain().clone(),
            registry: Arc::clone(&registry),
            registry_age_max_h: config.sync.registry_age_max_h,
            clock: Arc::clone(&deps.machine.clock),
        });
        let query_memory_bytes = usize::try_from(config.capacity.query_memory_mib << 20).unwrap_or(usize::MAX);
        let executor = Executor { sandbox: deps.sandbox.clone(), query_memory_bytes };
        let compiling = Arc::new(compiling(&deps.sandbox).await);
        let recording = Recording { vantage, executor, store, receipts, compiling };
        let parts = Parts::new(&config.capacity, config.modules(), Arc::clone(&services), recording);
        let tls = Arc::new(server_tls(&home, &deps.machine.clock)?);
        background::follow_authorities(&tls, &registry.current());
        let clock = deps.machine.clock;
        let background = Background {
            follower: Follower {
                center: center.clone(),
                replica: Mutex::new(replica),
                registry: Arc::clone(&registry),
                under_way: Arc::clone(&parts.lifecycle.under_way),
                tls: Arc::clone(&tls),
                clock: Arc::clone(&clock),
            },
            preparer: Preparer {
                config: Arc::clone(&config),
                modules: Modules { home: home.clone(), center: center.clone() },
                tools: Tools { sandbox: deps.sandbox, engine: Engine::new()? },
                registry,
                services: Arc::clone(&services),
                datasets: Datasets::new(&config.dataset),
                turns: Turns::new(config.service.keys()),
                clock: Arc::clone(&clock),
            },
            publisher: Publisher {
                home: home.clone(),
                center: center.clone(),
                services,
                descriptor_hours: config.sync.descriptor_hours,
                clock: Arc::clone(&clock),
            },
            renewer: Renewer { home: home.clone(), center, http, tls: Arc::clone(&tls), clock },
            times: config.sync.clone(),
        };
        let background = Arc::new(background);
        let preparing = prepare(&background).await;
        Ok(Self { parts, background, tls, config, home, writer, preparing })
    }

    /// The domain's home.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &GatewayConfig {
        &self.config
    }

    /// Where modules are compiled and what holds it.
    #[must_use]
    pub fn compiling(&self) -> &Compiling {
        self.parts.compiling()
    }

    /// The background work, to make a round at once instead of waiting for it.
    #[must_use]
    pub fn background(&self) -> &Arc<Background> {
        &self.background
    }

    /// Serves until `shutdown`, then drains: no new connections, runs end or are stopped, every receipt is written.
    ///
    /// # Errors
    /// [`GatewayError`]; none is known after the start.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<Drained, GatewayError> {
        let (stop, stopped) = watch::channel(false);
        let work = tokio::spawn(Arc::clone(&self.background).work(stopped));
        let app = App::new(routes::router(self.parts.api()), routes::no_room).with_members(self.members());
        let (limits, tls) = (self.config.connections.serve_limits(), Arc::clone(&self.tls));
        let drained = iog_transport::serve(listener, tls, app, limits, shutdown).await;
        let _ = stop.send(true);
        if let Err(error) = work.await {
            tracing::error!(%error, "the background work ended badly");
        }
        if self.config.sync.withdraw_on_drain {
            self.background.withdraw().await;
        }
        self.close().await;
        Ok(drained)
    }

    /// Who of those with a certificate is a member in force, by the registry held here: the others do not take what members have.
    fn members(&self) -> impl Fn(&PeerIdentity) -> bool + Send + Sync + 'static {
        let Follower { registry, clock, .. } = &self.background.follower;
        let (registry, clock) = (Arc::clone(registry), Arc::clone(clock));
        let trust_domain = self.home.trust_domain().clone();
        move |identity| {
            let domain = identity.spiffe.as_deref().and_then(|spiffe| trust_domain.domain_named(spiffe));
            domain.is_some_and(|domain| registry.current().domain(&domain, clock.now()).is_some())
        }
    }

    /// Stops what still runs, waits until every receipt is durable and closes the journal.
    pub async fn close(self) {
        self.preparing.abort();
        if tokio::time::timeout(DRAIN, self.parts.lifecycle.under_way.idle()).await.is_err() {
            self.parts.lifecycle.under_way.stop_unless(|_| false);
            self.parts.lifecycle.under_way.idle().await;
        }
        let store = Arc::clone(&self.parts.lifecycle.store);
        // The writer ends when the last of these two lets go of it.
        drop((self.parts, self.background));
        if tokio::time::timeout(DRAIN, self.writer).await.is_err() {
            tracing::error!("receipts could not be stored before the end; they will be written at the next start");
        }
        store.close().await;
    }
}

/// Prepares the services for the first time, and waits a little for it.
async fn prepare(background: &Arc<Background>) -> JoinHandle<()> {
    let working = Arc::clone(background);
    let mut preparing = tokio::spawn(async move { working.refresh().await });
    match tokio::time::timeout(READY_WAIT, &mut preparing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "preparing the services ended badly"),
        Err(_) => tracing::info!(waited = ?READY_WAIT, "starting while services are still being prepared"),
    }
    preparing
}

fn server_tls(home: &Home, clock: &Arc<dyn Clock>) -> Result<ServerTls, GatewayError> {
    let files = home.tls()?;
    let identity = Identity::from_pem(&files.cert_pem, &files.key_pem)?;
    // Log and health are public; every other route asks for the certificate itself.
    Ok(ServerTls::new(identity, &files.ca_pem, ClientAuth::Optional, Arc::clone(clock))?)
}

/// Tries where modules are compiled, and says it: what an operator's kernel does not confine is the operator's to know.
async fn compiling(sandbox: &Sandbox) -> Compiling {
    let compiling = sandbox.compiling().await;
    match &compiling {
        Compiling::Confined(confined) if confined.is_whole() => tracing::info!(%compiling, "modules are compiled"),
        Compiling::Confined(_) | Compiling::Here => {
            tracing::warn!(%compiling, "modules are compiled with fewer confinements than there are");
        }
        Compiling::Unable { .. } => {
            tracing::error!(%compiling, "modules cannot be compiled, and no service will be ready")
        }
    }
    compiling
}

/// The registry on disk, brought up to date where the center answers; without one on disk the center must.
async fn first_registry(
    home: &Home,
    center: &iog_client::CenterClient,
    replica: &mut iog_client::Replica,
    clock: &dyn Clock,
) -> Result<Arc<RegistryCell>, GatewayError> {
    let CaughtUp { registry, missed } = center.catch_up(replica, clock.now()).await.map_err(|source| {
        let center = home.domain_file().center.clone();
        GatewayError::NoRegistry { center, source: Box::new(source) }
    })?;
    let cell = Arc::new(RegistryCell::new(registry, replica.synced()));
    if let Some(error) = missed {
        tracing::warn!(problem = chain(&error), "starting with the registry on disk; the center was not reached");
        background::missed(&cell, &error);
    }
    Ok(cell)
}

fn check_receipt_key(home: &Home, registry: &Registry, clock: &dyn Clock) -> Result<(), GatewayError> {
    let ours = home.receipt_key()?.public();
    match registry.domain(home.domain(), clock.now()) {
        Some(record) if record.receipt_key != ours => {
            Err(GatewayError::OtherReceiptKey { domain: home.domain().to_string() })
        }
        Some(_) => Ok(()),
        None => {
            tracing::warn!(domain = %home.domain(), "this domain is not in force yet; nobody will believe its receipts");
            Ok(())
        }
    }
}

async fn open_receipts(home: &Home, deps: &Deps) -> Result<(Receipts, Arc<Store>, JoinHandle<()>), GatewayError> {
    let store = Arc::new(Store::open(&home.journal_path()).await?);
    let origin = log_origin(home.trust_domain(), home.domain());
    let log = receipt_log::open(&store, &home.receipt_key()?, &origin, &home.receipts_head_path()).await?;
    let head = Letterhead::new(home.domain().clone(), deps.sandbox.engine_info());
    let (receipts, writer) = Receipts::start(head, Arc::clone(&deps.machine.entropy), log, Arc::clone(&store));
    Ok((receipts, store, writer))
}

/// Every accepted request has a receipt: those that a crash cut off have failed, and it was ours.
pub(crate) async fn finish_cut_off(
    store: &Store,
    receipts: &Receipts,
    registry: &RegistryCell,
    clock: &dyn Clock,
) -> Result<(), GatewayError> {
    for cut_off in journal::unfinished(store).await? {
        tracing::warn!(run = %cut_off.request.request_id, "a run was cut off; it gets a receipt of failure");
        let ending = Ending::cut_off(registry.current().size());
        let policy = Policy::default().digest();
        let accepted = Accepted { request: &cut_off.request, digest: cut_off.request_digest, policy };
        receipts.write(&accepted, &ending, clock.now()).await?;
    }
    Ok(())
}
