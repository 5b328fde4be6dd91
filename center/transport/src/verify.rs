//! How a client recognises a server: by name, by SPIFFE id or, at first contact, by the hash of a public key. The chain, the dates and
//! the handshake signature are always checked, except that a pinned leaf needs no chain.

use std::sync::Arc;

use rustls::{
    CertificateError, Error, RootCertStore,
    client::{
        danger::{ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::CryptoProvider,
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::{handshake::signatures_by_provider, peer::PeerIdentity, trust::Trust};

/// Who the server must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Its certificate carries the name or address we connect to.
    Name,
    /// Its certificate carries this SPIFFE id, at whatever address it is found.
    Spiffe(String),
    /// Its leaf, or the authority in its chain that issued the leaf, has this SubjectPublicKeyInfo hash.
    Pin([u8; 32]),
}

#[derive(Debug)]
pub(crate) struct ServerVerifier {
    provider: Arc<CryptoProvider>,
    trust: Trust,
    expect: Expect,
}

impl ServerVerifier {
    pub(crate) const fn new(provider: Arc<CryptoProvider>, trust: Trust, expect: Expect) -> Self {
        Self { provider, trust, expect }
    }

    fn verify_chain(
        &self,
        roots: &RootCertStore,
        leaf: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(leaf, roots, intermediates, now, algorithms)
    }

    fn verify_pin(
        &self,
        pin: [u8; 32],
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let has_pin =
            |der: &CertificateDer<'_>| PeerIdentity::from_certificate(der).is_some_and(|id| id.spki_sha256 == pin);
        if has_pin(leaf) {
            return Ok(());
        }
        let Some(anchor) = intermediates.iter().find(|der| has_pin(der)) else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        let mut roots = RootCertStore::empty();
        roots.add(anchor.clone().into_owned())?;
        self.verify_chain(&roots, &ParsedCertificate::try_from(leaf)?, intermediates, now)
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.expect {
            Expect::Pin(pin) => self.verify_pin(*pin, end_entity, intermediates, now)?,
            Expect::Name => {
                let leaf = ParsedCertificate::try_from(end_entity)?;
                self.verify_chain(&*self.trust.roots_for(intermediates)?, &leaf, intermediates, now)?;
                verify_server_name(&leaf, server_name)?;
            }
            Expect::Spiffe(wanted) => {
                let leaf = ParsedCertificate::try_from(end_entity)?;
                self.verify_chain(&*self.trust.roots_for(intermediates)?, &leaf, intermediates, now)?;
                let found = PeerIdentity::from_certificate(end_entity).and_then(|identity| identity.spiffe);
                if found.as_ref() != Some(wanted) {
                    let found = found.unwrap_or_else(|| "no SPIFFE id".to_owned());
                    return Err(Error::General(format!("the server is `{found}`, not `{wanted}`")));
                }
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    signatures_by_provider!();
}
