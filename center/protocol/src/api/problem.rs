//! The body of every error (RFC 9457).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ApiErrorCode;
use crate::ids::RequestId;

/// Common prefix of problem types; the code follows.
const TYPE_PREFIX: &str = "https://iog.example/problem/";

/// An error as a server reports it. What operators need to know in addition is in the server's log, under the same
/// request id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// URI of the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with this request, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The stable code, for programs.
    pub code: ApiErrorCode,
    /// The request it answers, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}

impl Problem {
    /// A problem of this code.
    #[must_use]
    pub fn new(code: ApiErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code,
            request_id: None,
        }
    }

    /// The same, for a request.
    #[must_use]
    pub fn with_request(mut self, request_id: RequestId) -> Self {
        self.request_id = Some(request_id);
        self
    }

    /// The body as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers always have a JSON form")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = if self.detail.is_empty() { &self.title } else { &self.detail };
        write!(f, "{detail} ({})", self.code)
    }
}

impl std::error::Error for Problem {}
