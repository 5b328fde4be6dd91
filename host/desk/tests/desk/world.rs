//! A registry made by statements with fixed keys: a domain in force, a module of which an older version runs and a newer one
//! waits with a finding, and a domain that waits. Every statement is applied, so the rules agree to all of it.

use iog_desk::decide::review::ReviewDecision;
use iog_desk::decide::submission;
use iog_desk::reach::ModuleFiles;
use iog_protocol::api::PendingDomain;
use iog_protocol::capabilities::{Capabilities, SlotUse};
use iog_protocol::ids::{Asn, Digest};
use iog_protocol::keys::SecretKey;
use iog_protocol::manifest::{LimitsDecl, ReleaseClass};
use iog_protocol::registry::{ApprovalDraft, ModuleRecord, Registry};
use iog_protocol::statements::{
    Auditor, Domain, Endpoint, Genesis, Keyset, Publisher, Root, Severity, Source, Statement, Submission, Thresholds,
    Verdict,
};
use iog_protocol::time::Timestamp;

pub(crate) const ROOT: u8 = 10;
pub(crate) const OTHER_ROOT: u8 = 11;
pub(crate) const PUBLISHER: u8 = 30;
pub(crate) const ALICE: u8 = 40;
pub(crate) const BOB: u8 = 41;
pub(crate) const CALLER: u8 = 50;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

/// Hours after the beginning of 2026.
pub(crate) fn hour(hours: i64) -> Timestamp {
    Timestamp::from_unix(1_767_225_600).plus_hours(hours)
}

/// The time at which everything is looked at.
pub(crate) fn now() -> Timestamp {
    hour(10)
}

pub(crate) struct World {
    pub(crate) registry: Registry,
}

impl World {
    pub(crate) fn new() -> Self {
        let founding = Statement::genesis(genesis()).sign(&[&key(ROOT), &key(OTHER_ROOT)]).unwrap();
        let mut world = Self { registry: Registry::genesis(&founding.to_json(), &founding.digest()).unwrap() };
        let admitted = Statement::new(world.registry.genesis_digest(), domain(1, "gw.isp-a.example:8443"));
        world.log(&admitted, &[CALLER, ROOT, OTHER_ROOT]);
        world.log(&Statement::submission(world.registry.genesis_digest(), older()), &[PUBLISHER]);
        for (auditor, at) in [(ALICE, 1), (BOB, 2)] {
            world.review(
                &older().module,
                auditor,
                &ReviewDecision::new(Verdict::Approve, Vec::new()).unwrap(),
                hour(at),
            );
        }
        let verifier = "spiffe://iog.example/center".to_owned();
        let draft = ApprovalDraft { verifier, now: hour(2), expires: Some(hour(2).plus_days(365)) };
        world.log(&world.registry.draft_approval(&older().module, &draft).unwrap(), &[20]);
        world.log(&submission::statement(&world.registry, &files(), &key(PUBLISHER).public()).unwrap(), &[PUBLISHER]);
        let found = vec![(Severity::Blocking, "why does it read `packets`?\u{202e}".to_owned())];
        world.review(&newer(), ALICE, &ReviewDecision::new(Verdict::Reject, found).unwrap(), hour(4));
        world
    }

    pub(crate) fn log(&mut self, statement: &Statement, signers: &[u8]) {
        let keys: Vec<_> = signers.iter().map(|seed| key(*seed)).collect();
        let envelope = statement.sign(&keys.iter().collect::<Vec<_>>()).unwrap();
        self.registry.apply(&envelope.to_json()).unwrap();
    }

    pub(crate) fn review(&mut self, module: &Digest, auditor: u8, decision: &ReviewDecision, at: Timestamp) {
        let record = self.registry.module(module).unwrap();
        let statement = decision.statement(&self.registry, record, &key(auditor).public(), at).unwrap();
        self.log(&statement, &[auditor]);
    }

    /// The version that waits.
    pub(crate) fn waiting(&self) -> &ModuleRecord {
        self.registry.module(&newer()).unwrap()
    }

    /// What a center would say is waiting: a domain that moves, and something that nobody signed.
    pub(crate) fn pending(&self) -> Vec<PendingDomain> {
        let signed = |signer: u8| {
            let statement = Statement::new(self.registry.genesis_digest(), domain(2, "new.isp-a.example:8443"));
            PendingDomain {
                id: domain(2, "").id,
                organisation: "isp-a".parse().unwrap(),
                statement: statement.sign(&[&key(signer)]).unwrap().to_json().into(),
                since: hour(9),
            }
        };
        vec![signed(CALLER), signed(99)]
    }
}

/// The files of the version that waits: a module that ships.
pub(crate) fn files() -> ModuleFiles {
    ModuleFiles {
        wasm: include_bytes!("../../../../modules/prebuilt/hello.wasm").to_vec(),
        manifest: include_str!("../../../../modules/hello/iog.toml").to_owned(),
    }
}

fn newer() -> Digest {
    Digest::of(&files().wasm)
}

/// The version that runs; nobody has its files any more.
pub(crate) fn older() -> Submission {
    let uses = SlotUse { schema: "flow/1".to_owned(), columns: vec!["dst".to_owned()] };
    Submission {
        name: "iog/hello".parse().unwrap(),
        version: "0.9.0".parse().unwrap(),
        size: 22_181,
        module: Digest::of(b"the older component"),
        manifest: Digest::of(b"the older manifest"),
        capabilities: Capabilities {
            imports: Vec::new(),
            datasets: [("flows".parse().unwrap(), uses)].into(),
            release: ReleaseClass::Reviewed,
            limits: LimitsDecl { fuel: 1_000_000_000, memory_mib: 16, wall_s: 10, result_kib: 1 },
        },
        source: Source { repository: "https://iog.example/iog".to_owned(), commit: "0".repeat(40) },
        publisher_organisation: "lab".parse().unwrap(),
    }
}

pub(crate) fn domain(sequence: u64, address: &str) -> Domain {
    Domain {
        id: "as64500".parse().unwrap(),
        organisation: "isp-a".parse().unwrap(),
        asns: vec![Asn(64500)],
        endpoints: vec![Endpoint { transport: "https".to_owned(), address: address.to_owned() }],
        caller_key: key(CALLER).public(),
        receipt_key: key(51).public(),
        sequence,
    }
}

fn genesis() -> Genesis {
    let auditor = |id: &str, organisation: &str, seed| Auditor {
        id: id.to_owned(),
        organisation: organisation.parse().unwrap(),
        key: key(seed).public(),
    };
    Genesis {
        trust_domain: "iog.example".parse().unwrap(),
        root: Root { keys: vec![key(ROOT).public(), key(OTHER_ROOT).public()], threshold: 2 },
        log_key: key(22).public().vkey("iog.example/log").unwrap().to_string(),
        witness_policy: None,
        rules_version: 1,
        min_rules_version: 1,
        thresholds: Thresholds { k: 1, suspension_hours: 72, member_cosigners: 0 },
        keyset: Keyset {
            version: 1,
            expires: hour(24 * 366),
            approval: vec![key(20).public()],
            token: vec![key(21).public()],
            ca_spki_sha256: vec![Digest::of(b"certificate authority")],
            auditors: vec![auditor("alice", "university", ALICE), auditor("bob", "cert", BOB)],
            publishers: vec![Publisher {
                namespace: "iog".to_owned(),
                organisation: "lab".parse().unwrap(),
                keys: vec![key(PUBLISHER).public()],
            }],
            root: None,
            min_rules_version: None,
            required_families: Vec::new(),
        },
    }
}
