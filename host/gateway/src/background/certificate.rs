//! Renewal of the transport certificate: asked for when a third of its life is gone, taken into use without a restart.

use iog_client::ClientError;
use iog_transport::{Identity, TransportError, ca};

use super::Background;
use crate::home::HomeError;

/// Why a certificate was not renewed; the old one is used on.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The center did not give one.
    #[error("the center gave no certificate")]
    Center(#[from] ClientError),
    /// What it gave cannot be used.
    #[error("the new certificate cannot be used")]
    Transport(#[from] TransportError),
    /// It could not be stored.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// Renews the certificate if a third of its life is gone.
///
/// # Errors
/// [`RenewError`].
pub async fn renew(work: &Background) -> Result<(), RenewError> {
    let leaf = work.tls.leaf();
    if !is_due(leaf.not_before, leaf.not_after, work.clock.now().unix()) {
        return Ok(());
    }
    let key_pem = work.home.tls()?.key_pem;
    let answer = work.center.renew_certificate(&ca::csr_pem(&key_pem)?).await?;
    // Read both ways before anything is replaced: a chain that does not fit the key must not reach the disk.
    let (server, client) = (
        Identity::from_pem(&answer.certificate_chain, &key_pem)?,
        Identity::from_pem(&answer.certificate_chain, &key_pem)?,
    );
    work.home.store_certificate(&answer.certificate_chain)?;
    work.tls.rotate_identity(server)?;
    work.http.tls().rotate_identity(Some(client));
    tracing::info!(expires = %answer.expires, "the certificate was renewed");
    Ok(())
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
