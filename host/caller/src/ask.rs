//! One question to one gateway, from the signed request to an answer that its receipt proves. Every way in which that can
//! fail has a name.

use std::time::Duration;

use iog_client::gateway::{SignedRun, believe, receipt_log};
use iog_client::{ClientError, GatewayClient, Remote, RunReply};
use iog_protocol::dsse::Signed;
use iog_protocol::ids::{Digest, EntryName};
use iog_protocol::run::{Outcome, ResultJson, RunAnswer, RunRequest};
use iog_sandbox::{WitType, fits};
use iog_transport::TransportError;

use crate::bundle;
use crate::providers::Provider;
use crate::report::{CallEvent, Events, Part, PartOutcome, Why};
use crate::verify::ReceiptSummary;
use iog_home::Session;
use iog_machine::error::chain;

/// Seconds for which a request is good.
const REQUEST_LIFE_S: i64 = 300;
/// Between two looks at a run that goes on.
const POLL: Duration = Duration::from_millis(500);
/// Before a request is sent a second time, after the connection broke.
const AGAIN: Duration = Duration::from_millis(200);

/// What is asked of every provider.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The module.
    pub module: &'a Digest,
    /// The entry.
    pub entry: &'a EntryName,
    /// Its parameters.
    pub params: &'a serde_json::Value,
    /// Why.
    pub purpose: &'a str,
    /// How long a provider may take.
    pub deadline: Duration,
    /// The membership token.
    pub token: &'a str,
    /// The folder of this call's bundles.
    pub folder: &'a std::path::Path,
    /// What the entry returns; `None` where it returns nothing.
    pub returns: Option<&'a WitType>,
    /// Bytes of canonical JSON that the module's manifest allows a result: what an honest gateway lets out at most.
    pub result_bytes_max: u64,
}

/// Asks one provider.
pub async fn ask(session: &Session, question: &Question<'_>, provider: &Provider, events: &dyn Events) -> Part {
    let mut part = Part {
        domain: provider.domain.clone(),
        asn: provider.asn,
        address: provider.address.as_ref().ok().cloned(),
        request_id: None,
        outcome: PartOutcome::Missing(Why::TimedOut { seconds: question.deadline.as_secs() }),
        receipt: None,
        left_bytes: 0,
        bundle: None,
    };
    events.event(CallEvent::Asked { domain: provider.domain.clone() });
    let asked = tokio::time::timeout(question.deadline, fill(session, question, provider, &mut part)).await;
    if let Ok(Err(why)) = asked {
        part.outcome = PartOutcome::Missing(why);
    }
    events.event(match (&part.outcome, &part.receipt) {
        (PartOutcome::Result(_), Some(receipt)) => {
            CallEvent::Answered { domain: part.domain.clone(), outcome: receipt.outcome.clone() }
        }
        (PartOutcome::Result(_), None) => {
            CallEvent::Answered { domain: part.domain.clone(), outcome: Outcome::Succeeded }
        }
        (PartOutcome::Missing(why), _) => CallEvent::Missing { domain: part.domain.clone(), why: why.clone() },
    });
    part
}

async fn fill(session: &Session, question: &Question<'_>, provider: &Provider, part: &mut Part) -> Result<(), Why> {
    let address = provider.address.clone()?;
    let run = request(session, question, provider)?;
    part.request_id = Some(run.request.request_id.clone());
    let trust_domain = session.home.trust_domain();
    let spiffe = trust_domain.spiffe(&provider.domain);
    let gateway = GatewayClient::new(Remote::of_peer(session.http.0.clone(), &address, &spiffe));
    let answered = answer(&gateway, &run, question).await;
    part.left_bytes = gateway.remote().received_bytes();
    let answer = answered?;
    let record = session
        .registry
        .domain(&provider.domain, session.now)
        .ok_or_else(|| Why::NotInRegistry { problem: "the domain left the registry".to_owned() })?;
    let not_believed = |e: &dyn std::error::Error| Why::NotBelieved { problem: chain(e) };
    let log = receipt_log(trust_domain, record).map_err(|e| not_believed(&e))?;
    let believed = believe(answer, &run, &log).map_err(|e| not_believed(&e))?;
    part.receipt = Some(ReceiptSummary::new(believed.receipt()));
    let path = bundle::store(question.folder, &run, believed.answer());
    part.bundle = Some(path.map_err(|e| Why::Here { problem: chain(&e) })?);
    part.outcome = outcome(believed.answer().clone());
    part.result().map_or(Ok(()), |result| check(result, question))
}

/// A receipt proves who said it, not that it is an answer: what is no value of the entry's type, in its one form and within
/// the manifest's limit, is not one.
fn check(result: &ResultJson, question: &Question<'_>) -> Result<(), Why> {
    let (found, max) = (result.as_str().len() as u64, question.result_bytes_max);
    if found > max {
        let problem = format!("the result has {found} bytes, the module's manifest allows {max}");
        return Err(Why::NotBelieved { problem });
    }
    fits(question.returns, result.as_str()).map_err(|misfit| Why::WrongType { problem: shown(&misfit.to_string()) })
}

fn request(session: &Session, question: &Question<'_>, provider: &Provider) -> Result<SignedRun, Why> {
    let here = |e: &dyn std::error::Error| Why::Here { problem: chain(e) };
    let request = RunRequest {
        request_id: session.request_id().map_err(|e| here(&e))?,
        audience: provider.domain.clone(),
        caller: session.home.domain().clone(),
        module: *question.module,
        entry: question.entry.clone(),
        params: question.params.clone().into(),
        purpose: question.purpose.to_owned(),
        service: provider.service.clone(),
        actor: None,
        agreement: None,
        issued: session.now,
        expires: session.now.plus_seconds(REQUEST_LIFE_S),
    };
    let envelope = Signed::sign(&request, &[&session.key]).map_err(|e| here(&e))?;
    Ok(SignedRun { request, envelope })
}

/// Sends the request, once more where the connection broke: the request id makes that safe.
async fn answer(gateway: &GatewayClient, run: &SignedRun, question: &Question<'_>) -> Result<RunAnswer, Why> {
    let wait_s = u32::try_from(question.deadline.as_secs()).unwrap_or(u32::MAX);
    let mut reply = gateway.run(run, question.token, wait_s).await;
    if reply.as_ref().is_err_and(ClientError::is_away) {
        tokio::time::sleep(AGAIN).await;
        reply = gateway.run(run, question.token, wait_s).await;
    }
    loop {
        match reply.map_err(|e| declined(&e))? {
            RunReply::Ended(answer) => return Ok(*answer),
            RunReply::Running(_) => tokio::time::sleep(POLL).await,
        }
        reply = gateway.status(&run.request.request_id, question.token).await;
    }
}

fn declined(error: &ClientError) -> Why {
    match error {
        ClientError::Declined { problem, .. } => {
            let detail = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
            Why::NotAccepted { code: problem.code.to_string(), detail: shown(detail) }
        }
        ClientError::Transport { source: TransportError::Timeout { limit, .. }, .. } => {
            Why::TimedOut { seconds: limit.as_secs() }
        }
        ClientError::Transport { .. } => Why::Unreachable { detail: chain(error) },
        ClientError::Status { status, .. } => {
            Why::NotAccepted { code: status.as_u16().to_string(), detail: "no explanation".to_owned() }
        }
        _ => Why::NotBelieved { problem: chain(error) },
    }
}

/// Another domain's words: bounded, on one line, without control characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(500).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn outcome(answer: RunAnswer) -> PartOutcome {
    match (answer.outcome, answer.result) {
        (Outcome::Succeeded, Some(result)) => PartOutcome::Result(result),
        (Outcome::Refused { code, reason }, _) => {
            PartOutcome::Missing(Why::Refused { code: shown(&code), reason: shown(&reason) })
        }
        (outcome, _) => PartOutcome::Missing(Why::NoResult { outcome: clean(outcome) }),
    }
}

/// An outcome whose texts are another domain's words.
fn clean(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed { reason } => Outcome::Failed { reason: shown(&reason) },
        Outcome::Trapped { kind } => Outcome::Trapped { kind: shown(&kind) },
        other => other,
    }
}
