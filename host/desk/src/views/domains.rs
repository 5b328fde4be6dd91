//! Domains in force and domains that wait to be admitted, and what a waiting statement would change. A waiting statement is
//! the center's word until root has compared its keys with what the domain told by another way.

use iog_machine::error::chain;
use iog_protocol::api::{Base64Bytes, DomainSummary, PendingDomain};
use iog_protocol::dsse::{Envelope, EnvelopeError};
use iog_protocol::ids::{Asn, Digest, DomainId, OrganisationId};
use iog_protocol::keys::PublicKey;
use iog_protocol::registry::{DomainRecord, Registry};
use iog_protocol::statements::{Domain, Predicate, parse_payload};
use iog_protocol::time::Timestamp;
use serde::Serialize;

/// All domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Domains {
    /// Those of the verified registry.
    pub in_force: Vec<DomainSummary>,
    /// Those that the center says are waiting.
    pub pending: Vec<Pending>,
}

/// A domain that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// Its id.
    pub id: DomainId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// Its statement as the center gave it (DSSE JSON).
    pub statement: Base64Bytes,
    /// Since when, says the center.
    pub since: Timestamp,
    /// What the statement asks, where it can be read.
    #[serde(flatten)]
    pub asked: Option<Asked>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a statement asks that was read and is signed with the key it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Its AS numbers.
    pub asns: Vec<Asn>,
    /// Where its gateway is to be reached.
    pub endpoints: Vec<String>,
    /// Signs its requests.
    pub caller_key: PublicKey,
    /// Signs its receipts.
    pub receipt_key: PublicKey,
    /// The number of the statement among the domain's.
    pub sequence: u64,
    /// The number of the one in the registry that it would replace.
    pub replaces: Option<u64>,
}

impl Domains {
    /// What the registry has at `now`, and what the center says is waiting.
    #[must_use]
    pub fn of(registry: &Registry, pending: &[PendingDomain], now: Timestamp) -> Self {
        Self {
            in_force: registry.domains(now).map(summary).collect(),
            pending: pending.iter().map(|waiting| Pending::of(registry, waiting)).collect(),
        }
    }
}

fn summary(record: &DomainRecord) -> DomainSummary {
    DomainSummary {
        id: record.id.clone(),
        organisation: record.organisation.clone(),
        asns: record.asns.clone(),
        endpoints: addresses(record),
        index: record.index,
    }
}

impl Pending {
    fn of(registry: &Registry, waiting: &PendingDomain) -> Self {
        let PendingDomain { id, organisation, statement, since } = waiting.clone();
        let (organisation, asked, problem) = match Waiting::read(waiting, registry.genesis_digest()) {
            Ok(read) => (read.domain.organisation.clone(), Some(Asked::of(registry, &read.domain)), None),
            Err(error) => (organisation, None, Some(chain(&error))),
        };
        Self { id, organisation, statement, since, asked, problem }
    }
}

impl Asked {
    /// What a statement asks that was read.
    #[must_use]
    pub fn of(registry: &Registry, domain: &Domain) -> Self {
        Self {
            asns: domain.asns.clone(),
            endpoints: addresses(domain),
            caller_key: domain.caller_key,
            receipt_key: domain.receipt_key,
            sequence: domain.sequence,
            replaces: registry.domain_history(&domain.id).map(|(record, _)| record.sequence),
        }
    }
}

fn addresses(domain: &Domain) -> Vec<String> {
    domain.endpoints.iter().map(|endpoint| endpoint.address.clone()).collect()
}

/// The statement in the registry that another would replace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// Its index in the log.
    pub index: u64,
    /// Its number among the domain's.
    pub sequence: u64,
    /// What would be another, in words.
    pub changes: Vec<&'static str>,
}

impl Replaced {
    /// What `asked` would replace; `None` for a new domain.
    #[must_use]
    pub fn of(registry: &Registry, asked: &Domain) -> Option<Self> {
        let (old, _) = registry.domain_history(&asked.id)?;
        let compared = [
            ("caller key", old.caller_key == asked.caller_key),
            ("receipt key", old.receipt_key == asked.receipt_key),
            ("organisation", old.organisation == asked.organisation),
            ("AS numbers", old.asns == asked.asns),
            ("endpoints", old.endpoints == asked.endpoints),
        ];
        let changes = compared.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect();
        Some(Self { index: old.index, sequence: old.sequence, changes })
    }
}

/// A waiting statement that was read: of the domain and registry it should be of, and signed with the caller key it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What was signed, and by whom so far.
    pub envelope: Envelope,
    /// What it says.
    pub domain: Domain,
}

/// Why a waiting statement is not shown as one; the center's fault.
#[derive(Debug, thiserror::Error)]
pub enum NotWaiting {
    /// No envelope.
    #[error("the center gave a malformed statement")]
    Envelope(#[from] EnvelopeError),
    /// No statement in it.
    #[error("the center gave a malformed statement")]
    Statement(#[from] serde_json::Error),
    /// Another kind of statement.
    #[error("the center gave a {type_uri}, not a domain's statement")]
    OtherKind {
        /// Its type.
        type_uri: String,
    },
    /// Somebody else's.
    #[error("the center gave a statement of another domain or registry")]
    OtherDomain,
    /// The domain itself did not sign.
    #[error("the statement is not signed with the caller key it names")]
    NotSigned,
}

impl Waiting {
    /// Reads what the center gave.
    ///
    /// # Errors
    /// [`NotWaiting`].
    pub fn read(waiting: &PendingDomain, genesis: &Digest) -> Result<Self, NotWaiting> {
        let envelope = Envelope::parse(&waiting.statement.0)?;
        let statement = parse_payload(envelope.payload())?;
        let of_here = statement.registry().as_ref() == Some(genesis);
        let Predicate::Domain(domain) = statement.predicate else {
            return Err(NotWaiting::OtherKind { type_uri: statement.predicate.type_uri().to_owned() });
        };
        if domain.id != waiting.id || !of_here {
            return Err(NotWaiting::OtherDomain);
        }
        if envelope.signers_among(&[domain.caller_key]).is_empty() {
            return Err(NotWaiting::NotSigned);
        }
        Ok(Self { envelope, domain: *domain })
    }
}
