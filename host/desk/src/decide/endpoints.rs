//! A domain's gateway moves: the domain's next `domain/v1`, which counts once root has co-signed it.

use iog_protocol::ids::DomainId;
use iog_protocol::keys::PublicKey;
use iog_protocol::registry::Registry;
use iog_protocol::statements::{Domain, Endpoint};

/// Why a domain cannot say where its gateway is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointsError {
    /// Root has not admitted it.
    #[error("the registry does not know domain `{domain}` yet")]
    Unknown {
        /// The domain.
        domain: DomainId,
    },
    /// The key is not the domain's.
    #[error("the registry has another caller key for `{domain}`")]
    OtherKey {
        /// The domain.
        domain: DomainId,
    },
}

/// What the domain signs next, with its caller key.
///
/// # Errors
/// [`EndpointsError`].
pub fn moved(
    registry: &Registry,
    domain: &DomainId,
    caller_key: &PublicKey,
    addresses: &[String],
) -> Result<Domain, EndpointsError> {
    let history = registry.domain_history(domain);
    let (record, _) = history.ok_or_else(|| EndpointsError::Unknown { domain: domain.clone() })?;
    if record.caller_key != *caller_key {
        return Err(EndpointsError::OtherKey { domain: domain.clone() });
    }
    let endpoint = |address: &String| Endpoint { transport: "https".to_owned(), address: address.clone() };
    Ok(Domain {
        endpoints: addresses.iter().map(endpoint).collect(),
        sequence: record.sequence + 1,
        ..record.statement.clone()
    })
}
