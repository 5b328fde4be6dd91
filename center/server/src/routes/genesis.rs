//! `GET /v1/genesis`: entry 0, to be compared with a digest the reader got elsewhere. Public.

use axum::{extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::GenesisAnswer;

use super::json;
use crate::{head::Published, parts::GenesisEntry};

pub(crate) async fn get(State(genesis): State<GenesisEntry>, State(published): State<Published>) -> Response {
    let digest = *published.registry().genesis_digest();
    json(StatusCode::OK, &GenesisAnswer { entry: genesis.0.to_vec().into(), digest })
}
