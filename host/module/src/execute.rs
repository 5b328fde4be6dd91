//! One run, whoever asks for it: a gateway, `module try` or `merge`. Its ground (the data it stands on, and the host that
//! serves them) is taken first; taking it and running share one wall time and one cancel flag.

use std::sync::Arc;

use iog_machine::clock::deadline;
use iog_sandbox::{
    CancelFlag, Grants, HostPort, Limits, Module, Params, Provider, RunReport, RunSpec, Runner as _, Sandbox,
};

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Job {
    /// The compiled module.
    pub module: Arc<Module>,
    /// The exported function to call.
    pub entry: String,
    /// Its parameters by name.
    pub params: Params,
    /// What `iog:guest/context` says.
    pub provider: Provider,
    /// The interfaces that are linked.
    pub grants: Grants,
    /// What the run may use; its wall time begins when the ground is being taken.
    pub limits: Limits,
    /// Ends the run from outside.
    pub cancel: CancelFlag,
}

/// What a run stands on.
pub struct Ground<T> {
    /// Serves the run.
    pub host: Arc<dyn HostPort>,
    /// What the asker wants to know of it afterwards.
    pub facts: T,
}

/// Why nothing ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRun<E> {
    /// It was cancelled before.
    Cancelled,
    /// Its time was over before.
    Late,
    /// There is no ground.
    NoGround(E),
}

/// Takes the ground and runs on it.
///
/// # Errors
/// [`NotRun`]: the guest was never started. How a started guest ended is in the report.
pub async fn execute<T, E>(
    sandbox: &Sandbox,
    job: Job,
    ground: impl Future<Output = Result<Ground<T>, E>>,
) -> Result<(RunReport, T), NotRun<E>> {
    let ends = deadline(job.limits.wall);
    let ground = tokio::select! {
        biased;
        () = job.cancel.cancelled() => return Err(NotRun::Cancelled),
        ground = ground => ground.map_err(NotRun::NoGround)?,
        () = tokio::time::sleep_until(ends.into()) => return Err(NotRun::Late),
    };
    let wall = ends.saturating_duration_since(deadline(std::time::Duration::ZERO));
    let Job { module, entry, params, provider, grants, limits, cancel } = job;
    let spec = RunSpec { module, entry, params, provider, grants, limits: Limits { wall, ..limits }, cancel };
    Ok((sandbox.run(spec, ground.host).await, ground.facts))
}
