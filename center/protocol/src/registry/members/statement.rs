//! What a domain statement says: a member and its keys. No rule is in here.

use serde::{Deserialize, Serialize};

use crate::ids::{Asn, DomainId, OrganisationId};
use crate::keys::PublicKey;
use crate::statements::kind::Kind;

/// The version of this family's rules: which statement types it has and what they do.
pub const VERSION: u32 = 1;

/// A member domain and its keys: signed by its caller key, and by the root threshold or enough member organisations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The domain.
    pub id: DomainId,
    /// Who runs it.
    pub organisation: OrganisationId,
    /// Its autonomous systems.
    pub asns: Vec<Asn>,
    /// Where its gateway answers. Identity is never tied to these.
    pub endpoints: Vec<Endpoint>,
    /// Signs its requests and descriptors.
    pub caller_key: PublicKey,
    /// Signs its receipt log's checkpoints.
    pub receipt_key: PublicKey,
    /// Grows with each statement about the same domain.
    pub sequence: u64,
}

impl Kind for Domain {
    const TYPE: &'static str = "https://iog.example/statement/domain/v1";
}

/// One way to reach a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `https` today.
    pub transport: String,
    /// `host:port`.
    pub address: String,
}
