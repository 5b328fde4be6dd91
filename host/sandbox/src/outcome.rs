//! What an error of the engine means: the guest's trap, a limit, a stop, or a fault of ours.

use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::allowance::NoMore;
use crate::json_in::Unread;
use crate::meter::Stop;
use crate::spec::{LimitKind, RunOutcome, TrapKind};
use crate::state::Run;

/// wasmtime's own words for two limits that have no public error type; a test holds them to the pinned version.
const LIFT_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";
const HANDLES_EXCEEDED: &str = "store handle limit exceeded";
/// The start of a component needs more than the limiter allows.
const MINIMUM_EXCEEDED: &str = "minimum size";

/// The outcome of a run that the engine ended.
pub(crate) fn of_error<S>(error: &wasmtime::Error, state: &Run<S>) -> RunOutcome {
    let refused = state.memory.refused;
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return of_stop(stop);
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return RunOutcome::Failed(format!("{error:#}"));
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return of_trap(*trap, refused);
    }
    let text = format!("{error:#}");
    if text.contains(LIFT_EXHAUSTED) {
        RunOutcome::Limit(if state.handed.lacks_memory { LimitKind::Memory } else { LimitKind::Output })
    } else if text.contains(HANDLES_EXCEEDED) {
        RunOutcome::Trapped { kind: TrapKind::Handles }
    } else if refused && text.contains(MINIMUM_EXCEEDED) {
        RunOutcome::Limit(LimitKind::Memory)
    } else {
        // What is left comes from lifting and lowering: pointers, encodings, handles, discriminants.
        tracing::debug!(error = %text, "a guest broke the component model's rules");
        RunOutcome::Trapped { kind: TrapKind::Interface }
    }
}

/// The outcome of a run that the host ended.
pub(crate) fn of_stop(stop: &Stop) -> RunOutcome {
    match stop {
        Stop::Cancelled => RunOutcome::Cancelled,
        Stop::Time => RunOutcome::Limit(LimitKind::Time),
        Stop::HostCalls => RunOutcome::Limit(LimitKind::HostCalls),
        Stop::Handles => RunOutcome::Trapped { kind: TrapKind::Handles },
        Stop::Host(reason) => RunOutcome::Failed(reason.clone()),
    }
}

/// The outcome of a run whose parameters did not become values.
pub(crate) fn of_unread(unread: Unread) -> RunOutcome {
    match unread {
        Unread::Misfit(problem) => RunOutcome::BadParams(problem),
        Unread::NoMore(NoMore::TooLarge(too_large)) => RunOutcome::ParamsTooLarge(too_large),
        Unread::NoMore(NoMore::Stopped(stop)) => of_stop(&stop),
    }
}

/// The outcome of a run that got no slot: it was stopped while it waited, or its time went by, which is ours.
pub(crate) fn of_wait(stop: &Stop) -> RunOutcome {
    match stop {
        Stop::Time => RunOutcome::Failed("no slot became free within the run's wall time".into()),
        other => of_stop(other),
    }
}

fn of_trap(trap: Trap, refused: bool) -> RunOutcome {
    let kind = match trap {
        Trap::OutOfFuel => return RunOutcome::Limit(LimitKind::Fuel),
        // A guest whose allocator got no memory gives up with `unreachable`.
        Trap::UnreachableCodeReached if refused => return RunOutcome::Limit(LimitKind::Memory),
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull | Trap::BadSignature | Trap::NullReference => TrapKind::BadIndirectCall,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::DivisionByZero,
        Trap::BadConversionToInteger => TrapKind::BadConversion,
        Trap::StackOverflow => TrapKind::StackOverflow,
        Trap::CannotEnterComponent | Trap::CannotLeaveComponent | Trap::InvalidChar => TrapKind::Interface,
        _ => TrapKind::Other,
    };
    RunOutcome::Trapped { kind }
}
