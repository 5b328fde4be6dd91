//! `GET /v1/blobs/{digest}`: module files and manifests of the registry. Public: the reader compares the digest.

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::{api::ApiErrorCode, ids::Digest};

use super::{IMMUTABLE, Named, typed};
use crate::{blobs::Blobs, refusal::Refusal};

pub(crate) async fn get(State(blobs): State<Blobs>, Named(digest): Named) -> Result<Response, Refusal> {
    let digest: Digest = digest.parse().map_err(|error| Refusal::because(ApiErrorCode::BadRequest, &error))?;
    match blobs.get(&digest).await? {
        Some(blob) => {
            let body = Body::new(blob.body);
            let mut response = typed(StatusCode::OK, "application/octet-stream", IMMUTABLE, body);
            response.extensions_mut().insert(blob.held);
            Ok(response)
        }
        None => Err(Refusal::new(ApiErrorCode::NotFound, format!("no file has digest `{digest}`"))),
    }
}
