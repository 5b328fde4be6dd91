//! What happens to a request that was taken in, one function for each step: record, decide, wait, decide again, execute,
//! release, receipt. From the moment the journal has it, a request ends in exactly one receipt, whether its caller waits or
//! not.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use iog_data::QueryError;
use iog_module::NotRun;
use iog_protocol::ids::{Digest, RequestId};
use iog_protocol::run::{Outcome, RunRequest};
use iog_protocol::time::Timestamp;
use iog_sandbox::{Params, Provider};

use super::ending::{Accepted, Ending};
use super::under_way::{RunHandle, UnderWay};
use crate::admit::{self, Admitted, Authenticated};
use crate::db::{Store, StoreError};
use crate::executor::{Executed, Executor, Run};
use crate::journal::{self, Begin, NewRun};
use crate::policy::{Policy, Used};
use crate::prepare::Prepared;
use crate::queue::Place;
use crate::quotas::Target;
use crate::receipts::{Receipts, ReceiptsError};
use crate::refusals::Refusals;
use crate::services::Service;
use crate::vantage::Vantage;

/// Brings accepted requests to their end.
#[derive(Debug)]
pub struct Lifecycle {
    /// From where it decides.
    pub vantage: Arc<Vantage>,
    /// The journal.
    pub store: Arc<Store>,
    /// What runs modules.
    pub executor: Executor,
    /// The receipt log.
    pub receipts: Receipts,
    /// Who was refused too often.
    pub refusals: Arc<Refusals>,
    /// What is under way.
    pub under_way: Arc<UnderWay>,
}

/// Why a request gets no answer of its own.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The same request is under way; its answer can be had later.
    #[error("this request is being worked on")]
    InFlight,
    /// The id belongs to another request of the caller; the caller's.
    #[error("request id `{id}` was used for another request")]
    OtherRequest {
        /// The id.
        id: RequestId,
    },
    /// The journal did not take it; ours. Nothing ran.
    #[error("the request could not be recorded")]
    Store(#[from] StoreError),
    /// The receipt could not be written yet; ours. The answer is kept and given to a repetition.
    #[error("the receipt could not be written yet")]
    Receipt(#[from] ReceiptsError),
}

/// Where a request is bound: a service that is here, with a place in its queue. Dropping it gives the place back.
#[derive(Debug)]
pub struct Destination {
    /// The service.
    pub service: Arc<Service>,
    /// The place.
    pub place: Place,
}

/// What a request has on its way.
struct Course<'a> {
    service: Option<&'a Service>,
    used: Used,
    handle: &'a RunHandle,
}

/// A request that may run, with what it runs on.
struct Cleared<'a> {
    admitted: Admitted,
    registry_size: u64,
    prepared: &'a Prepared,
}

impl Lifecycle {
    /// Brings a request to its durable answer; one that is bound for no service of this gateway to a refusal.
    ///
    /// # Errors
    /// [`LifecycleError`].
    pub async fn carry(
        &self,
        asked: Authenticated,
        destination: Option<Destination>,
    ) -> Result<Vec<u8>, LifecycleError> {
        let (service, place) = destination.map(|to| (to.service, to.place)).unzip();
        let service = service.as_deref();
        let used = match self.record(&asked, service).await? {
            Begin::New(used) => used,
            Begin::Answered(answer) => return Ok(answer),
            Begin::InFlight => return Err(LifecycleError::InFlight),
            Begin::OtherRequest => return Err(LifecycleError::OtherRequest { id: asked.request.request_id }),
        };
        let entered = self.under_way.enter(&asked);
        let course = Course { service, used, handle: &entered.handle };
        let reached = AssertUnwindSafe(self.reach_end(&asked, &course, place)).catch_unwind().await;
        let ending = reached.unwrap_or_else(|_| {
            tracing::error!(run = %asked.request.request_id, "a run made the gateway fail");
            Ending::ours("a panic; see the log".to_owned(), self.vantage.registry.current().size())
        });
        self.receipt(&asked, &course, &ending).await
    }

    /// First: the request is durable before anything is done about it.
    async fn record(&self, asked: &Authenticated, service: Option<&Service>) -> Result<Begin, StoreError> {
        journal::begin(&self.store, &new_run(asked, service, self.vantage.now())).await
    }

    async fn reach_end(&self, asked: &Authenticated, course: &Course<'_>, place: Option<Place>) -> Ending {
        let cleared = match self.decide(asked, course) {
            Ok(cleared) => cleared,
            Err(refused) => return *refused,
        };
        let Some(mut place) = place else {
            return Ending::ours("a request without a place was admitted".to_owned(), cleared.registry_size);
        };
        if let Err(cancelled) = wait(course, &mut place, &cleared).await {
            return *cancelled;
        }
        // The wait may have been long: what was revoked meanwhile must not start.
        let cleared = match self.decide(asked, course) {
            Ok(cleared) => cleared,
            Err(refused) => return *refused,
        };
        let executed = self.execute(asked, course, &cleared).await;
        release(&asked.request, &cleared, executed)
    }

    /// Second, and again after the wait: may it run? The ending where it may not.
    fn decide<'a>(&self, asked: &Authenticated, course: &Course<'a>) -> Result<Cleared<'a>, Box<Ending>> {
        let offer = course.service.map(Service::offer);
        let decision = admit::decide(asked, &self.vantage.here(), offer.as_ref(), course.used);
        let registry_size = decision.registry.size();
        let admitted = decision.verdict.map_err(|refusal| Box::new(Ending::refused(&refusal, registry_size)))?;
        match course.service.and_then(|service| service.prepared.as_ref().ok()) {
            Some(prepared) => Ok(Cleared { admitted, registry_size, prepared }),
            None => {
                let problem = "the service was lost after it was admitted".to_owned();
                Err(Box::new(Ending::ours(problem, registry_size)))
            }
        }
    }

    /// Fourth: pins the data and runs the module on them.
    async fn execute(
        &self,
        asked: &Authenticated,
        course: &Course<'_>,
        cleared: &Cleared<'_>,
    ) -> Result<Executed, NotRun<QueryError>> {
        let request = &asked.request;
        // The run itself reads them, when it has its place and its memory.
        let params = Params::Text(request.params.text().into());
        let provider = Provider { domain: self.vantage.domain.to_string(), asn: cleared.admitted.asn };
        let run = Run { id: &request.request_id, entry: &request.entry, params, provider, handle: course.handle };
        self.executor.execute(cleared.prepared, run).await
    }

    /// Last: the receipt and the answer, durable together.
    async fn receipt(
        &self,
        asked: &Authenticated,
        course: &Course<'_>,
        ending: &Ending,
    ) -> Result<Vec<u8>, LifecycleError> {
        let now = self.vantage.now();
        if matches!(ending.outcome, Outcome::Refused { .. }) {
            self.refusals.count(&asked.caller.domain, now);
        }
        let policy = course.service.map_or_else(|| Policy::default().digest(), |service| service.policy_digest);
        let accepted = Accepted { request: &asked.request, digest: asked.digest, policy };
        Ok(self.receipts.write(&accepted, ending, now).await?)
    }
}

/// Third: its turn, unless it is cancelled before.
async fn wait(course: &Course<'_>, place: &mut Place, cleared: &Cleared<'_>) -> Result<(), Box<Ending>> {
    tokio::select! {
        () = place.turn() => Ok(()),
        () = course.handle.cancel_flag().cancelled() => {
            Err(Box::new(Ending::without_run(Outcome::Cancelled, cleared.registry_size)))
        }
    }
}

/// Fifth: what the caller learns of a run, and what stays here.
fn release(request: &RunRequest, cleared: &Cleared<'_>, executed: Result<Executed, NotRun<QueryError>>) -> Ending {
    match executed {
        Err(why) => Ending::not_run(&why, cleared.registry_size),
        Ok(executed) => {
            let dropped = executed.report.usage.log_dropped;
            if dropped > 0 {
                tracing::info!(run = %request.request_id, dropped, "the module wrote more to the log than is kept");
            }
            let ending = Ending::of_run(cleared.prepared, request, executed, cleared.registry_size);
            if let Some(detail) = &ending.detail {
                tracing::info!(run = %request.request_id, detail, "how a run ended");
            }
            Ending { approval_index: Some(cleared.admitted.approval_index), ..ending }
        }
    }
}

/// The journal's row of a request.
pub(crate) fn new_run(asked: &Authenticated, service: Option<&Service>, now: Timestamp) -> NewRun {
    let request = &asked.request;
    let target = service.and_then(|s| s.policy.quotas.targets.as_ref()).map(|quota| Target {
        parameter: quota.parameter.clone(),
        value: Digest::of(request.params.member(&quota.parameter).unwrap_or_default().to_string().as_bytes()),
    });
    NewRun {
        caller: asked.caller.domain.clone(),
        request_id: request.request_id.clone(),
        envelope: asked.envelope.clone(),
        request_digest: asked.digest,
        service: service.map(|s| s.name.clone()),
        module: request.module,
        entry: request.entry.clone(),
        accepted_at: now,
        target,
    }
}
