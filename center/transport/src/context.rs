//! What all connections of a server share: what it answers with, and what its requests have together.

use std::sync::Arc;

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use http::StatusCode;

use crate::{
    limits::{Pools, ServeLimits},
    tls::ServerTls,
};

/// What a server answers with.
#[derive(Clone)]
pub struct App {
    pub(crate) router: Router,
    pub(crate) busy: fn() -> Response,
}

impl App {
    /// The router, and what those are told for whom there is no room: a few hundred bytes at most.
    #[must_use]
    pub const fn new(router: Router, busy: fn() -> Response) -> Self {
        Self { router, busy }
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
}
