//! The center as a whole: opened from its folder, served on a listener, stopped without losing an answer.

use std::{fs::File, net::SocketAddr, sync::Arc, time::Duration};

use iog_machine::Clock;
use iog_protocol::{enroll::JoinToken, ids::Digest, registry::Registry};
use iog_tlog::NoteSigner;
use iog_transport::{ClientAuth, Drained, ServerTls};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore, oneshot},
    task::JoinHandle,
};

use crate::{
    blobs::Blobs,
    catalog::Catalog,
    certificates,
    config::CenterConfig,
    db::Database,
    error::CenterError,
    head::Published,
    home::{Home, OnlineKeys, log_origin},
    invite::{InviteOptions, invite_in},
    replay::replay,
    router::router,
    sequencer::{Sequencer, Writer},
};

/// How often the center looks at its own certificate.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(600);

/// Uploads taken into memory for each inspection that runs.
const UPLOADS_PER_INSPECTION: usize = 5;

/// What the handlers share.
pub(crate) struct Shared {
    pub(crate) config: CenterConfig,
    pub(crate) genesis: Vec<u8>,
    pub(crate) keys: OnlineKeys,
    pub(crate) published: Published,
    pub(crate) sequencer: Sequencer,
    pub(crate) database: Database,
    pub(crate) blobs: Blobs,
    pub(crate) catalog: Catalog,
    pub(crate) clock: Arc<dyn Clock>,
    /// Places for uploads, which wait in memory.
    pub(crate) uploads: Semaphore,
    /// Places for inspections.
    pub(crate) inspections: Semaphore,
    /// Held while a domain statement is read, judged and kept.
    pub(crate) admissions: Mutex<()>,
    /// Held for as long as this process may write the log.
    _lock: File,
}

/// A center whose stored log has been proven to be the one it signed.
pub struct Center {
    shared: Arc<Shared>,
    writer: JoinHandle<()>,
}

impl Center {
    /// Opens a center: keys, database, the whole log. Nothing is signed before all of it fits together.
    ///
    /// # Errors
    /// [`CenterError`]: see its variants. [`CenterError::Log`] means that the stored log must not be continued.
    pub async fn open(config: CenterConfig, clock: Arc<dyn Clock>) -> Result<Self, CenterError> {
        let home = Home::new(&config.data_dir);
        let lock = lock(&home)?;
        let keys = OnlineKeys::load(&home)?;
        let genesis = home.read_genesis()?;
        let signer = NoteSigner::ed25519(&log_origin(&config), keys.log.ed25519())
            .map_err(|_| CenterError::ForeignKey { role: "log" })?;
        let database = Database::open(&config.database_url()).await?;
        let now = clock.now();
        let head = replay(&home, &database, &keys, &signer, now.unix()).await?;
        check_trust_domain(&config, &home, &head.registry)?;
        let catalog = Catalog::load(database.descriptors().await?, &head.registry, now);
        let blobs = Blobs::open(&home.blobs())?;
        let published = Published::new(head);
        let writer = Writer {
            database: database.clone(),
            home,
            published: published.clone(),
            signer,
            approval_key: keys.approval.clone(),
            clock: Arc::clone(&clock),
        };
        let (sequencer, writer) = writer.start().await?;
        let at_once = config.limits.submissions_at_once;
        let shared = Shared {
            config,
            genesis,
            keys,
            published,
            sequencer,
            database,
            blobs,
            catalog,
            clock,
            uploads: Semaphore::new(at_once * UPLOADS_PER_INSPECTION),
            inspections: Semaphore::new(at_once),
            admissions: Mutex::default(),
            _lock: lock,
        };
        Ok(Self { shared: Arc::new(shared), writer })
    }

    /// The registry as published.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        self.shared.published.registry()
    }

    /// The digest of the genesis: what members pin.
    #[must_use]
    pub fn genesis_digest(&self) -> Digest {
        *self.registry().genesis_digest()
    }

    /// Invites a domain; see [`crate::invite()`].
    ///
    /// # Errors
    /// As [`crate::invite()`].
    pub async fn invite(&self, options: &InviteOptions) -> Result<JoinToken, CenterError> {
        invite_in(&self.shared.database, &self.shared.config, options, self.shared.clock.now()).await
    }

    /// Serves on `listener` until the handle is shut down or dropped.
    ///
    /// # Errors
    /// [`CenterError::Transport`] if the center's own certificate cannot be made.
    pub fn serve(self, listener: TcpListener) -> Result<CenterHandle, CenterError> {
        let Self { shared, writer } = self;
        let address = listener.local_addr().map_err(|source| CenterError::File {
            action: "listen on",
            path: shared.config.listen.clone().into(),
            source,
        })?;
        let authority = shared.keys.ca.certificate_pem();
        let identity = certificates::own_identity(&shared)?;
        let tls = Arc::new(ServerTls::new(identity, authority, ClientAuth::Optional)?);
        let (stop, stopped) = oneshot::channel::<()>();
        let renewal = tokio::spawn(keep_certificate(Arc::clone(&shared), Arc::clone(&tls)));
        let (app, limits) = (router(Arc::clone(&shared)), shared.config.serve_limits());
        let server = tokio::spawn(async move {
            let until_stopped = async {
                let _ = stopped.await;
            };
            let drained = iog_transport::serve(listener, tls, app, limits, until_stopped).await;
            renewal.abort();
            let _ = renewal.await;
            // The last one to hold the sequencer ends it; then the log is at rest and the database can be closed.
            let database = shared.database.clone();
            drop(shared);
            let _ = writer.await;
            database.close().await;
            drained
        });
        Ok(CenterHandle { address, stop: Some(stop), server })
    }
}

/// A center that serves. Dropping it stops the center too, without waiting.
pub struct CenterHandle {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Drained>,
}

impl CenterHandle {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets running requests finish, and closes log and database.
    ///
    /// # Errors
    /// [`CenterError::Stopped`] if the server had ended by a panic.
    pub async fn shutdown(mut self) -> Result<Drained, CenterError> {
        drop(self.stop.take());
        self.server.await.map_err(|_| CenterError::Stopped)
    }
}

/// The process that holds the lock writes the log; two would fork it.
fn lock(home: &Home) -> Result<File, CenterError> {
    let path = home.folder().join("lock");
    let failed = |source| CenterError::File { action: "create", path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    file.try_lock().map_err(|_| CenterError::Running { path: path.clone() })?;
    Ok(file)
}

fn check_trust_domain(config: &CenterConfig, home: &Home, registry: &Registry) -> Result<(), CenterError> {
    let founded = &registry.founding().trust_domain;
    if *founded == config.trust_domain {
        return Ok(());
    }
    let reason = format!("it founds `{founded}`, the configuration says `{}`", config.trust_domain);
    Err(CenterError::Genesis { path: home.genesis(), reason })
}

/// Renews the center's certificate when a third of its life is left.
async fn keep_certificate(shared: Arc<Shared>, tls: Arc<ServerTls>) {
    let mut tick = tokio::time::interval(CERTIFICATE_CHECK);
    loop {
        tick.tick().await;
        let leaf = tls.leaf();
        let left = leaf.not_after - shared.clock.now().unix();
        if left > (leaf.not_after - leaf.not_before) / 3 {
            continue;
        }
        let renewed = certificates::own_identity(&shared).and_then(|identity| Ok(tls.rotate_identity(identity)?));
        match renewed {
            Ok(()) => tracing::info!("the center's certificate was renewed"),
            Err(error) => tracing::error!(%error, "the center's certificate could not be renewed"),
        }
    }
}
