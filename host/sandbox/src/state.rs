//! What belongs to one run while it runs, and what a host call does first: it is counted, checked and paid. Knows no
//! interface, and interfaces know a run only through this file.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::{AsContextMut, StoreContextMut, Trap};

use crate::cancel::CancelFlag;
use crate::costs;
use crate::handed::Handed;
use crate::meter::{MemoryMeter, Stop};
use crate::provider::Provider;

/// The data of a run's store. `S` is what its interfaces keep and how they reach the host.
pub(crate) struct Run<S> {
    pub(crate) memory: MemoryMeter,
    pub(crate) handed: Handed,
    pub(crate) provider: Provider,
    pub(crate) entry: Arc<str>,
    pub(crate) cancel: CancelFlag,
    pub(crate) deadline: Instant,
    pub(crate) host_calls_max: u64,
    pub(crate) host_calls: u64,
    pub(crate) interfaces: S,
}

/// A run as its host calls see it.
pub(crate) type Cx<'a, S> = StoreContextMut<'a, Run<S>>;

/// Keeps a `T` for one interface.
pub(crate) trait Keeps<T>: Send + Sync + 'static {
    /// What is kept.
    fn kept(&mut self) -> &mut T;
}

/// Takes the requests of one interface to the host.
pub(crate) trait Asks<R>: Send + Sync + 'static {
    /// What the host answers.
    type Answer;

    /// Asks the host. The future borrows nothing of the store, so the run can be dropped while it waits.
    fn ask(&self, request: R) -> impl Future<Output = Result<Self::Answer, Stop>> + Send + 'static;
}

/// Counts a host call, checks whether the run may go on, and charges for the call and `bytes` of arguments.
pub(crate) fn enter<S: 'static>(store: &mut Cx<'_, S>, bytes: usize) -> wasmtime::Result<()> {
    let state = store.data_mut();
    if state.host_calls >= state.host_calls_max {
        return Err(Stop::HostCalls.into());
    }
    state.host_calls += 1;
    if state.cancel.is_cancelled() {
        return Err(Stop::Cancelled.into());
    }
    if now() >= state.deadline {
        return Err(Stop::Time.into());
    }
    charge(store, costs::HOST_CALL + costs::BYTE * bytes as u64)
}

/// Takes `cost` from the fuel; a run that cannot pay ends as if its own instructions had used the fuel up.
pub(crate) fn charge<S: 'static>(store: &mut Cx<'_, S>, cost: u64) -> wasmtime::Result<()> {
    let mut store = store.as_context_mut();
    match store.get_fuel()?.checked_sub(cost) {
        Some(left) => store.set_fuel(left),
        None => {
            store.set_fuel(0)?;
            Err(Trap::OutOfFuel.into())
        }
    }
}

/// The clock of deadlines and usage; results never depend on it.
pub(crate) fn now() -> Instant {
    Instant::now()
}
