//! The attacker who got hold of everything that a center holds: its folder with all online keys, its address, its log. It
//! signs what these keys can sign and serves what it likes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Path as UrlPath, State};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use iog_client::Replica;
use iog_machine::Clock;
use iog_protocol::api::{Base64Bytes, CatalogAnswer, paths};
use iog_protocol::dsse::Envelope;
use iog_protocol::ids::{Digest, DomainId, TrustDomain};
use iog_protocol::keys::SecretKey;
use iog_protocol::time::Timestamp;
use iog_protocol::token::{Grant, TokenClaims, issue};
use iog_tlog::{BundleId, Checkpoint, EntryBundle, NoteSigner, TileId, Tree, leaf_hash};
use iog_transport::ca::{Ca, SubjectNames, Validity};
use iog_transport::{ClientAuth, ClientTls, HttpClient, Identity, ServeLimits, ServerTls};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::caller::fresh_id;
use super::net::Net;

/// The online keys.
pub(crate) struct StolenKeys {
    pub(crate) log: SecretKey,
    pub(crate) approval: SecretKey,
    pub(crate) token: SecretKey,
    pub(crate) ca: Ca,
    pub(crate) ca_pem: String,
    pub(crate) trust_domain: TrustDomain,
    /// The attacker lives in everybody's time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl StolenKeys {
    /// Reads them where the center keeps them.
    pub(crate) fn of(net: &Net, trust_domain: &TrustDomain) -> Self {
        Self::lying_in(&net.center_folder(), trust_domain, net.clock.clone())
    }

    /// The same from the folder of any center.
    pub(crate) fn lying_in(folder: &Path, trust_domain: &TrustDomain, clock: Arc<dyn Clock>) -> Self {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the attacker reads every file");
        let key = |name: &str| SecretKey::from_pkcs8_pem(&read(&format!("keys/{name}.pem"))).expect("an Ed25519 key");
        let ca_pem = read("ca.pem");
        Self {
            log: key("log"),
            approval: key("approval"),
            token: key("token"),
            ca: Ca::load(&ca_pem, &read("keys/ca.pem")).expect("the authority's key"),
            ca_pem,
            trust_domain: trust_domain.clone(),
            clock,
        }
    }

    /// Every key that signs statements.
    pub(crate) fn signers(&self) -> [&SecretKey; 3] {
        [&self.log, &self.approval, &self.token]
    }

    /// A certificate in any domain's name, valid as said.
    pub(crate) fn identity(&self, domain: &str, validity: Validity) -> Identity {
        let names = SubjectNames {
            spiffe_uri: format!("spiffe://{}/domain/{domain}", self.trust_domain),
            dns: vec!["localhost".to_owned()],
            ips: vec![],
        };
        let issued = self.ca.issue_with_new_key(&names, validity).expect("the authority signs");
        Identity::from_pem(&issued.chain_pem, &issued.key_pem).expect("a good certificate")
    }

    /// A token in any domain's name, bound to a certificate.
    pub(crate) fn token(&self, domain: &DomainId, leaf_sha256: &[u8; 32], now: Timestamp) -> String {
        issue(&self.claims(domain, leaf_sha256, now), &self.token).expect("the token key signs")
    }

    /// The claims of such a token, to be altered.
    pub(crate) fn claims(&self, domain: &DomainId, leaf_sha256: &[u8; 32], now: Timestamp) -> TokenClaims {
        TokenClaims::new(&Grant {
            issuer: &format!("spiffe://{}/center", self.trust_domain),
            trust_domain: &self.trust_domain,
            domain,
            cert_sha256: leaf_sha256,
            now,
            lifetime_s: 3600,
            id: &fresh_id(),
        })
    }

    /// A client that shows a certificate.
    pub(crate) fn client(&self, identity: Identity) -> HttpClient {
        let tls = ClientTls::new(&self.ca_pem, Some(identity), Arc::clone(&self.clock));
        HttpClient::new(Arc::new(tls.expect("a good certificate")))
    }

    /// A signed head over any entries.
    fn checkpoint(&self, tree: &Tree) -> Vec<u8> {
        let origin = format!("{}/log", self.trust_domain);
        let signer = NoteSigner::ed25519(&origin, self.log.ed25519()).expect("a good name");
        Checkpoint::new(&origin, tree.len(), tree.root()).sign(&signer)
    }
}

/// Every entry of the center's log.
pub(crate) async fn entries(net: &Net) -> Vec<Vec<u8>> {
    let mut link = net.world.link().expect("a link");
    let size = link.registry().await.expect("the center answers").size();
    entries_of(&link.replica, size)
}

/// The first entries of a replica.
pub(crate) fn entries_of(replica: &Replica, size: u64) -> Vec<Vec<u8>> {
    (0..size).map(|index| replica.entry(index).expect("readable").expect("there")).collect()
}

/// An envelope as the registry admits it.
pub(crate) fn entry(envelope: Envelope) -> Vec<u8> {
    envelope.canonical().to_json()
}

/// The attacker's server at the center's address.
pub(crate) struct EvilCenter {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

struct Served {
    tree: Tree,
    entries: Vec<Vec<u8>>,
    checkpoint: Vec<u8>,
    blobs: BTreeMap<String, Vec<u8>>,
    catalog: CatalogAnswer,
}

/// What the attacker serves beside its log.
#[derive(Default)]
pub(crate) struct Extras<'a> {
    /// Files under digests of the attacker's choice.
    pub(crate) blobs: &'a [(Digest, &'a [u8])],
    /// Descriptors in its catalog.
    pub(crate) catalog: Vec<Vec<u8>>,
}

impl EvilCenter {
    /// Serves a log of these entries, correctly signed.
    pub(crate) async fn serve(keys: &StolenKeys, address: SocketAddr, entries: Vec<Vec<u8>>) -> Self {
        Self::serve_with(keys, address, entries, Extras::default()).await
    }

    /// The same, with files and a catalog beside it.
    pub(crate) async fn serve_with(
        keys: &StolenKeys,
        address: SocketAddr,
        entries: Vec<Vec<u8>>,
        extras: Extras<'_>,
    ) -> Self {
        let tree = Tree::from_leaves(entries.iter().map(|entry| leaf_hash(entry)));
        let checkpoint = keys.checkpoint(&tree);
        let blobs = extras.blobs.iter().map(|(digest, bytes)| (digest.to_string(), bytes.to_vec())).collect();
        let descriptors = extras.catalog.into_iter().map(Base64Bytes).collect();
        let catalog = CatalogAnswer { descriptors };
        let app = Router::new()
            .route(paths::LOG_CHECKPOINT, get(checkpoint_of))
            .route(paths::LOG_TILE, get(tile_of))
            .route(paths::BLOB, get(blob_of))
            .route(paths::CATALOG, get(catalog_of))
            .with_state(Arc::new(Served { tree, entries, checkpoint, blobs, catalog }));
        let identity = keys.identity("center", Validity::leaf(keys.clock.now().unix()));
        let tls = ServerTls::new(identity, &keys.ca_pem, ClientAuth::Optional, Arc::clone(&keys.clock));
        let tls = tls.expect("a good certificate");
        let listener = TcpListener::bind(address).await.expect("the center's place is free");
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let until_stopped = async {
                let _ = stopped.await;
            };
            iog_transport::serve(listener, Arc::new(tls), app, ServeLimits::default(), until_stopped).await;
        });
        Self { stop, task }
    }

    /// Leaves the place.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.expect("the attacker's server ends");
    }
}

async fn checkpoint_of(State(served): State<Arc<Served>>) -> Vec<u8> {
    served.checkpoint.clone()
}

async fn tile_of(State(served): State<Arc<Served>>, UrlPath(path): UrlPath<String>) -> Result<Vec<u8>, StatusCode> {
    let path = format!("tile/{path}");
    if let Ok(id) = BundleId::parse(&path) {
        let first = usize::try_from(id.first_entry()).expect("a small log");
        let entries = served.entries.get(first..first + usize::from(id.width())).ok_or(StatusCode::NOT_FOUND)?;
        return Ok(EntryBundle { entries: entries.to_vec() }.encode().expect("entries fit"));
    }
    let id = TileId::parse(&path).map_err(|_| StatusCode::NOT_FOUND)?;
    served.tree.tile(id).ok_or(StatusCode::NOT_FOUND)
}

async fn blob_of(State(served): State<Arc<Served>>, UrlPath(digest): UrlPath<String>) -> Result<Vec<u8>, StatusCode> {
    served.blobs.get(&digest).cloned().ok_or(StatusCode::NOT_FOUND)
}

async fn catalog_of(State(served): State<Arc<Served>>) -> Json<CatalogAnswer> {
    Json(served.catalog.clone())
}
