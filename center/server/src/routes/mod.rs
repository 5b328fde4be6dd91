//! The handlers, one file for each verb. A handler parses, asks who it is, lets a pure function decide, acts and replies; what more than
//! one needs is here.

pub(crate) mod blobs;
pub(crate) mod catalog_publish;
pub(crate) mod catalog_search;
pub(crate) mod certificates;
pub(crate) mod domains;
pub(crate) mod enroll;
pub(crate) mod genesis;
pub(crate) mod health;
pub(crate) mod log;
mod long;
pub(crate) mod module_list;
pub(crate) mod module_show;
pub(crate) mod module_submit;
pub(crate) mod statements;
pub(crate) mod token;

use std::{convert::Infallible, error::Error as StdError};

use axum::{
    body::{Body, Bytes},
    extract::{FromRef, FromRequestParts, Path},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use http_body_util::LengthLimitError;
use iog_protocol::{
    api::{ApiErrorCode, JSON_MEDIA_TYPE},
    ids::{DomainId, TrustDomain},
};
use iog_transport::{BodyError, Opening, PeerIdentity, PeerKey};
use serde::{Serialize, de::DeserializeOwned};

use crate::refusal::Refusal;

/// Who sends a request as far as the connection says, and the place that it has until its body says more.
pub(crate) struct Sending {
    pub(crate) peer: PeerKey,
    pub(crate) opening: Opening,
}

impl<S: Send + Sync> FromRequestParts<S> for Sending {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let (peer, opening) = (parts.extensions.get().cloned(), parts.extensions.get().cloned());
        let sending = peer.zip(opening).map(|(peer, opening)| Self { peer, opening });
        sending.ok_or_else(|| Refusal::new(ApiErrorCode::Internal, "the request came over no connection"))
    }
}

/// The parameter of a path; what is not UTF-8 names nothing.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let nothing = |_| Refusal::new(ApiErrorCode::NotFound, "there is nothing at this path");
        Path::from_request_parts(parts, state).await.map(|Path(name)| Self(name)).map_err(nothing)
    }
}

/// The domain in the certificate. It says who connects, not what it may do.
pub(crate) struct Connected(pub(crate) DomainId);

impl<S: Send + Sync> FromRequestParts<S> for Connected
where
    TrustDomain: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Some(identity) = parts.extensions.get::<PeerIdentity>() else {
            return Err(Refusal::new(ApiErrorCode::CertificateRequired, "this needs a client certificate"));
        };
        let named = identity.spiffe.as_deref().and_then(|spiffe| TrustDomain::from_ref(state).domain_named(spiffe));
        named.map(Self).ok_or_else(|| {
            Refusal::new(ApiErrorCode::IdentityMismatch, "the certificate is not one of a domain of this registry")
        })
    }
}

/// Whoever is not a domain of this registry connects as nobody.
impl<S: Send + Sync> axum::extract::OptionalFromRequestParts<S> for Connected
where
    TrustDomain: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Infallible> {
        Ok(<Self as FromRequestParts<S>>::from_request_parts(parts, state).await.ok())
    }
}

/// Reads a whole body of at most `bytes_max`.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, bytes_max).await.map_err(|error| unread(&error, bytes_max))
}

/// Why a body of at most `bytes_max` was not read to its end.
pub(crate) fn unread(error: &(dyn StdError + 'static), bytes_max: usize) -> Refusal {
    let too_large = |error: &(dyn StdError + 'static)| error.is::<LengthLimitError>();
    if too_large(error) || error.source().is_some_and(too_large) {
        return Refusal::new(ApiErrorCode::TooLarge, format!("the body is larger than {bytes_max} bytes"));
    }
    match BodyError::among(error) {
        Some(no_room @ BodyError::NoRoom) => Refusal::because(ApiErrorCode::Busy, &no_room),
        Some(crumbs @ BodyError::Crumbs) => Refusal::because(ApiErrorCode::BadRequest, &crumbs),
        Some(late) => Refusal::because(ApiErrorCode::RequestTimeout, &late),
        None => Refusal::new(ApiErrorCode::RequestTimeout, "the body did not arrive"),
    }
}

/// Reads a JSON body.
pub(crate) async fn read_json<T: DeserializeOwned>(body: Body, bytes_max: usize) -> Result<T, Refusal> {
    from_json(&read(body, bytes_max).await?)
}

pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| Refusal::because(ApiErrorCode::BadRequest, &error))
}

/// A JSON answer that nobody may cache.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let bytes = serde_json::to_vec(body).expect("answers are structs of text, numbers and lists");
    typed(status, JSON_MEDIA_TYPE, "no-store", bytes)
}

/// An answer with its media type and for how long it may be cached.
pub(crate) fn typed(
    status: StatusCode,
    media_type: &'static str,
    cache: &'static str,
    body: impl Into<Body>,
) -> Response {
    let mut response = (status, body.into()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// For bytes that never change under their name.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";
