//! What happens to a request once its sender is known: journal, decide, wait for a place, run, release, receipt. From
//! the moment the journal has it, a request ends in exactly one receipt, whether the caller waits or not.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use iog_data::{QueryError, QueryLimits};
use iog_protocol::ids::{Digest, DomainId, RequestId, ServiceName, SlotName};
use iog_protocol::manifest::ReleaseClass;
use iog_protocol::run::{LimitKind, Outcome, ResultJson};
use iog_protocol::time::Timestamp;
use iog_sandbox::{
    CancelFlag, Limits, Provider, RunOutcome, RunReport, RunSpec, Runner as _, Sandbox, TrapKind, Usage,
};
use tokio::sync::watch;

use crate::admit::{self, Admitted, Authenticated, Here, Presented, Refusal, Rejection};
use crate::db::{Store, StoreError};
use crate::grants;
use crate::journal::{self, Begin, NewRun, StoredRun};
use crate::policy::Used;
use crate::port::RunPort;
use crate::prepare::Runnable;
use crate::queue::{FairQueue, Full, Place};
use crate::quotas::Target;
use crate::receipts::{Ending, Receipts, ReceiptsError};
use crate::refusals::{Refusals, TooMany};
use crate::registry::RegistryCell;
use crate::release::{self, Withheld};
use crate::services::{Service, Services};
use iog_machine::clock::{Clock, deadline};
use iog_machine::error::chain;

/// What a run's queries have beyond its wall time: it is the sandbox that ends a run, and a guest never gets to see its
/// queries end first. Their own deadline reaches the database, whose statement ends even if nobody is there to stop it.
const QUERY_GRACE: Duration = Duration::from_secs(1);

/// Everything the runs of a gateway share.
#[derive(Debug)]
pub struct Runs {
    /// The gateway's own domain.
    pub domain: DomainId,
    /// The replayed registry.
    pub registry: Arc<RegistryCell>,
    /// Hours without a word of the center after which nothing runs.
    pub registry_age_max_h: u64,
    /// The services.
    pub services: Arc<Services>,
    /// The journal.
    pub store: Arc<Store>,
    /// The receipt log.
    pub receipts: Receipts,
    /// Who runs next.
    pub queue: Arc<FairQueue>,
    /// Who was refused too often.
    pub refusals: Refusals,
    /// What runs.
    pub sandbox: Sandbox,
    /// Memory that the queries of one run may hold, in bytes.
    pub query_memory_bytes: usize,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is under way.
    pub under_way: UnderWay,
}

/// What a caller gets at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The bytes of a [`iog_protocol::run::RunAnswer`].
    Answer(Vec<u8>),
    /// It goes on; its answer can be had under its id.
    UnderWay(RequestId),
}

/// Why a request got no answer of its own.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It was not accepted; the caller's.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// There is no room now; nothing was recorded.
    #[error(transparent)]
    Full(#[from] Full),
    /// The caller was refused too often; the caller's. Nothing was recorded.
    #[error(transparent)]
    Refused(#[from] TooMany),
    /// The same request is under way; its answer can be had later.
    #[error("this request is being worked on")]
    InFlight,
    /// The id belongs to another request of the caller; the caller's.
    #[error("request id `{id}` was used for another request")]
    OtherRequest {
        /// The id.
        id: RequestId,
    },
    /// Path and signed request name different services; the caller's.
    #[error("the path is for service `{path}`, the request for `{named}`")]
    OtherService {
        /// The path's.
        path: ServiceName,
        /// The request's.
        named: ServiceName,
    },
    /// The journal did not take it; ours. Nothing ran.
    #[error("the request could not be recorded")]
    Store(#[from] StoreError),
    /// The receipt could not be written yet; ours. The answer is kept and given to a repetition.
    #[error("the receipt could not be written yet")]
    Receipt(#[from] ReceiptsError),
    /// A defect of this gateway.
    #[error("the gateway failed")]
    Internal,
}

impl Runs {
    /// Takes a request from the wire to its answer, or as far as it gets in `wait`.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(
        self: &Arc<Self>,
        presented: &Presented<'_>,
        service: Option<&ServiceName>,
        wait: Duration,
    ) -> Result<Submitted, SubmitError> {
        let asked = {
            let registry = self.registry.current();
            let here = Here { registry: &registry, domain: &self.domain, now: self.clock.now() };
            admit::authenticate(presented, &here)?
        };
        if let Err(too_many) = self.refusals.check(&asked.caller.domain, self.clock.now()) {
            return self.known(&asked).await.map(Submitted::Answer).ok_or(too_many.into());
        }
        let place = match self.queue.enter(&asked.caller.domain) {
            Ok(place) => place,
            Err(full) => return self.known(&asked).await.map(Submitted::Answer).ok_or(full.into()),
        };
        if let (Some(path), Some(named)) = (service, &asked.request.service)
            && path != named
        {
            return Err(SubmitError::OtherService { path: path.clone(), named: named.clone() });
        }
        let id = asked.request.request_id.clone();
        let service = self.services.choose(&asked.request, service);
        let this = Arc::clone(self);
        // A task of its own: what the journal has accepted goes on to its receipt when the caller hangs up.
        let task = tokio::spawn(async move { this.carry(asked, service, place).await });
        match tokio::time::timeout(wait, task).await {
            Ok(done) => done.unwrap_or(Err(SubmitError::Internal)).map(Submitted::Answer),
            Err(_) => Ok(Submitted::UnderWay(id)),
        }
    }

    /// What the journal holds of one caller's request.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stored(&self, caller: &DomainId, id: &RequestId) -> Result<Option<StoredRun>, StoreError> {
        journal::stored(&self.store, caller, id).await
    }

    /// The stored answer of a request that came again while there is no room for new ones.
    async fn known(&self, asked: &Authenticated) -> Option<Vec<u8>> {
        let run = new_run(asked, None, self.clock.now());
        match journal::look(&self.store, &run).await {
            Ok(Some(Begin::Answered(answer))) => Some(answer),
            _ => None,
        }
    }

    async fn carry(
        &self,
        asked: Authenticated,
        service: Option<Arc<Service>>,
        place: Place,
    ) -> Result<Vec<u8>, SubmitError> {
        let run = new_run(&asked, service.as_deref(), self.clock.now());
        let used = match journal::begin(&self.store, &run).await? {
            Begin::New(used) => used,
            Begin::Answered(answer) => return Ok(answer),
            Begin::InFlight => return Err(SubmitError::InFlight),
            Begin::OtherRequest => return Err(SubmitError::OtherRequest { id: run.request_id }),
        };
        let (cancel, _guard) = self.under_way.enter(&asked);
        let finished = AssertUnwindSafe(self.finish(&asked, service.as_deref(), used, (place, cancel)))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                tracing::error!(run = %asked.request.request_id, "a run made the gateway fail");
                Finished::ours("a panic; see the log".to_owned())
            });
        if matches!(finished.outcome, Outcome::Refused { .. }) {
            self.refusals.count(&asked.caller.domain, self.clock.now());
        }
        let ending = Ending {
            request: &asked.request,
            request_digest: asked.digest,
            service_name: asked.request.service.as_ref(),
            service: service.as_deref(),
            finished: &finished,
            registry_size: finished.registry_size.unwrap_or_else(|| self.registry.current().size()),
        };
        Ok(self.receipts.write(&ending, self.clock.now()).await?)
    }

    async fn finish(
        &self,
        asked: &Authenticated,
        service: Option<&Service>,
        used: Used,
        (mut place, cancel): (Place, CancelFlag),
    ) -> Finished {
        if let (size, Err(refusal)) = self.decide(asked, service, used) {
            return Finished { registry_size: Some(size), ..Finished::refused(&refusal) };
        }
        tokio::select! {
            () = place.turn() => {}
            () = cancel.cancelled() => return Finished::without_run(Outcome::Cancelled),
        }
        // The wait may have been long: what was revoked meanwhile must not start.
        let (size, admitted) = match self.decide(asked, service, used) {
            (size, Ok(admitted)) => (size, admitted),
            (size, Err(refusal)) => return Finished { registry_size: Some(size), ..Finished::refused(&refusal) },
        };
        let Some(prepared) = service.and_then(|s| s.prepared.as_ref().ok()) else {
            return Finished::ours("the service was lost after it was admitted".to_owned());
        };
        let (snapshots, finished) = match self.run(asked, prepared, cancel).await {
            Ok((snapshots, report)) => (snapshots, finished(asked, prepared, &admitted, report)),
            Err(QueryError::Deadline) => {
                (BTreeMap::new(), Finished::without_run(Outcome::Limit { which: LimitKind::Time }))
            }
            Err(QueryError::Cancelled) => (BTreeMap::new(), Finished::without_run(Outcome::Cancelled)),
            Err(error) => (BTreeMap::new(), Finished::ours(chain(&error))),
        };
        Finished { registry_size: Some(size), snapshots, ..finished }
    }

    /// The decision, and the size of the registry's log on which it rests.
    fn decide(&self, asked: &Authenticated, service: Option<&Service>, used: Used) -> (u64, Result<Admitted, Refusal>) {
        let registry = self.registry.current();
        let (now, max_h) = (self.clock.now(), self.registry_age_max_h);
        if !self.registry.is_fresh(now, max_h.saturating_mul(3_600)) {
            return (registry.size(), Err(Refusal::RegistryStale { max_h }));
        }
        let here = Here { registry: &registry, domain: &self.domain, now };
        (registry.size(), admit::decide(asked, &here, service.map(Service::offer).as_ref(), used))
    }

    /// Pins the data and runs the module on them, both within the run's wall time and until it is cancelled.
    async fn run(
        &self,
        asked: &Authenticated,
        prepared: &Runnable,
        cancel: CancelFlag,
    ) -> Result<(Snapshots, RunReport), QueryError> {
        let registry = self.registry.current();
        let asn = registry.domain(&self.domain, self.clock.now()).and_then(|d| d.asns.first().map(|asn| asn.0));
        let limits = iog_module::limits(&prepared.limits);
        let ends = deadline(limits.wall);
        let (query, snapshots) = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(QueryError::Cancelled),
            pinned = pin(prepared, &limits, self.query_memory_bytes) => pinned?,
        };
        let query = QueryLimits { deadline: Some(ends + QUERY_GRACE), ..query };
        let limits = Limits { wall: ends.saturating_duration_since(deadline(Duration::ZERO)), ..limits };
        let port = RunPort::new(prepared.planned.clone(), query, asked.request.request_id.clone());
        let spec = RunSpec {
            module: Arc::clone(&prepared.loaded),
            entry: asked.request.entry.to_string(),
            params: asked.request.params.clone(),
            provider: Provider { domain: self.domain.to_string(), asn },
            grants: grants::granted(prepared.module.capabilities(), grants::GIVEN),
            limits,
            cancel,
        };
        Ok((snapshots, self.sandbox.run(spec, Arc::new(port)).await))
    }
}

/// What the data of each slot were in a run.
pub type Snapshots = BTreeMap<SlotName, Digest>;

/// Takes the state of the data that a run will see, within the run's wall time, and names it. The limits of the run's
/// queries, which hold that state, count from the end of it.
///
/// # Errors
/// [`QueryError`] where a database cannot be reached, or not in time.
pub async fn pin(
    prepared: &Runnable,
    limits: &Limits,
    memory_bytes: usize,
) -> Result<(QueryLimits, Snapshots), QueryError> {
    let taking = QueryLimits { memory_bytes, deadline: Some(deadline(limits.wall)), ..QueryLimits::default() };
    let pinned = match &prepared.planned {
        Some(planned) => planned.pin(&taking).await?,
        None => BTreeMap::new(),
    };
    let query = QueryLimits { deadline: Some(deadline(limits.wall + QUERY_GRACE)), ..taking };
    let digest = |slot: &SlotName| pinned.get(slot.as_str()).map(|snapshot| Digest::from_bytes(snapshot.digest));
    let snapshots = prepared.snapshots().into_iter().map(|(slot, opened)| {
        let now = digest(&slot).unwrap_or(opened);
        (slot, now)
    });
    Ok((query, snapshots.collect()))
}

/// How a request ended, before it is signed.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The outcome.
    pub outcome: Outcome,
    /// The result that was released.
    pub result: Option<ResultJson>,
    /// What the run used; `None` where nothing ran.
    pub usage: Option<Usage>,
    /// Index of the module's approval in the registry's log, where it was admitted.
    pub approval_index: Option<u64>,
    /// Entries of the registry's log on which the decision rested.
    pub registry_size: Option<u64>,
    /// What the data of each slot were; empty where nothing ran.
    pub snapshots: Snapshots,
    /// Whether the request counts against quotas.
    pub counted: bool,
    /// What the operators are told and the caller is not.
    pub detail: Option<String>,
}

impl Finished {
    /// An end without a run.
    #[must_use]
    pub fn without_run(outcome: Outcome) -> Self {
        Self {
            outcome,
            result: None,
            usage: None,
            approval_index: None,
            registry_size: None,
            snapshots: Snapshots::new(),
            counted: true,
            detail: None,
        }
    }

    /// The gateway's own fault: the caller learns that, the operators why.
    #[must_use]
    pub fn ours(problem: String) -> Self {
        let outcome = Outcome::Failed { reason: "the gateway failed".to_owned() };
        Self { detail: Some(problem), ..Self::without_run(outcome) }
    }

    fn refused(refusal: &Refusal) -> Self {
        let outcome = Outcome::refused(refusal.code(), refusal.to_string());
        Self { counted: false, ..Self::without_run(outcome) }
    }
}

/// What the caller learns of a run, and what stays here.
fn finished(asked: &Authenticated, prepared: &Runnable, admitted: &Admitted, report: RunReport) -> Finished {
    let (usage, approval_index) = (Some(report.usage), Some(admitted.approval_index));
    let finished = match report.outcome {
        RunOutcome::Succeeded { json } => match release::release(json, prepared.limits.result_bytes()) {
            Ok(released) => Finished { result: Some(released), ..Finished::without_run(Outcome::Succeeded) },
            Err(Withheld::TooLarge) => Finished::without_run(Outcome::Limit { which: LimitKind::Output }),
            Err(Withheld::Malformed) => Finished::ours("the sandbox wrote a result that is not JSON".to_owned()),
        },
        RunOutcome::Trapped { kind } => trapped(prepared.class, kind),
        RunOutcome::Limit(limit) => Finished::without_run(Outcome::Limit { which: limit_kind(limit) }),
        RunOutcome::BadParams(problem) => Finished::refused(&Refusal::Params { problem: problem.to_string() }),
        RunOutcome::UnknownEntry { .. } => Finished::refused(&Refusal::NoEntry { entry: asked.request.entry.clone() }),
        RunOutcome::NotGranted { interface } => Finished::refused(&Refusal::NotGranted { interface }),
        RunOutcome::Cancelled => Finished::without_run(Outcome::Cancelled),
        RunOutcome::Failed(problem) => Finished::ours(problem),
    };
    if let Some(detail) = &finished.detail {
        tracing::info!(run = %asked.request.request_id, detail, "how a run ended");
    }
    Finished { usage, approval_index, ..finished }
}

/// Where a guest trapped can tell of the data; only for open data does the caller learn the kind.
fn trapped(class: ReleaseClass, kind: TrapKind) -> Finished {
    let kind = kind.to_string().replace('_', "-");
    let shown = if class == ReleaseClass::Open { kind.clone() } else { "trap".to_owned() };
    Finished { detail: Some(kind), ..Finished::without_run(Outcome::Trapped { kind: shown }) }
}

fn limit_kind(limit: iog_sandbox::LimitKind) -> LimitKind {
    match limit {
        iog_sandbox::LimitKind::Fuel => LimitKind::Fuel,
        iog_sandbox::LimitKind::Memory => LimitKind::Memory,
        iog_sandbox::LimitKind::Time => LimitKind::Time,
        iog_sandbox::LimitKind::Output => LimitKind::Output,
        iog_sandbox::LimitKind::HostCalls => LimitKind::HostCalls,
    }
}

fn new_run(asked: &Authenticated, service: Option<&Service>, now: Timestamp) -> NewRun {
    let request = &asked.request;
    let target = service.and_then(|s| s.policy.quotas.targets.as_ref()).map(|quota| Target {
        parameter: quota.parameter.clone(),
        value: Digest::of(request.params.get(&quota.parameter).unwrap_or_default().to_string().as_bytes()),
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

/// The requests under way: so that a revocation stops them, and a drain waits for them.
#[derive(Debug, Default)]
pub struct UnderWay {
    runs: Mutex<HashMap<(DomainId, RequestId), (Digest, CancelFlag)>>,
    count: watch::Sender<usize>,
}

/// Takes a request off the list when dropped.
struct UnderWayGuard<'a> {
    all: &'a UnderWay,
    key: (DomainId, RequestId),
}

impl UnderWay {
    fn enter(&self, asked: &Authenticated) -> (CancelFlag, UnderWayGuard<'_>) {
        let key = (asked.caller.domain.clone(), asked.request.request_id.clone());
        let cancel = CancelFlag::new();
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(key.clone(), (asked.request.module, cancel.clone()));
        self.count.send_replace(runs.len());
        (cancel, UnderWayGuard { all: self, key })
    }

    /// Stops every request whose module `keep` does not want to go on.
    pub fn stop_unless(&self, keep: impl Fn(&Digest) -> bool) {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        for (module, cancel) in runs.values().filter(|(module, _)| !keep(module)) {
            tracing::warn!(%module, "stopping a run: its module may no longer run");
            cancel.cancel();
        }
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        // The sender is a field of this very value, so waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for UnderWayGuard<'_> {
    fn drop(&mut self) {
        let mut runs = self.all.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(&self.key);
        self.all.count.send_replace(runs.len());
    }
}

#[cfg(test)]
pub(crate) mod tests;
