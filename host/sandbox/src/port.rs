//! The way between a run and the host that serves it: requests out, answers in. Messages are plain data, so that a run can
//! later live in a process of its own; nothing here may know wasmtime's store, people, keys or the network. What the
//! messages are, each interface says in its own file.

use async_trait::async_trait;

use crate::interfaces::{HostAnswer, HostRequest};

/// Serves one run. One value per run; dropping it ends every query that is still open.
#[async_trait]
pub trait HostPort: Send + Sync {
    /// Answers one request with the variant of the same interface. The sandbox sends the next one only after the answer;
    /// it drops the returned future when the run is cancelled or its time is up, so an implementation must be safe to
    /// drop at every `await`.
    async fn call(&self, request: HostRequest) -> HostAnswer;
}

/// A host that grants nothing: every query answers `not-granted`; log and progress go nowhere. What `merge` runs with.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingGranted;

#[async_trait]
impl HostPort for NothingGranted {
    async fn call(&self, request: HostRequest) -> HostAnswer {
        request.unserved()
    }
}
