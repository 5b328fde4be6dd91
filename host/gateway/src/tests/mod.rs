//! The calling half against this gateway over TLS, and what is left of them when somebody is away, says no, or changes a byte of what
//! was stored.

mod agreed;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use iog_caller::ask::{self, Question};
use iog_caller::bundle::Bundle;
use iog_caller::providers::Provider;
use iog_caller::report::{Part, PartOutcome, Quiet, Why};
use iog_caller::verify::{VerifiedBundle, VerifyError, verify_with};
use iog_client::gateway::SignedRun;
use iog_client::{CenterClient, GatewayClient, Remote, RunReply};
use iog_home::session::{Http, Session};
use iog_home::{DomainFile, Home, NewHome, TokenSource};
use iog_machine::{Clock, ManualClock};
use iog_protocol::ids::Digest;
use iog_protocol::receipt::{Audience, CallerFields, Cost, ProviderFields, ReceiptDraft, log_origin};
use iog_protocol::registry::{NotEffective, Registry};
use iog_protocol::run::RunState;
use iog_sandbox::WitType;
use iog_tlog::{Checkpoint, InclusionProof, NoteSigner, Tree, leaf_hash};
use iog_transport::ca::{Ca, SubjectNames, Validity};
use iog_transport::{ClientAuth, ClientTls, HttpClient, Identity, PeerIdentity, ServeLimits, ServerTls};
use tokio::net::TcpListener;

use crate::config::QuotaConfig;
use crate::routes;
use crate::runs::tests::Gateway;
use crate::testkit::{Counting, World, hello, id, key, now, request};

/// Valid whatever the machine's clock says.
const VALIDITY: Validity = Validity { not_before: 1_600_000_000, not_after: 4_000_000_000 };

/// A gateway that serves, and a caller with a home.
struct Net {
    gateway: Gateway,
    session: Session,
    token: String,
    address: String,
    folder: tempfile::TempDir,
    result_bytes_max: u64,
}

impl Net {
    async fn new(quota: QuotaConfig) -> Self {
        let gateway = Gateway::new(quota).await;
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::create("test.example", VALIDITY).unwrap();
        let leaf = |name: &str| {
            let spiffe_uri = gateway.world.registry.founding().trust_domain.spiffe(&id(name));
            ca.issue_with_new_key(&SubjectNames { spiffe_uri, ..SubjectNames::default() }, VALIDITY).unwrap()
        };
        let (server, client) = (leaf("gateway"), leaf("caller"));
        let tls = Identity::from_pem(&server.chain_pem, &server.key_pem).unwrap();
        let tls = Arc::new(ServerTls::new(tls, ca.certificate_pem(), ClientAuth::Optional, clock()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = routes::router(gateway.parts.api());
        tokio::spawn(iog_transport::serve(listener, tls, app, ServeLimits::default(), std::future::pending()));
        let leaf_sha256 = PeerIdentity::from_pem(&client.chain_pem).unwrap().leaf_sha256;
        let token = gateway.world.token_for("caller", &leaf_sha256);
        let identity = Identity::from_pem(&client.chain_pem, &client.key_pem).unwrap();
        let http = HttpClient::new(Arc::new(ClientTls::new(ca.certificate_pem(), Some(identity), clock()).unwrap()));
        let session = session(&folder, http, &gateway.world.registry);
        Self { gateway, session, token, address, folder, result_bytes_max: 65_536 }
    }

    async fn ask(&self, provider: Provider, target: &str) -> Part {
        let (module, entry) = (hello(), "packets-to".parse().unwrap());
        let (ok, err) = (Some(Box::new(WitType::U64)), Some(Box::new(WitType::String)));
        let question = Question {
            returns: Some(&WitType::Result { ok, err }),
            module: &module,
            entry: &entry,
            params: &serde_json::json!({ "target": target }),
            purpose: "incident",
            deadline: Duration::from_secs(20),
            token: &self.token,
            folder: self.folder.path(),
            result_bytes_max: self.result_bytes_max,
        };
        ask::ask(&self.session, &question, &provider, &Quiet).await
    }

    fn provider(&self) -> Provider {
        Provider {
            domain: id("gateway"),
            asn: None,
            service: Some("hello".parse().unwrap()),
            address: Ok(self.address.clone()),
        }
    }

    async fn bundle(&self) -> PathBuf {
        self.ask(self.provider(), "192.0.2.1").await.bundle.unwrap()
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(now()))
}

fn session(folder: &tempfile::TempDir, http: HttpClient, registry: &Registry) -> Session {
    let file = DomainFile {
        domain: id("caller"),
        organisation: "org-caller".parse().unwrap(),
        asns: Vec::new(),
        trust_domain: registry.founding().trust_domain.clone(),
        center: "127.0.0.1:1".into(),
        genesis: *registry.genesis_digest(),
        log_key: registry.founding().log_key.clone(),
        names: Vec::new(),
    };
    let parts = NewHome {
        file: &file,
        genesis: b"",
        caller_key: &key(21),
        receipt_key: &key(41),
        tls_key_pem: "",
        cert_pem: "",
        ca_pem: "",
    };
    let home = Home::create(&folder.path().join("home"), &parts).unwrap();
    let center = CenterClient::new(Remote::new(http.clone(), "127.0.0.1:1"));
    Session {
        tokens: TokenSource::new(home.token_path(), &center),
        home,
        center,
        http: Http(http),
        registry: Arc::new(registry.clone()),
        offline: None,
        key: key(21),
        asn: None,
        entropy: Arc::new(Counting::default()),
        now: now(),
    }
}

fn why(part: &Part) -> &Why {
    match &part.outcome {
        PartOutcome::Missing(why) => why,
        PartOutcome::Result(result) => panic!("a result: {}", result.as_str()),
    }
}

#[tokio::test]
async fn an_answer_counts_with_its_receipt_and_verifies_again_from_files() {
    let net = Net::new(QuotaConfig::default()).await;
    let part = net.ask(net.provider(), "192.0.2.1").await;
    assert_eq!(part.result().expect("a result").as_str(), r#"{"ok":7}"#);
    let verified = verify_with(&net.session.home, &net.session.registry, &part.bundle.unwrap()).unwrap();
    assert_eq!(Some(verified.receipt), part.receipt);
    assert_eq!(verified.request.params.member("target").unwrap(), "192.0.2.1");
    assert!(verified.module_today.is_ok());
    assert!(part.left_bytes > 1_000);
}

#[tokio::test]
async fn every_way_of_not_answering_has_a_reason_of_its_own() {
    let net = Net::new(QuotaConfig { runs_per_hour_max: Some(0), ..QuotaConfig::default() }).await;
    let refused = net.ask(net.provider(), "192.0.2.1").await;
    assert!(matches!(why(&refused), Why::Refused { code, .. } if code == "quota-exceeded"));
    assert!(refused.receipt.is_some(), "a refusal has a receipt too");
    let away = Provider { address: Ok("127.0.0.1:1".into()), ..net.provider() };
    assert!(matches!(why(&net.ask(away, "192.0.2.1").await), Why::Unreachable { .. }));
    let unknown = Why::NotInRegistry { problem: "no".into() };
    let nowhere = Provider { address: Err(unknown.clone()), ..net.provider() };
    assert_eq!(why(&net.ask(nowhere, "192.0.2.1").await), &unknown);
    // Another domain's address: the certificate there is not the one asked for, and nothing is sent.
    let imposter = Provider { domain: id("other"), ..net.provider() };
    assert!(matches!(why(&net.ask(imposter, "192.0.2.1").await), Why::Unreachable { .. }));
    let spent = Net { token: net.gateway.world.token("caller", 9, |_| ()), ..net };
    let unaccepted = spent.ask(spent.provider(), "192.0.2.1").await;
    assert!(matches!(why(&unaccepted), Why::NotAccepted { code, .. } if code == "token-invalid"));
    assert!(unaccepted.receipt.is_none());
}

#[tokio::test]
async fn a_run_under_way_says_whether_it_waits_and_how_far_it_is() {
    let net = Net::new(QuotaConfig::default()).await;
    let parts = &net.gateway.parts;
    let places: Vec<_> = (0..4).map(|_| parts.submitter.queue.enter(&id("other"), &hello()).unwrap()).collect();
    let spiffe = net.session.home.trust_domain().spiffe(&id("gateway"));
    let client = GatewayClient::new(Remote::of_peer(net.session.http.0.clone(), &net.address, &spiffe));
    let told = |reply: RunReply| match reply {
        RunReply::Running(status) => (status.state, status.progress_percent),
        RunReply::Ended(answer) => panic!("it has ended: {:?}", answer.outcome),
    };
    let run = SignedRun { request: request(1), envelope: crate::testkit::signed(&request(1), 21) };
    let at_once = client.run(&run, &net.token, 0).await.unwrap();
    assert_eq!(told(at_once), (RunState::Queued, 0));
    let id_of = &request(1).request_id;
    let status = async || client.status(id_of, &net.token).await.unwrap();
    assert_eq!(told(status().await), (RunState::Queued, 0));
    // As if the guest had spoken: the run is held before it, so that what is asked meanwhile is certain.
    let handle = parts.lifecycle.under_way.find(&id("caller"), id_of).unwrap();
    for (percent, seen) in [(0, 0), (57, 50), (12, 50), (255, 100)] {
        handle.is_at(percent);
        assert_eq!(told(status().await), (RunState::Running, seen), "after {percent}");
    }
    drop(places);
    let answer = loop {
        match status().await {
            RunReply::Ended(answer) => break answer,
            RunReply::Running(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert!(answer.outcome.is_success(), "{:?}", answer.outcome);
}

#[tokio::test]
async fn nothing_is_read_of_a_strangers_body() {
    let net = Net::new(QuotaConfig::default()).await;
    let url = format!("https://{}{}", net.address, iog_protocol::api::paths::RUNS);
    let large = vec![b' '; 2 * iog_protocol::api::BODY_BYTES_MAX];
    let spiffe = net.session.home.trust_domain().spiffe(&id("gateway"));
    let media_type = iog_protocol::api::ENVELOPE_MEDIA_TYPE;
    let post = || iog_transport::Request::post(&url, media_type, large.clone()).peer(&spiffe);
    let stranger = net.session.http.0.send(post()).await.unwrap();
    assert_eq!(stranger.status, 401, "without a token it does not matter how large it is");
    let bearer = http::HeaderValue::from_str(&format!("Bearer {}", net.token)).unwrap();
    let member = net.session.http.0.send(post().header(http::header::AUTHORIZATION, bearer)).await.unwrap();
    assert_eq!(member.status, 413);
}

#[tokio::test]
async fn an_answer_longer_than_the_manifest_allows_is_kept_and_not_believed() {
    let net = Net { result_bytes_max: 7, ..Net::new(QuotaConfig::default()).await };
    let part = net.ask(net.provider(), "192.0.2.1").await;
    assert!(matches!(why(&part), Why::NotBelieved { problem } if problem.contains("allows 7")), "{:?}", part.outcome);
    assert!(part.receipt.is_some() && part.bundle.is_some(), "what was signed is evidence");
}

#[tokio::test]
async fn a_gateway_whose_receipts_another_key_signs_is_not_believed() {
    let mut net = Net::new(QuotaConfig::default()).await;
    // The caller's registry has the receipt key of the domain `other` under the gateway's name.
    net.session.registry = Arc::new(crate::testkit::World::with_receipt_seed(62).registry);
    let part = net.ask(net.provider(), "192.0.2.1").await;
    assert!(matches!(why(&part), Why::NotBelieved { .. }), "{:?}", part.outcome);
    assert!(part.bundle.is_none());
}

#[tokio::test]
async fn no_changed_bundle_verifies() {
    let net = Net::new(QuotaConfig::default()).await;
    let path = net.bundle().await;
    let good = std::fs::read_to_string(&path).unwrap();
    let verify = |text: &str| {
        std::fs::write(&path, text).unwrap();
        verify_with(&net.session.home, &net.session.registry, &path)
    };
    verify(&good).unwrap();
    let changes = [
        (r#"{"ok":7}"#.to_owned(), r#"{"ok":8}"#.to_owned()),
        (r#""state": "succeeded""#.to_owned(), r#""state": "cancelled""#.to_owned()),
        (request(1).caller.to_string(), "other".to_owned()),
        (hello().to_string(), Digest::of(b"other").to_string()),
        (r#""version": 1"#.to_owned(), r#""version": 2"#.to_owned()),
    ];
    for (from, to) in changes {
        let changed = good.replace(&from, &to);
        assert_ne!(changed, good, "{from}");
        assert!(verify(&changed).is_err(), "{from}");
    }
    assert!(verify(&good[..good.len() - 2]).is_err());
}

#[tokio::test]
async fn another_domains_request_is_not_ours_to_verify() {
    let net = Net::new(QuotaConfig::default()).await;
    let path = net.bundle().await;
    let text = std::fs::read_to_string(&path).unwrap();
    let mut bundle: Bundle = serde_json::from_str(&text).unwrap();
    bundle.request = crate::testkit::signed(&request(1), 22).to_bytes().into();
    std::fs::write(&path, serde_json::to_vec(&bundle).unwrap()).unwrap();
    let verified = verify_with(&net.session.home, &net.session.registry, &path);
    assert!(matches!(verified, Err(VerifyError::Signature { .. })));
}

#[tokio::test]
async fn bundles_verify_with_the_keys_of_their_time_and_with_no_others() {
    let net = Net::new(QuotaConfig::default()).await;
    let path = net.bundle().await;
    let mut world = World::new();
    let held = world.registry.size();
    world.join("gateway", 30, 50, 2);
    world.join("caller", 31, 51, 2);
    verify_with(&net.session.home, &world.registry, &path).unwrap();
    // The thief of the former receipt key states what the registry of today would have refused it.
    let forged = forge(&path, |fields| fields.registry_size = held + 1);
    let problem = verify_with(&net.session.home, &world.registry, &forged).unwrap_err();
    assert!(matches!(problem, VerifyError::Receipt(_)), "{problem}");
    assert!(forge_and_verify(&net, &world.registry, &path, |fields| fields.registry_size = held).is_ok());
}

#[tokio::test]
async fn a_receipt_must_name_the_approval_that_let_its_module_run() {
    let net = Net::new(QuotaConfig::default()).await;
    let path = net.bundle().await;
    let registry = &net.session.registry;
    let approval = registry.module(&hello()).unwrap().approval().unwrap().index;
    let why = |change: &dyn Fn(&mut CallerFields)| forge_and_verify(&net, registry, &path, change).unwrap_err();
    assert!(forge_and_verify(&net, registry, &path, |_| ()).is_ok(), "the forger is good");
    for other in [0, approval - 1, approval + 1, u64::MAX] {
        let problem = why(&|fields| fields.module_log_index = Some(other));
        let VerifyError::Approval { claimed, source } = problem else { panic!("{problem}") };
        assert_eq!((claimed, source), (other, NotEffective::NotApproved(hello())));
    }
    assert!(matches!(why(&|fields| fields.module_log_index = None), VerifyError::NoApproval));
    let early = why(&|fields| fields.registry_size = approval);
    assert!(matches!(early, VerifyError::Approval { .. }), "{early}: the gateway could not have known it");
}

fn forge_and_verify(
    net: &Net,
    registry: &Registry,
    path: &std::path::Path,
    change: impl FnOnce(&mut CallerFields),
) -> Result<VerifiedBundle, VerifyError> {
    verify_with(&net.session.home, registry, &forge(path, change))
}

/// A bundle whose receipt says something else, signed with the gateway's own key: what a lying provider can do.
fn forge(path: &std::path::Path, change: impl FnOnce(&mut CallerFields)) -> PathBuf {
    let mut bundle: Bundle = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let trust_domain = "test.example".parse().unwrap();
    let signer = NoteSigner::ed25519(&log_origin(&trust_domain, &id("gateway")), key(40).ed25519()).unwrap();
    let mut fields = CallerFields::clone(&bundle.answer.receipt.verify(signer.verifier()).unwrap());
    change(&mut fields);
    let provider = ProviderFields {
        cost_exact: Cost::default(),
        snapshots: std::collections::BTreeMap::new(),
        purpose: String::new(),
        actor: None,
        agreement: None,
        detail: None,
        logs: None,
    };
    let sealed = ReceiptDraft::new(fields, provider).seal(|| [1; 16]).unwrap();
    let tree = Tree::from_leaves([leaf_hash(&sealed.entry().unwrap())]);
    let head = Checkpoint::new(signer.verifier().name(), 1, tree.root()).sign(&signer);
    bundle.answer.receipt = sealed.view(Audience::Caller, &InclusionProof::new(0, Vec::new(), head));
    let forged = path.with_extension("forged.json");
    std::fs::write(&forged, serde_json::to_vec(&bundle).unwrap()).unwrap();
    forged
}
