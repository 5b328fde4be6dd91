//! Everybody whose signature a module needs, bribed: the publisher, all auditors, and who stole the center. Together they get any
//! file and any manifest into the log, with all signatures good.

use std::sync::Arc;

use iog_home::connect;
use iog_inspect::{InspectLimits, check, inspect};
use iog_machine::SystemClock;
use iog_protocol::api::{Base64Bytes, ModuleSubmission};
use iog_protocol::dsse::Envelope;
use iog_protocol::ids::Digest;
use iog_protocol::keys::SecretKey;
use iog_protocol::manifest::Manifest;
use iog_protocol::registry::{ApprovalDraft, Registry};
use iog_protocol::statements::{Review, Scope, Source, Statement, Submission, Verdict};
use iog_protocol::time::Timestamp;

use super::manifests::{Written, honest, written};
use crate::harness::caller::Caller;
use crate::harness::deployment::Deployment;
use crate::harness::evil::{EvilCenter, Extras, StolenKeys, entries_of, entry};

pub(super) struct Bribed {
    center: StolenKeys,
    address: std::net::SocketAddr,
    publisher: SecretKey,
    auditors: [SecretKey; 2],
    registry: Registry,
    entries: Vec<Vec<u8>>,
    now: Timestamp,
}

impl Bribed {
    /// Of a network whose log `member` has just read.
    pub(super) fn of(network: &Deployment, member: &Caller) -> Self {
        let key = |name: &str| {
            let pem = std::fs::read_to_string(network.folder().join(format!("{name}.key"))).expect("a key's file");
            SecretKey::from_pkcs8_pem(&pem).expect("an Ed25519 key")
        };
        let replica = connect::replica(&member.home).expect("the replica holds");
        let listening = &network.center.as_ref().expect("it runs").address;
        let port = listening.rsplit_once(':').expect("host:port").1.parse().expect("a port");
        Self {
            center: StolenKeys::lying_in(
                &network.folder().join("center"),
                member.home.trust_domain(),
                Arc::new(SystemClock),
            ),
            address: (std::net::Ipv4Addr::LOCALHOST, port).into(),
            publisher: key("publisher"),
            auditors: [key("alice"), key("bob")],
            registry: Registry::clone(&member.registry),
            entries: entries_of(&replica, member.registry.size()),
            now: member.clock.now(),
        }
    }

    /// A submission in which everything is right but what the queries would do: the capabilities are those of the honest query,
    /// which reads the same slot.
    fn submission(&self, module: &Written) -> Envelope {
        let manifest = Manifest::parse(&module.manifest).expect("its form is good");
        let likely = Manifest::parse(&written(module.name, &honest(), 1, 1).manifest).expect("a good manifest");
        let facts = inspect(&module.wasm, &InspectLimits::default()).expect("a good component");
        let mut capabilities = check(&facts, &likely).expect("they fit");
        capabilities.limits = manifest.limits;
        let submission = Submission {
            name: manifest.module.name.clone(),
            version: manifest.module.version.clone(),
            size: module.wasm.len() as u64,
            module: Digest::of(&module.wasm),
            manifest: Digest::of(module.manifest.as_bytes()),
            capabilities,
            source: Source { repository: manifest.source.repository.clone(), commit: manifest.source.commit.clone() },
            publisher_organisation: "iog-project".parse().expect("an id"),
        };
        let statement = Statement::submission(self.registry.genesis_digest(), submission);
        statement.sign(&[&self.publisher]).expect("a statement can be signed")
    }

    /// What the publisher sends to an honest center.
    pub(super) fn submission_body(&self, module: &Written) -> ModuleSubmission {
        ModuleSubmission {
            submission: Base64Bytes(self.submission(module).to_json()),
            manifest: module.manifest.clone(),
            module: Base64Bytes(module.wasm.clone()),
        }
    }

    /// The log with these modules submitted, reviewed and approved, all of it in force.
    pub(super) fn log_with(&self, modules: &[Written]) -> Vec<Vec<u8>> {
        let (mut registry, mut log) = (self.registry.clone(), self.entries.clone());
        let mut append = |registry: &mut Registry, envelope: Envelope| {
            let bytes = entry(envelope);
            registry.apply(&bytes).expect("all signatures are good");
            log.push(bytes);
        };
        for module in modules {
            append(&mut registry, self.submission(module));
            let digest = Digest::of(&module.wasm);
            for auditor in &self.auditors {
                let review = self.review(&registry, &digest, auditor);
                append(&mut registry, review);
            }
            let verifier = format!("spiffe://{}/center", registry.founding().trust_domain);
            let draft = ApprovalDraft { verifier, now: self.now, expires: None };
            let approval = registry.draft_approval(&digest, &draft).expect("all reviews are there");
            append(&mut registry, approval.sign(&[&self.center.approval]).expect("a statement can be signed"));
            registry.effective(&digest, self.now).expect("it may run");
        }
        log
    }

    fn review(&self, registry: &Registry, module: &Digest, auditor: &SecretKey) -> Envelope {
        let record = registry.module(module).expect("it was submitted");
        let review = Review {
            verdict: Verdict::Approve,
            criteria: vec!["iog-safe-to-run".to_owned()],
            scope: Scope::Full,
            manifest: record.submission.manifest,
            findings: Vec::new(),
            closes: Vec::new(),
            issued: self.now,
            expires: None,
        };
        let statement = Statement::about(registry.genesis_digest(), record.subject(), review);
        statement.sign(&[auditor]).expect("a statement can be signed")
    }

    /// Serves such a log, and the files of its modules, where the center was.
    pub(super) async fn serve(&self, log: Vec<Vec<u8>>, modules: &[Written]) -> EvilCenter {
        let files = modules.iter().flat_map(|module| [&module.wasm[..], module.manifest.as_bytes()]);
        let blobs: Vec<(Digest, &[u8])> = files.map(|file| (Digest::of(file), file)).collect();
        EvilCenter::serve_with(&self.center, self.address, log, Extras { blobs: &blobs, ..Extras::default() }).await
    }
}
