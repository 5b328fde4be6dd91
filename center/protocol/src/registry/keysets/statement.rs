//! What a genesis and a keyset say: who holds which role, the numbers in the rules, and which families a reader must know.
//! No rule is in here.

use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::{Digest, OrganisationId, TrustDomain};
use crate::keys::PublicKey;
use crate::statements::kind::Kind;
use crate::time::Timestamp;

/// The version of this family's rules: which statement types it has and what they do.
pub const VERSION: u32 = 1;

/// The first entry: what everybody who trusts a registry pins by its digest. Signed by the root threshold it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// The registry's name.
    pub trust_domain: TrustDomain,
    /// The offline keys that may change everything else.
    pub root: Root,
    /// The log's verifier key as signed-note text; the name in it is the log's origin.
    pub log_key: String,
    /// Who must have cosigned a checkpoint (C2SP tlog-policy text); `None` while there is no independent witness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness_policy: Option<String>,
    /// The version of the rules that the founders had in mind.
    pub rules_version: u32,
    /// The oldest version of the rules that may judge this registry; software that knows less stops.
    pub min_rules_version: u32,
    /// Named thresholds.
    pub thresholds: Thresholds,
    /// The first keyset, version 1.
    pub keyset: Keyset,
}

impl Kind for Genesis {
    const TYPE: &'static str = "https://iog.example/statement/genesis/v1";
}

/// Root keys, of which `threshold` must sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Public keys of different people.
    pub keys: Vec<PublicKey>,
    /// How many must sign: 1 to the number of keys.
    pub threshold: u32,
}

/// The numbers in the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Organisations that must have reviewed an analysis of public data; any other needs one more. At least 1.
    pub k: u32,
    /// Hours until a suspension lapses, 1 to 720.
    pub suspension_hours: u32,
    /// Member organisations that together may admit a domain; 0: only the root may.
    pub member_cosigners: u32,
}

/// The keys of every role. `keyset/v1` replaces the whole, one version after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyset {
    /// 1 in the genesis, then one more each time.
    pub version: u32,
    /// After this moment nothing is approved any more until a new keyset is logged.
    pub expires: Timestamp,
    /// Keys of the center that sign approvals.
    pub approval: Vec<PublicKey>,
    /// Keys of the center that sign tokens.
    pub token: Vec<PublicKey>,
    /// Digests of the subject public keys of the certificate authorities. Members trust all of them, and no others; the first
    /// one issues. There is one at least from rules version 2 on; under version 1 a list without any changes nothing.
    pub ca_spki_sha256: Vec<Digest>,
    /// Who may review.
    pub auditors: Vec<Auditor>,
    /// Who may submit, by namespace.
    pub publishers: Vec<Publisher>,
    /// A new root; both the old and the new one then sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// Raises the genesis' number; it can never fall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rules_version: Option<u32>,
    /// Adds families, or raises the versions of some, that a reader must know; nothing is ever taken away. It counts from
    /// rules version 2 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "whatever_it_is")]
    pub required_families: Vec<RequiredFamily>,
}

impl Keyset {
    /// The keys of the certificate authorities as the transport has them.
    #[must_use]
    pub fn authorities(&self) -> Vec<[u8; 32]> {
        self.ca_spki_sha256.iter().map(|digest| *digest.as_bytes()).collect()
    }
}

/// A family of statements that a reader must know to judge a registry; software that does not know it stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequiredFamily {
    /// The family's name, 1 to 63 of `a-z`, `0-9` and `-`.
    pub family: String,
    /// The oldest version of its rules that will do, at least 1.
    pub version: u32,
}

/// Reads the member also where it is not a list of families: under rules version 1 it may be anything and means nothing, so it
/// must not make a statement unreadable. What is read in its place has a name that no check lets pass.
fn whatever_it_is<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<RequiredFamily>, D::Error> {
    let found = serde_json::Value::deserialize(from)?;
    let unreadable = |_| vec![RequiredFamily { family: String::new(), version: 0 }];
    Ok(serde_json::from_value(found).unwrap_or_else(unreadable))
}

impl Kind for Keyset {
    const TYPE: &'static str = "https://iog.example/statement/keyset/v1";
}

/// A person or team that reviews for an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auditor {
    /// A name within the registry, 1 to 63 of `a-z`, `0-9` and `-`; it need not be a person's.
    pub id: String,
    /// Whose vote it is.
    pub organisation: OrganisationId,
    /// The one key it signs with.
    pub key: PublicKey,
}

/// Who may submit modules under a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publisher {
    /// The part of a module's name before the slash.
    pub namespace: String,
    /// The organisation, whose auditors' reviews of these modules do not count.
    pub organisation: OrganisationId,
    /// Any of these keys signs a submission.
    pub keys: Vec<PublicKey>,
}
