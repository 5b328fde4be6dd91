//! Runs a module on its bound data, for a caller's request and for `module try` alike: the state of the data is pinned and
//! named, the queries hold that state, the sandbox does the rest (`iog_module::execute`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use iog_data::{QueryError, QueryLimits};
use iog_machine::clock::deadline;
use iog_module::{Ground, Job, NotRun, execute, limits};
use iog_protocol::ids::{Digest, EntryName, RequestId, SlotName};
use iog_sandbox::{Params, Provider, RunReport, Sandbox};

use crate::port::RunPort;
use crate::prepare::Runnable;
use crate::runs::under_way::RunHandle;

/// What a run's queries have beyond its wall time: it is the sandbox that ends a run, and a guest never gets to see its
/// queries end first. Their own deadline reaches the database, whose statement ends even if nobody is there to stop it.
const QUERY_GRACE: Duration = Duration::from_secs(1);

/// What the data of each slot were in a run.
pub type Snapshots = BTreeMap<SlotName, Digest>;

/// What runs modules on data.
#[derive(Debug, Clone)]
pub struct Executor {
    /// What runs.
    pub sandbox: Sandbox,
    /// Memory that the queries of one run may hold, in bytes.
    pub query_memory_bytes: usize,
}

/// One run.
#[derive(Debug)]
pub struct Run<'a> {
    /// Names it in the operator's log.
    pub id: &'a RequestId,
    /// The entry.
    pub entry: &'a EntryName,
    /// Its parameters by name.
    pub params: Params,
    /// What `iog:guest/context` says.
    pub provider: Provider,
    /// By which it is watched and ended from outside.
    pub handle: &'a RunHandle,
}

/// What came of it.
#[derive(Debug)]
pub struct Executed {
    /// How the guest ended and what it used.
    pub report: RunReport,
    /// What the data of each slot were.
    pub snapshots: Snapshots,
}

impl Executor {
    /// Runs a module once on its data.
    ///
    /// # Errors
    /// [`NotRun`]: cancelled before, or a database cannot be reached, or not in time.
    pub async fn execute(&self, runnable: &Runnable, run: Run<'_>) -> Result<Executed, NotRun<QueryError>> {
        let limits = limits(&runnable.limits);
        let (memory_bytes, ends) = (self.query_memory_bytes, deadline(limits.wall));
        let taking = QueryLimits { memory_bytes, deadline: Some(ends), ..QueryLimits::default() };
        run.handle.is_at(0);
        let ground = ground(runnable, &run, taking);
        let job = Job {
            module: Arc::clone(&runnable.loaded),
            entry: run.entry.to_string(),
            params: run.params.clone(),
            provider: run.provider.clone(),
            grants: runnable.grants,
            limits,
            cancel: run.handle.cancel_flag().clone(),
        };
        let (report, snapshots) = execute(&self.sandbox, job, ground).await?;
        Ok(Executed { report, snapshots })
    }
}

/// Takes the state of the data that a run will see, within its wall time, and names it.
async fn ground(runnable: &Runnable, run: &Run<'_>, taking: QueryLimits) -> Result<Ground<Snapshots>, QueryError> {
    let pinned = match &runnable.planned {
        Some(planned) => planned.pin(&taking).await?,
        None => BTreeMap::new(),
    };
    let digest = |slot: &SlotName| pinned.get(slot.as_str()).map(|snapshot| Digest::from_bytes(snapshot.digest));
    let facts = runnable.snapshots().into_iter().map(|(slot, opened)| {
        let now = digest(&slot).unwrap_or(opened);
        (slot, now)
    });
    let facts = facts.collect();
    let query = QueryLimits { deadline: taking.deadline.map(|ends| ends + QUERY_GRACE), ..taking };
    let host = Arc::new(RunPort::new(runnable.planned.clone(), query, run.id.clone(), run.handle.clone()));
    Ok(Ground { host, facts })
}
