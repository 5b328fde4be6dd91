//! Errors of calls to a center or gateway. Each variant says whose fault it is; `Display` names the object and never prints
//! its source.

use http::StatusCode;
use iog_protocol::api::{ApiErrorCode, Problem};
use iog_protocol::ids::Digest;
use iog_transport::TransportError;

/// A failure of a call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The network's or the other side's: no whole answer came.
    #[error("`{server}` could not be asked")]
    Transport {
        /// Address of the server.
        server: String,
        /// What failed.
        source: TransportError,
    },
    /// The server declined, and says why. Whose fault it is follows from the code.
    #[error("`{server}` declined: {problem}")]
    Declined {
        /// Address of the server.
        server: String,
        /// Its explanation.
        problem: Box<Problem>,
    },
    /// The server's fault: a status without an explanation.
    #[error("`{server}` answered {status} to `{path}`")]
    Status {
        /// Address of the server.
        server: String,
        /// Path asked for.
        path: String,
        /// Status it gave.
        status: StatusCode,
    },
    /// The server's fault: an answer that is not what the protocol says.
    #[error("`{server}` answered `{path}` with something malformed")]
    Answer {
        /// Address of the server.
        server: String,
        /// Path asked for.
        path: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server's fault: other bytes than those of the digest asked for.
    #[error("`{server}` sent other bytes than those of `{expected}`")]
    WrongDigest {
        /// Address of the server.
        server: String,
        /// Digest asked for.
        expected: Digest,
    },
    /// The caller's fault: a value that cannot be sent.
    #[error("`{what}` cannot be sent: {reason}")]
    Input {
        /// The value.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl ClientError {
    pub(crate) fn input(what: &'static str, reason: String) -> Self {
        Self::Input { what, reason }
    }

    /// The code the server declined with.
    #[must_use]
    pub fn code(&self) -> Option<ApiErrorCode> {
        match self {
            Self::Declined { problem, .. } => Some(problem.code),
            _ => None,
        }
    }

    /// Whether the server was not reached or could not answer now, so that trying later may help.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Transport { source, .. } => matches!(
                source,
                TransportError::Connect { .. } | TransportError::Timeout { .. } | TransportError::Http { .. }
            ),
            Self::Declined { problem, .. } => is_transient(problem.status),
            Self::Status { status, .. } => is_transient(status.as_u16()),
            _ => false,
        }
    }
}

/// Statuses that speak of now, not of the request: too many requests, bad gateway, unavailable, gateway timeout.
fn is_transient(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}
