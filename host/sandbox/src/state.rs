//! What belongs to one run while it runs: the meter, what its interfaces keep and the way to its host.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::{AsContextMut, StoreContextMut, Trap};

use crate::costs;
use crate::interfaces::{Ask, Provider, States};
use crate::meter::{MemoryMeter, Stop};
use crate::port::HostPort;
use crate::spec::CancelFlag;

/// The data of a run's store.
pub(crate) struct RunState {
    pub(crate) memory: MemoryMeter,
    pub(crate) provider: Provider,
    pub(crate) entry: Arc<str>,
    pub(crate) host: Arc<dyn HostPort>,
    pub(crate) cancel: CancelFlag,
    pub(crate) deadline: Instant,
    pub(crate) host_calls_max: u64,
    pub(crate) host_calls: u64,
    pub(crate) interfaces: States,
}

/// Counts a host call, checks whether the run may go on, and charges for the call and `bytes` of arguments.
pub(crate) fn enter(store: &mut StoreContextMut<'_, RunState>, bytes: usize) -> wasmtime::Result<()> {
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
pub(crate) fn charge(store: &mut StoreContextMut<'_, RunState>, cost: u64) -> wasmtime::Result<()> {
    let mut store = store.as_context_mut();
    match store.get_fuel()?.checked_sub(cost) {
        Some(left) => store.set_fuel(left),
        None => {
            store.set_fuel(0)?;
            Err(Trap::OutOfFuel.into())
        }
    }
}

/// Asks the host. The future borrows nothing of the store, so the run can be dropped while it waits.
pub(crate) async fn ask<R: Ask>(store: &StoreContextMut<'_, RunState>, request: R) -> Result<R::Answer, Stop> {
    let host = store.data().host.clone();
    let answer = R::answer(host.call(request.message()).await);
    answer.ok_or_else(|| Stop::Host(format!("`{}` was answered with another interface's message", R::INTERFACE)))
}

/// The clock of deadlines and usage; results never depend on it.
pub(crate) fn now() -> Instant {
    Instant::now()
}
