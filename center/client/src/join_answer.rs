//! Whether a center's answer to an enrollment is for what was sent: our domain and our statement.

use crate::error::ClientError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iog_protocol::dsse::Envelope;
use iog_protocol::enroll::{JoinAnswer, JoinRequest};
use iog_protocol::ids::{Digest, DomainId};
use iog_protocol::spiffe::SpiffeId;
use iog_transport::{PeerIdentity, pem};

/// Digest of the statement's payload in a request, which the center must confirm.
pub(crate) fn statement_digest(request: &JoinRequest) -> Result<Digest, ClientError> {
    let bytes = STANDARD
        .decode(&request.statement)
        .map_err(|error| ClientError::input("domain statement", error.to_string()))?;
    let envelope =
        Envelope::parse(&bytes).map_err(|error| ClientError::input("domain statement", error.to_string()))?;
    Ok(Digest::of(envelope.payload()))
}

/// Checks what the center answered: a certificate of that domain, authorities, and the very statement that was sent.
pub(crate) fn check(answer: &JoinAnswer, domain: &DomainId, statement: &Digest) -> Result<(), &'static str> {
    let leaf = PeerIdentity::from_pem(&answer.certificate_pem).ok_or("the certificate cannot be read")?;
    let named = leaf.spiffe.as_deref().and_then(|spiffe| spiffe.parse().ok());
    if !matches!(named, Some(SpiffeId::Domain(_, named)) if named == *domain) {
        return Err("the certificate names another domain");
    }
    pem::roots(&answer.authorities_pem, "authorities").map_err(|_| "the authorities are not certificates")?;
    if answer.statement != *statement {
        return Err("the center took another statement than the one sent");
    }
    Ok(())
}
