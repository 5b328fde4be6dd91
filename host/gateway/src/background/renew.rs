//! Renewal of the gateway's certificate, which its server and its client show.

use std::sync::Arc;

use iog_client::CenterClient;
use iog_home::Home;
use iog_home::renewal::Renewal;
use iog_machine::Clock;
use iog_machine::error::chain;
use iog_transport::{HttpClient, ServerTls};

/// Renews the certificate.
pub(crate) struct Renewer {
    /// Where it lies.
    pub(crate) home: Home,
    /// Who renews it.
    pub(crate) center: CenterClient,
    /// The client that shows it.
    pub(crate) http: HttpClient,
    /// The server that shows it.
    pub(crate) tls: Arc<ServerTls>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Renewer {
    /// Renews the certificate where it is time.
    pub(super) async fn renew(&self) {
        let renewal = Renewal { home: &self.home, http: &self.http, center: &self.center, server: Some(&self.tls) };
        if let Err(error) = renewal.renew_if_due(&self.tls.leaf(), self.clock.now()).await {
            tracing::warn!(problem = chain(&error), "the certificate was not renewed");
        }
    }
}
