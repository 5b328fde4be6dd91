//! The TLS profile of the platform: TLS 1.3 only, one explicit crypto provider, no session resumption, no early data, ALPN h2 and
//! http/1.1. Certificates, keys and roots can be exchanged while servers and clients run. Nothing here opens a socket.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use iog_machine::Clock;
use rustls::{
    RootCertStore, ServerConfig,
    client::{ClientConfig, ResolvesClientCert, Resumption},
    crypto::CryptoProvider,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
    time_provider::TimeProvider,
};
use rustls_pki_types::UnixTime;

use crate::{
    error::TransportError,
    peer::PeerIdentity,
    pem,
    trust::{AuthorityKey, ClientsByKey, Trust, authorities_of},
    verify::{Expect, ServerVerifier},
};

/// The cryptographic provider every configuration of this crate uses; the process-wide default is never read or set.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> =
        std::sync::LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// The clock of a server or client, as the TLS library asks for it. Certificates begin and end by it.
#[derive(Debug, Clone)]
struct TlsTime(Arc<dyn Clock>);

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

fn config_failed(error: impl std::error::Error + Send + Sync + 'static) -> TransportError {
    TransportError::Config(Box::new(error))
}

/// Whether a server demands a certificate of its clients. One that is shown is always verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// Clients without a certificate may connect; handlers see no `PeerIdentity`.
    Optional,
    /// Clients without a certificate are refused in the handshake.
    Required,
}

/// A server's or client's own certificate chain (leaf first) and key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    leaf: PeerIdentity,
    authority: Option<AuthorityKey>,
}

impl Identity {
    /// Reads chain and PKCS#8 key.
    ///
    /// # Errors
    /// [`TransportError::Pem`] if either is malformed, [`TransportError::Config`] if they do not belong together.
    pub fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, TransportError> {
        let chain = pem::certificates(chain_pem, "certificate chain")?;
        let leaf = chain.first().and_then(PeerIdentity::from_certificate);
        let leaf = leaf.ok_or(TransportError::Pem { object: "certificate chain", expected: "X.509 certificates" })?;
        let authority = authorities_of(&chain).last().copied();
        let key = pem::private_key(key_pem, "private key")?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(config_failed)?;
        Ok(Self { certified: Arc::new(certified), leaf, authority })
    }

    /// What the leaf says.
    #[must_use]
    pub const fn leaf(&self) -> &PeerIdentity {
        &self.leaf
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("leaf", &self.leaf).finish_non_exhaustive()
    }
}

/// Presents one certificate whatever the other side asks for.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl rustls::server::ResolvesServerCert for Always {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

struct ServerParts {
    identity: Identity,
    client_trust: Trust,
    config: Arc<ServerConfig>,
}

/// A server's TLS configuration; certificate and client roots can be exchanged while it serves.
pub struct ServerTls {
    auth: ClientAuth,
    clock: Arc<dyn Clock>,
    parts: RwLock<ServerParts>,
}

impl ServerTls {
    /// Makes a configuration from the server's identity and the roots (PEM) that client certificates must chain to. `clock`
    /// says whether they have begun or ended.
    ///
    /// # Errors
    /// [`TransportError::Pem`], [`TransportError::Config`].
    pub fn new(
        identity: Identity,
        client_roots_pem: &str,
        auth: ClientAuth,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TransportError> {
        let client_trust = Trust::Roots(Arc::new(pem::roots(client_roots_pem, "client roots")?));
        let config = server_config(&identity, &client_trust, auth, &clock)?;
        Ok(Self { auth, clock, parts: RwLock::new(ServerParts { identity, client_trust, config }) })
    }

    /// Uses another certificate for connections accepted from now on.
    ///
    /// # Errors
    /// [`TransportError::Config`]; the old one then stays.
    pub fn rotate_identity(&self, identity: Identity) -> Result<(), TransportError> {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.config = server_config(&identity, &parts.client_trust, self.auth, &self.clock)?;
        parts.identity = identity;
        Ok(())
    }

    /// Trusts other client roots for connections accepted from now on.
    ///
    /// # Errors
    /// [`TransportError::Pem`], [`TransportError::Config`]; the old ones then stay.
    pub fn rotate_client_roots(&self, client_roots_pem: &str) -> Result<(), TransportError> {
        let client_trust = Trust::Roots(Arc::new(pem::roots(client_roots_pem, "client roots")?));
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.config = server_config(&parts.identity, &client_trust, self.auth, &self.clock)?;
        parts.client_trust = client_trust;
        Ok(())
    }

    /// Trusts clients under the authorities with these keys, and from now on no others, on open connections too. No keys
    /// change nothing.
    ///
    /// # Errors
    /// [`TransportError::Config`]; what was trusted before then stays.
    pub fn follow_authorities(&self, keys: &[AuthorityKey]) -> Result<(), TransportError> {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        let mut trust = parts.client_trust.clone();
        if trust.follow(keys) {
            parts.config = server_config(&parts.identity, &trust, self.auth, &self.clock)?;
            parts.client_trust = trust;
        }
        Ok(())
    }

    /// Whether a client whose chain named these authorities is still welcome.
    pub(crate) fn trusts(&self, authorities: &[AuthorityKey]) -> bool {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).client_trust.holds_for(authorities)
    }

    /// The key of the authority that the certificate in use is under.
    #[must_use]
    pub fn authority(&self) -> Option<AuthorityKey> {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).identity.authority
    }

    /// What the certificate in use says.
    #[must_use]
    pub fn leaf(&self) -> PeerIdentity {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).identity.leaf.clone()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.parts.read().unwrap_or_else(PoisonError::into_inner).config)
    }
}

fn server_config(
    identity: &Identity,
    trust: &Trust,
    auth: ClientAuth,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TransportError> {
    let verifier = client_verifier(trust, auth)?;
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(TlsTime(Arc::clone(clock))))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(config_failed)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(Always(Arc::clone(&identity.certified))));
    // A resumed session would not check the client's certificate again, not even whether it has ended.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = alpn();
    Ok(Arc::new(config))
}

fn client_verifier(trust: &Trust, auth: ClientAuth) -> Result<Arc<dyn ClientCertVerifier>, TransportError> {
    let roots = match trust {
        Trust::Roots(roots) => Arc::clone(roots),
        Trust::Keys(_) => {
            return Ok(Arc::new(ClientsByKey::new(provider(), trust.clone(), auth == ClientAuth::Required)));
        }
    };
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let verifier = match auth {
        ClientAuth::Optional => verifier.allow_unauthenticated(),
        ClientAuth::Required => verifier,
    };
    verifier.build().map_err(config_failed)
}

fn alpn() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

struct ClientParts {
    trust: Trust,
    identity: Option<Identity>,
    generation: u64,
}

/// A client's TLS configuration; roots and own certificate can be exchanged while requests run.
pub struct ClientTls {
    pin: Option<[u8; 32]>,
    clock: Arc<dyn Clock>,
    parts: RwLock<ClientParts>,
}

impl ClientTls {
    /// Trusts servers whose certificate chains to `roots_pem`; shows `identity` to servers that ask for one. `clock` says
    /// whether their certificates have begun or ended.
    ///
    /// # Errors
    /// [`TransportError::Pem`].
    pub fn new(roots_pem: &str, identity: Option<Identity>, clock: Arc<dyn Clock>) -> Result<Self, TransportError> {
        let trust = Trust::Roots(Arc::new(pem::roots(roots_pem, "server roots")?));
        Ok(Self { pin: None, clock, parts: RwLock::new(ClientParts { trust, identity, generation: 0 }) })
    }

    /// For the first contact, when no root is known yet: trusts a server that shows a certificate with this
    /// SubjectPublicKeyInfo hash, as its leaf or as the authority that issued its leaf.
    #[must_use]
    pub fn pinned(spki_sha256: [u8; 32], clock: Arc<dyn Clock>) -> Self {
        let trust = Trust::Roots(Arc::new(RootCertStore::empty()));
        let parts = RwLock::new(ClientParts { trust, identity: None, generation: 0 });
        Self { pin: Some(spki_sha256), clock, parts }
    }

    /// Shows another certificate from now on; pooled connections made with the old one are dropped.
    pub fn rotate_identity(&self, identity: Option<Identity>) {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.identity = identity;
        parts.generation += 1;
    }

    /// Trusts other roots from now on; pooled connections are dropped.
    ///
    /// # Errors
    /// [`TransportError::Pem`]; the old ones then stay.
    pub fn rotate_roots(&self, roots_pem: &str) -> Result<(), TransportError> {
        let trust = Trust::Roots(Arc::new(pem::roots(roots_pem, "server roots")?));
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.trust = trust;
        parts.generation += 1;
        Ok(())
    }

    /// Trusts servers under the authorities with these keys, and from now on no others; pooled connections are dropped where
    /// that is a change. No keys change nothing, nor do any for a first contact, which knows its server by a pin.
    pub fn follow_authorities(&self, keys: &[AuthorityKey]) {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        if self.pin.is_none() && parts.trust.follow(keys) {
            parts.generation += 1;
        }
    }

    /// The key of the authority that is to issue now, where that is not the one of the certificate shown to servers.
    #[must_use]
    pub fn succeeding_authority(&self) -> Option<AuthorityKey> {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        let own = parts.identity.as_ref()?.authority?;
        parts.trust.first().filter(|first| *first != own)
    }

    /// What the certificate shown to servers says, if there is one.
    #[must_use]
    pub fn leaf(&self) -> Option<PeerIdentity> {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        parts.identity.as_ref().map(|identity| identity.leaf.clone())
    }

    /// The time by which certificates begin and end, POSIX seconds.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().unix()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).generation
    }

    /// The configuration for one connection to a server that must be `peer` (a SPIFFE id) if that is given.
    pub(crate) fn config(&self, peer: Option<&str>) -> Result<Arc<ClientConfig>, TransportError> {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        let expect = match (self.pin, peer) {
            (Some(pin), _) => Expect::Pin(pin),
            (None, Some(peer)) => Expect::Spiffe(peer.to_owned()),
            (None, None) => Expect::Name,
        };
        let verifier = ServerVerifier::new(provider(), parts.trust.clone(), expect);
        let builder = ClientConfig::builder_with_details(provider(), Arc::new(TlsTime(Arc::clone(&self.clock))))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(config_failed)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &parts.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(Always(Arc::clone(&identity.certified)))),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        config.alpn_protocols = alpn();
        Ok(Arc::new(config))
    }
}
