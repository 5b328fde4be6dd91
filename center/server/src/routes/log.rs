//! `GET /log/checkpoint` and `/log/tile/…`: the log as static files (C2SP tlog-tiles v0.1.0). Public; nothing here decides.

use axum::{extract::State, response::Response};
use http::StatusCode;
use iog_keeper::ServeError;
use iog_protocol::api::ApiErrorCode;

use super::{IMMUTABLE, Named, typed};
use crate::{db::Database, head::Published, refusal::Refusal};

const BYTES: &str = "application/octet-stream";

pub(crate) async fn checkpoint(State(published): State<Published>) -> Response {
    let note = published.log().checkpoint().to_vec();
    typed(StatusCode::OK, "text/plain; charset=utf-8", "public, max-age=2", note)
}

pub(crate) async fn tile(
    State(published): State<Published>,
    State(database): State<Database>,
    Named(path): Named,
) -> Result<Response, Refusal> {
    let served = published.log().file(&database, &format!("tile/{path}")).await.map_err(|error| match error {
        ServeError::Storage(error) => error.into(),
        other => Refusal::because(ApiErrorCode::Internal, &other),
    })?;
    let served = served.ok_or_else(|| Refusal::new(ApiErrorCode::NotFound, "there is no such tile yet"))?;
    Ok(typed(StatusCode::OK, BYTES, IMMUTABLE, served.bytes))
}
