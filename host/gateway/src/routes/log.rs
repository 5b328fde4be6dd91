//! The public part: the receipt log as C2SP tiles, and how the gateway is. Receipts in the log are commitments; nothing of a
//! run can be read from them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use iog_keeper::{Log, Served};
use iog_protocol::api::{ApiErrorCode, Health};
use iog_sandbox::Compiling;
use serde::Serialize;

use super::problem::{Named, Refused};
use crate::db::Store;
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
    let Served { bytes, is_full } =
        served.ok_or_else(|| Refused::new(ApiErrorCode::NotFound, "the log has no such tile"))?;
    let cache = if is_full { FOR_EVER } else { NOT_KEPT };
    Ok(([(header::CONTENT_TYPE, BYTES), (header::CACHE_CONTROL, cache)], bytes).into_response())
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
