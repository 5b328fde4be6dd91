//! Where sandbox and gateway meet: one run's host. Each interface is served in its own file; this one only hands its
//! messages on.

mod data;
mod log;
mod progress;

use std::sync::Arc;

use async_trait::async_trait;
use iog_data::{Planned, QueryLimits};
use iog_protocol::ids::RequestId;
use iog_sandbox::{HostAnswer, HostPort, HostRequest};

use self::data::DataPort;
use crate::runs::under_way::RunHandle;

/// Serves one run.
pub struct RunPort {
    run: RequestId,
    handle: RunHandle,
    data: DataPort,
}

impl RunPort {
    /// A host for the run `run`, whose progress goes to `handle`. Without `planned` no data are granted.
    #[must_use]
    pub fn new(planned: Option<Arc<Planned>>, limits: QueryLimits, run: RequestId, handle: RunHandle) -> Self {
        Self { run, handle, data: DataPort::new(planned, limits) }
    }
}

#[async_trait]
impl HostPort for RunPort {
    async fn call(&self, request: HostRequest) -> HostAnswer {
        match request {
            HostRequest::Data(request) => HostAnswer::Data(self.data.answer(&self.run, request).await),
            HostRequest::Log(request) => log::answer(&self.run, &request),
            HostRequest::Progress(request) => progress::answer(&self.run, &self.handle, request),
        }
    }
}
