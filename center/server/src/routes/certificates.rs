//! `POST /v1/certificates`: a member renews its certificate over the old one. Names come from the enrolment, never from the request.

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::{ApiErrorCode, CertificateRequest};

use super::{App, Peer, json, read_json};
use crate::{certificates, refusal::Refusal};

/// A PKCS#10 request in JSON.
const BODY_BYTES_MAX: usize = 32 * 1024;

pub(crate) async fn post(State(shared): App, peer: Peer, body: Body) -> Result<Response, Refusal> {
    let domain = peer.domain(&shared)?;
    let request: CertificateRequest = read_json(body, BODY_BYTES_MAX).await?;
    let unknown = || Refusal::new(ApiErrorCode::NotAMember, format!("domain `{domain}` is not enrolled"));
    let member = shared.database.member(&domain).await?.ok_or_else(unknown)?;
    certificates::may_renew(&domain, &shared.published.registry())?;
    let answer = certificates::issue(&shared, &member, &request.csr)?;
    tracing::info!(%domain, expires = %answer.expires, "certificate renewed");
    Ok(json(StatusCode::CREATED, &answer))
}
