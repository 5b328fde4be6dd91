//! `POST /v1/modules`: a publisher offers a module for review. Whoever holds a publisher key may send it from anywhere: the signature
//! counts, not the connection, and it is looked at before the module is read.

use std::sync::Arc;
use std::time::Duration;

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::{ApiErrorCode, ModuleSubmission, ModuleSubmitted};

use super::{Sending, from_json, json};
use crate::{
    blobs::Blobs, config::submission_bytes_max, parts::Intake, present::Present, rates::SharedRates, refusal::Refusal,
    sequencer::Sequencer, submission, upload::Upload,
};

/// How long an inspection may take. It compiles nothing, and its limits make it linear in the file: the largest takes seconds.
const INSPECTION_WALL: Duration = Duration::from_secs(30);

pub(crate) async fn post(
    State(intake): State<Arc<Intake>>,
    State(present): State<Present>,
    State(rates): State<SharedRates>,
    State(blobs): State<Blobs>,
    State(sequencer): State<Sequencer>,
    Sending { peer, opening }: Sending,
    body: Body,
) -> Result<Response, Refusal> {
    let busy = || Refusal::new(ApiErrorCode::Busy, "too many submissions are waiting, of this peer or of all");
    let module_bytes_max = intake.module_bytes_max;
    let mut upload = Upload::new(body, submission_bytes_max(module_bytes_max));
    // Who signed it is who sends it; without a statement first it is whoever connects.
    let sender = match upload.statement().await? {
        Some(entry) => submission::publisher(&entry, &present.registry())?,
        None => peer,
    };
    let _place = intake.uploads.take(&sender, 1).ok_or_else(busy)?;
    if !opening.end(&sender) {
        return Err(busy());
    }
    let bytes = upload.whole().await?;
    let stopping = |_| Refusal::new(ApiErrorCode::Busy, "the center stops");
    let place = Arc::clone(&intake.inspections).acquire_owned().await.map_err(stopping)?;
    let registry = present.registry();
    let checking = tokio::task::spawn_blocking(move || {
        let submitted: ModuleSubmission = from_json(&bytes)?;
        let checked = submission::check(submitted, &registry, module_bytes_max);
        // A thread cannot be stopped: the place is taken until it ends, also when nobody waits for it.
        drop(place);
        checked
    });
    let late = |_| {
        let detail = format!("the inspection takes more than {} s", INSPECTION_WALL.as_secs());
        Refusal::new(ApiErrorCode::InspectionFailed, detail)
    };
    let checked = tokio::time::timeout(INSPECTION_WALL, checking).await.map_err(late)?;
    let checked = checked.map_err(|_| Refusal::new(ApiErrorCode::Internal, "the inspection failed"))??;
    // Files of a submission that will be declined must not be kept. The sequencer asks again and counts it.
    checked.may_be_said(&rates, &present)?;
    blobs.put(checked.manifest).await?;
    let digest = blobs.put(checked.module).await?;
    let index = sequencer.append(checked.entry).await?;
    Ok(json(StatusCode::CREATED, &ModuleSubmitted { index, digest }))
}
