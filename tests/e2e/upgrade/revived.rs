//! Servers of this version over the files of an earlier one, at their recorded addresses and their time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use iog_center::{Center, CenterConfig, CenterHandle};
use iog_gateway::background::Background;
use iog_gateway::config::GatewayConfig;
use iog_gateway::{Deps, Gateway};
use iog_machine::{Machine, OsEntropy};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::recorded::{FRESH, OLD_HAND, Recorded};
use crate::harness;

/// How often, and after which time, a recorded address is tried again: another checkout may be running its stories.
const PLACE_TRIES: u32 = 300;
const PLACE_AGAIN: Duration = Duration::from_millis(200);

/// The recorded addresses are there once, so one story at a time uses them.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for the recorded addresses.
pub(super) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a domain acts with, at the recorded time.
pub(super) fn deps(recorded: &Recorded) -> Deps {
    Deps { sandbox: harness::sandbox(), machine: Machine { clock: recorded.clock(), entropy: Arc::new(OsEntropy) } }
}

/// A domain's gateway, opened and not serving.
pub(super) async fn gateway(recorded: &Recorded, domain: &str) -> Gateway {
    let path = recorded.home(domain).root().join("gateway.toml");
    let config = GatewayConfig::load(&path).expect("the old configuration parses");
    Gateway::open(config, deps(recorded)).await.expect("the old home opens")
}

/// A center and its gateways, all of this version.
pub(super) struct Revived<'a> {
    pub(super) recorded: &'a Recorded,
    center: CenterHandle,
    gateways: Vec<Serving>,
}

struct Serving {
    domain: &'static str,
    stop: oneshot::Sender<()>,
    background: Weak<Background>,
    task: JoinHandle<()>,
}

impl<'a> Revived<'a> {
    /// Starts everything over the copy.
    pub(super) async fn start(recorded: &'a Recorded) -> Self {
        let config = CenterConfig::load(&recorded.folder().join("center/center.toml")).expect("it parses");
        let listener = listen(&config.listen).await;
        let center = Center::open(config, recorded.clock()).await.expect("the old center's log holds");
        assert_eq!(center.registry().size(), recorded.facts.log.size);
        let center = center.serve(listener).expect("the center serves");
        let mut revived = Self { recorded, center, gateways: Vec::new() };
        for domain in [OLD_HAND, FRESH] {
            let serving = revived.serve(domain).await;
            revived.gateways.push(serving);
        }
        revived
    }

    async fn serve(&self, domain: &'static str) -> Serving {
        let listener = listen(&self.address(domain)).await;
        let gateway = gateway(self.recorded, domain).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let background = Arc::downgrade(gateway.background());
        let until = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(async move {
            gateway.serve(listener, until).await.expect("it ends well");
        });
        Serving { domain, stop, background, task }
    }

    /// Where a gateway answers, `host:port`.
    pub(super) fn address(&self, domain: &str) -> String {
        let host = if domain == OLD_HAND { 2 } else { 3 };
        format!("{}.{host}:8443", self.recorded.facts.net)
    }

    /// What a gateway does by itself.
    pub(super) fn background(&self, domain: &str) -> Arc<Background> {
        let serving = self.gateways.iter().find(|serving| serving.domain == domain).expect("it serves");
        serving.background.upgrade().expect("it has not ended")
    }

    /// Ends everything in order.
    pub(super) async fn close(self) {
        for serving in self.gateways {
            drop(serving.stop);
            serving.task.await.expect("the gateway ends well");
        }
        self.center.shutdown().await.expect("the center ends well");
    }
}

async fn listen(address: &str) -> TcpListener {
    for _ in 0..PLACE_TRIES {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::time::sleep(PLACE_AGAIN).await,
            Err(error) => {
                panic!("`{address}`: {error}; on other systems than Linux make it an address of loopback first")
            }
        }
    }
    panic!("`{address}` stays taken")
}
