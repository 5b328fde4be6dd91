//! First contact of a domain with its center: the join token names the center's key, so nothing is trusted on first use.
//! What comes back is checked to be for our key and our statement before anything is kept.

use crate::center::CenterClient;
use crate::error::ClientError;
use crate::remote::Remote;
use crate::replica::Pins;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iog_machine::Clock;
use iog_protocol::api::paths;
use iog_protocol::enroll::{JoinAnswer, JoinRequest, JoinToken};
use iog_protocol::time::Timestamp;
use iog_transport::{ClientTls, HttpClient, Identity, ca};
use std::sync::Arc;

/// What a new domain brings: its TLS key and its own `domain/v1` statement, signed by its caller key.
#[derive(Clone, Copy)]
pub struct NewDomain<'a> {
    /// PKCS#8 PEM of the TLS key (P-256). It does not leave this process.
    pub tls_key_pem: &'a str,
    /// DSSE JSON of the statement.
    pub statement: &'a [u8],
}

/// What a domain has after its first contact.
#[derive(Debug, Clone)]
pub struct Joined {
    /// Certificate chain for the TLS key, PEM, leaf first.
    pub chain_pem: String,
    /// The authorities that members' and the center's certificates chain to, PEM.
    pub authorities_pem: String,
    /// When to have renewed the certificate.
    pub not_after: Timestamp,
    /// Log index of the domain's statement if it is in force already; else members must co-sign it.
    pub in_force: Option<u64>,
    /// What to pin a replica to.
    pub pins: Pins,
}

/// The pins a join token carries.
///
/// # Errors
/// [`ClientError::Input`] if its log key is malformed.
pub fn pins(token: &JoinToken) -> Result<Pins, ClientError> {
    let log =
        token.log_key.parse().map_err(|_| ClientError::input("join token", "its log key is malformed".to_owned()))?;
    Ok(Pins { genesis: token.genesis, log })
}

/// A client of the token's center for the first contact, when no authority is known yet: it accepts only a server that shows
/// the key named in the token.
#[must_use]
pub fn first_contact(token: &JoinToken, clock: &Arc<dyn Clock>) -> CenterClient {
    let tls = ClientTls::pinned(*token.center_spki_sha256.as_bytes(), Arc::clone(clock));
    CenterClient::new(Remote::new(HttpClient::new(Arc::new(tls)), &token.center))
}

/// Enrolls: sends the statement and a signing request over a connection authenticated by the token's key hash.
///
/// # Errors
/// [`ClientError::Input`] if the token has expired or key or statement are malformed (ours), [`ClientError::Answer`] if the
/// certificate is not for our key or the statement not ours (the center's), and the errors of every call.
pub async fn enroll(token: &JoinToken, domain: NewDomain<'_>, clock: &Arc<dyn Clock>) -> Result<Joined, ClientError> {
    if clock.now() > token.expires {
        return Err(ClientError::input("join token", format!("it expired at {}", token.expires.rfc3339())));
    }
    let pins = pins(token)?;
    let request = JoinRequest {
        domain: token.domain.clone(),
        secret: token.secret.clone(),
        csr_pem: ca::csr_pem(domain.tls_key_pem).map_err(|error| ClientError::input("TLS key", error.to_string()))?,
        statement: STANDARD.encode(domain.statement),
    };
    let center = first_contact(token, clock);
    let JoinAnswer { certificate_pem, authorities_pem, not_after, in_force, .. } = center.enroll(&request).await?;
    Identity::from_pem(&certificate_pem, domain.tls_key_pem)
        .map_err(|source| center.remote().malformed(paths::ENROLL, source))?;
    Ok(Joined { chain_pem: certificate_pem, authorities_pem, not_after, in_force, pins })
}
