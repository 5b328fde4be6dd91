//! A center in a temporary folder with its people: root holders, auditors, a publisher, members. Real sockets, real TLS, real SQLite.

use std::{path::PathBuf, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::StatusCode;
use iog_center::{Center, CenterConfig, CenterHandle, InitOptions, InviteOptions, init, sign_genesis_in};
use iog_machine::{Clock as _, SystemClock};
use iog_protocol::{
    api::{ApiErrorCode, ModuleSubmission, Problem, StatementAccepted, paths},
    capabilities::Capabilities,
    dsse::Envelope,
    enroll::{JoinAnswer, JoinRequest, JoinToken},
    ids::Digest,
    keys::SecretKey,
    manifest::Manifest,
    registry::Registry,
    statements::{
        Auditor, Domain, Endpoint, Publisher, Review, Root, Scope, Source, Statement, Subject, Submission, Thresholds,
        Verdict,
    },
    time::Timestamp,
};
use iog_transport::{ClientTls, HttpClient, Identity, Request, Response, ca};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// Keys of people, by number: the same in every test.
pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub(crate) const ROOTS: [u8; 3] = [1, 2, 3];
pub(crate) const AUDITORS: [(&str, &str, u8); 3] =
    [("alice", "audit-a", 11), ("bob", "audit-b", 12), ("carol", "audit-a", 13)];
pub(crate) const PUBLISHER: u8 = 21;

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) config: CenterConfig,
    pub(crate) registry_id: Digest,
    pub(crate) handle: Option<CenterHandle>,
    pub(crate) public: HttpClient,
}

pub(crate) fn options() -> InitOptions {
    let config = toml::from_str(
        r#"
        trust_domain = "net.example"
        listen = "127.0.0.1:0"
        public_address = "localhost:8443"
        names = ["localhost", "127.0.0.1"]
    "#,
    )
    .unwrap();
    let auditor = |(id, organisation, seed): (&str, &str, u8)| Auditor {
        id: id.into(),
        organisation: organisation.parse().unwrap(),
        key: key(seed).public(),
    };
    InitOptions {
        config,
        root: Root { keys: ROOTS.map(|seed| key(seed).public()).to_vec(), threshold: 2 },
        auditors: AUDITORS.map(auditor).to_vec(),
        publishers: vec![Publisher {
            namespace: "iog".into(),
            organisation: "maker".parse().unwrap(),
            keys: vec![key(PUBLISHER).public()],
        }],
        thresholds: Thresholds { k: 1, suspension_hours: 72, member_cosigners: 1 },
        witness_policy: None,
        keyset_expires: now().plus_days(365),
    }
}

impl World {
    /// A center that serves.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = init(dir.path(), &options(), now()).unwrap();
        let config = CenterConfig::load(&made.config).unwrap();
        sign_genesis_in(&config, &key(ROOTS[0])).unwrap();
        let registry_id = sign_genesis_in(&config, &key(ROOTS[1])).unwrap().digest;
        let roots = std::fs::read_to_string(dir.path().join("ca.pem")).unwrap();
        let public = HttpClient::new(Arc::new(ClientTls::new(&roots, None, Arc::new(SystemClock)).unwrap()));
        let mut world = Self { dir, config, registry_id, handle: None, public };
        world.start().await;
        world
    }

    pub(crate) async fn start(&mut self) {
        let center = Center::open(self.config.clone(), Arc::new(SystemClock)).await.unwrap();
        assert_eq!(center.genesis_digest(), self.registry_id);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.handle = Some(center.serve(listener).unwrap());
    }

    pub(crate) async fn stop(&mut self) {
        self.handle.take().unwrap().shutdown().await.unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn online_key(&self, name: &str) -> SecretKey {
        let pem = std::fs::read_to_string(self.path(&format!("keys/{name}.pem"))).unwrap();
        SecretKey::from_pkcs8_pem(&pem).unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.handle.as_ref().unwrap().address())
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.public.send(Request::get(self.url(path)).response_bytes_max(16 << 20)).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Vec<u8>) -> Response {
        self.public.send(Request::post(self.url(path), "application/json", body)).await.unwrap()
    }

    pub(crate) async fn statement(&self, statement: &Statement, seeds: &[u8]) -> Response {
        self.post(paths::STATEMENTS, signed(statement, seeds).to_json()).await
    }

    pub(crate) async fn invite(&self, id: &str) -> JoinToken {
        let options = InviteOptions {
            domain: id.parse().unwrap(),
            organisation: format!("isp-{id}").parse().unwrap(),
            names: vec!["localhost".into(), "127.0.0.1".into()],
            asns: vec![iog_protocol::ids::Asn(64500)],
            hours: 1,
        };
        // As an operator would beside the running server: over the database alone.
        iog_center::invite(&self.config, &options, now()).await.unwrap()
    }

    /// Invites and enrolls a domain whose keys are `seed` and `seed + 1`; it is not a member yet.
    pub(crate) async fn enroll(&self, id: &str, seed: u8) -> Member {
        let token = self.invite(id).await;
        let member = Member::new(self, &token, seed);
        let first =
            HttpClient::new(Arc::new(ClientTls::pinned(*token.center_spki_sha256.as_bytes(), Arc::new(SystemClock))));
        let body = serde_json::to_vec(&member.request(&token)).unwrap();
        let request = Request::post(self.url(paths::ENROLL), "application/json", body);
        let answer: JoinAnswer = created(&first.send(request).await.unwrap());
        assert_eq!(answer.in_force, None);
        member.admitted(&answer)
    }

    /// A member in force, admitted by the root.
    pub(crate) async fn member(&self, id: &str, seed: u8) -> Member {
        let member = self.enroll(id, seed).await;
        let mut envelope = member.envelope.clone();
        envelope.add_signature(&key(ROOTS[0]));
        envelope.add_signature(&key(ROOTS[2]));
        let answer = self.post(paths::STATEMENTS, envelope.to_json()).await;
        created::<StatementAccepted>(&answer);
        member
    }

    /// All entries of the log as served; `log.rs` compares them with the checkpoint.
    pub(crate) async fn entries(&self) -> Vec<Vec<u8>> {
        let health: iog_protocol::api::Health = json(&self.get(paths::HEALTH).await);
        let width = health.log_size;
        assert!(width < 256);
        let bundle = self.get(&format!("/log/tile/entries/000.p/{width}")).await;
        iog_tlog::EntryBundle::decode(&bundle.body).unwrap().entries
    }

    pub(crate) async fn registry(&self) -> Registry {
        let entries = self.entries().await;
        let mut registry = Registry::genesis(&entries[0], &self.registry_id).unwrap();
        for entry in &entries[1..] {
            registry.absorb(entry);
        }
        registry
    }

    pub(crate) async fn module(&self, digest: &Digest) -> serde_json::Value {
        json(&self.get(&paths::fill(paths::MODULE, &digest.to_string())).await)
    }
}

pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) caller: SecretKey,
    pub(crate) envelope: Envelope,
    pub(crate) tls_key: String,
    pub(crate) http: HttpClient,
}

impl Member {
    pub(crate) fn new(world: &World, token: &JoinToken, seed: u8) -> Self {
        let domain = Domain {
            id: token.domain.clone(),
            organisation: token.organisation.clone(),
            asns: token.asns.clone(),
            endpoints: vec![Endpoint { transport: "https".into(), address: "localhost:9443".into() }],
            caller_key: key(seed).public(),
            receipt_key: key(seed + 1).public(),
            sequence: 1,
        };
        let envelope = signed(&Statement::new(&world.registry_id, domain), &[seed]);
        let tls_key = ca::new_key_pem().unwrap();
        Self { id: token.domain.to_string(), caller: key(seed), envelope, tls_key, http: world.public.clone() }
    }

    pub(crate) fn request(&self, token: &JoinToken) -> JoinRequest {
        JoinRequest {
            domain: token.domain.clone(),
            secret: token.secret.clone(),
            csr_pem: ca::csr_pem(&self.tls_key).unwrap(),
            statement: BASE64_STANDARD.encode(self.envelope.to_json()),
        }
    }

    pub(crate) fn admitted(mut self, answer: &JoinAnswer) -> Self {
        let identity = Identity::from_pem(&answer.certificate_pem, &self.tls_key).unwrap();
        assert_eq!(identity.leaf().spiffe, Some(format!("spiffe://net.example/domain/{}", self.id)));
        let tls = ClientTls::new(&answer.authorities_pem, Some(identity), Arc::new(SystemClock)).unwrap();
        self.http = HttpClient::new(Arc::new(tls));
        self
    }

    pub(crate) async fn post(&self, world: &World, path: &str, media_type: &'static str, body: Vec<u8>) -> Response {
        self.http.send(Request::post(world.url(path), media_type, body)).await.unwrap()
    }

    pub(crate) async fn token(&self, world: &World) -> Response {
        let form = b"grant_type=client_credentials".to_vec();
        self.post(world, paths::TOKEN, "application/x-www-form-urlencoded", form).await
    }
}

/// A module of the project, as a publisher would submit it.
#[derive(Clone)]
pub(crate) struct Module {
    pub(crate) wasm: Vec<u8>,
    pub(crate) manifest: String,
    pub(crate) submission: Submission,
}

impl Module {
    pub(crate) fn load(name: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../modules");
        let wasm = std::fs::read(root.join(format!("prebuilt/{name}.wasm"))).unwrap();
        let manifest = std::fs::read_to_string(root.join(format!("{name}/iog.toml"))).unwrap();
        Self::new(wasm, manifest)
    }

    pub(crate) fn new(wasm: Vec<u8>, manifest: String) -> Self {
        let parsed = Manifest::parse(&manifest).unwrap();
        let facts = iog_inspect::inspect(&wasm, &iog_inspect::InspectLimits::default()).unwrap();
        let capabilities: Capabilities = iog_inspect::check(&facts, &parsed).unwrap();
        let submission = Submission {
            name: parsed.module.name.clone(),
            version: parsed.module.version.clone(),
            size: wasm.len() as u64,
            module: Digest::of(&wasm),
            manifest: Digest::of(manifest.as_bytes()),
            capabilities,
            source: Source { repository: parsed.source.repository.clone(), commit: parsed.source.commit.clone() },
            publisher_organisation: "maker".parse().unwrap(),
        };
        Self { wasm, manifest, submission }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.submission.module
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject::module(&self.submission.name, &self.submission.version, self.digest())
    }

    pub(crate) fn body(&self, world: &World, seed: u8) -> Vec<u8> {
        let statement = Statement::submission(&world.registry_id, self.submission.clone());
        serde_json::to_vec(&ModuleSubmission {
            submission: signed(&statement, &[seed]).to_json().into(),
            manifest: self.manifest.clone(),
            module: self.wasm.clone().into(),
        })
        .unwrap()
    }

    pub(crate) async fn submit(&self, world: &World) -> Response {
        world.post(paths::MODULES, self.body(world, PUBLISHER)).await
    }

    pub(crate) fn review(&self, world: &World, verdict: Verdict) -> Statement {
        let review = Review {
            verdict,
            criteria: vec!["iog-safe-to-run".into()],
            scope: Scope::Full,
            manifest: self.submission.manifest,
            findings: Vec::new(),
            closes: Vec::new(),
            issued: now(),
            expires: None,
        };
        Statement::about(&world.registry_id, self.subject(), review)
    }

    pub(crate) async fn approve(&self, world: &World, seed: u8) -> StatementAccepted {
        created(&world.statement(&self.review(world, Verdict::Approve), &[seed]).await)
    }
}

pub(crate) fn signed(statement: &Statement, seeds: &[u8]) -> Envelope {
    let keys: Vec<SecretKey> = seeds.iter().map(|seed| key(*seed)).collect();
    statement.sign(&keys.iter().collect::<Vec<_>>()).unwrap()
}

pub(crate) fn json<T: DeserializeOwned>(answer: &Response) -> T {
    assert_eq!(answer.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

pub(crate) fn created<T: DeserializeOwned>(answer: &Response) -> T {
    assert_eq!(answer.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

/// The refusal's detail, after its code, status and media type were compared.
#[track_caller]
pub(crate) fn refused(answer: &Response, code: ApiErrorCode) -> String {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let problem: Problem = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{}: {text}", answer.status));
    assert_eq!(problem.code, code, "{text}");
    assert_eq!(answer.status.as_u16(), code.status());
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    problem.detail
}
