//! What all connections of a server share: what it answers with, and what its requests have together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};

use crate::{
    limits::{Pools, ServeLimits, ms},
    peer::PeerIdentity,
    tls::ServerTls,
};

/// What a server answers with, and what it knows of those who ask.
#[derive(Clone)]
pub struct App {
    pub(crate) router: Router,
    pub(crate) busy: fn() -> Response,
    pub(crate) is_member: Arc<dyn Fn(&PeerIdentity) -> bool + Send + Sync>,
    pub(crate) is_opening: fn(&Method, &str) -> bool,
}

impl App {
    /// The router, and what those are told for whom there is no room: a few hundred bytes at most.
    #[must_use]
    pub fn new(router: Router, busy: fn() -> Response) -> Self {
        Self { router, busy, is_member: Arc::new(|_| true), is_opening: |_, _| false }
    }

    /// Who of those with a verified certificate is a member now, asked for every connection and request. Others are strangers: they
    /// count by network. Without this everybody is a member whose certificate has a name.
    #[must_use]
    pub fn with_members(self, is_member: impl Fn(&PeerIdentity) -> bool + Send + Sync + 'static) -> Self {
        Self { is_member: Arc::new(is_member), ..self }
    }

    /// Which requests, by method and path, say in their bodies who sends them: see [`crate::Opening`].
    #[must_use]
    pub fn with_openings(self, is_opening: fn(&Method, &str) -> bool) -> Self {
        Self { is_opening, ..self }
    }
}

impl From<Router> for App {
    fn from(router: Router) -> Self {
        Self::new(router, || StatusCode::SERVICE_UNAVAILABLE.into_response())
    }
}

/// What all connections of a server share.
pub(crate) struct Context {
    pub(crate) tls: Arc<ServerTls>,
    pub(crate) app: App,
    pub(crate) limits: ServeLimits,
    pub(crate) pools: Pools,
    refusals: AtomicU64,
}

impl Context {
    pub(crate) fn new(tls: Arc<ServerTls>, app: App, limits: ServeLimits) -> Self {
        Self { tls, app, limits, pools: Pools::new(&limits), refusals: AtomicU64::new(0) }
    }

    /// How long the next request without a place waits until it is told so: one to two times `refusal_ms`, spread evenly, so that what
    /// came as a burst does not come again as one.
    pub(crate) fn refusal_delay(&self) -> Duration {
        let least = self.limits.refusal_ms;
        // Steps of the golden ratio fill the span without gaps, however many there are.
        let step = self.refusals.fetch_add(1, Ordering::Relaxed).wrapping_mul(618) % 1_000;
        ms(least.saturating_add(least.saturating_mul(step) / 1_000))
    }
}
