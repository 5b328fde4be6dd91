//! `POST /v1/enroll`: the first contact of a domain. The join token's secret admits once; names come from the token's record, and the
//! domain's own statement waits for co-signatures unless enough have signed already.

use axum::{body::Body, extract::State, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use iog_protocol::{
    api::ApiErrorCode,
    enroll::{JoinAnswer, JoinRequest},
    ids::Digest,
};

use super::{App, json, read_json};
use crate::{
    admission::{self, Offered, Verdict},
    center::Shared,
    certificates,
    db::members::{Invitation, Member},
    refusal::Refusal,
};

/// A signing request and a statement in JSON.
const BODY_BYTES_MAX: usize = 128 * 1024;

pub(crate) async fn post(State(shared): App, body: Body) -> Result<Response, Refusal> {
    let request: JoinRequest = read_json(body, BODY_BYTES_MAX).await?;
    let secret = request.secret.hash().to_string();
    let invitation = invitation(&shared, &secret, &request).await?;
    let offered = statement(&request)?;
    admission::fits_invitation(&offered, &invitation)?;
    let payload = Digest::of(offered.envelope.payload());
    let member = Member { domain: invitation.domain, organisation: invitation.organisation, names: invitation.names };

    let _one_at_a_time = shared.admissions.lock().await;
    let verdict = admission::judge(&shared.published.registry(), offered, None, true)?;
    let certificate = certificates::issue(&shared, &member, &request.csr_pem)?;
    let in_force = enroll(&shared, &secret, &member, verdict).await?;
    tracing::info!(domain = %member.domain, ?in_force, "domain enrolled");
    let answer = JoinAnswer {
        certificate_pem: certificate.certificate_chain,
        authorities_pem: shared.keys.ca.certificate_pem().to_owned(),
        not_after: certificate.expires,
        statement: payload,
        in_force,
    };
    Ok(json(StatusCode::CREATED, &answer))
}

/// The record of a join token that can still be used. All failures look the same from outside.
async fn invitation(shared: &Shared, secret: &str, request: &JoinRequest) -> Result<Invitation, Refusal> {
    let found = shared.database.invitation(secret).await?;
    let usable = |invitation: &Invitation| {
        !invitation.used && invitation.expires > shared.clock.now().unix() && invitation.domain == request.domain
    };
    found.filter(usable).ok_or_else(no_such_token)
}

fn no_such_token() -> Refusal {
    Refusal::new(ApiErrorCode::JoinTokenInvalid, "the join token is unknown, used, expired or for another domain")
}

fn statement(request: &JoinRequest) -> Result<Offered, Refusal> {
    let malformed = |_| Refusal::new(ApiErrorCode::BadRequest, "`statement` is not base64");
    admission::read(&STANDARD.decode(&request.statement).map_err(malformed)?)
}

/// Uses the token up and keeps the statement; appends it if it suffices.
async fn enroll(shared: &Shared, secret: &str, member: &Member, verdict: Verdict) -> Result<Option<u64>, Refusal> {
    let (candidate, suffices) = match verdict {
        Verdict::Append(candidate) => (candidate, true),
        Verdict::Keep(candidate, _) => (candidate, false),
    };
    let entry = candidate.envelope.to_json();
    let text = String::from_utf8_lossy(&entry).into_owned();
    if !shared.database.enroll(secret, member, &text, shared.clock.now().unix()).await? {
        return Err(no_such_token());
    }
    if !suffices {
        return Ok(None);
    }
    let index = shared.sequencer.append(entry).await?;
    shared.database.drop_pending(&member.domain).await?;
    Ok(Some(index))
}
