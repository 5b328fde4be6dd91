//! A gateway of the attacker's at a provider's address: it has a certificate in any name that the center's authority can
//! sign, and answers every request with a result and a receipt of its own making.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use iog_machine::Clock;
use iog_protocol::api::paths;
use iog_protocol::dsse::Envelope;
use iog_protocol::ids::{Digest, DomainId};
use iog_protocol::keys::SecretKey;
use iog_protocol::receipt::{Audience, CallerFields, Cost, ProviderFields, ReceiptDraft, ReceiptView, log_origin};
use iog_protocol::run::{Outcome, ResultJson, RunAnswer, RunRequest};
use iog_tlog::{Checkpoint, InclusionProof, NoteSigner, Tree, leaf_hash};
use iog_transport::{ClientAuth, Identity, ServeLimits, ServerTls};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::evil::StolenKeys;

/// Fields sealed into a log of the attacker's under any name, signed by any key it has.
pub(crate) fn forge(fields: CallerFields, log: &str, key: &SecretKey) -> ReceiptView {
    let provider = ProviderFields {
        cost_exact: fields.cost,
        snapshots: BTreeMap::new(),
        purpose: "forged".to_owned(),
        actor: None,
        agreement: None,
        detail: None,
        logs: None,
    };
    let sealed = ReceiptDraft::new(fields, provider).seal(|| [7; 16]).expect("it can be sealed");
    let leaf = leaf_hash(&sealed.entry().expect("an entry"));
    let tree = Tree::from_leaves([leaf]);
    let signer = NoteSigner::ed25519(log, key.ed25519()).expect("a good name");
    let head = Checkpoint::new(log, 1, tree.root()).sign(&signer);
    let proof = InclusionProof::new(0, tree.inclusion(0, 1).expect("a proof"), head);
    sealed.view(Audience::Caller, &proof)
}

/// What the attacker's gateway says, and how it signs it.
pub(crate) struct Lie {
    /// The domain it pretends to be.
    pub(crate) domain: DomainId,
    /// The JSON of its result.
    pub(crate) result: &'static str,
    /// Name of the log it signs.
    pub(crate) log: String,
    /// The key it signs with.
    pub(crate) key: SecretKey,
    /// The time it signs at.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Lie {
    /// A lie in a provider's name, signed with a key that is not the provider's.
    pub(crate) fn of(domain: &str, keys: &StolenKeys, key: &SecretKey) -> Self {
        let domain: DomainId = domain.parse().expect("a domain id");
        let log = log_origin(&keys.trust_domain, &domain);
        Self { domain, result: r#"{"ok":{"flows":0}}"#, log, key: key.clone(), clock: Arc::clone(&keys.clock) }
    }

    /// The same with another result.
    pub(crate) fn saying(self, result: &'static str) -> Self {
        Self { result, ..self }
    }

    fn answer(&self, body: &[u8]) -> RunAnswer {
        let envelope = Envelope::parse(body).expect("callers send envelopes");
        let request: RunRequest = serde_json::from_slice(envelope.payload()).expect("callers send requests");
        let result = ResultJson::parse(self.result.to_owned()).expect("JSON");
        let fields = CallerFields {
            request_id: request.request_id.clone(),
            request: Digest::of(body),
            caller: request.caller,
            gateway: self.domain.clone(),
            service: request.service,
            module: request.module,
            module_log_index: Some(1),
            registry_size: 1,
            entry: request.entry,
            policy: Digest::of(b"policy"),
            release: None,
            outcome: Outcome::Succeeded,
            result_digest: Some(result.digest()),
            engine: "48.0.8".to_owned(),
            cost_table: Digest::of(b"costs"),
            cost: Cost::default(),
            issued: self.clock.now(),
        };
        RunAnswer {
            request_id: request.request_id,
            domain: self.domain.clone(),
            outcome: Outcome::Succeeded,
            result: Some(result),
            receipt: forge(fields, &self.log, &self.key),
        }
    }
}

/// Serves a lie until the handle is aborted.
pub(crate) fn serve(lie: Lie, listener: TcpListener, identity: Identity, keys: &StolenKeys) -> JoinHandle<()> {
    let app = Router::new()
        .route(paths::RUNS, post(answer))
        .route(paths::SERVICE_RUNS, post(answer))
        .with_state(Arc::new(lie));
    let tls = ServerTls::new(identity, &keys.ca_pem, ClientAuth::Optional, Arc::clone(&keys.clock));
    let tls = Arc::new(tls.expect("a good certificate"));
    tokio::spawn(async move {
        iog_transport::serve(listener, tls, app, ServeLimits::default(), std::future::pending()).await;
    })
}

async fn answer(State(lie): State<Arc<Lie>>, body: Bytes) -> Json<RunAnswer> {
    Json(lie.answer(&body))
}
