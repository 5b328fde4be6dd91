//! Serves `iog:guest/progress`: how far a run is goes to the operators' log.

use iog_protocol::ids::RequestId;
use iog_sandbox::ProgressRequest;

/// Notes one step.
pub(super) fn note(run: &RequestId, request: ProgressRequest) {
    tracing::debug!(run = %run, percent = request.percent, "progress");
}
