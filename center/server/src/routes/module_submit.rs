//! `POST /v1/modules`: a publisher offers a module for review. Whoever holds a publisher key may send it from anywhere: the signature
//! counts, not the connection.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::{ApiErrorCode, ModuleSubmission, ModuleSubmitted};

use super::{from_json, json, read};
use crate::{blobs::Blobs, head::Published, parts::Intake, refusal::Refusal, sequencer::Sequencer, submission};

/// Envelope, manifest and the frame around them, in bytes of JSON.
const FRAME_BYTES: usize = 256 * 1024;

pub(crate) async fn post(
    State(intake): State<Arc<Intake>>,
    State(published): State<Published>,
    State(blobs): State<Blobs>,
    State(sequencer): State<Sequencer>,
    body: Body,
) -> Result<Response, Refusal> {
    let busy = |_| Refusal::new(ApiErrorCode::Busy, "too many submissions are waiting");
    let _upload = intake.uploads.try_acquire().map_err(busy)?;
    let module_bytes_max = intake.module_bytes_max;
    let bytes = read(body, module_bytes_max.div_ceil(3) * 4 + FRAME_BYTES).await?;
    let stopping = |_| Refusal::new(ApiErrorCode::Busy, "the center stops");
    let place = intake.inspections.acquire().await.map_err(stopping)?;
    let registry = published.registry();
    let checked = tokio::task::spawn_blocking(move || {
        let submitted: ModuleSubmission = from_json(&bytes)?;
        submission::check(submitted, &registry, module_bytes_max)
    });
    let checked = checked.await.map_err(|_| Refusal::new(ApiErrorCode::Internal, "the inspection failed"))??;
    drop(place);
    blobs.put(checked.manifest).await?;
    let digest = blobs.put(checked.module).await?;
    let index = sequencer.append(checked.entry).await?;
    Ok(json(StatusCode::CREATED, &ModuleSubmitted { index, digest }))
}
