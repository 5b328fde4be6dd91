//! `POST /oauth/token` (RFC 6749 §4.4 over RFC 8705): a member's credential for all gateways of the trust domain, bound to the certificate
//! it is asked with. Errors have OAuth's own form.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequestParts, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header, request::Parts};
use iog_machine::{Entropy as _, OsEntropy};
use iog_protocol::api::TokenAnswer;
use iog_transport::PeerIdentity;

use super::{json, read};
use crate::{
    error::CenterError,
    present::Present,
    rates::{Asking, Askings},
    refusal::Refusal,
    tokens::{self, TokenIssuer},
};

const BODY_BYTES_MAX: usize = 4 * 1024;
const FORM: &str = "application/x-www-form-urlencoded";

/// The certificate that a token is asked with. Whoever shows none gets no further.
pub(crate) struct Certified(PeerIdentity);

/// OAuth's own form of a refusal.
pub(crate) struct Refused(tokens::OauthError);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        refuse(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Certified {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let certificate = parts.extensions.get::<PeerIdentity>().cloned();
        certificate.map(Self).ok_or_else(|| Refused(tokens::OauthError::no_certificate()))
    }
}

pub(crate) async fn post(
    State(tokens): State<Arc<TokenIssuer>>,
    State(present): State<Present>,
    State(askings): State<Askings>,
    Certified(certificate): Certified,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    askings.take(Asking::Token(certificate.leaf_sha256), present.now())?;
    let body = read(body, BODY_BYTES_MAX).await?;
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some(FORM) {
        return Ok(refuse(&tokens::OauthError::invalid_request("the body is not a form")));
    }
    let id = OsEntropy.request_id().map_err(CenterError::from)?;
    let asked = tokens::Asked { form: &body, certificate: &certificate, id: &id, now: present.now() };
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
