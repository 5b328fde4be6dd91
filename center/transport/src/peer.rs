//! Who is at the other end, read from its certificate after TLS has verified the chain. Nothing here decides what a peer may do.

use std::net::SocketAddr;

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::{extensions::GeneralName, prelude::FromDer, prelude::X509Certificate};

/// The identity in a peer's verified certificate; a request extension, absent when the peer showed no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The one `spiffe://` URI among the subject alternative names; `None` if there is none or more than one URI.
    pub spiffe: Option<String>,
    /// SHA-256 of the leaf certificate (DER), as in `x5t#S256` (RFC 8705 §3.1).
    pub leaf_sha256: [u8; 32],
    /// SHA-256 of the leaf's SubjectPublicKeyInfo (DER).
    pub spki_sha256: [u8; 32],
    /// When the leaf starts to be valid, POSIX seconds.
    pub not_before: i64,
    /// When the leaf ends, POSIX seconds.
    pub not_after: i64,
}

/// The address a request came from; a request extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

impl PeerIdentity {
    /// Reads a certificate. `None` if it is not X.509.
    #[must_use]
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        Some(Self {
            spiffe: spiffe(&parsed),
            leaf_sha256: Sha256::digest(certificate).into(),
            spki_sha256: Sha256::digest(parsed.public_key().raw).into(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
        })
    }

    /// Whether the leaf has ended at `now`, POSIX seconds. Its last second still counts.
    #[must_use]
    pub const fn has_ended(&self, now: i64) -> bool {
        now > self.not_after
    }

    /// Reads the first certificate of a PEM text.
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        let chain = crate::pem::certificates(pem, "certificate").ok()?;
        Self::from_certificate(chain.first()?)
    }
}

fn spiffe(certificate: &X509Certificate<'_>) -> Option<String> {
    let names = certificate.subject_alternative_name().ok()??;
    let mut uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    match (uris.next(), uris.next()) {
        (Some(uri), None) if uri.starts_with("spiffe://") => Some(uri.to_owned()),
        _ => None,
    }
}
