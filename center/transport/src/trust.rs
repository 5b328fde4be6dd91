//! Which authorities' certificates count: those of given roots, or any with one of the given public keys. The second is how
//! members follow the registry: it names keys by their hash, and every chain brings its authority's certificate with it.

use std::sync::Arc;

use rustls::{
    CertificateError, DistinguishedName, Error, RootCertStore,
    crypto::CryptoProvider,
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::{handshake::signatures_by_provider, peer::PeerIdentity};

/// SHA-256 of an authority's SubjectPublicKeyInfo (DER).
pub type AuthorityKey = [u8; 32];

/// What a chain must lead to.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    /// One of these certificates.
    Roots(Arc<RootCertStore>),
    /// A certificate of the chain itself with one of these keys. The first of them is the one that issues.
    Keys(Arc<[AuthorityKey]>),
}

impl Trust {
    /// The roots for one chain: none, if it names no authority that counts.
    pub(crate) fn roots_for(&self, chain: &[CertificateDer<'_>]) -> Result<Arc<RootCertStore>, Error> {
        let keys = match self {
            Self::Roots(roots) => return Ok(Arc::clone(roots)),
            Self::Keys(keys) => keys,
        };
        let mut roots = RootCertStore::empty();
        for authority in chain.iter().filter(|der| key_of(der).is_some_and(|key| keys.contains(&key))) {
            roots.add(authority.clone().into_owned())?;
        }
        if roots.is_empty() { Err(CertificateError::UnknownIssuer.into()) } else { Ok(Arc::new(roots)) }
    }

    /// Whether a chain that was accepted before still counts: it names an authority, and none that does not.
    pub(crate) fn holds_for(&self, authorities: &[AuthorityKey]) -> bool {
        match self {
            Self::Roots(_) => true,
            Self::Keys(keys) => !authorities.is_empty() && authorities.iter().all(|key| keys.contains(key)),
        }
    }

    /// The authority that is to issue now, where the trusted ones are known by their keys.
    pub(crate) fn first(&self) -> Option<AuthorityKey> {
        match self {
            Self::Roots(_) => None,
            Self::Keys(keys) => keys.first().copied(),
        }
    }

    /// Takes these keys; false if they are the ones it has, or none.
    pub(crate) fn follow(&mut self, keys: &[AuthorityKey]) -> bool {
        let same = matches!(self, Self::Keys(held) if **held == *keys);
        if same || keys.is_empty() {
            return false;
        }
        *self = Self::Keys(keys.into());
        true
    }
}

fn key_of(certificate: &CertificateDer<'_>) -> Option<AuthorityKey> {
    PeerIdentity::from_certificate(certificate).map(|identity| identity.spki_sha256)
}

/// The keys of what a chain names above its leaf.
pub(crate) fn authorities_of(chain: &[CertificateDer<'_>]) -> Vec<AuthorityKey> {
    chain.iter().skip(1).filter_map(key_of).collect()
}

/// Verifies clients under authorities that are known by their keys.
#[derive(Debug)]
pub(crate) struct ClientsByKey {
    provider: Arc<CryptoProvider>,
    trust: Trust,
    mandatory: bool,
}

impl ClientsByKey {
    /// `mandatory` clients are refused without a certificate.
    pub(crate) const fn new(provider: Arc<CryptoProvider>, trust: Trust, mandatory: bool) -> Self {
        Self { provider, trust, mandatory }
    }
}

impl ClientCertVerifier for ClientsByKey {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let roots = self.trust.roots_for(intermediates)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&self.provider)).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_client_cert(end_entity, intermediates, now)
    }

    signatures_by_provider!();
}
