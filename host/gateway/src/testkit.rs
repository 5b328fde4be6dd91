//! A small world for the tests of this crate: a registry folded from signed entries, two member domains, the shipped
//! `hello` analysis approved for real, and requests as they come over the wire. Nothing here is shipped.

use std::collections::BTreeMap;
use std::sync::Arc;

use iog_home::connect::token_issuer;
use iog_inspect::InspectLimits;
use iog_machine::entropy::{Entropy, NoEntropy};
use iog_module::{AsSigned, Examined};
use iog_protocol::dsse::Signed;
use iog_protocol::ids::{Digest, DomainId, RequestId};
use iog_protocol::keys::SecretKey;
use iog_protocol::manifest::Manifest;
use iog_protocol::registry::{ApprovalDraft, Registry};
use iog_protocol::run::RunRequest;
use iog_protocol::statements::{
    Auditor, Domain, Endpoint, Genesis, Keyset, Publisher, Review, Revocation, RevocationSeverity, Root, Scope, Source,
    Statement, Submission, Target, Thresholds, Verdict,
};
use iog_protocol::time::Timestamp;
use iog_protocol::token::{self, Grant, TokenClaims};
use iog_transport::PeerIdentity;

use crate::prepare::{PrepareError, Prepared, Tools};

pub(crate) const WASM: &[u8] = include_bytes!("../../../modules/prebuilt/hello.wasm");
pub(crate) const MANIFEST: &str = include_str!("../../../modules/hello/iog.toml");
pub(crate) const LEAF: [u8; 32] = [7; 32];

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000)
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub(crate) fn id(text: &str) -> DomainId {
    text.parse().unwrap()
}

/// Keys: 1 root, 2 approval, 3 token, 4 log, 5 publisher, 10–12 auditors; callers from 20 on, receipts from 40 on.
pub(crate) struct World {
    pub(crate) registry: Registry,
}

impl World {
    /// Genesis; domains `gateway` (seed 20), `caller` (21) and `other` (22) in force; `hello` approved.
    pub(crate) fn new() -> Self {
        Self::with_receipt_seed(40)
    }

    /// The same, with another receipt key for `gateway`.
    pub(crate) fn with_receipt_seed(receipt: u8) -> Self {
        let entry = Statement::genesis(genesis()).sign(&[&key(1)]).unwrap().to_json();
        let mut world = Self { registry: Registry::genesis(&entry, &Digest::of(&entry)).unwrap() };
        for (name, seed, receipt) in [("gateway", 20, receipt), ("caller", 21, 41), ("other", 22, 42)] {
            world.join(name, seed, receipt, 1);
        }
        world.approve_hello();
        world
    }

    pub(crate) fn post(&mut self, statement: &Statement, keys: &[&SecretKey]) {
        let entry = statement.sign(keys).unwrap().to_json();
        self.registry.apply(&entry).unwrap();
    }

    /// Logs a domain's statement with these keys; with a later sequence they replace its former ones.
    pub(crate) fn join(&mut self, name: &str, seed: u8, receipt: u8, sequence: u64) {
        let domain = Domain {
            id: id(name),
            organisation: format!("org-{name}").parse().unwrap(),
            asns: vec![iog_protocol::ids::Asn(64_500 + u32::from(seed))],
            endpoints: vec![Endpoint { transport: "https".into(), address: "127.0.0.1:1".into() }],
            caller_key: key(seed).public(),
            receipt_key: key(receipt).public(),
            sequence,
        };
        self.post(&Statement::new(self.registry.genesis_digest(), domain), &[&key(seed), &key(1)]);
    }

    fn approve_hello(&mut self) {
        let facts = iog_inspect::inspect(WASM, &InspectLimits::default()).unwrap();
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let submission = Submission {
            name: manifest.module.name.clone(),
            version: manifest.module.version.clone(),
            size: WASM.len() as u64,
            module: hello(),
            manifest: Digest::of(MANIFEST.as_bytes()),
            capabilities: iog_inspect::check(&facts, &manifest).unwrap(),
            source: Source { repository: "https://git.example/x".into(), commit: "c0ffee".into() },
            publisher_organisation: "lab".parse().unwrap(),
        };
        let registry = *self.registry.genesis_digest();
        self.post(&Statement::submission(&registry, submission), &[&key(5)]);
        let subject = self.registry.module(&hello()).unwrap().subject();
        for (second, seed) in (1..).zip([10, 11, 12]) {
            let review = Review {
                verdict: Verdict::Approve,
                criteria: vec!["iog-safe-to-run".into()],
                scope: Scope::Full,
                manifest: Digest::of(MANIFEST.as_bytes()),
                findings: Vec::new(),
                closes: Vec::new(),
                issued: now().plus_seconds(second - 100),
                expires: None,
            };
            self.post(&Statement::about(&registry, subject.clone(), review), &[&key(seed)]);
        }
        let draft = ApprovalDraft { verifier: "spiffe://test.example/center".into(), now: now(), expires: None };
        let approval = self.registry.draft_approval(&hello(), &draft).unwrap();
        self.post(&approval, &[&key(2)]);
    }

    pub(crate) fn revoke(&mut self, target: Target) {
        let revocation = Revocation {
            severity: RevocationSeverity::Revoke,
            target: target.clone(),
            reason_code: "vulnerability".into(),
            reason: "leaks".into(),
            until: None,
            issued: now(),
        };
        let registry = *self.registry.genesis_digest();
        let statement = match target {
            Target::Module(digest) => {
                Statement::about(&registry, self.registry.module(&digest).unwrap().subject(), revocation)
            }
            Target::Domain(_) => Statement::new(&registry, revocation),
        };
        self.post(&statement, &[&key(1)]);
    }

    /// The TLS peer that a domain is.
    pub(crate) fn peer(&self, name: &str) -> PeerIdentity {
        PeerIdentity {
            spiffe: Some(self.registry.founding().trust_domain.spiffe(&id(name))),
            leaf_sha256: LEAF,
            spki_sha256: [8; 32],
            not_before: 0,
            not_after: i64::MAX,
        }
    }

    /// A good token of a domain for the certificate of this hash.
    pub(crate) fn token_for(&self, name: &str, cert_sha256: &[u8; 32]) -> String {
        self.token(name, 3, |claims| {
            let trust_domain = &self.registry.founding().trust_domain;
            let grant = Grant {
                issuer: &token_issuer(trust_domain),
                trust_domain,
                domain: &id(name),
                cert_sha256,
                now: now(),
                lifetime_s: 3_600,
                id: &RequestId::from_bytes([3; 16]),
            };
            *claims = TokenClaims::new(&grant);
        })
    }

    /// A token of a domain, changed before it is signed by the key of that seed.
    pub(crate) fn token(&self, name: &str, seed: u8, change: impl FnOnce(&mut TokenClaims)) -> String {
        let trust_domain = &self.registry.founding().trust_domain;
        let mut claims = TokenClaims::new(&Grant {
            issuer: &token_issuer(trust_domain),
            trust_domain,
            domain: &id(name),
            cert_sha256: &LEAF,
            now: now(),
            lifetime_s: 3_600,
            id: &RequestId::from_bytes([3; 16]),
        });
        change(&mut claims);
        token::issue(&claims, &key(seed)).unwrap()
    }
}

pub(crate) fn hello() -> Digest {
    Digest::of(WASM)
}

/// A request of `caller` for `hello` at `gateway`.
pub(crate) fn request(number: u8) -> RunRequest {
    RunRequest {
        request_id: RequestId::from_bytes([number; 16]),
        audience: id("gateway"),
        caller: id("caller"),
        module: hello(),
        entry: "packets-to".parse().unwrap(),
        params: serde_json::json!({ "target": "192.0.2.1" }).into(),
        purpose: "incident".into(),
        service: Some("hello".parse().unwrap()),
        actor: None,
        agreement: None,
        issued: now(),
        expires: now().plus_seconds(300),
    }
}

pub(crate) fn signed(request: &RunRequest, seed: u8) -> Signed<RunRequest> {
    Signed::sign(request, &[&key(seed)]).unwrap()
}

fn genesis() -> Genesis {
    let auditor = |(id, seed): (&str, u8)| Auditor {
        id: id.into(),
        organisation: format!("audit-{id}").parse().unwrap(),
        key: key(seed).public(),
    };
    Genesis {
        trust_domain: "test.example".parse().unwrap(),
        root: Root { keys: vec![key(1).public()], threshold: 1 },
        log_key: key(4).public().vkey("test.example/log").unwrap().to_string(),
        witness_policy: None,
        rules_version: 1,
        min_rules_version: 1,
        thresholds: Thresholds { k: 2, suspension_hours: 72, member_cosigners: 2 },
        keyset: Keyset {
            version: 1,
            expires: now().plus_days(365),
            approval: vec![key(2).public()],
            token: vec![key(3).public()],
            ca_spki_sha256: vec![Digest::of(b"ca")],
            auditors: [("a", 10), ("b", 11), ("c", 12)].map(auditor).to_vec(),
            publishers: vec![Publisher {
                namespace: "iog".into(),
                organisation: "lab".parse().unwrap(),
                keys: vec![key(5).public()],
            }],
            root: None,
            min_rules_version: None,
            required_families: Vec::new(),
        },
    }
}

/// Bytes that differ and can be foreseen.
#[derive(Debug, Default)]
pub(crate) struct Counting(std::sync::atomic::AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        for part in bytes.chunks_mut(16) {
            let number = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            part.copy_from_slice(&Digest::of(&number.to_be_bytes()).as_bytes()[..part.len()]);
        }
        Ok(())
    }
}

/// Three flows, two of them to 192.0.2.1, with 3 and 4 packets.
pub(crate) const FLOWS: &str = "start,end,src,dst,proto,packets,bytes,ingress_as
1800000000,1800000001,198.51.100.1,192.0.2.1,17,3,300,64501
1800000002,1800000003,198.51.100.2,192.0.2.1,17,4,400,64502
1800000004,1800000005,198.51.100.3,192.0.2.9,6,5,500,64503
";

/// One dataset `border` of [`FLOWS`], as a configuration has it.
pub(crate) fn dataset(folder: &std::path::Path) -> crate::config::DatasetConfig {
    let path = folder.join("flows.csv");
    std::fs::write(&path, FLOWS).unwrap();
    let (format, unit) = (crate::config::DatasetFormat::Csv, crate::config::TimestampUnit::Seconds);
    crate::config::DatasetConfig::file("flow/1", path, format, unit)
}

/// A sandbox, made once for all tests.
pub(crate) fn sandbox() -> iog_sandbox::Sandbox {
    static ONE: std::sync::OnceLock<iog_sandbox::Sandbox> = std::sync::OnceLock::new();
    let config = iog_sandbox::SandboxConfig { runs_max: 8, ..iog_sandbox::SandboxConfig::compiling_here() };
    ONE.get_or_init(|| iog_sandbox::Sandbox::new(&config).unwrap()).clone()
}

/// `hello` on the dataset of [`FLOWS`], prepared for real.
pub(crate) async fn prepared(
    sandbox: &iog_sandbox::Sandbox,
    folder: &std::path::Path,
) -> Result<Arc<Prepared>, PrepareError> {
    prepared_on(sandbox, &dataset(folder)).await
}

/// The same on another dataset.
pub(crate) async fn prepared_on(
    sandbox: &iog_sandbox::Sandbox,
    dataset: &crate::config::DatasetConfig,
) -> Result<Arc<Prepared>, PrepareError> {
    let bound = crate::datasets::open_one("border", dataset).await.unwrap();
    let tools = Tools { sandbox: sandbox.clone(), engine: iog_data::Engine::new().unwrap() };
    let found = Examined::examine(iog_module::Source { wasm: WASM, manifest: MANIFEST }).unwrap();
    let module = AsSigned::compare(found, &World::new().registry.module(&hello()).unwrap().submission).unwrap();
    let bound = BTreeMap::from([("flows".parse().unwrap(), bound)]);
    Prepared::new(&tools, module, WASM, &bound, &crate::config::Allowance::default()).await.map(Arc::new)
}
