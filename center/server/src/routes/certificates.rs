//! `POST /v1/certificates`: a member renews its certificate over the old one, with an order that its caller key signed. Names come from
//! the enrollment, never from the request.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::{ApiErrorCode, CertificateRequest};

use super::{Connected, json, read_json};
use crate::{
    certificates::Issuer,
    db::Database,
    present::Present,
    rates::{Asking, Askings},
    refusal::Refusal,
    renewal,
};

/// A PKCS#10 request in JSON.
const BODY_BYTES_MAX: usize = 32 * 1024;

pub(crate) async fn post(
    Connected(domain): Connected,
    State(database): State<Database>,
    State(issuer): State<Arc<Issuer>>,
    State(present): State<Present>,
    State(askings): State<Askings>,
    body: Body,
) -> Result<Response, Refusal> {
    let request: CertificateRequest = read_json(body, BODY_BYTES_MAX).await?;
    let unknown = || Refusal::new(ApiErrorCode::NotAMember, format!("domain `{domain}` is not enrolled"));
    let member = database.member(&domain).await?.ok_or_else(unknown)?;
    let (registry, now) = (present.registry(), present.now());
    let waiting = database.pending(&domain).await?;
    let key = renewal::signing_key(&domain, &registry, waiting.as_deref(), now)?;
    renewal::check_order(&request, &domain, &issuer.trust_domain, &key, now)?;
    // Not before the signature is checked: a copied certificate alone must not use up what its domain may ask for.
    askings.take(Asking::Certificate(domain.clone()), now)?;
    let answer = issuer.issue(&member, &request.csr, &present)?;
    tracing::info!(%domain, expires = %answer.expires, "certificate renewed");
    Ok(json(StatusCode::CREATED, &answer))
}
