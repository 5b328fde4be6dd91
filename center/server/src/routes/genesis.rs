//! `GET /v1/genesis`: entry 0, to be compared with a digest the reader got elsewhere. Public.

use axum::{extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::GenesisAnswer;

use super::{App, json};

pub(crate) async fn get(State(shared): App) -> Response {
    let digest = *shared.published.registry().genesis_digest();
    json(StatusCode::OK, &GenesisAnswer { entry: shared.genesis.clone().into(), digest })
}
