//! `GET /v1/modules/{digest}`: one module with its reviews, and why it may not run if it may not. Public.

use axum::{extract::State, response::Response};
use http::StatusCode;
use iog_protocol::{api::ApiErrorCode, ids::Digest};

use super::{Named, json};
use crate::{modules_view::detail, present::Present, refusal::Refusal};

pub(crate) async fn get(State(present): State<Present>, Named(digest): Named) -> Result<Response, Refusal> {
    let digest: Digest = digest.parse().map_err(|error| Refusal::because(ApiErrorCode::BadRequest, &error))?;
    let (registry, now) = (present.registry(), present.now());
    let record = registry
        .module(&digest)
        .ok_or_else(|| Refusal::new(ApiErrorCode::UnknownModule, format!("module `{digest}` was not submitted")))?;
    Ok(json(StatusCode::OK, &detail(&registry, record, now)))
}
