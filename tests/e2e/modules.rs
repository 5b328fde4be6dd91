//! Bad modules at the center's door. A publisher with a good key signs whatever it likes; what does not hold is refused
//! with its reason, and nothing is logged or kept.

use iog_inspect::{InspectLimits, check, inspect};
use iog_protocol::api::{ApiErrorCode, Base64Bytes, ModuleSubmission, Problem};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::dsse::Envelope;
use iog_protocol::ids::Digest;
use iog_protocol::keys::SecretKey;
use iog_protocol::manifest::Manifest;
use iog_protocol::registry::Registry;
use iog_protocol::statements::{Source, Statement, Submission};

use crate::harness::net::Net;
use crate::harness::play;
use crate::harness::settings::{TALKERS, TRACEBACK, hostile};

/// The query of the traceback's manifest, which the tables below replace.
const QUERY: &str = r#"sql = """SELECT ingress_as, "start", "end", src, packets, bytes FROM flows
         WHERE ip_in(dst, $target) AND "start" >= $start AND "start" < $end""""#;

/// What the honest traceback asks for.
pub(crate) fn honest() -> Capabilities {
    let facts = inspect(TRACEBACK.wasm, &InspectLimits::default()).expect("a good component");
    check(&facts, &Manifest::parse(TRACEBACK.manifest).expect("a good manifest")).expect("they fit")
}

/// What a publisher may write into a submission.
pub(crate) struct Offer<'a> {
    pub(crate) wasm: &'a [u8],
    pub(crate) manifest: &'a str,
    pub(crate) capabilities: Capabilities,
    pub(crate) key: &'a SecretKey,
}

impl Offer<'_> {
    /// A submission in which everything is as the publisher says, whether it is so or not.
    pub(crate) fn sign(&self, registry: &Registry) -> ModuleSubmission {
        let submission = Submission {
            name: "iog/ip-traceback".parse().expect("a name"),
            version: "1.0.0".parse().expect("a version"),
            size: self.wasm.len() as u64,
            module: Digest::of(self.wasm),
            manifest: Digest::of(self.manifest.as_bytes()),
            capabilities: self.capabilities.clone(),
            source: Source { repository: "https://iog.example/iog".to_owned(), commit: commit() },
            publisher_organisation: "iog-project".parse().expect("an id"),
        };
        let envelope =
            Statement::submission(registry.genesis_digest(), submission).sign(&[self.key]).expect("it signs");
        ModuleSubmission {
            submission: Base64Bytes(envelope.to_json()),
            manifest: self.manifest.to_owned(),
            module: Base64Bytes(self.wasm.to_vec()),
        }
    }
}

/// The commit that the traceback's manifest names.
fn commit() -> String {
    Manifest::parse(TRACEBACK.manifest).expect("a good manifest").source.commit
}

async fn refusal(net: &Net, submission: &ModuleSubmission) -> Problem {
    let link = net.world.link().expect("a link");
    match link.center.submit_module(submission).await.expect_err("it must not be taken") {
        iog_client::ClientError::Declined { problem, .. } => *problem,
        other => panic!("not declined but failed: {other:?}"),
    }
}

/// Nothing of all this may be in the log.
async fn assert_nothing_logged(net: &Net, before: &Registry) {
    let registry = net.registry().await;
    assert_eq!((registry.size(), registry.modules().count()), (before.size(), before.modules().count()));
    assert!(registry.anomalies().is_empty());
}

#[test]
fn queries_that_reach_further_than_the_schema_and_the_rules() {
    let table = [
        ("a column that is not there", "SELECT secret FROM flows WHERE ip_in(dst, $target)", "secret"),
        ("every column", "SELECT * FROM flows", "wildcard"),
        ("another table", "SELECT ingress_as FROM other", "other"),
        ("a clock", "SELECT now() FROM flows", "now"),
        ("chance", "SELECT random() FROM flows", "random"),
        ("a file", "SELECT ingress_as FROM read_csv('/etc/passwd')", "read_csv"),
        ("a plan", "EXPLAIN SELECT ingress_as FROM flows", "EXPLAIN"),
        ("a plan that runs", "EXPLAIN ANALYZE SELECT ingress_as FROM flows", "EXPLAIN"),
        ("two statements", "SELECT ingress_as FROM flows; SELECT src FROM flows", "statement"),
        ("a change", "DELETE FROM flows", "DELETE"),
        ("a copy", "COPY (SELECT src FROM flows) TO '/tmp/out.csv'", "COPY"),
        ("settings", "SET datafusion.execution.batch_size = 1", "SET"),
        ("the catalog", "SELECT table_name FROM information_schema.tables", "information_schema"),
        ("a parameter nobody declared", "SELECT ingress_as FROM flows WHERE bytes > $limit", "limit"),
        ("no SQL", "give me everything", "give"),
    ];
    play(async {
        let net = Net::of(&[], &[]).await;
        let before = net.registry().await;
        let mut wrong = Vec::new();
        for (name, sql, named) in table {
            assert!(TRACEBACK.manifest.contains(QUERY), "the manifest's query is the one above");
            let manifest = TRACEBACK.manifest.replace(QUERY, &format!("sql = \"\"\"{sql}\"\"\""));
            let key = &net.world.parties.publisher;
            let offer = Offer { wasm: TRACEBACK.wasm, manifest: &manifest, capabilities: honest(), key };
            let problem = refusal(&net, &offer.sign(&before)).await;
            let known = matches!(problem.code, ApiErrorCode::InspectionFailed | ApiErrorCode::ManifestInvalid);
            if !known || !problem.detail.to_lowercase().contains(&named.to_lowercase()) {
                wrong.push(format!("{name}: the refusal should name `{named}`: {problem}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_nothing_logged(&net, &before).await;
        net.close().await;
    });
}

/// A component that imports one interface, and would have the entry.
fn importing(interface: &str) -> Vec<u8> {
    let text = format!(r#"(component (import "{interface}" (instance (export "f" (func (result u32))))))"#);
    wat::parse_str(text).expect("good WAT")
}

#[test]
fn components_that_ask_for_more_than_there_is() {
    play(async {
        let net = Net::of(&[], &[]).await;
        let before = net.registry().await;
        let imports = [
            "wasi:cli/environment@0.2.0",
            "wasi:sockets/tcp@0.2.0",
            "wasi:clocks/wall-clock@0.2.0",
            "iog:guest/probe@0.1.0",
        ];
        for interface in imports {
            let wasm = importing(interface);
            let key = &net.world.parties.publisher;
            let offer = Offer { wasm: &wasm, manifest: TRACEBACK.manifest, capabilities: honest(), key };
            let problem = refusal(&net, &offer.sign(&before)).await;
            assert_eq!(problem.code, ApiErrorCode::InspectionFailed, "{interface}: {problem}");
            assert!(problem.detail.contains(interface), "the refusal names `{interface}`: {problem}");
        }
        assert_nothing_logged(&net, &before).await;
        net.close().await;
    });
}

#[test]
fn files_and_signatures_that_do_not_hold() {
    play(async {
        let net = Net::of(&[], &[]).await;
        let before = net.registry().await;
        let publisher = net.world.parties.publisher.clone();
        let stranger = SecretKey::from_seed([9; 32]);
        let offer = |wasm, key| Offer { wasm, manifest: TRACEBACK.manifest, capabilities: honest(), key };
        let good = offer(TRACEBACK.wasm, &publisher).sign(&before);
        let mut flipped = TRACEBACK.wasm.to_vec();
        flipped[TRACEBACK.wasm.len() / 2] ^= 1;
        let mut less = honest();
        less.datasets.values_mut().for_each(|slot| slot.columns.retain(|column| column != "src"));
        let less = Offer { capabilities: less, ..offer(TRACEBACK.wasm, &publisher) };
        let mut unsigned = good.clone();
        let envelope = Envelope::parse(&good.submission.0).expect("it is one");
        unsigned.submission =
            Base64Bytes(Envelope::new(envelope.payload_type(), envelope.payload().to_vec()).to_json());
        let (other_wasm, _) = hostile();
        let core = wat::parse_str("(module)").expect("good WAT");
        let large = vec![0; 8 * 1024 * 1024 + 1];
        let auditor = &net.world.parties.auditors[0].2;
        use ApiErrorCode as Code;
        let table = [
            ("unsigned", unsigned, Code::BadEnvelope),
            ("signed by a stranger", offer(TRACEBACK.wasm, &stranger).sign(&before), Code::SignatureInvalid),
            ("signed by an auditor", offer(TRACEBACK.wasm, auditor).sign(&before), Code::SignatureInvalid),
            (
                "with one bit flipped",
                ModuleSubmission { module: Base64Bytes(flipped), ..good.clone() },
                Code::InspectionFailed,
            ),
            (
                "of other bytes",
                ModuleSubmission { module: Base64Bytes(other_wasm.to_vec()), ..good.clone() },
                Code::InspectionFailed,
            ),
            (
                "with another manifest",
                ModuleSubmission { manifest: TALKERS.manifest.to_owned(), ..good.clone() },
                Code::InspectionFailed,
            ),
            ("of a shorter file", offer(&TRACEBACK.wasm[..2000], &publisher).sign(&before), Code::InspectionFailed),
            ("of no file", offer(b"", &publisher).sign(&before), Code::StatementInvalid),
            ("of a core module", offer(&core, &publisher).sign(&before), Code::InspectionFailed),
            ("of another module", offer(other_wasm, &publisher).sign(&before), Code::InspectionFailed),
            ("that hides a column", less.sign(&before), Code::InspectionFailed),
            ("that is too large", offer(&large, &publisher).sign(&before), Code::TooLarge),
        ];
        let mut wrong = Vec::new();
        for (name, submission, code) in table {
            let problem = refusal(&net, &submission).await;
            if problem.code != code {
                wrong.push(format!("a submission {name} should be {code}: {problem}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_nothing_logged(&net, &before).await;

        let link = net.world.link().expect("a link");
        link.center.submit_module(&good).await.expect("the honest one is taken");
        assert!(matches!(refusal(&net, &good).await.code, Code::AlreadyExists | Code::StatementInvalid));
        net.close().await;
    });
}
