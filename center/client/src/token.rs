//! The token of a caller, kept until it is nearly spent, so that a center under attack stops nobody.
//! A token is bound to the certificate it was asked with; after a renewal it is worth nothing and asked for again.

use crate::center::CenterClient;
use crate::error::ClientError;
use iog_protocol::time::Timestamp;
use tokio::sync::Mutex;

/// Longest lifetime believed, in seconds: tokens live at most a day.
const LIFETIME_S_MAX: i64 = 24 * 3600;
/// A token is asked for anew when less than this part of its life is left …
const RENEW_PART: i64 = 4;
/// … and used to within this many seconds of its end while no new one can be had.
const END_MARGIN_S: i64 = 30;

/// Where a caller gets its token from.
#[derive(Debug)]
pub struct TokenSource {
    center: CenterClient,
    kept: Mutex<Option<Kept>>,
}

#[derive(Clone)]
struct Kept {
    token: String,
    certificate: Option<[u8; 32]>,
    renew: Timestamp,
    end: Timestamp,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("renew", &self.renew).field("end", &self.end).finish_non_exhaustive()
    }
}

impl TokenSource {
    /// Tokens of this center for the certificate its client shows.
    #[must_use]
    pub fn new(center: CenterClient) -> Self {
        Self { center, kept: Mutex::new(None) }
    }

    /// A token valid at `now`: the one kept, or a new one. Of several callers at once, one asks the center.
    ///
    /// # Errors
    /// [`ClientError`] if there is no usable token and none can be had.
    pub async fn token(&self, now: Timestamp) -> Result<String, ClientError> {
        let certificate = self.center.remote().http().tls().leaf().map(|leaf| leaf.leaf_sha256);
        let mut slot = self.kept.lock().await;
        let usable = slot.clone().filter(|kept| kept.certificate == certificate && now < kept.end);
        if let Some(kept) = usable.as_ref().filter(|kept| now < kept.renew) {
            return Ok(kept.token.clone());
        }
        match (self.center.token().await, usable) {
            (Ok(answer), _) => {
                let lifetime = i64::try_from(answer.expires_in).unwrap_or(LIFETIME_S_MAX).min(LIFETIME_S_MAX);
                let renew = now.plus_seconds(lifetime - lifetime / RENEW_PART);
                let end = now.plus_seconds(lifetime - END_MARGIN_S);
                let token = answer.access_token;
                *slot = Some(Kept { token: token.clone(), certificate, renew, end });
                Ok(token)
            }
            (Err(error), Some(kept)) if error.is_away() => {
                tracing::warn!(%error, "token not renewed, the old one still holds");
                Ok(kept.token)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Forgets the token kept, after a gateway refused it.
    pub async fn forget(&self) {
        *self.kept.lock().await = None;
    }
}
