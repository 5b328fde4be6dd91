//! One case: a file and a manifest go through what a gateway does with them, from the bytes to one call. Whatever is refused,
//! trapped or limited is as it should be; a fault is what says that it is ours, what takes longer than it may, and what never
//! ends.

use std::time::{Duration, Instant};

use iog_data::{DataError, ParamType, PlanError, QueryError, QueryLimits, Value};
use iog_gateway::executor::{Executed, Run};
use iog_gateway::prepare::{PrepareError, Prepared};
use iog_gateway::runs::under_way::RunHandle;
use iog_inspect::InspectLimits;
use iog_machine::error::chain;
use iog_module::{AsSigned, ExamineError, Examined, NotLoaded, NotRun, Source};
use iog_protocol::ids::{EntryName, RequestId};
use iog_protocol::statements::{Source as SourceOfModule, Submission};
use iog_sandbox::{LoadError, Provider, RunOutcome};

use crate::held::Waited;
use crate::params;
use crate::random::Random;
use crate::stage::{self, Stage};

/// What a run may take beyond its wall time.
const OVER_MAX: Duration = Duration::from_secs(1);
/// After which something never ends. A child is ended by its processor time long before, unless it waits for something.
const NEVER: Duration = Duration::from_secs(400);

/// A file, and its manifest; without one it gets one that fits what inspection finds.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) wasm: Vec<u8>,
    pub(crate) manifest: Option<String>,
}

/// What must not happen.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Somebody says that it is our fault, or that it cannot be.
    Ours(String),
    /// Something took longer than it may. A busy machine can do that too, so it is tried again alone.
    Late(String),
}

/// Beside whom a case is carried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// Another case is under way, and shares the processors.
    Others,
    /// Nothing else is under way here. What the threads of this process wait for a processor is not the case's doing.
    Alone,
}

/// How far a case came.
pub(crate) type Came = Result<&'static str, Fault>;

/// Carries a case from its bytes to one call.
pub(crate) async fn carry(stage: &Stage, case: &Case, random: &mut Random, company: Company) -> Came {
    let prepared = match tokio::time::timeout(NEVER, prepared(stage, case)).await {
        Err(_) => return Err(Fault::Late(format!("it was not prepared within {NEVER:?}"))),
        Ok(Err(end)) => return end,
        Ok(Ok(prepared)) => prepared,
    };
    ask(&prepared, company).await?;
    call(stage, &prepared, random, company).await
}

/// What something takes, by the clock.
struct Clock {
    company: Company,
    begun: Instant,
    waited: Waited,
}

impl Clock {
    fn start(company: Company) -> Self {
        Self { company, begun: Instant::now(), waited: Waited::now() }
    }

    /// How long it has taken; for who is alone without what the machine kept its threads waiting.
    fn took(&self) -> Duration {
        match self.company {
            Company::Others => self.begun.elapsed(),
            Company::Alone => self.begun.elapsed().saturating_sub(self.waited.since()),
        }
    }
}

/// The module made ready as a gateway does it, or how the case ended before.
async fn prepared(stage: &Stage, case: &Case) -> Result<Prepared, Came> {
    let wasm = case.wasm.as_slice();
    let manifest = match &case.manifest {
        Some(text) => text.clone(),
        None => match fitting(wasm) {
            Some(text) => text,
            None => return Err(refused(stage, wasm, "file refused").await),
        },
    };
    let examined = match Examined::examine(Source { wasm, manifest: &manifest }) {
        Ok(examined) => examined,
        Err(ExamineError::Manifest(_)) => return Err(refused(stage, wasm, "manifest refused").await),
        Err(ExamineError::Inspect(_)) => return Err(refused(stage, wasm, "file refused").await),
        Err(ExamineError::Findings(_)) => return Err(refused(stage, wasm, "they do not fit").await),
    };
    let signed = submission(&examined, wasm.len());
    let bound = stage.bound(examined.manifest());
    let module = AsSigned::compare(examined, &signed).map_err(|error| Err(Fault::Ours(error.to_string())))?;
    Prepared::new(&stage.tools, module, wasm, &bound, &stage.allowance).await.map_err(|error| not_prepared(&error))
}

/// Why a case is refused, for who looks into it.
pub(crate) fn refusal(case: &Case) -> Option<String> {
    let fitting = || iog_inspect::inspect(&case.wasm, &InspectLimits::default()).map(|_| fitting(&case.wasm));
    let manifest = match &case.manifest {
        Some(text) => text.clone(),
        None => match fitting() {
            Ok(text) => text.unwrap_or_default(),
            Err(error) => return Some(chain(&error)),
        },
    };
    let examined = Examined::examine(Source { wasm: &case.wasm, manifest: &manifest });
    examined.err().map(|error| chain(&error))
}

/// The manifest of a file that inspection takes.
fn fitting(wasm: &[u8]) -> Option<String> {
    let facts = iog_inspect::inspect(wasm, &InspectLimits::default()).ok()?;
    let entries: Vec<_> = facts.exports.iter().map(|export| format!("{:?}", export.name)).collect();
    Some(format!(
        "[module]\nname = \"iog/random\"\nversion = \"1.0.0\"\nsummary = \"Random\"\nentry = [{}]\n\
         [release]\nclass = \"reviewed\"\n[source]\nrepository = \"https://iog.example/iog\"\ncommit = \"0\"\n",
        entries.join(", ")
    ))
}

/// What inspection refuses is shown to the engine as well, which has a door of its own.
async fn refused(stage: &Stage, wasm: &[u8], by: &'static str) -> Came {
    match stage.tools.sandbox.load(wasm).await {
        Ok(_) => Ok(by),
        Err(error) => not_loaded(&error).map(|_| by),
    }
}

fn submission(found: &Examined, bytes: usize) -> Submission {
    Submission {
        name: found.manifest().module.name.clone(),
        version: found.manifest().module.version.clone(),
        size: bytes as u64,
        module: found.digest(),
        manifest: found.manifest_digest(),
        capabilities: found.capabilities().clone(),
        source: SourceOfModule { repository: "https://iog.example/iog".to_owned(), commit: "0".to_owned() },
        publisher_organisation: "iog-project".parse().unwrap(),
    }
}

/// Files here are small: a child that breaks off, or needs a gigabyte, ten seconds of processor time or minutes for one, has
/// met a bug.
fn not_loaded(error: &LoadError) -> Came {
    match error {
        LoadError::Internal(_)
        | LoadError::CompilerEnded { .. }
        | LoadError::Uncompilable { .. }
        | LoadError::Busy { .. } => Err(Fault::Ours(chain(error))),
        _ => Ok("the engine refuses it"),
    }
}

fn not_prepared(error: &PrepareError) -> Came {
    match error {
        PrepareError::Load(NotLoaded::Engine(error)) => not_loaded(error),
        PrepareError::Plan(PlanError::Slow { .. } | PlanError::Busy { .. }) => Err(Fault::Late(chain(error))),
        PrepareError::Plan(PlanError::Internal { .. })
        | PrepareError::Load(NotLoaded::OtherFile { .. })
        | PrepareError::Examine(_)
        | PrepareError::Columns { .. } => Err(Fault::Ours(chain(error))),
        PrepareError::Plan(_) => Ok("a query does not plan"),
        PrepareError::NotGiven { .. }
        | PrepareError::Slot { .. }
        | PrepareError::NoSlot { .. }
        | PrepareError::Class(_) => Ok("not bound"),
    }
}

/// Asks every query once: of an error a guest learns only that there is one.
async fn ask(prepared: &Prepared, company: Company) -> Result<(), Fault> {
    let Some(planned) = &prepared.planned else { return Ok(()) };
    for name in planned.names() {
        let query = planned.query(name).unwrap();
        let values = query.spec().params.iter().map(|(_, ty)| value(*ty)).collect();
        let wall = Duration::from_secs(stage::WALL_S.into());
        let clock = Clock::start(company);
        let limits = QueryLimits {
            memory_bytes: stage::query_memory_bytes(),
            deadline: Some(clock.begun + wall),
            ..QueryLimits::default()
        };
        let reading = async {
            let mut rows = planned.open(name, values, limits).await?;
            while rows.next().await?.is_some() {}
            Ok::<_, QueryError>(())
        };
        let read = tokio::time::timeout(NEVER, reading).await;
        match read {
            Ok(Err(error @ (QueryError::Internal { .. } | QueryError::Data(DataError::Internal { .. })))) => {
                return Err(Fault::Ours(format!("query `{name}`: {}", chain(&error))));
            }
            _ if clock.took() > wall + OVER_MAX => {
                return Err(Fault::Late(format!("query `{name}` took {:?} of {wall:?}", clock.took())));
            }
            _ => {}
        }
    }
    Ok(())
}

fn value(ty: ParamType) -> Value {
    match ty {
        ParamType::Int | ParamType::Timestamp => Value::Int(1_800_000_000_000_000),
        ParamType::Uint => Value::Uint(24),
        ParamType::Float => Value::Float(0.5),
        ParamType::Flag => Value::Flag(true),
        ParamType::Text | ParamType::Address => Value::Text("192.0.2.1".to_owned()),
        ParamType::Prefix => Value::Text("192.0.2.0/24".to_owned()),
    }
}

/// One call of one of its entries.
async fn call(stage: &Stage, prepared: &Prepared, random: &mut Random, company: Company) -> Came {
    let entries = &prepared.module.manifest().module.entry;
    let entry: &EntryName = &entries[random.below(entries.len())];
    let Some(types) = prepared.loaded.entry(entry.as_str()) else {
        return Err(Fault::Ours(format!("inspection found entry `{entry}`, and the engine did not")));
    };
    let run = Run {
        id: &RequestId::from_bytes([0; 16]),
        entry,
        params: params::of(random, types).into(),
        provider: Provider { domain: "as64500".into(), asn: Some(64_500) },
        handle: &RunHandle::new(prepared.module.digest()),
    };
    let wall = Duration::from_secs(prepared.limits.wall_s.into());
    let clock = Clock::start(company);
    let ran = tokio::time::timeout(NEVER, stage.executor.execute(prepared, run)).await;
    let took = clock.took();
    let ended = match ran {
        Err(_) => return Err(Fault::Late(format!("the call of `{entry}` had not ended after {took:?}"))),
        Ok(Err(NotRun::NoGround(error))) => return Err(Fault::Ours(chain(&error))),
        Ok(Err(NotRun::Cancelled)) => return Err(Fault::Ours("nobody cancelled it".to_owned())),
        Ok(Err(NotRun::Late)) => "time",
        Ok(Ok(executed)) => ended(&executed)?,
    };
    if took > wall + OVER_MAX {
        return Err(Fault::Late(format!("the call of `{entry}` took {took:?} of {wall:?}, and ended: {ended}")));
    }
    Ok(ended)
}

fn ended(executed: &Executed) -> Came {
    Ok(match &executed.report.outcome {
        RunOutcome::Succeeded { .. } => "succeeded",
        RunOutcome::Trapped { .. } => "trapped",
        RunOutcome::Limit(_) => "at a limit",
        RunOutcome::BadParams(_) | RunOutcome::ParamsTooLarge(_) => "parameters refused",
        other @ (RunOutcome::Failed(_)
        | RunOutcome::UnknownEntry { .. }
        | RunOutcome::NotGranted { .. }
        | RunOutcome::Cancelled) => return Err(Fault::Ours(format!("{other:?}"))),
    })
}
