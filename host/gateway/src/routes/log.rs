//! The public part: the receipt log as C2SP tiles, and how the gateway is. Receipts in the log are commitments; nothing of a
//! run can be read from them.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use iog_keeper::{Bundle, Content, Log, PIECE_BYTES, ServeError, Served};
use iog_protocol::api::{ApiErrorCode, Health};
use iog_sandbox::Compiling;
use iog_transport::{Maker, made};
use serde::Serialize;

use super::problem::{Named, Refused};
use crate::db::{Store, StoreError};
use crate::queue::FairQueue;
use crate::services::Services;
use crate::vantage::Vantage;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// Full tiles never change (C2SP tlog-tiles).
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

pub(super) async fn checkpoint(State(log): State<Log>) -> Response {
    let note = log.checkpoint().to_vec();
    ([(header::CONTENT_TYPE, PLAIN), (header::CACHE_CONTROL, NOT_KEPT)], note).into_response()
}

pub(super) async fn tile(
    State(log): State<Log>,
    State(store): State<Arc<Store>>,
    Named(path): Named,
) -> Result<Response, Refused> {
    let served = log.file(&*store, &format!("tile/{path}")).await?;
    let Served { content, is_full } =
        served.ok_or_else(|| Refused::new(ApiErrorCode::NotFound, "the log has no such tile"))?;
    let headers = [(header::CONTENT_TYPE, BYTES), (header::CACHE_CONTROL, if is_full { FOR_EVER } else { NOT_KEPT })];
    let bundle = match content {
        Content::Tile(bytes) => return Ok((headers, bytes).into_response()),
        Content::Entries(bundle) => bundle,
    };
    let (length, most) = (bundle.left(), usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX));
    let (body, held) = made(length, most, Entries { bundle, store }).await?;
    let mut response = (headers, Body::new(body)).into_response();
    response.extensions_mut().insert(held);
    Ok(response)
}

/// Entries of the log, which are read while they are sent.
struct Entries {
    bundle: Bundle,
    store: Arc<Store>,
}

impl Maker for Entries {
    type Error = ServeError<StoreError>;

    async fn next(&mut self) -> Result<Option<Bytes>, Self::Error> {
        Ok(self.bundle.piece(&*self.store).await?.map(Bytes::from))
    }
}

/// The documented health, and what an operator wants to see.
#[derive(Debug, Serialize)]
pub(super) struct GatewayHealth {
    #[serde(flatten)]
    health: Health,
    domain: String,
    registry_age_s: Option<u64>,
    registry_age_max_s: u64,
    center_away: bool,
    /// What the center showed since the start that is not to be believed.
    alarm: Option<String>,
    receipts: u64,
    services_ready: usize,
    services: usize,
    running: u32,
    waiting: u32,
    /// Where modules are compiled and what holds it.
    compiling: String,
}

pub(super) async fn health(
    State(vantage): State<Arc<Vantage>>,
    State(services): State<Arc<Services>>,
    State(queue): State<Arc<FairQueue>>,
    State(compiling): State<Arc<Compiling>>,
    State(log): State<Log>,
) -> Json<GatewayHealth> {
    let registry = &vantage.registry;
    let services = services.snapshot();
    let (running, waiting) = queue.load();
    Json(GatewayHealth {
        health: Health {
            status: "ok".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log_size: registry.current().size(),
            alarms: Vec::new(),
        },
        domain: vantage.domain.to_string(),
        registry_age_s: registry.age_s(vantage.now()),
        registry_age_max_s: vantage.registry_age_max_s(),
        center_away: registry.problem().is_some(),
        alarm: registry.alarm(),
        receipts: log.size(),
        services_ready: services.values().filter(|s| s.prepared.is_ok()).count(),
        services: services.len(),
        running,
        waiting,
        compiling: compiling.to_string(),
    })
}
