//! The table of routes: the only place where paths meet handlers. Around all of them: a request id in the log, a limit of time, a
//! problem document for what no handler answers, and a caught panic as the last resort. Whether there is a place for a request is
//! the accept loop's business; what it then says is here.

use std::{any::Any, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderValue, Method};
use iog_machine::{Entropy as _, OsEntropy};
use iog_protocol::api::{ApiErrorCode, paths};
use iog_transport::{App, PeerIdentity};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{config::CenterConfig, parts::Parts, refusal::Refusal, routes};

/// What the accept loop serves: the routes, and what it must know of those who ask.
pub(crate) fn app(parts: Parts, config: &CenterConfig) -> App {
    let (present, trust_domain) = (parts.present.clone(), parts.trust_domain.clone());
    // A certificate outlives a suspension; whoever is not in force does not take what members have.
    let is_member = move |identity: &PeerIdentity| {
        let domain = identity.spiffe.as_deref().and_then(|spiffe| trust_domain.domain_named(spiffe));
        domain.is_some_and(|domain| present.registry().domain(&domain, present.now()).is_some())
    };
    App::new(router(parts, config), no_room).with_members(is_member).with_openings(says_who_sends)
}

/// The routes whose bodies say who sends them, whatever the connection says.
fn says_who_sends(method: &Method, path: &str) -> bool {
    *method == Method::POST && [paths::STATEMENTS, paths::MODULES, paths::ENROLL].contains(&path)
}

#[rustfmt::skip]
fn router(parts: Parts, config: &CenterConfig) -> Router {
    let limit = Duration::from_secs(config.limits.request_seconds);
    // Its body may come as slowly as any.
    let slow_limit = limit * 4 + config.submission_time();
    let quick = Router::new()
        .route(paths::HEALTH,         get(routes::health::get))
        .route(paths::LOG_CHECKPOINT, get(routes::log::checkpoint))
        .route(paths::LOG_TILE,       get(routes::log::tile))
        .route(paths::GENESIS,        get(routes::genesis::get))
        .route(paths::BLOB,           get(routes::blobs::get))
        .route(paths::MODULES,        get(routes::module_list::get))
        .route(paths::MODULE,         get(routes::module_show::get))
        .route(paths::STATEMENTS,     post(routes::statements::post))
        .route(paths::ENROLL,         post(routes::enroll::post))
        .route(paths::DOMAINS,        get(routes::domains::get))
        .route(paths::CERTIFICATES,   post(routes::certificates::post))
        .route(paths::TOKEN,          post(routes::token::post))
        .route(paths::CATALOG,        get(routes::catalog_search::get).post(routes::catalog_publish::post))
        .layer(from_fn_with_state(limit, in_time));
    let slow = Router::new()
        .route(paths::MODULES,        post(routes::module_submit::post))
        .layer(from_fn_with_state(slow_limit, in_time));
    quick
        .merge(slow)
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(from_fn(logged))
        .with_state(parts)
}

async fn nothing_here() -> Refusal {
    Refusal::new(ApiErrorCode::NotFound, "there is nothing at this path")
}

async fn other_method() -> Refusal {
    Refusal::new(ApiErrorCode::MethodNotAllowed, "this path does not know the method")
}

fn after_panic(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Refusal::new(ApiErrorCode::Internal, "the center failed; its operator's log says why").into_response()
}

/// Requests beyond the bound, of one peer or of all, are told to come back instead of waiting in memory.
fn no_room() -> Response {
    Refusal::new(ApiErrorCode::Busy, "too many requests are in work, of this peer or of all").into_response()
}

/// Drops a handler that needs too long. What it gave to the sequencer is still written.
async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::new(ApiErrorCode::Busy, "the center did not answer in time").into_response(),
    }
}

/// One line in the log for each request, tied to the answer by `x-request-id`.
async fn logged(request: Request, next: Next) -> Response {
    let id = OsEntropy.request_id().ok();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let mut response = next.run(request).await;
    if let Some(id) = id {
        tracing::info!(%method, path, status = response.status().as_u16(), request_id = %id, "answered");
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert("x-request-id", value);
        }
    }
    response
}
