//! Renewal of the transport certificate: asked for when a third of its life is gone, taken into use without a restart.

use std::sync::Arc;

use iog_client::{CenterClient, ClientError};
use iog_protocol::api::paths;
use iog_protocol::dsse::{EnvelopeError, Signed};
use iog_protocol::renewal::CertificateOrder;
use iog_protocol::time::Timestamp;
use iog_transport::{HttpClient, Identity, PeerIdentity, Request, ServerTls, TransportError, ca};

use crate::error::HomeError;
use crate::home::Home;

/// Why a certificate was not renewed; the old one is used on.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The center did not give one.
    #[error("the center gave no certificate")]
    Center(#[from] ClientError),
    /// What it gave cannot be used.
    #[error("the new certificate cannot be used")]
    Transport(#[from] TransportError),
    /// The order could not be signed.
    #[error("the order for a certificate could not be signed")]
    Order(#[from] EnvelopeError),
    /// The home has no caller key that can be read, or did not take the certificate.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// Everything that uses a domain's certificate.
#[derive(Clone, Copy)]
pub struct Renewal<'a> {
    /// Where it lies.
    pub home: &'a Home,
    /// The client that shows it.
    pub http: &'a HttpClient,
    /// Who renews it.
    pub center: &'a CenterClient,
    /// The server that shows it, where there is one.
    pub server: Option<&'a ServerTls>,
}

impl Renewal<'_> {
    /// Renews the certificate if a third of the life of `leaf`, the one in use, is gone, or another authority issues now.
    ///
    /// # Errors
    /// [`RenewError`].
    pub async fn renew_if_due(&self, leaf: &PeerIdentity, now: Timestamp) -> Result<(), RenewError> {
        if !is_due(leaf.not_before, leaf.not_after, now.unix()) && !self.is_succeeded().await {
            return Ok(());
        }
        // A new key each time: one that was copied is of no use once its certificate has ended.
        let key_pem = ca::new_key_pem()?;
        let csr_pem = ca::csr_pem(&key_pem)?;
        // And the caller key signs for it: a copied transport key alone gets no successor.
        let order = CertificateOrder::new(self.home.trust_domain(), self.home.domain(), &csr_pem, now);
        let order = Signed::sign(&order, &[&self.home.caller_key()?])?;
        let answer = self.center.renew_certificate(&csr_pem, &order).await?;
        // Read before anything is replaced: a chain that does not fit the key must not reach the disk.
        let shown = Identity::from_pem(&answer.certificate_chain, &key_pem)?;
        self.home.store_identity(&key_pem, &answer.certificate_chain)?;
        if let Some(server) = self.server {
            server.rotate_identity(Identity::from_pem(&answer.certificate_chain, &key_pem)?)?;
        }
        self.http.tls().rotate_identity(Some(shown));
        tracing::info!(expires = %answer.expires, "the certificate was renewed");
        Ok(())
    }

    /// Whether another authority issues now, and the one of before may soon not count. The keyset names it; whether the
    /// center has it already its own certificate shows. Before that a renewal would give another certificate under the
    /// old one, which would be renewed at the next look, and so on, by everybody.
    async fn is_succeeded(&self) -> bool {
        let Some(next) = self.http.tls().succeeding_authority() else { return false };
        // A connection of its own: an older one shows what the center had when it was made.
        let fresh = HttpClient::new(Arc::clone(self.http.tls()));
        let url = format!("https://{}{}", self.center.remote().address(), paths::HEALTH);
        match fresh.send(Request::get(url)).await {
            Ok(answer) => answer.issuer == Some(next),
            Err(error) => {
                tracing::debug!(%error, "under which authority the center is could not be seen");
                false
            }
        }
    }
}

/// Whether a third of a certificate's life is gone; times in POSIX seconds.
fn is_due(not_before: i64, not_after: i64, now: i64) -> bool {
    now - not_before >= (not_after - not_before) / 3
}

#[cfg(test)]
mod tests {
    use super::is_due;

    #[test]
    fn a_72_hour_certificate_is_renewed_after_a_day() {
        let hours = 3_600;
        assert!(!is_due(0, 72 * hours, 24 * hours - 1));
        assert!(is_due(0, 72 * hours, 24 * hours));
        assert!(is_due(0, 72 * hours, 100 * hours));
    }
}
