//! What every call of a domain needs: its home, connections, the newest registry that can be had, and a token. A center that
//! is away is said and then done without. Certificates that have grown old are renewed on the way.

use iog_client::{CaughtUp, CenterClient};
use iog_protocol::ids::{Asn, DomainId, RequestId};
use iog_protocol::keys::SecretKey;
use iog_protocol::registry::Registry;
use iog_protocol::time::Timestamp;
use iog_transport::HttpClient;
use std::sync::Arc;

use crate::connect::{self, ConnectError};
use crate::error::HomeError;
use crate::home::Home;
use crate::token::{TokenError, TokenSource};
use iog_machine::Machine;
use iog_machine::entropy::{Entropy, NoEntropy};
use iog_machine::error::chain;

/// Why a domain cannot call at all.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Home, certificate or replica.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A file of the home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// There is no registry on disk and the center is away.
    #[error("this home holds no registry yet and the center `{center}` cannot be reached")]
    NoRegistry {
        /// The center.
        center: String,
        /// Why it was not reached.
        #[source]
        source: Box<iog_client::ReplicaError>,
    },
    /// The registry does not know this domain as a member.
    #[error("domain `{domain}` is not in force in the registry; its statement may wait for co-signatures")]
    NotInForce {
        /// The domain.
        domain: DomainId,
    },
    /// The registry has another caller key.
    #[error("the registry has another caller key for domain `{domain}` than this home")]
    OtherKey {
        /// The domain.
        domain: DomainId,
    },
    /// No token is left and none can be had.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// A domain that is about to call.
#[derive(Debug)]
pub struct Session {
    /// Its home.
    pub home: Home,
    /// The client that shows its certificate.
    pub http: Http,
    /// Its center.
    pub center: CenterClient,
    /// Its membership tokens.
    pub tokens: TokenSource,
    /// The registry.
    pub registry: Arc<Registry>,
    /// Why the center was not reached, where it was not.
    pub offline: Option<String>,
    /// Signs its requests.
    pub key: SecretKey,
    /// Its first AS number.
    pub asn: Option<Asn>,
    /// Names requests.
    pub entropy: Arc<dyn Entropy>,
    /// The time at which the call began.
    pub now: Timestamp,
}

/// A client; its `Debug` shows nothing.
#[derive(Clone)]
pub struct Http(pub HttpClient);

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http")
    }
}

impl Session {
    /// Opens the home, brings the registry up to date where the center answers, and checks that this domain is in it.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn open(home: &Home, machine: &Machine) -> Result<Self, SessionError> {
        let now = machine.clock.now();
        let http = connect::http(home, &machine.clock)?;
        let center = connect::center(home, &http);
        let mut replica = connect::replica(home)?;
        let CaughtUp { registry, missed } = center.catch_up(&mut replica, now).await.map_err(|source| {
            let center = home.domain_file().center.clone();
            SessionError::NoRegistry { center, source: Box::new(source) }
        })?;
        let offline = missed.as_ref().map(said);
        let key = home.caller_key()?;
        let asn = check_membership(home, &registry, &key, now)?;
        renew_certificate(home, &http, &center, now).await;
        let entropy = Arc::clone(&machine.entropy);
        let tokens = TokenSource::new(home.token_path(), &center);
        Ok(Self { home: home.clone(), http: Http(http), center, tokens, registry, offline, key, asn, entropy, now })
    }

    /// A fresh request id.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn request_id(&self) -> Result<RequestId, NoEntropy> {
        self.entropy.request_id()
    }
}

/// Why the center was not followed, with the place of the proof where its log is not to be believed.
fn said(error: &iog_client::ReplicaError) -> String {
    let text = chain(error);
    match error.evidence() {
        Some(path) => format!("{text}; both signed checkpoints are in `{}`", path.display()),
        None => text,
    }
}

fn check_membership(
    home: &Home,
    registry: &Registry,
    key: &SecretKey,
    now: Timestamp,
) -> Result<Option<Asn>, SessionError> {
    let domain = home.domain().clone();
    match registry.domain(&domain, now) {
        None => Err(SessionError::NotInForce { domain }),
        Some(record) if record.caller_key != key.public() => Err(SessionError::OtherKey { domain }),
        Some(record) => Ok(record.asns.first().copied()),
    }
}

/// A domain without a running gateway renews its certificate when it calls; a failure only matters when it has ended.
async fn renew_certificate(home: &Home, http: &HttpClient, center: &CenterClient, now: Timestamp) {
    let Some(leaf) = http.tls().leaf() else { return };
    let renewal = crate::renewal::Renewal { home, http, center, server: None };
    if let Err(error) = renewal.renew_if_due(&leaf, now).await {
        tracing::debug!(problem = chain(&error), "the certificate was not renewed");
    }
}
