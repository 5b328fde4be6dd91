//! A caller's domain that signs its requests by hand, so that a story can make each part of them wrong.

use std::path::Path;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use iog_client::gateway::{Believed, SignedRun, believe, receipt_log};
use iog_client::{ClientError, GatewayClient, Remote, RunReply};
use iog_home::Home;
use iog_home::connect;
use iog_machine::error::chain;
use iog_machine::{Clock, Entropy as _, OsEntropy};
use iog_protocol::api::{ApiErrorCode, ENVELOPE_MEDIA_TYPE, Problem};
use iog_protocol::dsse::Signed;
use iog_protocol::ids::{Digest, DomainId, RequestId};
use iog_protocol::keys::SecretKey;
use iog_protocol::registry::Registry;
use iog_protocol::run::{Outcome, RunAnswer, RunRequest};
use iog_tlog::VerifierKey;
use iog_transport::{HttpClient, Request, Response};
use serde_json::{Value, json};

use super::net::Net;
use super::settings::TARGET;

/// A domain that asks.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) home: Home,
    pub(crate) key: SecretKey,
    pub(crate) http: HttpClient,
    pub(crate) token: String,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Caller {
    /// A member with a fresh token and the registry of now.
    pub(crate) async fn of(net: &Net, domain: &str) -> Self {
        Self::at(&net.home_of(domain), net.clock.clone()).await
    }

    /// The member whose home this is.
    pub(crate) async fn at(home: &Path, clock: Arc<dyn Clock>) -> Self {
        let home = Home::open(home).expect("the home is there");
        let http = connect::http(&home, &clock).expect("the home's certificate is good");
        let center = connect::center(&home, &http);
        let mut replica = connect::replica(&home).expect("the replica holds");
        let registry = center.sync(&mut replica, clock.now()).await.expect("the center answers").registry;
        let token = center.token().await.expect("a member gets a token").access_token;
        Self { key: home.caller_key().expect("the home has a key"), home, http, token, registry, clock }
    }

    /// The domain's id.
    pub(crate) fn domain(&self) -> DomainId {
        self.home.domain().clone()
    }

    /// A good request for a traceback of [`TARGET`].
    pub(crate) fn ask(&self, gateway: &str, module: Digest) -> RunRequest {
        let issued = self.clock.now();
        RunRequest {
            request_id: fresh_id(),
            audience: gateway.parse().expect("a domain id"),
            caller: self.domain(),
            module,
            entry: "trace".parse().expect("an entry"),
            params: json!({"target": TARGET}).into(),
            purpose: "end-to-end test".to_owned(),
            service: None,
            actor: None,
            agreement: None,
            issued,
            expires: issued.plus_seconds(300),
        }
    }

    /// The same for another entry and parameters.
    pub(crate) fn ask_for(&self, gateway: &str, module: Digest, entry: &str, params: Value) -> RunRequest {
        RunRequest { entry: entry.parse().expect("an entry"), params: params.into(), ..self.ask(gateway, module) }
    }

    /// Signs with the domain's logged key.
    pub(crate) fn sign(&self, request: RunRequest) -> SignedRun {
        sign_with(request, &self.key)
    }

    /// The gateway at an address, as this domain reaches it.
    pub(crate) fn gateway(&self, address: &str) -> GatewayClient {
        GatewayClient::new(Remote::new(self.http.clone(), address))
    }

    /// Asks, waits for the end, and verifies the receipt.
    pub(crate) async fn run(&self, address: &str, request: RunRequest) -> Result<Believed, ApiErrorCode> {
        let run = self.sign(request);
        let answer = self.answer(address, &run).await?;
        let log = self.log_of(&run.request.audience);
        Ok(believe(answer, &run, &log).expect("the receipt proves the answer"))
    }

    /// Asks and gives the answer as it came.
    pub(crate) async fn answer(&self, address: &str, run: &SignedRun) -> Result<RunAnswer, ApiErrorCode> {
        match self.gateway(address).run(run, &self.token, 60).await {
            Ok(RunReply::Ended(answer)) => Ok(*answer),
            Ok(RunReply::Running(status)) => panic!("the run takes too long: {status:?}"),
            Err(error) => Err(declined(&error)),
        }
    }

    /// How a run ends.
    pub(crate) async fn outcome(&self, address: &str, request: RunRequest) -> Result<Outcome, ApiErrorCode> {
        Ok(self.run(address, request).await?.answer().outcome.clone())
    }

    /// The key of a gateway's receipt log, by the registry.
    pub(crate) fn log_of(&self, gateway: &DomainId) -> VerifierKey {
        let record = self.registry.domain(gateway, self.clock.now()).expect("the gateway's domain is in force");
        receipt_log(self.home.trust_domain(), record).expect("a good key")
    }

    /// Posts any bytes as a run request.
    pub(crate) async fn post(&self, address: &str, token: Option<&str>, body: Vec<u8>) -> Response {
        let mut request = Request::post(format!("https://{address}/v1/runs"), ENVELOPE_MEDIA_TYPE, body);
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token fits a header");
            request = request.header(HeaderName::from_static("authorization"), value);
        }
        self.http.send(request).await.expect("the gateway answers")
    }
}

/// Signs with any key.
pub(crate) fn sign_with(request: RunRequest, key: &SecretKey) -> SignedRun {
    let envelope = Signed::sign(&request, &[key]).expect("a request can be signed");
    SignedRun { request, envelope }
}

/// The same request through a service.
pub(crate) fn through(service: &str, request: RunRequest) -> RunRequest {
    RunRequest { service: Some(service.parse().expect("a name of a service")), ..request }
}

/// An id that nobody used before.
pub(crate) fn fresh_id() -> RequestId {
    OsEntropy.request_id().expect("the system has random bytes")
}

/// The code a server declined with; any other failure fails the story.
pub(crate) fn declined(error: &ClientError) -> ApiErrorCode {
    error.code().unwrap_or_else(|| panic!("not declined but failed: {error:?}"))
}

/// How a server refuses a certificate, in its own words. It may close the connection before its alert can be read, and then
/// it is asked again: a connection that breaks off for any other reason is not a refusal.
pub(crate) async fn alert<T>(mut ask: impl AsyncFnMut() -> Result<T, ClientError>) -> String {
    let mut said = String::new();
    for _ in 0..50 {
        let Err(error) = ask().await else { panic!("it was let in") };
        said = chain(&error).to_lowercase();
        if said.contains("alert") {
            return said;
        }
    }
    panic!("no alert but: {said}")
}

/// Status and code of an answer that is a problem document.
pub(crate) fn problem(response: &Response) -> (u16, ApiErrorCode) {
    let problem: Problem = serde_json::from_slice(&response.body).expect("an error is a problem document");
    assert_eq!(problem.status, response.status.as_u16());
    (problem.status, problem.code)
}

/// Code of a refusal; any other outcome fails the story.
pub(crate) fn refused(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused { code, .. } => code,
        other => panic!("not refused but {other}"),
    }
}
