//! Stories about the registry with named actors. `World` keeps a log and the registry folded from it; each helper signs a
//! statement as somebody. Time is a number of hours after the beginning of 2026.

mod approvals;
mod attacks;
mod domains;
mod families;
mod halts;
mod indexes;
mod keysets;
mod properties;

use super::*;
use crate::capabilities::{Capabilities, SlotUse};
use crate::dsse::Envelope;
use crate::ids::{Digest, DomainId, OrganisationId};
use crate::keys::SecretKey;
use crate::manifest::{LimitsDecl, ReleaseClass};
use crate::registry;
use crate::statements::{
    Auditor, Domain, Endpoint, Finding, Genesis, Keyset, Predicate, Publisher, Review, Revocation, RevocationSeverity,
    Root, Scope, Severity, Source, Statement, Submission, Target, Thresholds, Verdict,
};
use crate::time::Timestamp;

/// Hours after the beginning of 2026.
fn hour(hours: i64) -> Timestamp {
    Timestamp::from_unix(1_767_225_600).plus_hours(hours)
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn root(number: u8) -> SecretKey {
    key(10 + number)
}

fn approval_key() -> SecretKey {
    key(20)
}

fn token_key() -> SecretKey {
    key(21)
}

fn log_key() -> SecretKey {
    key(22)
}

fn publisher_key() -> SecretKey {
    key(30)
}

/// Auditors `a`, `b`, `c`, `d` of organisations of their own; `a2` of `a`'s organisation; `p` of the publisher's.
const AUDITORS: [(&str, &str, u8); 6] = [
    ("a", "org-a", 40),
    ("b", "org-b", 41),
    ("c", "org-c", 42),
    ("d", "org-d", 43),
    ("a2", "org-a", 44),
    ("p", "lab", 45),
];

fn auditor_key(id: &str) -> SecretKey {
    let found = AUDITORS.iter().find(|(name, _, _)| *name == id);
    key(found.expect("a named auditor").2)
}

fn organisation(name: &str) -> OrganisationId {
    name.parse().unwrap()
}

fn keyset() -> Keyset {
    let auditor = |(id, organisation, seed): (&str, &str, u8)| Auditor {
        id: id.into(),
        organisation: organisation.parse().unwrap(),
        key: key(seed).public(),
    };
    Keyset {
        version: 1,
        expires: hour(24 * 365),
        approval: vec![approval_key().public()],
        token: vec![token_key().public()],
        ca_spki_sha256: vec![Digest::of(b"ca")],
        auditors: AUDITORS.map(auditor).to_vec(),
        publishers: vec![Publisher {
            namespace: "iog".into(),
            organisation: organisation("lab"),
            keys: vec![publisher_key().public()],
        }],
        root: None,
        min_rules_version: None,
        required_families: Vec::new(),
    }
}

fn genesis() -> Genesis {
    Genesis {
        trust_domain: "iog.example".parse().unwrap(),
        root: Root { keys: vec![root(0).public(), root(1).public(), root(2).public()], threshold: 2 },
        log_key: log_key().public().vkey("iog.example/log").unwrap().to_string(),
        witness_policy: None,
        rules_version: 1,
        min_rules_version: 1,
        thresholds: Thresholds { k: 2, suspension_hours: 72, member_cosigners: 2 },
        keyset: keyset(),
    }
}

fn sealed(statement: &Statement, keys: &[&SecretKey]) -> Vec<u8> {
    statement.sign(keys).unwrap().to_json()
}

/// Public data, so that k = 2 reviews suffice.
fn public_data() -> Capabilities {
    let uses = SlotUse { schema: "route/1".into(), columns: vec!["origin_as".into(), "prefix".into()] };
    Capabilities {
        imports: vec!["iog:guest/data@0.1.0".into()],
        datasets: [("routes".parse().unwrap(), uses)].into(),
        release: ReleaseClass::Reviewed,
        limits: LimitsDecl::default(),
    }
}

/// Flow data, so that k + 1 = 3 reviews are needed.
fn private_data() -> Capabilities {
    let uses = SlotUse { schema: "flow/1".into(), columns: vec!["dst".into(), "src".into()] };
    Capabilities { datasets: [("flows".parse().unwrap(), uses)].into(), ..public_data() }
}

fn submission(version: &str, capabilities: Capabilities) -> Submission {
    Submission {
        name: "iog/ip-traceback".parse().unwrap(),
        version: version.parse().unwrap(),
        size: 1000,
        module: Digest::of(format!("wasm {version}").as_bytes()),
        manifest: Digest::of(format!("manifest {version}").as_bytes()),
        capabilities,
        source: Source { repository: "https://git.example/x".into(), commit: "c0ffee".into() },
        publisher_organisation: organisation("lab"),
    }
}

fn domain(id: &str, org: &str, seed: u8, sequence: u64) -> Domain {
    Domain {
        id: id.parse().unwrap(),
        organisation: organisation(org),
        asns: vec![crate::ids::Asn(64500)],
        endpoints: vec![Endpoint { transport: "https".into(), address: "gw.example:443".into() }],
        caller_key: key(seed).public(),
        receipt_key: key(seed + 1).public(),
        sequence,
    }
}

/// A log and the registry folded from it.
struct World {
    registry: Registry,
    log: Vec<Vec<u8>>,
    /// Reviews are signed a second after one another.
    reviews: i64,
}

impl World {
    fn new() -> Self {
        Self::with(genesis())
    }

    fn with(genesis: Genesis) -> Self {
        let entry = sealed(&Statement::genesis(genesis), &[&root(0), &root(1)]);
        let registry = Registry::genesis(&entry, &Digest::of(&entry)).unwrap();
        Self { registry, log: vec![entry], reviews: 0 }
    }

    fn id(&self) -> Digest {
        *self.registry.genesis_digest()
    }

    /// Applies an entry. That asking first gives the same answer and changes nothing, and that a refused one leaves log and
    /// registry as they were, is checked.
    fn post(&mut self, entry: Vec<u8>) -> Result<u64, Invalid> {
        let before = self.registry.clone();
        let expected = self.registry.check(&entry);
        assert_eq!(self.registry, before, "asking changes nothing");
        let changed = self.registry.apply(&entry);
        assert_eq!(changed, expected, "asking and doing agree");
        match changed {
            Ok(_) => {
                assert_eq!(self.registry.size(), before.size() + 1);
                self.log.push(entry);
                Ok(before.size())
            }
            Err(reason) => {
                assert_eq!(self.registry, before);
                Err(reason)
            }
        }
    }

    /// Puts an entry into the log whatever it is, as a center with a stolen log key can.
    fn force(&mut self, entry: Vec<u8>) {
        let expected = self.registry.check(&entry).unwrap_or(Change::Nothing);
        assert_eq!(self.registry.absorb(&entry), expected, "asking and absorbing agree");
        self.log.push(entry);
    }

    fn submit(&mut self, version: &str, capabilities: Capabilities) -> Digest {
        let submission = submission(version, capabilities);
        let module = submission.module;
        self.post(sealed(&Statement::submission(&self.id(), submission), &[&publisher_key()])).unwrap();
        module
    }

    fn review_of(&mut self, module: &Digest) -> Review {
        self.reviews += 1;
        Review {
            verdict: Verdict::Approve,
            criteria: vec!["iog-safe-to-run".into()],
            scope: Scope::Full,
            manifest: self.registry.module(module).unwrap().submission.manifest,
            findings: Vec::new(),
            closes: Vec::new(),
            issued: hour(0).plus_seconds(self.reviews),
            expires: None,
        }
    }

    fn about(&self, module: &Digest, predicate: impl Into<Predicate>) -> Statement {
        Statement::about(&self.id(), self.registry.module(module).unwrap().subject(), predicate)
    }

    fn review_entry(&mut self, auditor: &str, module: &Digest, change: impl FnOnce(&mut Review)) -> Vec<u8> {
        let mut review = self.review_of(module);
        change(&mut review);
        sealed(&self.about(module, review), &[&auditor_key(auditor)])
    }

    fn review(&mut self, auditor: &str, module: &Digest, change: impl FnOnce(&mut Review)) -> Result<u64, Invalid> {
        let entry = self.review_entry(auditor, module, change);
        self.post(entry)
    }

    fn approve_by(&mut self, auditors: &[&str], module: &Digest) {
        for auditor in auditors {
            self.review(auditor, module, |_| ()).unwrap();
        }
    }

    /// The approval that a center writes, entitled to or not.
    fn approval_entry(&self, module: &Digest, keys: &[&SecretKey]) -> Vec<u8> {
        let draft = ApprovalDraft { verifier: "https://center.example".into(), now: hour(0), expires: None };
        let statement = self.registry.draft_approval(module, &draft).unwrap_or_else(|_| self.bare_approval(module));
        sealed(&statement, keys)
    }

    fn bare_approval(&self, module: &Digest) -> Statement {
        let json = serde_json::json!({
            "verifier": {"id": "https://center.example"}, "timeVerified": hour(0), "resourceUri": "iog:module:x",
            "policy": {"uri": "x", "digest": {"sha256": self.id().hex()}}, "verificationResult": "PASSED",
            "verifiedLevels": ["IOG_REVIEWED"],
            "https://iog.example/manifest_digest": self.registry.module(module).unwrap().submission.manifest,
        });
        let approval: crate::statements::Approval = serde_json::from_value(json).unwrap();
        self.about(module, approval)
    }

    fn approve(&mut self, module: &Digest) -> Result<u64, Invalid> {
        let entry = self.approval_entry(module, &[&approval_key()]);
        self.post(entry)
    }

    /// Submitted, reviewed by three organisations and approved.
    fn approved(&mut self, version: &str, capabilities: Capabilities) -> Digest {
        let module = self.submit(version, capabilities);
        self.approve_by(&["a", "b", "c"], &module);
        self.approve(&module).unwrap();
        module
    }

    fn revocation(&self, severity: RevocationSeverity, target: Target, issued: Timestamp) -> Statement {
        let revocation = Revocation {
            severity,
            target: target.clone(),
            reason_code: "vulnerability".into(),
            reason: "leaks".into(),
            until: None,
            issued,
        };
        match target {
            Target::Module(digest) => self.about(&digest, revocation),
            Target::Domain(_) => Statement::new(&self.id(), revocation),
        }
    }

    fn suspend(&mut self, module: &Digest, issued: Timestamp, keys: &[&SecretKey]) -> Result<u64, Invalid> {
        let statement = self.revocation(RevocationSeverity::Suspend, Target::Module(*module), issued);
        self.post(sealed(&statement, keys))
    }

    fn revoke(&mut self, module: &Digest, issued: Timestamp, keys: &[&SecretKey]) -> Result<u64, Invalid> {
        let statement = self.revocation(RevocationSeverity::Revoke, Target::Module(*module), issued);
        self.post(sealed(&statement, keys))
    }

    fn join(&mut self, domain: Domain, cosigners: &[&SecretKey]) -> Result<u64, Invalid> {
        let own = [30, 50, 52, 54, 56, 58, 60, 62].map(key).into_iter().find(|key| key.public() == domain.caller_key);
        let own = own.unwrap_or_else(|| key(64));
        let mut keys = vec![&own];
        keys.extend(cosigners);
        self.post(sealed(&Statement::new(&self.id(), domain), &keys))
    }

    fn effective(&self, module: &Digest, hours: i64) -> Result<EffectiveModule, NotEffective> {
        self.registry.effective(module, hour(hours))
    }
}

fn finding(id: &str, severity: Severity) -> Finding {
    Finding { id: id.into(), severity, text: "sends the data in the order of the rows".into() }
}
