//! A certificate authority, servers and clients on loopback for the tests of the transport.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use iog_machine::ManualClock;
use iog_protocol::time::Timestamp;
use iog_transport::{
    App, ClientAuth, ClientTls, Drained, HttpClient, Identity, PeerAddr, PeerIdentity, ServeLimits, ServerTls,
    ca::{self, Ca, SubjectNames, Validity},
};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{ServerName, UnixTime};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The time at which every story begins.
pub(crate) const fn now() -> i64 {
    1_800_000_000
}

/// The time of clients that are not ours: it stands where every story begins.
#[derive(Debug)]
pub(crate) struct Begin;

impl TimeProvider for Begin {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(now().unsigned_abs())))
    }
}

/// A clock of a story.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_unix(now())))
}

pub(crate) fn spiffe(id: &str) -> String {
    format!("spiffe://net.example/domain/{id}")
}

pub(crate) fn authority() -> Ca {
    Ca::create("net.example", Validity::authority(now())).unwrap()
}

pub(crate) fn identity_until(ca: &Ca, id: &str, validity: Validity) -> Identity {
    let names =
        SubjectNames { spiffe_uri: spiffe(id), dns: vec!["localhost".into()], ips: vec!["127.0.0.1".parse().unwrap()] };
    let key = ca::new_key_pem().unwrap();
    let chain = ca.issue(&ca::csr_pem(&key).unwrap(), &names, validity).unwrap();
    Identity::from_pem(&chain, &key).unwrap()
}

pub(crate) fn identity(ca: &Ca, id: &str) -> Identity {
    identity_until(ca, id, Validity::leaf(now()))
}

pub(crate) fn client(ca: &Ca, identity: Option<Identity>) -> HttpClient {
    client_by(clock(), ca, identity)
}

pub(crate) fn client_by(clock: Arc<ManualClock>, ca: &Ca, identity: Option<Identity>) -> HttpClient {
    HttpClient::new(Arc::new(ClientTls::new(ca.certificate_pem(), identity, clock).unwrap()))
}

/// A connection of TLS without a certificate, to be spoken over by hand.
pub(crate) async fn raw(ca: &Ca, server: &Server, alpn: &[u8]) -> TlsStream<TcpStream> {
    over(ca, TcpStream::connect(server.addr).await.unwrap(), alpn).await.unwrap()
}

/// The same over a connection that is there.
pub(crate) async fn over(ca: &Ca, tcp: TcpStream, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(iog_transport::pem::certificates(ca.certificate_pem(), "ca").unwrap().remove(0)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_details(provider, Arc::new(Begin))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), tcp).await
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) tls: Arc<ServerTls>,
    pub(crate) finished: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Drained>,
}

impl Server {
    pub(crate) async fn start(ca: &Ca, auth: ClientAuth, limits: ServeLimits) -> Self {
        let tls = ServerTls::new(identity(ca, "server"), ca.certificate_pem(), auth, clock()).unwrap();
        Self::start_with(tls, limits).await
    }

    /// A server of other routes.
    pub(crate) async fn start_app(ca: &Ca, limits: ServeLimits, app: App) -> Self {
        let auth = ClientAuth::Optional;
        let tls = ServerTls::new(identity(ca, "server"), ca.certificate_pem(), auth, clock()).unwrap();
        Self::serve(tls, limits, app, Arc::default()).await
    }

    pub(crate) async fn start_by(clock: Arc<ManualClock>, ca: &Ca) -> Self {
        let (auth, limits) = (ClientAuth::Required, ServeLimits::default());
        // Ten years, so that only what a story looks at ends.
        let own = identity_until(ca, "server", Validity::authority(now()));
        Self::start_with(ServerTls::new(own, ca.certificate_pem(), auth, clock).unwrap(), limits).await
    }

    async fn start_with(tls: ServerTls, limits: ServeLimits) -> Self {
        let finished = Arc::new(AtomicUsize::new(0));
        let app = app(Arc::clone(&finished));
        Self::serve(tls, limits, app.into(), finished).await
    }

    async fn serve(tls: ServerTls, limits: ServeLimits, app: App, finished: Arc<AtomicUsize>) -> Self {
        let tls = Arc::new(tls);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Arc::clone(&tls);
        let task = tokio::spawn(async move {
            iog_transport::serve(listener, shared, app, limits, async {
                let _ = stopped.await;
            })
            .await
        });
        Self { addr, tls, finished, stop: Some(stop), task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.addr)
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub(crate) async fn ended(self) -> Drained {
        self.task.await.unwrap()
    }
}

fn app(finished: Arc<AtomicUsize>) -> Router {
    let who = |peer: Option<Extension<PeerIdentity>>, Extension(PeerAddr(addr)): Extension<PeerAddr>| async move {
        assert!(addr.ip().is_loopback());
        peer.and_then(|Extension(peer)| peer.spiffe).unwrap_or_else(|| "nobody".into())
    };
    let slow = move || async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        finished.fetch_add(1, Ordering::SeqCst);
        "done"
    };
    Router::new()
        .route("/who", get(who))
        .route("/slow", get(slow))
        .route("/big", get(|| async { vec![b'x'; 100_000] }))
        .route("/echo", post(|body: Bytes| async move { body }).layer(DefaultBodyLimit::max(1_000)))
}
