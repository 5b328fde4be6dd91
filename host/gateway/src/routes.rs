//! The routes of a gateway on one screen, and the only place that says which handler answers which path. Only log and health
//! are public; every other handler takes an `Identified` caller.

mod identified;
mod limits;
mod log;
mod problem;
mod runs;
mod services;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::routing::{get, post};
use iog_keeper::Log;
use iog_protocol::api::{BODY_BYTES_MAX, paths};
use tower_http::catch_panic::CatchPanicLayer;

use crate::db::Store;
use crate::queue::FairQueue;
use crate::runs::submit::Submitter;
use crate::services::Services;
use crate::vantage::Vantage;

pub(crate) use problem::Refused;

/// What the handlers have, each only what it asks for.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) vantage: Arc<Vantage>,
    pub(crate) submitter: Arc<Submitter>,
    pub(crate) services: Arc<Services>,
    pub(crate) queue: Arc<FairQueue>,
    pub(crate) store: Arc<Store>,
    pub(crate) log: Log,
    pub(crate) per_caller_max: u32,
}

/// A handler takes one part of the state as an argument of its own.
macro_rules! part {
    ($($field:ident: $part:ty),+ $(,)?) => {
        $(impl FromRef<Api> for Arc<$part> {
            fn from_ref(api: &Api) -> Self {
                Self::clone(&api.$field)
            }
        })+
    };
}

part!(vantage: Vantage, submitter: Submitter, services: Services, queue: FairQueue, store: Store);

impl FromRef<Api> for Log {
    fn from_ref(api: &Api) -> Self {
        api.log.clone()
    }
}

/// The gateway's HTTP interface.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route(paths::RUNS, post(runs::submit))
        .route(paths::SERVICE_RUNS, post(runs::submit_to_service))
        .route(paths::RUN, get(runs::show))
        .route(paths::RUN_RECEIPT, get(runs::receipt))
        .route(paths::SERVICES, get(services::list))
        .route(paths::LIMITS, get(limits::show))
        .route(paths::LOG_CHECKPOINT, get(log::checkpoint))
        .route(paths::LOG_TILE, get(log::tile))
        .route(paths::HEALTH, get(log::health))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .with_state(api)
}
