//! The center as a whole: opened from its folder, served on a listener, stopped without losing an answer.

use std::{fs::File, net::SocketAddr, sync::Arc, time::Duration};

use iog_machine::{Clock, files::Readers};
use iog_protocol::{enroll::JoinToken, ids::Digest, registry::Registry, statements::Keyset};
use iog_tlog::NoteSigner;
use iog_transport::{ClientAuth, Drained, ServerTls};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    admissions::Admissions,
    blobs::Blobs,
    catalog::Catalog,
    certificates::Issuer,
    config::CenterConfig,
    db::Database,
    error::CenterError,
    head::Published,
    home::{Home, OnlineKeys, log_origin, write},
    invite::{InviteOptions, invite_in},
    parts::{GenesisEntry, Intake, Lists, Parts},
    present::Present,
    rates::{Askings, SharedRates},
    replay::replay,
    router::app,
    senders::Desks,
    sequencer::Writer,
    tokens::TokenIssuer,
};

/// How often the center looks at its own certificate and at the authorities of its keyset.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(5);

/// A center whose stored log has been proven to be the one it signed.
pub struct Center {
    config: CenterConfig,
    parts: Parts,
    writer: JoinHandle<()>,
    /// Held for as long as this process may write the log.
    lock: File,
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
        let signer = NoteSigner::ed25519(&log_origin(&config.trust_domain), keys.log.ed25519())
            .map_err(|_| CenterError::ForeignKey { role: "log" })?;
        let database = Database::open(&config.database_url()).await?;
        let now = clock.now();
        let (registry, rates, keeper) = replay(&home, &database, &keys, signer, now.unix()).await?;
        let rates = SharedRates::new(rates);
        check_trust_domain(&config, &home, &registry)?;
        let blobs = Blobs::open(&home.blobs())?;
        let present = Present { published: Published::new(keeper.log().clone(), registry), clock };
        let catalog = Catalog::load(database.clone(), config.limits.services_per_domain, &present).await?;
        let writer = Writer {
            database: database.clone(),
            published: present.published.clone(),
            keeper,
            approval_key: keys.approval,
            clock: Arc::clone(&present.clock),
            rates: rates.clone(),
        };
        let (sequencer, writer) = writer.start().await?;
        let issuer = Issuer {
            authorities: keys.authorities,
            trust_domain: config.trust_domain.clone(),
            own_names: config.names.clone(),
            hours: config.limits.certificate_hours,
        };
        let parts = Parts {
            trust_domain: config.trust_domain.clone(),
            genesis: GenesisEntry(genesis.into()),
            blobs,
            catalog: Arc::new(catalog),
            issuer: Arc::new(issuer),
            tokens: Arc::new(TokenIssuer { key: keys.token, lifetime_s: i64::from(config.limits.token_hours) * 3600 }),
            intake: Arc::new(Intake::new(&config.limits)),
            desks: Arc::new(Desks::new(rates.clone())),
            lists: Lists::new(),
            admissions: Arc::new(Admissions::new(present.clone(), database.clone(), sequencer.clone())),
            present,
            sequencer,
            rates,
            askings: Askings::default(),
            database,
        };
        Ok(Self { config, parts, writer, lock })
    }

    /// The registry as published.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        self.parts.present.registry()
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
        invite_in(&self.parts.database, &self.config, options, self.parts.present.now()).await
    }

    /// Serves on `listener` until the handle is shut down or dropped.
    ///
    /// # Errors
    /// [`CenterError::Transport`] if the center's own certificate cannot be made.
    pub fn serve(self, listener: TcpListener) -> Result<CenterHandle, CenterError> {
        let Self { config, parts, writer, lock } = self;
        let address = listener.local_addr().map_err(|source| CenterError::File {
            action: "listen on",
            path: config.listen.clone().into(),
            source,
        })?;
        let (issuer, present) = (Arc::clone(&parts.issuer), parts.present.clone());
        let identity = issuer.own_identity(&present)?;
        let authorities = issuer.authorities_pem(present.registry().keyset());
        let tls = ServerTls::new(identity, &authorities, ClientAuth::Optional, Arc::clone(&present.clock))?;
        let (tls, home) = (Arc::new(tls), Home::new(&config.data_dir));
        let own = Arc::new(Upkeep { issuer, present, home, tls: Arc::clone(&tls), rates: parts.rates.clone() });
        own.look();
        let (stop, stopped) = oneshot::channel::<()>();
        let renewal = tokio::spawn(Arc::clone(&own).keep());
        let database = parts.database.clone();
        let (app, limits) = (app(parts, &config), config.serve_limits());
        let server = tokio::spawn(async move {
            let until_stopped = async {
                let _ = stopped.await;
            };
            // The routes hold the sequencer. When they are gone the log is at rest and the database can be closed.
            let drained = iog_transport::serve(listener, tls, app, limits, until_stopped).await;
            renewal.abort();
            let _ = renewal.await;
            let _ = writer.await;
            database.close().await;
            drop(lock);
            drained
        });
        Ok(CenterHandle { address, stop: Some(stop), server, own })
    }
}

/// A center that serves. Dropping it stops the center too, without waiting.
pub struct CenterHandle {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Drained>,
    own: Arc<Upkeep>,
}

impl CenterHandle {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the center does by itself, at once instead of when it next looks: follows the keyset's authorities, and renews
    /// its certificate if that is due.
    pub fn step(&self) {
        self.own.look();
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

/// What is looked after from time to time: the center's certificate as its server shows it, whose certificates it trusts, and
/// alarms that end while nobody says anything.
struct Upkeep {
    issuer: Arc<Issuer>,
    present: Present,
    home: Home,
    tls: Arc<ServerTls>,
    rates: SharedRates,
}

impl Upkeep {
    async fn keep(self: Arc<Self>) {
        let mut tick = tokio::time::interval(CERTIFICATE_CHECK);
        loop {
            tick.tick().await;
            self.look();
        }
    }

    /// Follows the authorities of the keyset in force, renews the certificate where that is due, and logs alarms that end.
    fn look(&self) {
        let registry = self.present.registry();
        if let Err(error) = self.tls.follow_authorities(&registry.keyset().authorities()) {
            tracing::error!(%error, "the authorities of the keyset cannot be followed");
        }
        self.renew_if_due();
        self.rates.lock().look(&registry, self.present.now());
        if let Err(error) = self.note_issuing(registry.keyset()) {
            tracing::error!(%error, "which authority issues could not be noted; invitations may name another");
        }
    }

    /// Tells those who work beside this process which authority a new domain will meet, and which others here are named.
    fn note_issuing(&self, keyset: &Keyset) -> Result<(), CenterError> {
        let (path, note) = (self.home.issuing(), self.issuer.note(keyset));
        if std::fs::read_to_string(&path).is_ok_and(|noted| noted == note) {
            return Ok(());
        }
        write(&path, note.as_bytes(), Readers::All)
    }

    /// Renews the certificate when a third of its life is left, by the center's clock, or another authority whose key is here
    /// issues now.
    fn renew_if_due(&self) {
        let (leaf, now) = (self.tls.leaf(), self.present.now());
        let issuing = self.issuer.issuing(self.present.registry().keyset()).spki_sha256();
        if self.tls.authority() == Some(issuing) && leaf.not_after - now.unix() > (leaf.not_after - leaf.not_before) / 3
        {
            return;
        }
        let renewed =
            self.issuer.own_identity(&self.present).and_then(|identity| Ok(self.tls.rotate_identity(identity)?));
        match renewed {
            Ok(()) => tracing::info!("the center's certificate was renewed"),
            Err(error) => tracing::error!(%error, "the center's certificate could not be renewed"),
        }
    }
}
