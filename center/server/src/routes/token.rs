//! `POST /oauth/token` (RFC 6749 §4.4 over RFC 8705): a member's credential for all gateways of the trust domain, bound to the certificate
//! it is asked with. Errors have OAuth's own form.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use http::{HeaderMap, StatusCode, header};
use iog_machine::{Entropy as _, OsEntropy};
use iog_protocol::api::TokenAnswer;

use super::{Peer, json, read};
use crate::{
    error::CenterError,
    present::Present,
    refusal::Refusal,
    tokens::{self, TokenIssuer},
};

const BODY_BYTES_MAX: usize = 4 * 1024;
const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) async fn post(
    State(tokens): State<Arc<TokenIssuer>>,
    State(present): State<Present>,
    Peer(certificate): Peer,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = read(body, BODY_BYTES_MAX).await?;
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some(FORM) {
        return Ok(refuse(&tokens::OauthError::invalid_request("the body is not a form")));
    }
    let id = OsEntropy.request_id().map_err(CenterError::from)?;
    let asked = tokens::Asked { form: &body, certificate: certificate.as_ref(), id: &id, now: present.now() };
    match tokens.grant(&asked, &present.registry()) {
        Ok(access_token) => {
            let expires_in = u64::try_from(tokens.lifetime_s).unwrap_or(0);
            Ok(json(StatusCode::OK, &TokenAnswer { access_token, token_type: "Bearer".to_owned(), expires_in }))
        }
        Err(error) => Ok(refuse(&error)),
    }
}

/// RFC 6749 §5.2.
fn refuse(error: &tokens::OauthError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    json(status, error)
}
