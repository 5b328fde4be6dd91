//! A run as it travels: the request that a caller's domain signs for one gateway, how a run can end, and the answer.
//! Whether a request is admitted is the gateway's decision; here is only what every request must satisfy.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;

use crate::api::ApiErrorCode;
use crate::dsse::Content;
use crate::ids::{Digest, DomainId, EntryName, RequestId, ServiceName};
use crate::params::Params;
use crate::receipt::ReceiptView;
use crate::time::Timestamp;

/// Longest validity of a request, in seconds: how long a gateway must remember its id to refuse a repetition as new.
pub const REQUEST_LIFETIME_S_MAX: i64 = 3600;
/// How far clocks of two domains may differ, in seconds.
pub const CLOCK_LEEWAY_S: i64 = 60;
/// Longest purpose, in characters.
pub const PURPOSE_CHARS_MAX: usize = 500;
/// Longest actor pseudonym, in characters.
pub const ACTOR_CHARS_MAX: usize = 200;
/// Most parameters of an entry.
pub const REQUEST_PARAMS_MAX: usize = 64;

/// "Run this entry of this module for me", signed by the caller domain's logged key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// Idempotency key: a repetition returns the stored answer.
    pub request_id: RequestId,
    /// The one gateway this is for.
    pub audience: DomainId,
    /// The domain that asks and signs.
    pub caller: DomainId,
    /// The module, by the digest of its whole file.
    pub module: Digest,
    /// The exported function to call.
    pub entry: EntryName,
    /// Parameters by name, in the JSON form of the entry's types.
    pub params: Params,
    /// Why: shown to the provider, may decide its policy.
    pub purpose: String,
    /// The service through which the module is asked, where it is not asked directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Pseudonym of the person or program inside the caller domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Agreement under which is asked, by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Digest>,
    /// When it was signed.
    pub issued: Timestamp,
    /// When it is no longer to be accepted.
    pub expires: Timestamp,
}

impl Content for RunRequest {
    const PAYLOAD_TYPE: &'static str = "application/vnd.iog.run-request+json";
    /// Parameters may hold lists of addresses or names, but not data sets.
    const ENVELOPE_BYTES_MAX: usize = 256 * 1024;
}

/// Why a request is not acceptable whoever sent it: the caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunRequestError {
    /// A member does not fit.
    #[error("`{member}` of the run request is not {expected}")]
    Member {
        /// Which.
        member: &'static str,
        /// What fits.
        expected: &'static str,
    },
    /// Signed for another gateway.
    #[error("the run request is for domain `{found}`, this is `{expected}`")]
    Audience {
        /// The domain it names.
        found: DomainId,
        /// The domain that received it.
        expected: DomainId,
    },
    /// Issued in the future.
    #[error("the run request was issued at {issued}, now is {now}")]
    NotYet {
        /// When it says it was signed.
        issued: Timestamp,
        /// The receiver's time.
        now: Timestamp,
    },
    /// No longer valid.
    #[error("the run request expired at {expired}, now is {now}")]
    Expired {
        /// When it expired.
        expired: Timestamp,
        /// The receiver's time.
        now: Timestamp,
    },
}

impl RunRequest {
    /// Checks sizes, times and audience.
    ///
    /// # Errors
    /// [`RunRequestError`], which names the member.
    pub fn check(&self, gateway: &DomainId, now: Timestamp) -> Result<(), RunRequestError> {
        if self.audience != *gateway {
            return Err(RunRequestError::Audience { found: self.audience.clone(), expected: gateway.clone() });
        }
        self.check_members()?;
        if self.issued > now.plus_seconds(CLOCK_LEEWAY_S) {
            return Err(RunRequestError::NotYet { issued: self.issued, now });
        }
        if self.expires.plus_seconds(CLOCK_LEEWAY_S) <= now {
            return Err(RunRequestError::Expired { expired: self.expires, now });
        }
        Ok(())
    }

    fn check_members(&self) -> Result<(), RunRequestError> {
        let actor = self.actor.as_deref().unwrap_or("-");
        let lifetime_s = self.expires.unix() - self.issued.unix();
        let params = self.params.members();
        let rules = [
            (params.is_some_and(|count| count <= REQUEST_PARAMS_MAX), "params", "an object of at most 64 members"),
            (is_line(&self.purpose, PURPOSE_CHARS_MAX), "purpose", "one line of 1 to 500 characters"),
            (is_line(actor, ACTOR_CHARS_MAX), "actor", "one line of 1 to 200 characters"),
            ((1..=REQUEST_LIFETIME_S_MAX).contains(&lifetime_s), "expires", "1 to 3600 s after `issued`"),
        ];
        match rules.into_iter().find(|(fits, ..)| !fits) {
            Some((_, member, expected)) => Err(RunRequestError::Member { member, expected }),
            None => Ok(()),
        }
    }
}

/// Whether a text is one line of printable characters that says something.
fn is_line(text: &str, chars_max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

/// Where a run is. The last six are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Accepted and waiting.
    Queued,
    /// In the sandbox.
    Running,
    /// Returned a result.
    Succeeded,
    /// The guest broke off.
    Trapped,
    /// A limit was reached.
    Limit,
    /// The gateway decided against it.
    Refused,
    /// The caller, or the gateway shutting down, stopped it.
    Cancelled,
    /// The gateway could not do it: its own fault.
    Failed,
}

impl RunState {
    /// Whether nothing more happens.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// A limit that ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Instructions, host calls, rows and bytes.
    Fuel,
    /// Linear memory, summed, or tables.
    Memory,
    /// Wall time.
    Time,
    /// Size of the result.
    Output,
    /// Number of host calls.
    HostCalls,
}

impl LimitKind {
    /// Every limit, in documented order.
    pub const ALL: [Self; 5] = [Self::Fuel, Self::Memory, Self::Time, Self::Output, Self::HostCalls];

    /// The name used in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Output => "output",
            Self::HostCalls => "host_calls",
        }
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a run ended. A trap, a limit and a refusal are answers, not errors of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    /// Returned a result that was released.
    Succeeded,
    /// The guest broke off: its author's fault, or what its author meant.
    Trapped {
        /// Kind of trap in kebab-case, for example `unreachable`.
        kind: String,
    },
    /// A limit was reached.
    Limit {
        /// Which.
        which: LimitKind,
    },
    /// The gateway decided against it.
    Refused {
        /// Code of [`ApiErrorCode`]; a newer gateway may use one that is not known here.
        code: String,
        /// For people; says nothing of the provider's data.
        reason: String,
    },
    /// Stopped by the caller, or by the gateway shutting down.
    Cancelled,
    /// The gateway's own fault.
    Failed {
        /// For people; the gateway's operators see more.
        reason: String,
    },
}

impl Outcome {
    /// A refusal with a known code.
    #[must_use]
    pub fn refused(code: ApiErrorCode, reason: impl Into<String>) -> Self {
        Self::Refused { code: code.code().to_owned(), reason: reason.into() }
    }

    /// The final state this outcome is.
    #[must_use]
    pub const fn state(&self) -> RunState {
        match self {
            Self::Succeeded => RunState::Succeeded,
            Self::Trapped { .. } => RunState::Trapped,
            Self::Limit { .. } => RunState::Limit,
            Self::Refused { .. } => RunState::Refused,
            Self::Cancelled => RunState::Cancelled,
            Self::Failed { .. } => RunState::Failed,
        }
    }

    /// Whether there is a result.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("succeeded"),
            Self::Trapped { kind } => write!(f, "trapped ({kind})"),
            Self::Limit { which } => write!(f, "limit ({which})"),
            Self::Refused { code, reason } => write!(f, "refused ({code}): {reason}"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
        }
    }
}

/// The result of a run, byte for byte as the sandbox wrote it, since its digest is in the receipt.
#[derive(Debug, Clone)]
pub struct ResultJson(Box<RawValue>);

impl ResultJson {
    /// Takes the canonical JSON of a result.
    ///
    /// # Errors
    /// The JSON error, if it is not JSON.
    pub fn parse(json: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(json).map(Self)
    }

    /// The bytes, as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// SHA-256 of the bytes: what the receipt states.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.as_str().as_bytes())
    }

    /// The result as a JSON value, for display and for the next program.
    ///
    /// # Errors
    /// The JSON error, where the text nests deeper than the reader follows.
    pub fn to_value(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

impl PartialEq for ResultJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ResultJson {}

impl Serialize for ResultJson {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ResultJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self).map_err(de::Error::custom)
    }
}

/// What a gateway answers when a run has ended. Believed only after the receipt verifies and fits it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAnswer {
    /// The request answered.
    pub request_id: RequestId,
    /// The gateway's domain.
    pub domain: DomainId,
    /// How the run ended.
    pub outcome: Outcome,
    /// The result, if it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_result")]
    pub result: Option<ResultJson>,
    /// The caller's view of the receipt.
    pub receipt: ReceiptView,
}

/// A result of `null` is a result, not the absence of one.
fn some_result<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ResultJson>, D::Error> {
    ResultJson::deserialize(deserializer).map(Some)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
