//! `POST /v1/statements`: signed statements for the log: reviews, revocations, keysets, and domain statements with their co-signatures.
//! Whoever holds the keys may send them from anywhere: the signatures count, not the connection. A statement is read in a small place of
//! its own; who signed it then pays for all the rest.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::{
    api::{ApiErrorCode, StatementAccepted},
    dsse::{ENVELOPE_BYTES_MAX, Envelope},
    registry::Registry,
    statements::{Predicate, Statement, parse_payload},
};

use super::{Connected, Sending, json, read};
use crate::{
    admission::Offered,
    admissions::{Admissions, Admitted},
    present::Present,
    refusal::Refusal,
    senders::{Desks, Sent},
    sequencer::Sequencer,
};

pub(crate) async fn post(
    State(admissions): State<Arc<Admissions>>,
    State(sequencer): State<Sequencer>,
    State(present): State<Present>,
    State(desks): State<Arc<Desks>>,
    Sending { peer, opening }: Sending,
    connected: Option<Connected>,
    body: Body,
) -> Result<Response, Refusal> {
    let bytes = read(body, ENVELOPE_BYTES_MAX).await?;
    let envelope = Envelope::parse(&bytes).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    let statement =
        parse_payload(envelope.payload()).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    if let Some(refusal) = elsewhere(&statement.predicate) {
        return Err(refusal);
    }
    let sent = Sent { bytes: &bytes, envelope: &envelope, statement: &statement, peer: &peer };
    let sender = desks.sender(sent, &present.registry(), present.now())?;
    let busy = || Refusal::new(ApiErrorCode::Busy, "too many statements are in work, of this signer or of all");
    let _place = desks.take(&sender).ok_or_else(busy)?;
    if !opening.end(&sender.key) {
        return Err(busy());
    }
    match &statement.predicate {
        Predicate::Domain(domain) => {
            let offered = Offered { domain: (**domain).clone(), envelope };
            let connected = connected.as_ref().map(|Connected(domain)| domain);
            Ok(match admissions.turn().await.admit(offered, connected).await? {
                Admitted::InForce { index } => {
                    json(StatusCode::CREATED, &StatementAccepted { index, approval_index: None })
                }
                Admitted::Waiting(shown) => json(StatusCode::ACCEPTED, &shown),
            })
        }
        _ => {
            let index = sequencer.append(bytes.to_vec()).await?;
            let approval_index = completed(&present.registry(), &statement, index);
            Ok(json(StatusCode::CREATED, &StatementAccepted { index, approval_index }))
        }
    }
}

/// What is not taken here, and where it is.
fn elsewhere(predicate: &Predicate) -> Option<Refusal> {
    let detail = match predicate {
        Predicate::Domain(_) | Predicate::Review(_) | Predicate::Revocation(_) | Predicate::Keyset(_) => return None,
        Predicate::Submission(_) => "a submission comes with its module, to `/v1/modules`",
        Predicate::Approval(_) => "approvals are made by the center itself, when the reviews suffice",
        Predicate::Genesis(_) => "the registry has its genesis",
        _ => "statements of this type have no meaning yet",
    };
    Some(Refusal::new(ApiErrorCode::StatementInvalid, detail))
}

/// The approval that this review completed.
fn completed(registry: &Registry, statement: &Statement, index: u64) -> Option<u64> {
    let module = statement.module()?.digest();
    let approval = registry.module(&module)?.approval()?;
    (approval.index > index).then_some(approval.index)
}
