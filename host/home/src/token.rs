//! The membership token of a domain, kept in its home until it is nearly spent, so that a center under attack stops nobody.
//! A token is bound to the certificate it was asked with; after a renewal it is worth nothing and asked for again.

use std::path::PathBuf;

use iog_client::{CenterClient, ClientError};
use iog_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::HomeError;
use crate::files::{self, Readers};

/// Longest lifetime of a token that is believed, in seconds: tokens live at most a day.
const LIFETIME_S_MAX: i64 = 24 * 3_600;
/// Seconds before its end from which on a token is not used.
const END_MARGIN_S: i64 = 30;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No token is left and none can be had.
    #[error("the center `{center}` gave no token and the one kept is spent")]
    None {
        /// The center.
        center: String,
        /// What the center said.
        #[source]
        source: Box<ClientError>,
    },
    /// The home did not take it.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// Where a domain gets its token from.
#[derive(Debug, Clone)]
pub struct TokenSource {
    center: CenterClient,
    path: PathBuf,
}

/// `token.json`.
#[derive(Serialize, Deserialize)]
struct Kept {
    token: String,
    certificate: String,
    renew: Timestamp,
    end: Timestamp,
}

impl TokenSource {
    /// Tokens of this center for the certificate that its client shows, kept in the file `path`.
    #[must_use]
    pub fn new(path: PathBuf, center: &CenterClient) -> Self {
        Self { center: center.clone(), path }
    }

    /// A token that holds at `now`: the one on disk while it lives, a new one from half of its life on if the center
    /// answers.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn token(&self, now: Timestamp) -> Result<String, TokenError> {
        let leaf = self.center.remote().http().tls().leaf();
        let certificate = leaf.map(|leaf| hex::encode(leaf.leaf_sha256)).unwrap_or_default();
        let kept = files::read_json::<Kept>(&self.path).ok();
        let usable = kept.filter(|kept| kept.certificate == certificate && now < kept.end);
        if let Some(kept) = usable.as_ref().filter(|kept| now < kept.renew) {
            return Ok(kept.token.clone());
        }
        match (self.center.token().await, usable) {
            (Ok(answer), _) => {
                let life = i64::try_from(answer.expires_in).unwrap_or(LIFETIME_S_MAX).min(LIFETIME_S_MAX);
                self.keep(&Kept {
                    token: answer.access_token.clone(),
                    certificate,
                    renew: now.plus_seconds(life / 2),
                    end: now.plus_seconds(life - END_MARGIN_S),
                })?;
                Ok(answer.access_token)
            }
            (Err(_), Some(kept)) => Ok(kept.token),
            (Err(source), None) => {
                Err(TokenError::None { center: self.center.remote().address().to_owned(), source: Box::new(source) })
            }
        }
    }

    /// Forgets the token on disk, after a gateway refused it: the center may have changed its keys.
    pub fn forget(&self) {
        // A token that cannot be removed is replaced when it grows old.
        let _ = std::fs::remove_file(&self.path);
    }

    fn keep(&self, kept: &Kept) -> Result<(), HomeError> {
        let damaged = |e: serde_json::Error| HomeError::Damaged { path: self.path.clone(), problem: e.to_string() };
        files::write(&self.path, &serde_json::to_vec(kept).map_err(damaged)?, Readers::Owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::State;
    use axum::response::IntoResponse as _;
    use axum::routing::post;
    use axum::{Json, Router};
    use iog_client::Remote;
    use iog_machine::ManualClock;
    use iog_protocol::api::{ApiErrorCode, Problem, TokenAnswer, paths};
    use iog_transport::ca::{Ca, SubjectNames, Validity};
    use iog_transport::{ClientAuth, ClientTls, HttpClient, Identity, ServeLimits, ServerTls};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    const VALIDITY: Validity = Validity { not_before: 1_600_000_000, not_after: 4_000_000_000 };

    /// A center that numbers the tokens it gives, and gives none while it is away.
    #[derive(Clone, Default)]
    struct Issuer {
        given: Arc<AtomicUsize>,
        away: Arc<AtomicBool>,
    }

    async fn issue(State(issuer): State<Issuer>) -> axum::response::Response {
        if issuer.away.load(Ordering::SeqCst) {
            let problem = Problem::new(ApiErrorCode::Unavailable, "away");
            return (http::StatusCode::SERVICE_UNAVAILABLE, problem.to_json()).into_response();
        }
        let access_token = format!("t{}", issuer.given.fetch_add(1, Ordering::SeqCst));
        Json(TokenAnswer { access_token, token_type: "Bearer".into(), expires_in: 4_000 }).into_response()
    }

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::new(Timestamp::from_unix(1_790_000_000)))
    }

    fn identity(ca: &Ca) -> Identity {
        let (spiffe_uri, dns) = ("spiffe://net.example/domain/as64500".to_owned(), vec!["localhost".to_owned()]);
        let names = SubjectNames { spiffe_uri, dns, ..SubjectNames::default() };
        let leaf = ca.issue_with_new_key(&names, VALIDITY).unwrap();
        Identity::from_pem(&leaf.chain_pem, &leaf.key_pem).unwrap()
    }

    #[tokio::test]
    async fn a_token_is_kept_renewed_and_bound_to_the_certificate() {
        let (issuer, ca) = (Issuer::default(), Ca::create("net.example", VALIDITY).unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("localhost:{}", listener.local_addr().unwrap().port());
        let tls = Arc::new(ServerTls::new(identity(&ca), ca.certificate_pem(), ClientAuth::Optional, clock()).unwrap());
        let app = Router::new().route(paths::TOKEN, post(issue)).with_state(issuer.clone());
        tokio::spawn(iog_transport::serve(listener, tls, app, ServeLimits::default(), std::future::pending()));
        let http =
            HttpClient::new(Arc::new(ClientTls::new(ca.certificate_pem(), Some(identity(&ca)), clock()).unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let center = CenterClient::new(Remote::new(http.clone(), &address));
        let source = TokenSource::new(folder.path().join("token.json"), &center);
        let at = |seconds: i64| source.token(Timestamp::from_unix(1_790_000_000 + seconds));
        assert_eq!((at(0).await.unwrap(), at(1_999).await.unwrap()), ("t0".into(), "t0".into()));
        // From half of its life on a new one is wanted; while the center is away the old one does.
        issuer.away.store(true, Ordering::SeqCst);
        assert_eq!((at(2_000).await.unwrap(), at(3_969).await.unwrap()), ("t0".into(), "t0".into()));
        assert!(matches!(at(3_970).await, Err(TokenError::None { .. })), "half a minute before its end it is spent");
        issuer.away.store(false, Ordering::SeqCst);
        assert_eq!((at(2_000).await.unwrap(), at(2_001).await.unwrap()), ("t1".into(), "t1".into()));
        source.forget();
        assert_eq!(at(2_002).await.unwrap(), "t2");
        http.tls().rotate_identity(Some(identity(&ca)));
        assert_eq!(at(2_003).await.unwrap(), "t3");
    }
}
