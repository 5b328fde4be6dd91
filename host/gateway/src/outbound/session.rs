//! What every call of a domain needs: its home, connections, the newest registry that can be had, and a token. A center that
//! is away is said and then done without.

use iog_client::{CenterClient, ClientError};
use iog_protocol::ids::{Asn, DomainId, RequestId};
use iog_protocol::keys::SecretKey;
use iog_protocol::registry::Registry;
use iog_protocol::time::Timestamp;
use iog_transport::HttpClient;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::connect::{self, ConnectError};
use crate::datasets::full_text;
use crate::entropy::{Entropy, NoEntropy};
use crate::gateway::Deps;
use crate::home::{self, Home, HomeError, Secret};

/// Longest lifetime of a token that is believed, in seconds.
const TOKEN_LIFE_S_MAX: i64 = 24 * 3_600;
/// Seconds before its end from which on a token is not used.
const TOKEN_MARGIN_S: i64 = 30;

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
    #[error("the center `{center}` gave no token and the one kept is spent")]
    NoToken {
        /// The center.
        center: String,
        /// What the center said.
        #[source]
        source: Box<ClientError>,
    },
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

/// `token.json`.
#[derive(Serialize, Deserialize)]
struct Kept {
    token: String,
    certificate: String,
    renew: Timestamp,
    end: Timestamp,
}

impl Session {
    /// Opens the home, brings the registry up to date where the center answers, and checks that this domain is in it.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn open(home: &Home, deps: &Deps) -> Result<Self, SessionError> {
        let now = deps.clock.now();
        let http = connect::http(home)?;
        let center = connect::center(home, &http);
        let mut replica = connect::replica(home)?;
        let offline = match center.sync(&mut replica, now).await {
            Ok(_) => None,
            Err(source) if replica.registry().is_none() => {
                let center = home.domain_file().center.clone();
                return Err(SessionError::NoRegistry { center, source: Box::new(source) });
            }
            Err(error) => Some(said(&error)),
        };
        let registry = replica.registry().expect("either the disk or the center gave one");
        let key = home.caller_key()?;
        let asn = check_membership(home, &registry, &key, now)?;
        renew_certificate(home, &http, &center, now).await;
        let entropy = Arc::clone(&deps.entropy);
        Ok(Self { home: home.clone(), http: Http(http), center, registry, offline, key, asn, entropy, now })
    }

    /// A fresh request id.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn request_id(&self) -> Result<RequestId, NoEntropy> {
        self.entropy.request_id()
    }

    /// A token for this certificate: the one on disk while it lives, a new one when it grows old and the center answers.
    ///
    /// # Errors
    /// [`SessionError::NoToken`].
    pub async fn token(&self) -> Result<String, SessionError> {
        let certificate = self.http.0.tls().leaf().map(|leaf| hex::encode(leaf.leaf_sha256)).unwrap_or_default();
        let kept = home::read_json::<Kept>(&self.home.token_path()).ok();
        let usable = kept.filter(|kept| kept.certificate == certificate && self.now < kept.end);
        if let Some(kept) = usable.as_ref().filter(|kept| self.now < kept.renew) {
            return Ok(kept.token.clone());
        }
        match (self.center.token().await, usable) {
            (Ok(answer), _) => {
                let life = i64::try_from(answer.expires_in).unwrap_or(TOKEN_LIFE_S_MAX).min(TOKEN_LIFE_S_MAX);
                self.keep(Kept {
                    token: answer.access_token.clone(),
                    certificate,
                    renew: self.now.plus_seconds(life / 2),
                    end: self.now.plus_seconds(life - TOKEN_MARGIN_S),
                })?;
                Ok(answer.access_token)
            }
            (Err(_), Some(kept)) => Ok(kept.token),
            (Err(source), None) => {
                let center = self.home.domain_file().center.clone();
                Err(SessionError::NoToken { center, source: Box::new(source) })
            }
        }
    }

    /// Forgets the token on disk, after a gateway refused it: the center may have changed its keys.
    pub fn forget_token(&self) {
        // A token that cannot be removed is replaced when it grows old.
        let _ = std::fs::remove_file(self.home.token_path());
    }

    fn keep(&self, kept: Kept) -> Result<(), SessionError> {
        let path = self.home.token_path();
        let json =
            serde_json::to_vec(&kept).map_err(|e| HomeError::Damaged { path: path.clone(), problem: e.to_string() })?;
        Ok(home::write(&path, &json, Secret::Yes)?)
    }
}

/// Why the center was not followed, with the place of the proof where its log is not to be believed.
fn said(error: &iog_client::ReplicaError) -> String {
    let text = full_text(error);
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
    let renewal = crate::background::certificate::Renewal { home, http, center, server: None };
    if let Err(error) = renewal.renew_if_due(&leaf, now).await {
        tracing::debug!(problem = full_text(&error), "the certificate was not renewed");
    }
}
