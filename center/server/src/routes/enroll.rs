//! `POST /v1/enroll`: the first contact of a domain. The join token's secret admits once; names come from the token's record, and the
//! domain's own statement waits for co-signatures unless enough have signed already.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use iog_protocol::{
    api::ApiErrorCode,
    enroll::{JoinAnswer, JoinRequest},
    ids::Digest,
};

use super::{Sending, json, read_json};
use crate::{
    admission::{self, Offered},
    admissions::Admissions,
    certificates::Issuer,
    db::members::Member,
    present::Present,
    refusal::Refusal,
    senders::{Desks, Sender},
};

/// A signing request and a statement in JSON.
const BODY_BYTES_MAX: usize = 128 * 1024;

pub(crate) async fn post(
    State(admissions): State<Arc<Admissions>>,
    State(issuer): State<Arc<Issuer>>,
    State(present): State<Present>,
    State(desks): State<Arc<Desks>>,
    Sending { opening, .. }: Sending,
    body: Body,
) -> Result<Response, Refusal> {
    let request: JoinRequest = read_json(body, BODY_BYTES_MAX).await?;
    let secret = request.secret.hash().to_string();
    let invitation = admissions.invitation(&secret, &request.domain).await?;
    // The secret says who it is.
    let sender = Sender::proven(&format!("joining {}", invitation.domain));
    let busy = || Refusal::new(ApiErrorCode::Busy, "too many statements are in work");
    let _place = desks.take(&sender).ok_or_else(busy)?;
    if !opening.end(&sender.key) {
        return Err(busy());
    }
    let offered = statement(&request)?;
    admission::fits_invitation(&offered, &invitation)?;
    let payload = Digest::of(offered.envelope.payload());
    let member = Member { domain: invitation.domain, organisation: invitation.organisation, names: invitation.names };

    let turn = admissions.turn().await;
    let verdict = turn.judge_first(offered)?;
    // Before the token is used up, so that a wrong signing request costs nothing.
    let certificate = issuer.issue(&member, &request.csr_pem, &present)?;
    let in_force = turn.enroll(&secret, &member, verdict).await?;
    tracing::info!(domain = %member.domain, ?in_force, "domain enrolled");
    let answer = JoinAnswer {
        certificate_pem: certificate.certificate_chain,
        authorities_pem: issuer.authorities_pem(present.registry().keyset()),
        not_after: certificate.expires,
        statement: payload,
        in_force,
    };
    Ok(json(StatusCode::CREATED, &answer))
}

fn statement(request: &JoinRequest) -> Result<Offered, Refusal> {
    let malformed = |_| Refusal::new(ApiErrorCode::BadRequest, "`statement` is not base64");
    admission::read(&STANDARD.decode(&request.statement).map_err(malformed)?)
}
