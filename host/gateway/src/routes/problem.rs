//! Errors as RFC 9457 documents: what the caller may know, under a stable code. Details stay in the operator's log.

use std::any::Any;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use iog_keeper::ServeError;
use iog_protocol::api::{ApiErrorCode, PROBLEM_MEDIA_TYPE, Problem};

use crate::db::StoreError;
use crate::identity::NotAccepted;
use crate::queue::Full;
use crate::runs::lifecycle::LifecycleError;
use crate::runs::submit::SubmitError;
use iog_machine::error::chain;

/// Seconds after which a caller may come again when there was no room.
const RETRY_AFTER_S: u32 = 2;

/// A request that gets a problem instead of an answer.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Problem);

impl Refused {
    pub(crate) fn new(code: ApiErrorCode, detail: impl Into<String>) -> Self {
        Self(Problem::new(code, detail))
    }
}

/// The parameter of a path; what is not UTF-8 names nothing.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let nothing = |_| Refused::new(ApiErrorCode::NotFound, "there is nothing at this path");
        Path::from_request_parts(parts, state).await.map(|Path(name)| Self(name)).map_err(nothing)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.0.to_json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
        if self.0.code.is_retryable() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}

impl From<NotAccepted> for Refused {
    fn from(why: NotAccepted) -> Self {
        Self::new(why.code(), why.to_string())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(problem = chain(&error), "the journal did not answer");
        Self::new(ApiErrorCode::Unavailable, "the gateway cannot record requests now")
    }
}

impl From<ServeError<StoreError>> for Refused {
    fn from(error: ServeError<StoreError>) -> Self {
        if let ServeError::Storage(error) = error {
            return error.into();
        }
        tracing::error!(problem = chain(&error), "the receipt log cannot be served");
        Self::new(ApiErrorCode::Internal, "the gateway failed")
    }
}

impl From<SubmitError> for Refused {
    fn from(error: SubmitError) -> Self {
        let code = match error {
            SubmitError::NotAccepted(why) => return why.into(),
            SubmitError::Lifecycle(LifecycleError::Store(error)) => return error.into(),
            SubmitError::Full(Full::Gateway) => ApiErrorCode::Busy,
            SubmitError::Full(Full::Caller { .. }) | SubmitError::Refused(_) => ApiErrorCode::RateLimited,
            SubmitError::Lifecycle(LifecycleError::InFlight) => ApiErrorCode::AlreadyExists,
            SubmitError::Lifecycle(LifecycleError::OtherRequest { .. }) => ApiErrorCode::RequestIdReused,
            SubmitError::OtherService { .. } => ApiErrorCode::BadRequest,
            SubmitError::Lifecycle(LifecycleError::Receipt(_)) => ApiErrorCode::Unavailable,
            SubmitError::Internal => ApiErrorCode::Internal,
        };
        if code.status() >= 500 {
            tracing::warn!(problem = chain(&error), "a request got no answer");
        }
        Self::new(code, error.to_string())
    }
}

/// What those are told for whose request, body or answer there is no room.
pub(crate) fn no_room() -> Response {
    Refused::new(ApiErrorCode::Busy, "too many requests are in work, of this caller or of all").into_response()
}

pub(super) async fn not_found() -> Refused {
    Refused::new(ApiErrorCode::NotFound, "there is nothing at this path")
}

pub(super) async fn method_not_allowed() -> Refused {
    Refused::new(ApiErrorCode::MethodNotAllowed, "the path does not know this method")
}

pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    Refused::new(ApiErrorCode::Internal, "the gateway failed").into_response()
}
