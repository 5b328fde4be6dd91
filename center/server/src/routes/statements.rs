//! `POST /v1/statements`: signed statements for the log: reviews, revocations, keysets, and domain statements with their co-signatures.
//! Whoever holds the keys may send them from anywhere: the signatures count, not the connection.

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::{
    api::{ApiErrorCode, StatementAccepted},
    dsse::{ENVELOPE_BYTES_MAX, Envelope},
    statements::{Predicate, Statement, parse_payload},
};

use super::{App, Peer, json, read};
use crate::{
    admission::{self, Offered, Verdict},
    center::Shared,
    refusal::Refusal,
};

pub(crate) async fn post(State(shared): App, peer: Peer, body: Body) -> Result<Response, Refusal> {
    let bytes = read(body, ENVELOPE_BYTES_MAX).await?;
    let envelope = Envelope::parse(&bytes).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    let statement =
        parse_payload(envelope.payload()).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    match &statement.predicate {
        Predicate::Domain(domain) => {
            let offered = Offered { domain: (**domain).clone(), envelope };
            admit(&shared, &peer, offered).await
        }
        Predicate::Review(_) | Predicate::Revocation(_) | Predicate::Keyset(_) => {
            let index = shared.sequencer.append(bytes.to_vec()).await?;
            let approval_index = completed(&shared, &statement, index);
            Ok(json(StatusCode::CREATED, &StatementAccepted { index, approval_index }))
        }
        other => Err(elsewhere(other)),
    }
}

/// What is not taken here, and where it is.
fn elsewhere(predicate: &Predicate) -> Refusal {
    let detail = match predicate {
        Predicate::Submission(_) => "a submission comes with its module, to `/v1/modules`",
        Predicate::Approval(_) => "approvals are made by the center itself, when the reviews suffice",
        Predicate::Genesis(_) => "the registry has its genesis",
        _ => "statements of this type have no meaning yet",
    };
    Refusal::new(ApiErrorCode::StatementInvalid, detail)
}

/// The approval that this review completed.
fn completed(shared: &Shared, statement: &Statement, index: u64) -> Option<u64> {
    let module = statement.module()?.digest();
    let registry = shared.published.registry();
    let approval = registry.module(&module)?.approval()?;
    (approval.index > index).then_some(approval.index)
}

/// Appends a domain statement that enough have signed, or keeps it for the next co-signer (202).
async fn admit(shared: &Shared, peer: &Peer, offered: Offered) -> Result<Response, Refusal> {
    let id = offered.domain.id.clone();
    let _one_at_a_time = shared.admissions.lock().await;
    let waiting = shared.database.pending(&id).await?;
    let waiting = waiting.and_then(|envelope| admission::read(envelope.as_bytes()).ok());
    let connected = peer.domain(shared).ok();
    let may_replace = admission::may_replace(connected.as_ref(), &id);
    match admission::judge(&shared.published.registry(), offered, waiting, may_replace)? {
        Verdict::Append(candidate) => {
            let index = shared.sequencer.append(candidate.envelope.to_json()).await?;
            shared.database.drop_pending(&id).await?;
            tracing::info!(domain = %id, index, "domain in force");
            Ok(json(StatusCode::CREATED, &StatementAccepted { index, approval_index: None }))
        }
        Verdict::Keep(candidate, lacking) => {
            let envelope = String::from_utf8_lossy(&candidate.envelope.to_json()).into_owned();
            let now = shared.clock.now().unix();
            shared.database.set_pending(&id, &envelope, now).await?;
            tracing::info!(domain = %id, lacking, "domain waits for co-signatures");
            let shown = admission::shown(&envelope, now);
            Ok(json(StatusCode::ACCEPTED, &shown))
        }
    }
}
