//! Serves `iog:guest/progress`: how far a run is goes to its handle and to the operators' log.

use iog_protocol::ids::RequestId;
use iog_sandbox::{HostAnswer, ProgressRequest};

use crate::runs::under_way::RunHandle;

/// Notes one step.
pub(super) fn answer(run: &RequestId, handle: &RunHandle, request: ProgressRequest) -> HostAnswer {
    handle.is_at(request.percent);
    tracing::debug!(run = %run, percent = request.percent, "progress");
    HostAnswer::Progress(())
}
