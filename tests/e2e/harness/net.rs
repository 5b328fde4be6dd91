//! A network of one story: a center, its members, and a folder that goes away with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use iog_cli::demo::world::{Newcomer, Seat, World};
use iog_gateway::background::Background;
use iog_gateway::config::GatewayConfig;
use iog_home::renewal::Renewal;
use iog_home::{Home, connect};
use iog_machine::{Clock, Machine, ManualClock, OsEntropy};
use iog_protocol::ids::Digest;
use iog_protocol::registry::Registry;
use iog_protocol::time::Timestamp;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::settings::{FLOWS, Shipped};

/// The provider of most stories.
pub(crate) const PROVIDER: &str = "as64500";
/// The domain that asks.
pub(crate) const ASKER: &str = "response";

/// Gateways of the stories make their rounds when they are told to.
const QUIET: &str = "listen = \"127.0.0.1:0\"\n[sync]\nregistry_s = 3600\nrenew_s = 86400\n";

/// How often, and after which time, a stopped gateway's place is tried again: half a minute in all.
const PLACE_TRIES: u32 = 150;
const PLACE_AGAIN: Duration = Duration::from_millis(200);

/// When every story begins; far from the time at which it is played, so that nothing can be by another clock unnoticed.
pub(crate) const BEGIN: Timestamp = Timestamp::from_unix(1_900_000_000);
/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// A network.
pub(crate) struct Net {
    pub(crate) world: World,
    /// The time of everybody in it.
    pub(crate) clock: Arc<ManualClock>,
    seats: BTreeMap<String, Seat>,
    addresses: BTreeMap<String, String>,
    /// Domains that will never have a gateway.
    callers: Vec<String>,
    folder: TempDir,
}

impl Net {
    /// A center with these providers (`as<N>`) and callers as members in force.
    pub(crate) async fn of(providers: &[&str], callers: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Arc::new(ManualClock::new(BEGIN));
        let machine = Machine { clock: clock.clone(), entropy: Arc::new(OsEntropy) };
        let world = World::found_with(folder.path(), machine, super::sandbox()).await.expect("the world stands");
        let mut net =
            Self { world, clock, seats: BTreeMap::new(), addresses: BTreeMap::new(), callers: Vec::new(), folder };
        for provider in providers {
            net.enroll(provider, true).await;
        }
        for caller in callers {
            net.enroll(caller, false).await;
            net.callers.push((*caller).to_owned());
        }
        net.world.admit_all().await.expect("root admits all");
        net
    }

    /// One provider that offers the traceback, and one caller.
    pub(crate) async fn usual() -> (Self, Digest) {
        let mut net = Self::of(&[PROVIDER], &[ASKER]).await;
        let digest = net.publish(&super::settings::TRACEBACK).await;
        net.start(PROVIDER, &super::settings::traceback()).await;
        (net, digest)
    }

    async fn enroll(&mut self, domain: &str, provider: bool) {
        let newcomer = Newcomer {
            domain: domain.to_owned(),
            organisation: format!("{domain}-org"),
            asn: domain.strip_prefix("as").and_then(|number| number.parse().ok()),
            provider,
        };
        let seat = self.world.enroll(&newcomer).await.expect("the center enrolls whom it invited");
        if let Some(listener) = &seat.listener {
            let port = listener.local_addr().expect("a listener has an address").port();
            self.addresses.insert(domain.to_owned(), format!("localhost:{port}"));
        }
        self.seats.insert(domain.to_owned(), seat);
    }

    /// Publishes a module with all reviews.
    pub(crate) async fn publish(&self, module: &Shipped) -> Digest {
        self.world.publish(module.wasm, module.manifest).await.expect("the module is approved")
    }

    /// Starts a provider's gateway with `tables` over the usual flows.
    pub(crate) async fn start(&mut self, domain: &str, tables: &str) {
        self.start_over(domain, tables, FLOWS).await;
    }

    /// Starts a provider's gateway with `tables` over `flows`.
    pub(crate) async fn start_over(&mut self, domain: &str, tables: &str, flows: &str) {
        self.start_with(domain, tables, &[("flows.csv", flows)]).await;
    }

    /// Starts a provider's gateway with `tables` over files beside its configuration: name and text.
    pub(crate) async fn start_with(&mut self, domain: &str, tables: &str, files: &[(&str, &str)]) {
        let home = self.world.home(domain);
        for (name, text) in files {
            std::fs::write(home.join(name), text).expect("data are written");
        }
        std::fs::write(home.join("gateway.toml"), format!("{QUIET}{tables}")).expect("the configuration is written");
        let seat = self.seats.remove(domain).expect("the provider is enrolled and not running");
        self.run(domain, seat).await;
    }

    /// Starts a gateway again where it was before.
    pub(crate) async fn start_again(&mut self, domain: &str) {
        let listener = self.listen_as(domain).await;
        let home = Home::open(&self.world.home(domain)).expect("the home is there");
        self.run(domain, Seat { home, listener: Some(listener) }).await;
    }

    /// Takes the place where a stopped gateway was. A connection of another story may have got its port meanwhile.
    pub(crate) async fn listen_as(&self, domain: &str) -> TcpListener {
        let port = self.address(domain).rsplit_once(':').expect("host:port").1;
        for _ in 0..PLACE_TRIES {
            if let Ok(listener) = TcpListener::bind(format!("127.0.0.1:{port}")).await {
                return listener;
            }
            tokio::time::sleep(PLACE_AGAIN).await;
        }
        panic!("port {port} stays taken")
    }

    async fn run(&mut self, domain: &str, seat: Seat) {
        let config = self.home_of(domain).join("gateway.toml");
        let config = GatewayConfig::load(&config).expect("the configuration parses");
        self.world.start_gateway(seat, config).await.expect("the gateway starts");
    }

    /// Stops a gateway.
    pub(crate) async fn stop(&mut self, domain: &str) {
        self.world.stop_gateway(&domain.parse().expect("a domain id")).await.expect("it ends well");
    }

    /// What a running gateway does by itself.
    pub(crate) fn background(&self, domain: &str) -> Arc<Background> {
        self.world.background(&domain.parse().expect("a domain id")).expect("the gateway runs")
    }

    /// What everybody's clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets days pass. On each the center and every gateway do once what they do by themselves, certificates included;
    /// gateways in `idle` run on and do nothing. Domains without a gateway renew when they call, here once a day.
    pub(crate) async fn advance(&self, days: u32, idle: &[&str]) {
        for _ in 0..days {
            self.clock.advance(DAY_S);
            self.world.step_center();
            self.renew_callers().await;
            for domain in self.world.running().filter(|domain| !idle.contains(&domain.as_str())) {
                self.background(domain.as_str()).step().await;
            }
        }
    }

    async fn renew_callers(&self) {
        for domain in &self.callers {
            let home = Home::open(&self.home_of(domain)).expect("the home is there");
            let clock: Arc<dyn Clock> = self.clock.clone();
            let http = connect::http(&home, &clock).expect("the home's certificate is well formed");
            let center = connect::center(&home, &http);
            let leaf = http.tls().leaf().expect("it shows a certificate");
            // One that has ended is not renewed; the story then sees that.
            let _ = Renewal { home: &home, http: &http, center: &center, server: None }
                .renew_if_due(&leaf, self.now())
                .await;
        }
    }

    /// Makes a gateway look at the center and prepare its services, and shows the registry it then believes.
    pub(crate) async fn step(&self, domain: &str) -> Arc<Registry> {
        let background = self.background(domain);
        background.step().await;
        background.registry().current()
    }

    /// Where a provider's gateway answers, `host:port`.
    pub(crate) fn address(&self, domain: &str) -> &str {
        self.addresses.get(domain).expect("a provider")
    }

    /// A domain's home folder.
    pub(crate) fn home_of(&self, domain: &str) -> PathBuf {
        self.world.home(domain)
    }

    /// Receipts of a provider, by the checkpoint it keeps beside its journal.
    pub(crate) fn receipts(&self, domain: &str) -> u64 {
        let head = std::fs::read_to_string(self.home_of(domain).join("receipts-head")).expect("a gateway has one");
        head.lines().nth(1).and_then(|size| size.parse().ok()).expect("its second line is the size")
    }

    /// The center's folder.
    pub(crate) fn center_folder(&self) -> PathBuf {
        self.world.dir.join("center")
    }

    /// The registry as an auditor sees it now.
    pub(crate) async fn registry(&self) -> Arc<Registry> {
        self.world.link().expect("a link").registry().await.expect("the center answers")
    }

    /// Ends everything in order.
    pub(crate) async fn close(self) {
        self.world.close().await.expect("all servers end well");
        drop(self.folder);
    }
}
