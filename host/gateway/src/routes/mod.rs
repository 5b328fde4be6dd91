//! The routes of a gateway on one screen, and the only place that says which handler answers which path. Only log and health
//! are public; every other handler takes an `Identified` caller.

mod api;
mod identified;
mod limits;
mod log;
mod problem;
mod runs;
mod services;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use iog_protocol::api::paths;
use iog_protocol::dsse::Content as _;
use iog_protocol::run::RunRequest;
use tower_http::catch_panic::CatchPanicLayer;

pub(crate) use api::Api;
pub(crate) use problem::no_room;

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
        .layer(DefaultBodyLimit::max(RunRequest::ENVELOPE_BYTES_MAX))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .with_state(api)
}
