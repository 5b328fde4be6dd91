//! What a client did wrong, or what we cannot do now, as the one problem document that every route answers with. Our own failures are
//! logged here, once, and tell the client only that they are ours.

use std::error::Error as StdError;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use iog_machine::error::chain;
use iog_protocol::{
    api::{ApiErrorCode, PROBLEM_MEDIA_TYPE, Problem},
    registry::{Fault, Invalid},
};

use crate::{error::CenterError, rates::Declined, sequencer::AppendError};

/// Seconds after which whoever finds the center busy may come back.
const UNAVAILABLE_RETRY_S: u64 = 5;

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Problem,
    /// Seconds after which the same request may succeed, where that is known.
    retry_after_s: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(code: ApiErrorCode, detail: impl Into<String>) -> Self {
        Self { problem: Problem::new(code, detail), retry_after_s: None }
    }

    /// A refusal in the words of an error and its causes.
    pub(crate) fn because(code: ApiErrorCode, error: &dyn StdError) -> Self {
        Self::new(code, chain(error))
    }

    #[cfg(test)]
    pub(crate) const fn code(&self) -> ApiErrorCode {
        self.problem.code
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.problem.to_json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let unavailable = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(UNAVAILABLE_RETRY_S);
        if let Some(seconds) = self.retry_after_s.or(unavailable) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<CenterError> for Refusal {
    fn from(error: CenterError) -> Self {
        tracing::error!(error = %chain(&error), "a request failed");
        match error {
            CenterError::Stopped => Self::new(ApiErrorCode::Unavailable, "the center cannot write its log now"),
            _ => Self::new(ApiErrorCode::Internal, "the center failed; its operator's log says why"),
        }
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Invalid(invalid) => Self::from(&*invalid),
            AppendError::Declined(declined) => declined.into(),
            AppendError::Center(error) => error.into(),
        }
    }
}

impl From<Declined> for Refusal {
    fn from(declined: Declined) -> Self {
        let code = match &declined {
            Declined::Early { .. } | Declined::Late { .. } => ApiErrorCode::StatementInvalid,
            Declined::Rate { .. } => ApiErrorCode::RateLimited,
            Declined::Full { .. } => ApiErrorCode::QuotaExceeded,
        };
        let retry_after_s =
            if let Declined::Rate { retry_after_s, .. } = &declined { Some(*retry_after_s) } else { None };
        Self { retry_after_s, ..Self::because(code, &declined) }
    }
}

impl From<&Invalid> for Refusal {
    fn from(invalid: &Invalid) -> Self {
        let code = match invalid.fault() {
            Fault::TooLarge => ApiErrorCode::TooLarge,
            Fault::Malformed => ApiErrorCode::BadEnvelope,
            Fault::Signature => ApiErrorCode::SignatureInvalid,
            Fault::Exists => ApiErrorCode::AlreadyExists,
            Fault::Outdated => ApiErrorCode::StaleSequence,
            Fault::UnknownModule => ApiErrorCode::UnknownModule,
            Fault::UnknownDomain => ApiErrorCode::UnknownDomain,
            Fault::TooNew => ApiErrorCode::RulesTooNew,
            Fault::Rule => ApiErrorCode::StatementInvalid,
        };
        Self::because(code, invalid)
    }
}

#[cfg(test)]
mod tests {
    use iog_protocol::registry::Flaw;

    use super::*;

    #[test]
    fn our_failures_say_nothing_of_our_insides() {
        let error = CenterError::Database { action: "reading", source: sqlx::Error::PoolTimedOut };
        let refusal = Refusal::from(error);
        assert_eq!(refusal.code(), ApiErrorCode::Internal);
        assert!(!format!("{:?}", refusal.problem).to_lowercase().contains("pool"));
    }

    #[test]
    fn rules_answer_with_their_reason() {
        let flaw = Flaw::TooFewSigners { who: "the root", needed: 2, found: 1 };
        let refusal = Refusal::from(&Invalid::Keysets(flaw.into()));
        assert_eq!(refusal.code(), ApiErrorCode::SignatureInvalid);
        assert!(refusal.problem.detail.contains("needs 2 signatures of the root"));
    }
}
