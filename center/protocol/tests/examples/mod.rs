//! A small registry and one receipt, made by the library itself with fixed keys, so that the documents show what the code
//! writes. Every statement is applied to the registry: an example that the rules refuse fails here.

use iog_protocol::capabilities::{Capabilities, SlotUse};
use iog_protocol::dsse::Envelope;
use iog_protocol::ids::{Asn, Digest, RequestId};
use iog_protocol::keys::SecretKey;
use iog_protocol::manifest::{LimitsDecl, ReleaseClass};
use iog_protocol::receipt::{
    Audience, CallerFields, Cost, ProviderFields, ReceiptDraft, ReceiptView, SALT_BYTES, log_origin,
};
use iog_protocol::registry::{ApprovalDraft, Registry};
use iog_protocol::run::Outcome;
use iog_protocol::statements::{
    Auditor, Domain, Endpoint, Finding, Genesis, Keyset, Predicate, Publisher, Review, Revocation, RevocationSeverity,
    Root, Scope, Severity, Source, Statement, Submission, Target, Thresholds, Verdict,
};
use iog_protocol::time::Timestamp;
use iog_tlog::{Checkpoint, InclusionProof, NoteSigner, Tree, leaf_hash};

/// A named part of a document.
type Part = (String, String);

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn hour(hours: i64) -> Timestamp {
    Timestamp::from_unix(1_767_225_600).plus_hours(hours)
}

fn genesis() -> Genesis {
    let auditor = |id: &str, organisation: &str, seed| Auditor {
        id: id.to_owned(),
        organisation: organisation.parse().unwrap(),
        key: key(seed).public(),
    };
    Genesis {
        trust_domain: "iog.example".parse().unwrap(),
        root: Root { keys: vec![key(10).public(), key(11).public()], threshold: 2 },
        log_key: key(22).public().vkey("iog.example/log").unwrap().to_string(),
        witness_policy: None,
        // A registry of the first rules: these bytes never change, and later software folds them alike.
        rules_version: 1,
        min_rules_version: 1,
        thresholds: Thresholds { k: 1, suspension_hours: 72, member_cosigners: 0 },
        keyset: Keyset {
            version: 1,
            expires: hour(24 * 366),
            approval: vec![key(20).public()],
            token: vec![key(21).public()],
            ca_spki_sha256: vec![Digest::of(b"certificate authority")],
            auditors: vec![auditor("alice", "university", 40), auditor("bob", "cert", 41)],
            publishers: vec![Publisher {
                namespace: "iog".to_owned(),
                organisation: "lab".parse().unwrap(),
                keys: vec![key(30).public()],
            }],
            root: None,
            min_rules_version: None,
            required_families: Vec::new(),
        },
    }
}

fn domain() -> Domain {
    Domain {
        id: "as64500".parse().unwrap(),
        organisation: "isp-a".parse().unwrap(),
        asns: vec![Asn(64500)],
        endpoints: vec![Endpoint { transport: "https".to_owned(), address: "gw.isp-a.example:8443".to_owned() }],
        caller_key: key(50).public(),
        receipt_key: key(51).public(),
        sequence: 1,
    }
}

fn submission() -> Submission {
    let uses = SlotUse { schema: "flow/1".to_owned(), columns: vec!["dst".to_owned(), "packets".to_owned()] };
    Submission {
        name: "iog/hello".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        size: 22_181,
        module: Digest::of(b"the component"),
        manifest: Digest::of(b"the manifest"),
        capabilities: Capabilities {
            imports: vec!["iog:guest/data@0.1.0".to_owned()],
            datasets: [("flows".parse().unwrap(), uses)].into(),
            release: ReleaseClass::Reviewed,
            limits: LimitsDecl { fuel: 5_000_000_000, memory_mib: 16, wall_s: 10, result_kib: 1 },
        },
        source: Source { repository: "https://iog.example/iog".to_owned(), commit: "0".repeat(40) },
        publisher_organisation: "lab".parse().unwrap(),
    }
}

fn review(note: Option<&str>, issued: Timestamp) -> Review {
    let finding = |text: &str| Finding { id: "f4".to_owned(), severity: Severity::Note, text: text.to_owned() };
    Review {
        verdict: Verdict::Approve,
        criteria: ["iog-safe-to-run", "iog-capability-minimal", "iog-privacy"].map(str::to_owned).to_vec(),
        scope: Scope::Full,
        manifest: submission().manifest,
        findings: note.map(finding).into_iter().collect(),
        closes: Vec::new(),
        issued,
        expires: None,
    }
}

/// Signs, applies to the registry and shows a statement.
struct Log {
    registry: Registry,
    parts: Vec<Part>,
}

impl Log {
    fn append(&mut self, name: &str, statement: &Statement, keys: &[&SecretKey]) {
        let envelope = statement.sign(keys).unwrap();
        let index = self.registry.size();
        self.registry.apply(&envelope.to_json()).unwrap_or_else(|reason| panic!("`{name}`: {reason}"));
        self.parts.push((name.to_owned(), shown(index, &envelope)));
    }
}

fn shown(index: u64, envelope: &Envelope) -> String {
    let payload: serde_json::Value = serde_json::from_slice(envelope.payload()).unwrap();
    let mut text = format!("Entry {index}, digest `{}`:\n\n```json\n", envelope.digest());
    text.push_str(&in_order(envelope.payload(), &payload));
    text + "\n```\n"
}

/// Pretty JSON with the members in the order of `bytes`.
fn in_order(bytes: &[u8], value: &serde_json::Value) -> String {
    let mut text = String::new();
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for c in std::str::from_utf8(bytes).unwrap().chars() {
        let indent = |depth: usize| format!("\n{}", "  ".repeat(depth));
        match c {
            _ if quoted => {
                text.push(c);
                quoted = escaped || c != '"';
                escaped = !escaped && c == '\\';
            }
            '{' | '[' => {
                depth += 1;
                text = text + &c.to_string() + &indent(depth);
            }
            '}' | ']' => {
                depth -= 1;
                let empty = text.trim_end().ends_with(if c == '}' { '{' } else { '[' });
                text = if empty { text.trim_end().to_owned() } else { text + &indent(depth) };
                text.push(c);
            }
            ',' => text = text + "," + &indent(depth),
            ':' => text.push_str(": "),
            _ => {
                quoted = c == '"';
                text.push(c);
            }
        }
    }
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), *value, "only the spaces may differ");
    text
}

pub(crate) fn statements() -> Vec<Part> {
    let founding = Statement::genesis(genesis()).sign(&[&key(10), &key(11)]).unwrap();
    let registry = Registry::genesis(&founding.to_json(), &founding.digest()).unwrap();
    let id = *registry.genesis_digest();
    let mut log = Log { registry, parts: vec![("genesis".to_owned(), shown(0, &founding)), envelope(&founding)] };
    log.append("domain", &Statement::new(&id, domain()), &[&key(50), &key(10), &key(11)]);
    log.append("submission", &Statement::submission(&id, submission()), &[&key(30)]);
    let module = log.registry.module(&submission().module).unwrap().subject();
    let said = |note, at| Statement::about(&id, module.clone(), review(note, at));
    log.append("review", &said(Some("packets is a sum over all flows to the target"), hour(1)), &[&key(40)]);
    log.append("second-review", &said(None, hour(2)), &[&key(41)]);
    let verifier = "spiffe://iog.example/center".to_owned();
    let draft = ApprovalDraft { verifier, now: hour(2), expires: Some(hour(2).plus_days(365)) };
    let approval = log.registry.draft_approval(&submission().module, &draft).unwrap();
    log.append("approval", &approval, &[&key(20)]);
    assert!(log.registry.effective(&submission().module, hour(3)).is_ok());
    let stop = Revocation {
        severity: RevocationSeverity::Suspend,
        target: Target::Module(submission().module),
        reason_code: "vulnerability".to_owned(),
        reason: "counts flows twice".to_owned(),
        until: None,
        issued: hour(4),
    };
    log.append("revocation", &Statement::about(&id, module, stop), &[&key(41)]);
    assert!(log.registry.effective(&submission().module, hour(5)).is_err());
    let renewed = Keyset { version: 2, expires: hour(24 * 700), ..genesis().keyset };
    log.append("keyset", &Statement::new(&id, Predicate::from(renewed)), &[&key(10), &key(11)]);
    log.parts
}

/// The envelope of the genesis, with its payload cut.
fn envelope(founding: &Envelope) -> Part {
    let mut wire: serde_json::Value = serde_json::from_slice(&founding.to_json()).unwrap();
    let payload = wire["payload"].as_str().unwrap();
    wire["payload"] = format!("{}…", &payload[..60]).into();
    let text = format!("```json\n{}\n```\n", serde_json::to_string_pretty(&wire).unwrap());
    ("envelope".to_owned(), text)
}

pub(crate) fn receipt() -> Vec<Part> {
    let view = caller_view();
    let key = key(51).public().vkey(&log_origin(&"iog.example".parse().unwrap(), &domain().id)).unwrap();
    view.verify(&key).unwrap();
    let body = serde_json::to_string_pretty(&view.body).unwrap();
    let some = ["cost", "outcome", "request_id"].map(|field| (field, &view.disclosed[field]));
    let some: serde_json::Map<_, _> =
        some.into_iter().map(|(field, shown)| (field.to_owned(), serde_json::to_value(shown).unwrap())).collect();
    let disclosed = serde_json::to_string_pretty(&some).unwrap();
    vec![
        ("body".to_owned(), format!("```json\n{body}\n```\n")),
        ("disclosed".to_owned(), format!("```json\n{disclosed}\n```\n")),
        ("proof".to_owned(), format!("```text\n{}```\n", view.proof)),
        ("key".to_owned(), format!("```text\n{key}\n```\n")),
    ]
}

fn caller_view() -> ReceiptView {
    let caller = CallerFields {
        request_id: RequestId::from_bytes([9; 16]),
        request: Digest::of(b"the signed request"),
        caller: "as64501".parse().unwrap(),
        gateway: domain().id,
        service: Some("hello".parse().unwrap()),
        module: submission().module,
        module_log_index: Some(5),
        registry_size: 8,
        entry: "packets-to".parse().unwrap(),
        policy: Digest::of(b"the policy"),
        release: Some(ReleaseClass::Reviewed),
        outcome: Outcome::Succeeded,
        result_digest: Some(Digest::of(br#"{"ok":1234}"#)),
        engine: "wasmtime 48.0.8".to_owned(),
        cost_table: Digest::of(b"the cost table"),
        cost: Cost::default(),
        issued: hour(3),
    };
    let provider = ProviderFields {
        cost_exact: Cost { fuel: 331_000, memory_bytes: 1_114_112, rows: 1_000, bytes: 8_000, wall_ms: 3 },
        snapshots: [("flows".parse().unwrap(), Digest::of(b"the rows"))].into(),
        purpose: "operations".to_owned(),
        actor: None,
        agreement: None,
        detail: None,
        logs: None,
    };
    let mut salt = 0_u8;
    let sealed = ReceiptDraft::new(caller, provider).seal(|| {
        salt += 1;
        [salt; SALT_BYTES]
    });
    let sealed = sealed.unwrap();
    let origin = log_origin(&"iog.example".parse().unwrap(), &domain().id);
    let signer = NoteSigner::ed25519(&origin, key(51).ed25519()).unwrap();
    let tree = Tree::from_leaves([leaf_hash(b"an earlier receipt"), leaf_hash(&sealed.entry().unwrap())]);
    let checkpoint = Checkpoint::new(&origin, tree.len(), tree.root()).sign(&signer);
    let proof = InclusionProof::new(1, tree.inclusion(1, 2).unwrap(), checkpoint);
    sealed.view(Audience::Caller, &proof)
}
