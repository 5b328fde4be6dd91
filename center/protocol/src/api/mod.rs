//! The HTTP interface as types: paths, bodies, and errors with one stable code each, used by servers and clients alike.
//! Moves no bytes. Unknown members of answers are ignored, so that servers may say more in time.

mod center;
mod code;
mod gateway;
pub mod paths;
mod problem;

pub use center::{
    CatalogAnswer, CatalogPublished, CertificateAnswer, CertificateRequest, DomainList, DomainSummary, GenesisAnswer,
    Health, ModuleDetail, ModuleList, ModuleState, ModuleSubmission, ModuleSubmitted, ModuleSummary, PendingDomain,
    ReviewSummary, StatementAccepted, TokenAnswer, TokenForm,
};
pub use code::ApiErrorCode;
pub use gateway::{LimitsAnswer, Quota, RunStatus, ServiceList, ServiceSummary};
pub use problem::Problem;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Media type of an error (RFC 9457).
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";
/// Media type of a signed envelope.
pub const ENVELOPE_MEDIA_TYPE: &str = "application/vnd.dsse+json";
/// Media type of JSON.
pub const JSON_MEDIA_TYPE: &str = "application/json";
/// Largest body that submits a module, in bytes: 8 MiB of component and 64 KiB of manifest in base64 and JSON, with room.
pub const SUBMISSION_BODY_BYTES_MAX: usize = 12 * 1024 * 1024;
/// Largest body of any other request, in bytes.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// Largest answer of a gateway to a run, in bytes: the largest result, the largest receipt, and their frame.
pub const RUN_ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes inside JSON, as standard padded base64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base64Bytes(pub Vec<u8>);

impl Serialize for Base64Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|_| de::Error::custom("not standard padded base64"))
    }
}

impl From<Vec<u8>> for Base64Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Base64Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
