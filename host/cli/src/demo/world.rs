//! A whole network in one process, on loopback with real TLS, real keys and a real log: what the demo and the
//! end-to-end stories run on. Nothing is short-cut: every party uses the calls it would use in earnest.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use anyhow::{Context as _, Result};
use iog_center::{Center, CenterConfig, CenterHandle, InitOptions, InviteOptions};
use iog_client::CenterClient;
use iog_desk::decide::review::ReviewDecision;
use iog_desk::views::domains::Waiting;
use iog_gateway::background::Background;
use iog_gateway::config::GatewayConfig;
use iog_gateway::{Deps, Gateway};
use iog_home::Home;
use iog_home::enroll::{EnrollOptions, enroll};
use iog_machine::Machine;
use iog_protocol::ids::{Asn, Digest, DomainId};
use iog_protocol::keys::SecretKey;
use iog_protocol::registry::Registry;
use iog_protocol::statements::{Auditor, Publisher, Root, Thresholds, Verdict};
use iog_protocol::time::Timestamp;
use iog_sandbox::{Sandbox, SandboxConfig};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::keys::new_key;
use crate::link::{Link, Network};
use crate::module::submission;

/// The trust domain of every demo; no other command accepts it.
pub const TRUST_DOMAIN: &str = "demo.invalid";
/// The domain that asks.
pub const CALLER: &str = "demo-caller";
/// Approving organisations for public data; flows are not public and need one more, which makes two.
const K: u32 = 1;

/// Who holds which key in the world.
pub struct Parties {
    /// The offline root.
    pub root: SecretKey,
    /// Two auditors of different organisations.
    pub auditors: [(&'static str, &'static str, SecretKey); 2],
    /// Who publishes under the namespace `iog`.
    pub publisher: SecretKey,
}

impl Parties {
    fn new() -> Result<Self> {
        Ok(Self {
            root: new_key()?,
            auditors: [("alice", "university", new_key()?), ("bob", "exchange", new_key()?)],
            publisher: new_key()?,
        })
    }

    fn store(&self, folder: &Path) -> Result<()> {
        crate::keys::store(&folder.join("root.key"), &self.root)?;
        crate::keys::store(&folder.join("publisher.key"), &self.publisher)?;
        for (name, _, key) in &self.auditors {
            crate::keys::store(&folder.join(format!("{name}.key")), key)?;
        }
        Ok(())
    }
}

/// A running center with everything an operator has beside it.
pub struct World {
    /// Folder of everything.
    pub dir: PathBuf,
    /// Who holds which key.
    pub parties: Parties,
    /// The center's address, by which members know it.
    pub center_address: SocketAddr,
    /// What publishers and auditors hold.
    pub network_file: PathBuf,
    center: Option<CenterHandle>,
    gateways: BTreeMap<DomainId, Running>,
    center_config: CenterConfig,
    /// Shared by all gateways, as one process should.
    pub sandbox: Sandbox,
    /// Time and randomness of everybody in it: certificates begin and end by this clock, statements are signed at it.
    pub machine: Machine,
}

struct Running {
    stop: oneshot::Sender<()>,
    /// Weak, so that the gateway can end while somebody looks at it.
    background: Weak<Background>,
    task: JoinHandle<Result<()>>,
}

/// A domain that has a place to answer at, and not yet a gateway.
pub struct Seat {
    /// The domain's home.
    pub home: Home,
    /// Where its gateway will answer; none for a domain that only asks.
    pub listener: Option<TcpListener>,
}

/// A domain about to join.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// Its id.
    pub domain: String,
    /// Its organisation.
    pub organisation: String,
    /// Its AS number, where it has one.
    pub asn: Option<u32>,
    /// Whether it will have a gateway.
    pub provider: bool,
}

impl World {
    /// Founds a network in `dir`: keys, genesis, center. Everybody in it has the time of `machine`.
    ///
    /// # Errors
    /// Whatever the center refuses; a bug in this file otherwise.
    pub async fn found(dir: &Path, machine: Machine) -> Result<Self> {
        Self::found_with(dir, machine, Sandbox::new(&SandboxConfig::default())?).await
    }

    /// As [`Self::found`]; modules are loaded and run by `sandbox`.
    ///
    /// # Errors
    /// As there.
    pub async fn found_with(dir: &Path, machine: Machine, sandbox: Sandbox) -> Result<Self> {
        let parties = Parties::new()?;
        parties.store(&dir.join("keys"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let center_address = listener.local_addr().context("the listener has no address")?;
        let folder = dir.join("center");
        let now = machine.clock.now();
        let made = iog_center::init(&folder, &options(&parties, center_address, now)?, now)?;
        let config = CenterConfig::load(&made.config)?;
        iog_center::sign_genesis_in(&config, &parties.root)?;
        let center = Center::open(config.clone(), Arc::clone(&machine.clock)).await?.serve(listener)?;
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).context("the center's folder is incomplete");
        let network =
            Network { center: config.public_address.clone(), ca_pem: read("ca.pem")?, genesis: read("genesis.json")? };
        let network_file = dir.join("network.json");
        std::fs::write(&network_file, serde_json::to_vec_pretty(&network)?).context("cannot write the network file")?;
        Ok(Self {
            dir: dir.to_owned(),
            parties,
            center_address,
            network_file,
            center: Some(center),
            gateways: BTreeMap::new(),
            center_config: config,
            sandbox,
            machine,
        })
    }

    /// The center, as publishers and auditors reach it.
    ///
    /// # Errors
    /// When the network file does not hold.
    pub fn link(&self) -> Result<Link> {
        let network = Network::read(&self.network_file)?;
        Ok(Link::of_network(&network, &self.dir.join("auditors-log"), Arc::clone(&self.machine.clock))?)
    }

    /// What everybody's clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.machine.clock.now()
    }

    /// Enrolls a domain. It is not in force before [`World::admit_all`].
    ///
    /// # Errors
    /// Whatever the center refuses.
    pub async fn enroll(&self, newcomer: &Newcomer) -> Result<Seat> {
        let options = InviteOptions {
            domain: newcomer.domain.parse()?,
            organisation: newcomer.organisation.parse()?,
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            asns: newcomer.asn.into_iter().map(Asn).collect(),
            hours: 1,
        };
        let token = iog_center::invite(&self.center_config, &options, self.now()).await?;
        let listener = match newcomer.provider {
            true => Some(TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?),
            false => None,
        };
        let endpoint =
            |listener: &TcpListener| Ok::<_, std::io::Error>(format!("localhost:{}", listener.local_addr()?.port()));
        let endpoints = listener.iter().map(endpoint).collect::<Result<_, _>>()?;
        let options = EnrollOptions { endpoints, demo: true, ..EnrollOptions::default() };
        let home = enroll(&self.home(&newcomer.domain), &token, &options, &self.machine).await?;
        Ok(Seat { home, listener })
    }

    /// Where a domain's home is.
    #[must_use]
    pub fn home(&self, domain: &str) -> PathBuf {
        self.dir.join("domains").join(domain)
    }

    /// Root co-signs every domain that waits.
    ///
    /// # Errors
    /// When a statement is not what root was told, or the center refuses it.
    pub async fn admit_all(&self) -> Result<usize> {
        let link = self.link()?;
        let pending = link.center.domains().await?.pending;
        for waiting in &pending {
            let mut envelope = Waiting::read(waiting, &link.replica.pins().genesis)?.envelope;
            envelope.add_signature(&self.parties.root);
            link.center.post_statement(envelope.to_json()).await?;
        }
        Ok(pending.len())
    }

    /// Publishes a module and has both auditors approve it.
    ///
    /// # Errors
    /// Whatever the center refuses.
    pub async fn publish(&self, wasm: &[u8], manifest: &str) -> Result<Digest> {
        let mut link = self.link()?;
        let registry = link.registry().await?;
        let body = submission(&registry, wasm, manifest, &self.parties.publisher)?;
        let submitted = link.center.submit_module(&body).await?;
        for (_, _, key) in &self.parties.auditors {
            let registry = link.registry().await?;
            self.review(&link.center, &registry, &submitted.digest, key).await?;
        }
        let registry = link.registry().await?;
        registry.effective(&submitted.digest, self.now()).context("two reviews were not enough")?;
        Ok(submitted.digest)
    }

    async fn review(&self, center: &CenterClient, registry: &Registry, digest: &Digest, key: &SecretKey) -> Result<()> {
        let record = registry.module(digest).context("the module is not in the log")?;
        let mut decision = ReviewDecision::new(Verdict::Approve, Vec::new())?;
        decision.criteria = vec!["iog-safe-to-run".to_owned(), "iog-privacy".to_owned()];
        let statement = decision.statement(registry, record, &key.public(), self.now())?;
        center.post_statement(statement.sign(&[key])?.to_json()).await?;
        Ok(())
    }

    /// Starts the gateway of a domain that has a seat.
    ///
    /// # Errors
    /// Whatever the gateway refuses.
    pub async fn start_gateway(&mut self, seat: Seat, config: GatewayConfig) -> Result<()> {
        let domain = seat.home.domain().clone();
        let listener = seat.listener.with_context(|| format!("`{domain}` has no place to answer at"))?;
        let deps = Deps { sandbox: self.sandbox.clone(), machine: self.machine.clone() };
        let gateway = Gateway::open(config, deps).await.with_context(|| format!("gateway of `{domain}`"))?;
        let (stop, stopped) = oneshot::channel();
        let background = Arc::downgrade(gateway.background());
        let task = tokio::spawn(async move {
            let until_stopped = async {
                let _ = stopped.await;
            };
            gateway.serve(listener, until_stopped).await?;
            Ok(())
        });
        self.gateways.insert(domain, Running { stop, background, task });
        Ok(())
    }

    /// The domains whose gateways run.
    pub fn running(&self) -> impl Iterator<Item = &DomainId> {
        self.gateways.keys()
    }

    /// What a running gateway does by itself: to make it do a round now, and to see what it believes.
    ///
    /// # Errors
    /// When there is none.
    pub fn background(&self, domain: &DomainId) -> Result<Arc<Background>> {
        let running = self.gateways.get(domain).with_context(|| format!("`{domain}` has no gateway here"))?;
        running.background.upgrade().with_context(|| format!("the gateway of `{domain}` has ended"))
    }

    /// Stops one gateway and waits for its end.
    ///
    /// # Errors
    /// When there is none, or it did not end well.
    pub async fn stop_gateway(&mut self, domain: &DomainId) -> Result<()> {
        let running = self.gateways.remove(domain).with_context(|| format!("`{domain}` has no gateway here"))?;
        drop(running.stop);
        running.task.await.context("the gateway panicked")?
    }

    /// What the center does by itself, at once.
    pub fn step_center(&self) {
        if let Some(center) = &self.center {
            center.step();
        }
    }

    /// Stops the center and waits for its end; gateways and callers go on with what they hold.
    ///
    /// # Errors
    /// When it did not end well.
    pub async fn stop_center(&mut self) -> Result<()> {
        if let Some(center) = self.center.take() {
            center.shutdown().await?;
        }
        Ok(())
    }

    /// Starts the center again from its folder, at its old address.
    ///
    /// # Errors
    /// When it runs, or its log does not hold.
    pub async fn start_center(&mut self) -> Result<()> {
        anyhow::ensure!(self.center.is_none(), "the center runs");
        let listener = TcpListener::bind(self.center_address).await.context("the center's address is taken")?;
        let center = Center::open(self.center_config.clone(), Arc::clone(&self.machine.clock)).await?;
        self.center = Some(center.serve(listener)?);
        Ok(())
    }

    /// Ends everything in order.
    ///
    /// # Errors
    /// When a server did not end well.
    pub async fn close(mut self) -> Result<()> {
        let domains: Vec<DomainId> = self.gateways.keys().cloned().collect();
        for domain in domains {
            self.stop_gateway(&domain).await?;
        }
        self.stop_center().await
    }
}

fn options(parties: &Parties, center: SocketAddr, now: Timestamp) -> Result<InitOptions> {
    let auditor = |(id, organisation, key): &(&'static str, &'static str, SecretKey)| {
        Ok(Auditor { id: (*id).to_owned(), organisation: organisation.parse()?, key: key.public() })
    };
    Ok(InitOptions {
        config: CenterConfig {
            trust_domain: TRUST_DOMAIN.parse()?,
            listen: center.to_string(),
            public_address: format!("localhost:{}", center.port()),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            data_dir: ".".into(),
            database: None,
            limits: iog_center::config::Limits::default(),
            connections: iog_center::config::Connections::default(),
        },
        root: Root { keys: vec![parties.root.public()], threshold: 1 },
        auditors: parties.auditors.iter().map(auditor).collect::<Result<_>>()?,
        publishers: vec![Publisher {
            namespace: "iog".to_owned(),
            organisation: "iog-project".parse()?,
            keys: vec![parties.publisher.public()],
        }],
        thresholds: Thresholds { k: K, suspension_hours: 72, member_cosigners: 0 },
        witness_policy: None,
        keyset_expires: keyset_end(now),
    })
}

/// A demo ends long before.
fn keyset_end(now: Timestamp) -> Timestamp {
    now.plus_days(366)
}
