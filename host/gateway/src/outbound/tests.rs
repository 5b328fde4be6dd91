//! Calls against a real gateway over TLS, and what is left of them when somebody is away, says no, or changes a byte of what
//! was stored.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use iog_client::{CenterClient, Remote};
use iog_protocol::ids::Digest;
use iog_protocol::registry::Registry;
use iog_transport::ca::{Ca, SubjectNames, Validity};
use iog_transport::{ClientAuth, ClientTls, HttpClient, Identity, PeerIdentity, ServeLimits, ServerTls};
use tokio::net::TcpListener;

use super::ask::{self, Question};
use super::providers::Provider;
use super::report::{Part, PartOutcome, Quiet, Why};
use super::session::{Http, Session};
use super::verify::{VerifyError, verify_with};
use crate::config::{GatewayConfig, QuotaConfig};
use crate::home::{DomainFile, Home, NewHome};
use crate::routes;
use crate::runs::tests::Gateway;
use crate::testkit::{Counting, hello, id, key, now, request};

/// Valid whatever the machine's clock says.
const VALIDITY: Validity = Validity { not_before: 1_600_000_000, not_after: 4_000_000_000 };

/// A gateway that serves, and a caller with a home.
struct Net {
    gateway: Gateway,
    session: Session,
    token: String,
    address: String,
    folder: tempfile::TempDir,
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
        let tls = Arc::new(ServerTls::new(tls, ca.certificate_pem(), ClientAuth::Optional).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let config = Arc::new(GatewayConfig::parse("listen = \"127.0.0.1:0\"", folder.path()).unwrap());
        let app = routes::router(&gateway.runs, &config);
        tokio::spawn(iog_transport::serve(listener, tls, app, ServeLimits::default(), std::future::pending()));
        let leaf_sha256 = PeerIdentity::from_pem(&client.chain_pem).unwrap().leaf_sha256;
        let token = gateway.world.token_for("caller", &leaf_sha256);
        let identity = Identity::from_pem(&client.chain_pem, &client.key_pem).unwrap();
        let http = HttpClient::new(Arc::new(ClientTls::new(ca.certificate_pem(), Some(identity)).unwrap()));
        let session = session(&folder, http, &gateway.world.registry);
        Self { gateway, session, token, address, folder }
    }

    async fn ask(&self, provider: Provider, target: &str) -> Part {
        let (module, entry) = (hello(), "packets-to".parse().unwrap());
        let question = Question {
            module: &module,
            entry: &entry,
            params: &serde_json::json!({ "target": target }),
            purpose: "incident",
            deadline: Duration::from_secs(20),
            token: &self.token,
            folder: self.folder.path(),
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
    Session {
        home: Home::create(&folder.path().join("home"), &parts).unwrap(),
        center: CenterClient::new(Remote::new(http.clone(), "127.0.0.1:1")),
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
    assert_eq!(verified.request.params["target"], "192.0.2.1");
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
    let rejected = spent.ask(spent.provider(), "192.0.2.1").await;
    assert!(matches!(why(&rejected), Why::NotAccepted { code, .. } if code == "token-invalid"));
    assert!(rejected.receipt.is_none());
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
    let mut bundle: super::bundle::Bundle = serde_json::from_str(&text).unwrap();
    bundle.request = crate::testkit::signed(&request(1), 22).to_bytes().into();
    std::fs::write(&path, serde_json::to_vec(&bundle).unwrap()).unwrap();
    let verified = verify_with(&net.session.home, &net.session.registry, &path);
    assert!(matches!(verified, Err(VerifyError::Signature { .. })));
}
