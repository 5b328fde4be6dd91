//! A center of files for the tests: a log whose every file a test may change, served over TLS on loopback.
#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]
#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use axum::Router;
use axum::http::{StatusCode, Uri};
use iog_client::{Pins, Remote};
use iog_machine::{Clock, ManualClock};
use iog_protocol::ids::{Asn, Digest};
use iog_protocol::keys::SecretKey;
use iog_protocol::statements::{Domain, Endpoint, Genesis, Keyset, Root, Statement, Thresholds};
use iog_protocol::time::Timestamp;
use iog_tlog::{
    BundleId, Checkpoint, Cosigner, EntryBundle, Note, NoteSigner, Tree, VerifierKey, leaf_hash, tiles_for,
};
use iog_transport::ca::{self, Ca, SubjectNames, Validity};
use iog_transport::{ClientAuth, ClientTls, HttpClient, Identity, ServeLimits, ServerTls};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) const ORIGIN: &str = "net.example/log";
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_790_000_000);

/// A clock that stands at [`NOW`].
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(NOW))
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub(crate) fn log_signer(seed: u8) -> NoteSigner {
    NoteSigner::ed25519(ORIGIN, key(seed).ed25519()).unwrap()
}

pub(crate) fn witness() -> Cosigner {
    Cosigner::new("witness.example", key(9).ed25519()).unwrap()
}

pub(crate) fn genesis(witness_policy: Option<String>) -> Vec<u8> {
    let keyset = Keyset {
        version: 1,
        expires: NOW.plus_days(365),
        approval: vec![key(3).public()],
        token: vec![key(4).public()],
        ca_spki_sha256: vec![],
        auditors: vec![],
        publishers: vec![],
        root: None,
        min_rules_version: None,
        required_families: Vec::new(),
    };
    let genesis = Genesis {
        trust_domain: "net.example".parse().unwrap(),
        root: Root { keys: vec![key(2).public()], threshold: 1 },
        log_key: log_signer(1).verifier().to_string(),
        witness_policy,
        rules_version: 1,
        min_rules_version: 1,
        thresholds: Thresholds { k: 1, suspension_hours: 72, member_cosigners: 0 },
        keyset,
    };
    Statement::genesis(genesis).sign(&[&key(2)]).unwrap().to_json()
}

pub(crate) fn domain(genesis: &[u8], id: &str, caller: u8) -> Vec<u8> {
    let domain = Domain {
        id: id.parse().unwrap(),
        organisation: "isp-a".parse().unwrap(),
        asns: vec![Asn(64500)],
        endpoints: vec![Endpoint { transport: "https".into(), address: "gw.example:8443".into() }],
        caller_key: key(caller).public(),
        receipt_key: key(caller + 1).public(),
        sequence: 1,
    };
    Statement::new(&Digest::of(genesis), domain).sign(&[&key(caller), &key(2)]).unwrap().to_json()
}

/// The statement with this number of so many domains that the root admits and then updates in turn.
pub(crate) fn statement(registry: &Digest, domains: u64, number: u64) -> Vec<u8> {
    let own = |role: u8| {
        let mut seed = [role; 32];
        seed[..8].copy_from_slice(&(number % domains).to_be_bytes());
        SecretKey::from_seed(seed)
    };
    let domain = Domain {
        id: format!("as{}", number % domains).parse().unwrap(),
        organisation: format!("isp-{}", number % domains).parse().unwrap(),
        asns: vec![Asn(64_500)],
        endpoints: vec![Endpoint { transport: "https".into(), address: "gw.example:8443".into() }],
        caller_key: own(40).public(),
        receipt_key: own(41).public(),
        sequence: number / domains + 1,
    };
    Statement::new(registry, domain).sign(&[&own(40), &key(2)]).unwrap().to_json()
}

/// Memory of this process that is resident.
pub(crate) fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A log: its entries, and the files a center serves for it.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) seed: u8,
    pub(crate) witnessed_at: Option<u64>,
}

impl Log {
    /// A genesis, a domain, and entries without meaning up to `size`.
    pub(crate) fn new(size: u64) -> Self {
        Self::with_genesis(genesis(None), size)
    }

    pub(crate) fn with_genesis(genesis: Vec<u8>, size: u64) -> Self {
        let domain = domain(&genesis, "as64500", 20);
        let mut log = Self { entries: vec![genesis, domain], seed: 1, witnessed_at: None };
        log.grow(size);
        log
    }

    pub(crate) fn grow(&mut self, size: u64) {
        let more = (self.entries.len() as u64..size).map(|index| format!("entry {index}").into_bytes());
        self.entries.extend(more);
    }

    pub(crate) fn pins(&self) -> Pins {
        Pins { genesis: Digest::of(&self.entries[0]), log: log_signer(1).verifier().clone() }
    }

    pub(crate) fn log_key(&self) -> VerifierKey {
        log_signer(1).verifier().clone()
    }

    pub(crate) fn checkpoint(&self) -> Vec<u8> {
        let tree = self.tree();
        let signed = Checkpoint::new(ORIGIN, tree.len(), tree.root()).sign(&log_signer(self.seed));
        let mut note = Note::parse(&signed).unwrap();
        note.signatures.extend(self.witnessed_at.map(|time| witness().cosign(&note.text, time)));
        note.to_bytes()
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::from_leaves(self.entries.iter().map(|entry| leaf_hash(entry)))
    }

    /// Path below the log's prefix → bytes.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let tree = self.tree();
        let mut files: BTreeMap<String, Vec<u8>> =
            tiles_for(tree.len()).map(|id| (id.path(), tree.tile(id).unwrap())).collect();
        for (id, entries) in BundleId::all_for(tree.len()).zip(self.entries.chunks(256)) {
            files.insert(id.path(), EntryBundle { entries: entries.to_vec() }.encode().unwrap());
        }
        files.insert("checkpoint".into(), self.checkpoint());
        files
    }
}

pub(crate) fn authority() -> Arc<Ca> {
    Arc::new(Ca::create("net.example", Validity::authority(NOW.unix())).unwrap())
}

pub(crate) fn chain(ca: &Ca, id: &str, csr_pem: &str) -> String {
    let names = SubjectNames {
        spiffe_uri: format!("spiffe://net.example/domain/{id}"),
        dns: vec!["localhost".into()],
        ips: vec!["127.0.0.1".parse().unwrap()],
    };
    ca.issue(csr_pem, &names, Validity::leaf(NOW.unix())).unwrap()
}

pub(crate) fn identity(ca: &Ca, id: &str) -> Identity {
    let key = ca::new_key_pem().unwrap();
    Identity::from_pem(&chain(ca, id, &ca::csr_pem(&key).unwrap()), &key).unwrap()
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) remote: Remote,
    pub(crate) ca: Arc<Ca>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(app: Router) -> Self {
        Self::start_with(authority(), app).await
    }

    pub(crate) async fn start_with(ca: Arc<Ca>, app: Router) -> Self {
        let tls = ServerTls::new(identity(&ca, "center"), ca.certificate_pem(), ClientAuth::Optional, clock()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = ServeLimits { drain_ms: 100, ..ServeLimits::default() };
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            iog_transport::serve(listener, Arc::new(tls), app, limits, stopped).await;
        });
        let client = ClientTls::new(ca.certificate_pem(), Some(identity(&ca, "as64500")), clock()).unwrap();
        let remote = Remote::new(HttpClient::new(Arc::new(client)), &addr.to_string());
        Self { addr, remote, ca, stop: Some(stop), task }
    }

    pub(crate) async fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        (&mut self.task).await.unwrap();
    }
}

/// A served log whose files a test may exchange while it runs.
pub(crate) struct Center {
    pub(crate) server: Server,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Center {
    pub(crate) async fn serving(log: &Log) -> Self {
        let files = Arc::new(Mutex::new(log.files()));
        let shared = Arc::clone(&files);
        let app = Router::new().fallback(move |uri: Uri| async move {
            let name = uri.path().strip_prefix("/log/").unwrap_or_default();
            shared.lock().unwrap().get(name).cloned().ok_or(StatusCode::NOT_FOUND)
        });
        Self { server: Server::start(app).await, files }
    }

    pub(crate) fn remote(&self) -> &Remote {
        &self.server.remote
    }

    pub(crate) fn serve(&self, log: &Log) {
        *self.files.lock().unwrap() = log.files();
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.files.lock().unwrap().get_mut(name).unwrap());
    }

    pub(crate) fn remove(&self, name: &str) {
        self.files.lock().unwrap().remove(name).unwrap();
    }

    pub(crate) fn put(&self, name: &str, bytes: Vec<u8>) {
        self.files.lock().unwrap().insert(name.to_owned(), bytes);
    }
}
