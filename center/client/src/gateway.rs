//! Runs at a gateway, and the check that makes an answer worth believing: its receipt is in the gateway's signed log, states
//! exactly this request and exactly this answer.

use crate::error::ClientError;
use crate::remote::{CALL_LIMIT, Call, Remote};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, StatusCode};
use iog_protocol::api::{
    ENVELOPE_MEDIA_TYPE, Health, LimitsAnswer, RUN_ANSWER_BYTES_MAX, RunStatus, ServiceList, paths,
};
use iog_protocol::dsse::Signed;
use iog_protocol::ids::{Digest, RequestId, TrustDomain};
use iog_protocol::receipt::{RECEIPT_VIEW_BYTES_MAX, ReceiptError, ReceiptView, VerifiedReceipt, log_origin};
use iog_protocol::registry::DomainRecord;
use iog_protocol::run::{RunAnswer, RunRequest};
use iog_tlog::{KeyError, VerifierKey};
use std::time::Duration;

/// Longest time a gateway is asked to hold an answer back, in seconds.
pub const WAIT_S_MAX: u32 = 300;
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A gateway.
#[derive(Debug, Clone)]
pub struct GatewayClient {
    remote: Remote,
}

/// A request as it goes out: what is asked, signed by the caller's logged key.
#[derive(Debug, Clone)]
pub struct SignedRun {
    /// What is asked.
    pub request: RunRequest,
    /// The same, signed.
    pub envelope: Signed<RunRequest>,
}

/// What a gateway answers to a request.
#[derive(Debug, Clone)]
pub enum RunReply {
    /// The run has ended. Believe it only after [`believe`].
    Ended(Box<RunAnswer>),
    /// It has not, or its answer is to be fetched with its receipt.
    Running(RunStatus),
}

/// Why an answer proves nothing: the gateway's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeliefError {
    /// The receipt does not hold, or does not fit the answer.
    #[error("receipt of run `{request_id}` does not hold")]
    Receipt {
        /// The request.
        request_id: RequestId,
        /// What is wrong.
        source: ReceiptError,
    },
    /// The receipt is about another request.
    #[error("receipt of run `{request_id}` states another `{member}` than the request")]
    OtherRequest {
        /// The request.
        request_id: RequestId,
        /// The first member that differs.
        member: &'static str,
    },
    /// The registry's key of the gateway cannot name its log.
    #[error("the gateway's receipt key is unusable")]
    Key(#[from] KeyError),
}

/// An answer that its receipt proves.
#[derive(Debug, Clone)]
pub struct Believed {
    answer: RunAnswer,
    receipt: VerifiedReceipt,
}

impl Believed {
    /// The answer.
    #[must_use]
    pub fn answer(&self) -> &RunAnswer {
        &self.answer
    }

    /// The receipt.
    #[must_use]
    pub fn receipt(&self) -> &VerifiedReceipt {
        &self.receipt
    }
}

impl GatewayClient {
    /// A client of the gateway at `remote`.
    #[must_use]
    pub fn new(remote: Remote) -> Self {
        Self { remote }
    }

    /// Where the gateway is.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// How the gateway is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.remote.json(Call::get(paths::HEALTH)).await
    }

    /// Asks for a run and waits for its end for at most `wait_s` seconds. The request id makes repeating it safe.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Declined`] if the gateway does not admit it.
    pub async fn run(&self, run: &SignedRun, token: &str, wait_s: u32) -> Result<RunReply, ClientError> {
        let path = match &run.request.service {
            Some(service) => paths::fill(paths::SERVICE_RUNS, service.as_str()),
            None => paths::RUNS.to_owned(),
        };
        let wait_s = wait_s.min(WAIT_S_MAX);
        let prefer = HeaderValue::from_str(&format!("wait={wait_s}"));
        let prefer = prefer.map_err(|error| ClientError::Input { what: "wait", reason: error.to_string() })?;
        let response = self.remote.call(Call {
            headers: vec![(AUTHORIZATION, bearer(token)?), (PREFER, prefer)],
            bytes_max: RUN_ANSWER_BYTES_MAX,
            limit: CALL_LIMIT + Duration::from_secs(wait_s.into()),
            ..Call::post(&path, ENVELOPE_MEDIA_TYPE, run.envelope.to_bytes())
        });
        let response = response.await?;
        self.reply(&path, &run.request.request_id, response.status, &response.body)
    }

    /// How a run is, or its answer once it has ended.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self, request_id: &RequestId, token: &str) -> Result<RunReply, ClientError> {
        let path = paths::fill(paths::RUN, request_id.as_str());
        let call = Call { bytes_max: RUN_ANSWER_BYTES_MAX, ..authorised(&path, token)? };
        let response = self.remote.call(call).await?;
        self.reply(&path, request_id, response.status, &response.body)
    }

    /// The caller's view of a run's receipt, not verified yet.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn receipt(&self, request_id: &RequestId, token: &str) -> Result<ReceiptView, ClientError> {
        let path = paths::fill(paths::RUN_RECEIPT, request_id.as_str());
        self.remote.json(Call { bytes_max: RECEIPT_VIEW_BYTES_MAX, ..authorised(&path, token)? }).await
    }

    /// What this gateway allows the caller.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn limits(&self, token: &str) -> Result<LimitsAnswer, ClientError> {
        self.remote.json(authorised(paths::LIMITS, token)?).await
    }

    /// The services of this gateway.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn services(&self, token: &str) -> Result<ServiceList, ClientError> {
        self.remote.json(authorised(paths::SERVICES, token)?).await
    }

    fn reply(&self, path: &str, id: &RequestId, status: StatusCode, body: &[u8]) -> Result<RunReply, ClientError> {
        // An answer has a receipt, a status has none; `RawValue` in the answer rules out an untagged enum.
        let reply = match serde_json::from_slice::<RunAnswer>(body) {
            Ok(answer) if status == StatusCode::OK => RunReply::Ended(Box::new(answer)),
            _ => RunReply::Running(self.remote.decode(path, body)?),
        };
        let answered = match &reply {
            RunReply::Ended(answer) => &answer.request_id,
            RunReply::Running(status) => &status.request_id,
        };
        if answered == id { Ok(reply) } else { Err(self.remote.malformed(path, "it is about another request")) }
    }
}

/// Key and name of a gateway's receipt log, from its record in the registry.
///
/// # Errors
/// [`KeyError`], which no valid record causes.
pub fn receipt_log(trust_domain: &TrustDomain, gateway: &DomainRecord) -> Result<VerifierKey, KeyError> {
    gateway.receipt_key.vkey(&log_origin(trust_domain, &gateway.id))
}

/// Verifies an answer: the receipt is in the gateway's log, fits the answer, and is about this very request.
///
/// # Errors
/// [`BeliefError`].
pub fn believe(answer: RunAnswer, run: &SignedRun, log: &VerifierKey) -> Result<Believed, BeliefError> {
    let request_id = || run.request.request_id.clone();
    let failed = |source| BeliefError::Receipt { request_id: request_id(), source };
    let receipt = answer.receipt.verify(log).map_err(failed)?;
    receipt.fits(&answer).map_err(failed)?;
    check_request(&receipt, &run.request, &run.envelope.digest())
        .map_err(|member| BeliefError::OtherRequest { request_id: request_id(), member })?;
    Ok(Believed { answer, receipt })
}

fn check_request(receipt: &VerifiedReceipt, asked: &RunRequest, digest: &Digest) -> Result<(), &'static str> {
    let rules = [
        (receipt.request_id == asked.request_id, "request_id"),
        (receipt.request == *digest, "request"),
        (receipt.caller == asked.caller, "caller"),
        (receipt.gateway == asked.audience, "audience"),
        (receipt.module == asked.module, "module"),
        (receipt.entry == asked.entry, "entry"),
        (receipt.service == asked.service, "service"),
    ];
    rules.into_iter().find(|(fits, _)| !fits).map_or(Ok(()), |(_, member)| Err(member))
}

fn authorised<'a>(path: &'a str, token: &str) -> Result<Call<'a>, ClientError> {
    Ok(Call { headers: vec![(AUTHORIZATION, bearer(token)?)], ..Call::get(path) })
}

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.map_err(|error| ClientError::Input { what: "token", reason: error.to_string() })?;
    value.set_sensitive(true);
    Ok(value)
}
