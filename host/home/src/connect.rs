//! From a home to connections: the HTTP client with the domain's certificate, the center's client, the pins of the registry.

use std::sync::Arc;

use iog_client::{CenterClient, Pins, Remote, Replica, ReplicaError};
use iog_machine::Clock;
use iog_transport::{ClientTls, HttpClient, Identity, TransportError};

use crate::error::HomeError;
use crate::home::Home;

/// Why a home gives no connections; the operator has to look at the home.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file of the home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Certificate, key or roots.
    #[error("the home's certificate cannot be used")]
    Transport(#[from] TransportError),
    /// The pinned log key.
    #[error("the log key in `domain.json` cannot be used")]
    LogKey(#[from] iog_tlog::KeyError),
    /// The replica of the registry.
    #[error("the replica of the registry cannot be used")]
    Replica(#[from] ReplicaError),
}

/// A client that shows the domain's certificate and trusts the home's roots, while they hold by `clock`.
///
/// # Errors
/// [`ConnectError`].
pub fn http(home: &Home, clock: &Arc<dyn Clock>) -> Result<HttpClient, ConnectError> {
    let tls = home.tls()?;
    let identity = Identity::from_pem(&tls.cert_pem, &tls.key_pem)?;
    Ok(HttpClient::new(Arc::new(ClientTls::new(&tls.ca_pem, Some(identity), Arc::clone(clock))?)))
}

/// The home's center.
#[must_use]
pub fn center(home: &Home, http: &HttpClient) -> CenterClient {
    CenterClient::new(Remote::new(http.clone(), &home.domain_file().center))
}

/// The home's replica of the registry, without any network.
///
/// # Errors
/// [`ConnectError`].
pub fn replica(home: &Home) -> Result<Replica, ConnectError> {
    // Reading the genesis compares it with its pinned digest.
    home.genesis()?;
    let file = home.domain_file();
    let pins = Pins { genesis: file.genesis, log: file.log_key.parse()? };
    Ok(Replica::open(&home.log_folder(), pins)?)
}

/// The issuer that tokens of a trust domain name.
#[must_use]
pub fn token_issuer(trust_domain: &iog_protocol::ids::TrustDomain) -> String {
    trust_domain.center_spiffe()
}
