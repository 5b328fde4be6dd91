//! `GET /healthz`: for the operator's monitoring.

use axum::{extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::Health;

use super::json;
use crate::{head::Published, sequencer::Sequencer};

pub(crate) async fn get(State(sequencer): State<Sequencer>, State(published): State<Published>) -> Response {
    let writes = sequencer.is_running();
    let status = if writes { "ok" } else { "the log is not written" };
    let code = if writes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    json(code, &Health { status: status.to_owned(), version, log_size: published.registry().size() })
}
