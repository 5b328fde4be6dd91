//! `POST /v1/statements`: signed statements for the log: reviews, revocations, keysets, and domain statements with their co-signatures.
//! Whoever holds the keys may send them from anywhere: the signatures count, not the connection.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::{
    api::{ApiErrorCode, StatementAccepted},
    dsse::{ENVELOPE_BYTES_MAX, Envelope},
    registry::Registry,
    statements::{Predicate, Statement, parse_payload},
};

use super::{Connected, json, read};
use crate::{
    admission::Offered,
    admissions::{Admissions, Admitted},
    head::Published,
    refusal::Refusal,
    sequencer::Sequencer,
};

pub(crate) async fn post(
    State(admissions): State<Arc<Admissions>>,
    State(sequencer): State<Sequencer>,
    State(published): State<Published>,
    connected: Option<Connected>,
    body: Body,
) -> Result<Response, Refusal> {
    let bytes = read(body, ENVELOPE_BYTES_MAX).await?;
    let envelope = Envelope::parse(&bytes).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    let statement =
        parse_payload(envelope.payload()).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
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
        Predicate::Review(_) | Predicate::Revocation(_) | Predicate::Keyset(_) => {
            let index = sequencer.append(bytes.to_vec()).await?;
            let approval_index = completed(&published.registry(), &statement, index);
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
fn completed(registry: &Registry, statement: &Statement, index: u64) -> Option<u64> {
    let module = statement.module()?.digest();
    let approval = registry.module(&module)?.approval()?;
    (approval.index > index).then_some(approval.index)
}
