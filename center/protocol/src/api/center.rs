//! Bodies of the center. Enrollment has its own module, signed content is DSSE bytes.

use serde::{Deserialize, Serialize};

use super::Base64Bytes;
use crate::capabilities::Capabilities;
use crate::ids::{Asn, Digest, DomainId, ModuleName, ModuleVersion, OrganisationId};
use crate::time::Timestamp;

/// `GET /healthz` of both servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok` while requests are served.
    pub status: String,
    /// Version of the program.
    pub version: String,
    /// Entries of the registry's log that are applied.
    pub log_size: u64,
    /// Bounds of which a tenth or more is used up, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
}

/// `GET /v1/genesis`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisAnswer {
    /// Entry 0 of the log.
    pub entry: Base64Bytes,
    /// Its digest, to be compared with the one the reader has pinned.
    pub digest: Digest,
}

/// `POST /v1/modules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleSubmission {
    /// Signed `submission` statement (DSSE JSON).
    pub submission: Base64Bytes,
    /// Text of `iog.toml`.
    pub manifest: String,
    /// The component.
    pub module: Base64Bytes,
}

/// 201 of `POST /v1/modules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleSubmitted {
    /// Index of the submission in the log.
    pub index: u64,
    /// Digest of the module.
    pub digest: Digest,
}

/// What may be done with a module now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleState {
    /// Waiting for reviews.
    Submitted,
    /// Effective.
    Approved,
    /// An auditor rejected it.
    Rejected,
    /// Stopped for a time.
    Suspended,
    /// Stopped for good.
    Revoked,
    /// Its approval has expired.
    Expired,
}

/// A module in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleSummary {
    /// Digest of the component.
    pub digest: Digest,
    /// Name.
    pub name: ModuleName,
    /// Version.
    pub version: ModuleVersion,
    /// What may be done with it.
    pub state: ModuleState,
    /// Index of the submission in the log.
    pub index: u64,
    /// Approving reviews so far.
    pub approvals: u32,
    /// Approving reviews it needs.
    pub needed: u32,
}

/// `GET /v1/modules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleList {
    /// All modules, latest submission first.
    pub modules: Vec<ModuleSummary>,
}

/// `GET /v1/modules/{digest}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleDetail {
    /// As in the list.
    #[serde(flatten)]
    pub summary: ModuleSummary,
    /// Digest of the manifest, which `GET /v1/blobs/{digest}` returns.
    pub manifest: Digest,
    /// Size of the component, bytes.
    pub size: u64,
    /// What it can touch.
    pub capabilities: Capabilities,
    /// Who submitted it.
    pub publisher_organisation: OrganisationId,
    /// Where it can be rebuilt from.
    pub repository: String,
    /// Commit there.
    pub commit: String,
    /// Its reviews, in log order.
    pub reviews: Vec<ReviewSummary>,
    /// Index of the approval in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_index: Option<u64>,
    /// Why it is not effective, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One review in a module's detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewSummary {
    /// Index in the log.
    pub index: u64,
    /// The auditor's id in the keyset.
    pub auditor: String,
    /// The auditor's organisation.
    pub organisation: OrganisationId,
    /// `approve`, `reject` or `abstain`.
    pub verdict: String,
    /// How many findings it holds.
    pub findings: u32,
}

/// 201 of `POST /v1/statements`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementAccepted {
    /// Index in the log.
    pub index: u64,
    /// Index of the approval that it completed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_index: Option<u64>,
}

/// A domain in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSummary {
    /// Its id.
    pub id: DomainId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// Its AS numbers.
    pub asns: Vec<Asn>,
    /// Where its gateway is reached, `host:port`.
    pub endpoints: Vec<String>,
    /// Index of its statement in the log.
    pub index: u64,
}

/// A domain that enrolled and that the members have not co-signed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDomain {
    /// Its id.
    pub id: DomainId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// The statement to co-sign (DSSE JSON).
    pub statement: Base64Bytes,
    /// When it enrolled.
    pub since: Timestamp,
}

/// `GET /v1/domains`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainList {
    /// Members.
    pub in_force: Vec<DomainSummary>,
    /// Waiting for co-signatures.
    pub pending: Vec<PendingDomain>,
}

/// `POST /v1/certificates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// PKCS#10, PEM. Names in it are ignored: the center sets them.
    pub csr: String,
    /// The [`CertificateOrder`](crate::renewal::CertificateOrder) for it, signed with the domain's caller key. Clients of
    /// 2026-11-22 and before send none; they are told to update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Base64Bytes>,
}

/// 201 of `POST /v1/certificates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateAnswer {
    /// Leaf and issuing certificates, PEM, leaf first.
    pub certificate_chain: String,
    /// When the leaf expires.
    pub expires: Timestamp,
}

/// Form of `POST /oauth/token` (RFC 6749 §4.4, client authenticated by its certificate as in RFC 8705).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenForm {
    /// `client_credentials`.
    pub grant_type: String,
    /// The domain, for readability of logs; the certificate decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// 200 of `POST /oauth/token` (RFC 6749 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// The JWT.
    pub access_token: String,
    /// `Bearer`: bound to the certificate all the same.
    pub token_type: String,
    /// Lifetime, seconds.
    pub expires_in: u64,
}

/// `GET /v1/catalog`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogAnswer {
    /// Signed descriptors (DSSE JSON) that match; the reader verifies each with the domain's key from the registry.
    pub descriptors: Vec<Base64Bytes>,
}

/// 201 of `POST /v1/catalog`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogPublished {
    /// The service.
    pub service: crate::ids::ServiceName,
    /// The sequence number now known.
    pub sequence: u64,
}
