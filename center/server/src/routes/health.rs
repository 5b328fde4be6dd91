//! `GET /healthz`: for the operator's monitoring.

use axum::{extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::Health;

use super::json;
use crate::{
    present::Present,
    rates::{SharedRates, Usage},
    sequencer::Sequencer,
};

pub(crate) async fn get(
    State(sequencer): State<Sequencer>,
    State(present): State<Present>,
    State(rates): State<SharedRates>,
) -> Response {
    let writes = sequencer.is_running();
    let status = if writes { "ok" } else { "the log is not written" };
    let code = if writes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let registry = present.registry();
    let usages = rates.lock().usages(&registry, present.now());
    let alarms = usages.into_iter().filter(|usage| usage.is_alarm()).map(Usage::text).collect();
    json(code, &Health { status: status.to_owned(), version, log_size: registry.size(), alarms })
}
