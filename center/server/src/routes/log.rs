//! `GET /log/checkpoint` and `/log/tile/…`: the log as static files (C2SP tlog-tiles v0.1.0). Public; nothing here decides.

use axum::{extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::ApiErrorCode;
use iog_tlog::{BundleId, EntryBundle, TileId};

use super::{IMMUTABLE, Named, typed};
use crate::{db::Database, head::Published, refusal::Refusal};

const BYTES: &str = "application/octet-stream";

pub(crate) async fn checkpoint(State(published): State<Published>) -> Response {
    let note = published.checkpoint().to_vec();
    typed(StatusCode::OK, "text/plain; charset=utf-8", "public, max-age=2", note)
}

pub(crate) async fn tile(
    State(published): State<Published>,
    State(database): State<Database>,
    Named(path): Named,
) -> Result<Response, Refusal> {
    let path = format!("tile/{path}");
    let nothing = || Refusal::new(ApiErrorCode::NotFound, "there is no such tile yet");
    if let Ok(id) = BundleId::parse(&path) {
        let end = id.first_entry() + u64::from(id.width());
        if end > published.registry().size() {
            return Err(nothing());
        }
        let entries = database.entries(id.first_entry(), u64::from(id.width())).await?;
        let bundle = EntryBundle { entries }.encode();
        let bytes = bundle.map_err(|error| Refusal::because(ApiErrorCode::Internal, &error))?;
        return Ok(typed(StatusCode::OK, BYTES, IMMUTABLE, bytes));
    }
    let id = TileId::parse(&path).map_err(|_| nothing())?;
    let bytes = published.tile(id).ok_or_else(nothing)?;
    Ok(typed(StatusCode::OK, BYTES, IMMUTABLE, bytes))
}
