//! One run: a fresh store, the granted interfaces, one call, its result as canonical JSON. Every way it can end becomes
//! an outcome here.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use wasmtime::Store;
use wasmtime::component::{InstancePre, Val};

use crate::Sandbox;
use crate::allowance::Allowance;
use crate::cancel::CancelFlag;
use crate::handed::Handed;
use crate::interfaces::{HostPort, RunState, States};
use crate::json_in;
use crate::json_out::{self, WriteError};
use crate::limits::Limits;
use crate::meter::{MemoryMeter, Stop};
use crate::module::Entry;
use crate::outcome;
use crate::params::Params;
use crate::parsed;
use crate::slots::{Slot, Weight};
use crate::spec::{LimitKind, RunOutcome, RunReport, RunSpec, Runner, Usage};
use crate::state::now;

/// Fuel between two yields of a guest that makes no host calls: below 1 ms of instructions.
const YIELD_FUEL: u64 = 1_000_000;
/// As good as no deadline: ten years.
const FAR: Duration = Duration::from_secs(10 * 365 * 86_400);

#[async_trait]
impl Runner for Sandbox {
    async fn run(&self, spec: RunSpec, host: Arc<dyn HostPort>) -> RunReport {
        let started = now();
        if !self.guests().are_apart() {
            return self.report(spec, host, started).await;
        }
        let sandbox = self.clone();
        let carried = self.guests().carry(async move { sandbox.report(spec, host, started).await }).await;
        carried.unwrap_or_else(|ended| match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => {
                let outcome = RunOutcome::Failed("the threads of the guests have ended".into());
                RunReport { outcome, usage: Usage::default() }
            }
        })
    }
}

impl Sandbox {
    async fn report(&self, spec: RunSpec, host: Arc<dyn HostPort>, started: Instant) -> RunReport {
        let mut usage = Usage::default();
        let outcome = self.outcome(spec, host, started, &mut usage).await.unwrap_or_else(|ended| ended);
        usage.wall_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        RunReport { outcome, usage }
    }

    async fn outcome(
        &self,
        spec: RunSpec,
        host: Arc<dyn HostPort>,
        started: Instant,
        usage: &mut Usage,
    ) -> Result<RunOutcome, RunOutcome> {
        let module = spec.module;
        let entry = module.prepared(&spec.entry).ok_or(RunOutcome::UnknownEntry { entry: spec.entry })?;
        if let Some(interface) = module.ungranted(spec.grants) {
            return Err(RunOutcome::NotGranted { interface: interface.to_owned() });
        }
        let linked = module
            .linked(self.engine(), self.linkers(), spec.grants)
            .map_err(|e| RunOutcome::Failed(format!("the module cannot be linked: {e:#}")))?;
        let guard = Guard { cancel: spec.cancel.clone(), deadline: deadline(started, spec.limits.wall) };
        let _slot = self.slot(&guard, module.weight()).await?;
        let limits =
            Limits { memory_bytes: spec.limits.memory_bytes.min(self.config().memory_bytes_max), ..spec.limits };
        let Arguments { args, held } = arguments(&entry, spec.params, &limits, &guard)?;
        let mut store = self.store(
            RunState {
                memory: MemoryMeter::new(limits.memory_bytes, held),
                handed: Handed::new(limits.result_bytes, entry.cost),
                provider: spec.provider,
                entry: entry.name.clone(),
                cancel: spec.cancel,
                deadline: guard.deadline,
                host_calls_max: spec.limits.host_calls,
                host_calls: 0,
                interfaces: States::new(&spec.limits, host),
            },
            &limits,
        )?;
        let called = guard.watch(call(&mut store, linked, &entry, &args)).await;
        note(usage, &store, spec.limits.fuel);
        let result = match called {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => return Err(outcome::of_error(&error, store.data())),
            Err(stop) => return Err(outcome::of_stop(&stop)),
        };
        // The text takes the room of the guest's memory, not more beside it.
        drop(store);
        let Some((ty, val)) = entry.ty.result.as_ref().zip(result.as_ref()) else {
            return Ok(RunOutcome::Succeeded { json: "null".into() });
        };
        match json_out::canonical(ty, val, spec.limits.result_bytes) {
            Ok(json) => Ok(RunOutcome::Succeeded { json }),
            Err(WriteError::TooLong) => Ok(RunOutcome::Limit(LimitKind::Output)),
            Err(WriteError::Mismatch) => Err(RunOutcome::Failed("a result is not of its own type".into())),
        }
    }

    async fn slot(&self, guard: &Guard, weight: Weight) -> Result<Slot<'_>, RunOutcome> {
        match guard.watch(self.slots().take(weight)).await {
            Ok(slot) => slot.ok_or_else(|| RunOutcome::Failed("the sandbox is closed".into())),
            Err(stop) => Err(outcome::of_wait(&stop)),
        }
    }

    fn store(&self, state: RunState, limits: &Limits) -> Result<Store<RunState>, RunOutcome> {
        let failed = |e: wasmtime::Error| RunOutcome::Failed(format!("a store cannot be made: {e:#}"));
        let mut store = Store::new(self.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_fuel(limits.fuel).map_err(failed)?;
        store.fuel_async_yield_interval(Some(YIELD_FUEL)).map_err(failed)?;
        store.call_hook(|mut cx, border| {
            let state = cx.data_mut();
            if let Some(charge) = state.handed.at(border, state.memory.left()) {
                cx.set_hostcall_fuel(charge);
            }
            Ok(())
        });
        store.set_max_component_handles(limits.handles as usize);
        Ok(store)
    }
}

/// Parameters as values.
struct Arguments {
    args: Vec<Val>,
    /// Bytes that they take on the host.
    held: usize,
}

/// Reads the parameters, in the run's slot, and charges them to its memory.
fn arguments(entry: &Entry<'_>, params: Params, limits: &Limits, guard: &Guard) -> Result<Arguments, RunOutcome> {
    let stop = || guard.stopped();
    let mut room = Allowance::new(limits.memory_bytes, limits.values, &stop);
    let (json, json_bytes) = parsed::read(params, &mut room).map_err(outcome::of_unread)?;
    let args = json_in::params(&entry.ty.params, &json, &mut room).map_err(outcome::of_unread)?;
    Ok(Arguments { args, held: room.bytes() - json_bytes })
}

async fn call(
    store: &mut Store<RunState>,
    linked: &InstancePre<RunState>,
    entry: &Entry<'_>,
    args: &[Val],
) -> wasmtime::Result<Option<Val>> {
    let instance = linked.instantiate_async(&mut *store).await?;
    let func =
        instance.get_func(&mut *store, entry.export).ok_or_else(|| Stop::Host("the entry is not exported".into()))?;
    if entry.ty.result.is_none() {
        func.call_async(&mut *store, args, &mut []).await?;
        return Ok(None);
    }
    let mut result = [Val::Bool(false)];
    func.call_async(&mut *store, args, &mut result).await?;
    let [result] = result;
    Ok(Some(result))
}

fn note(usage: &mut Usage, store: &Store<RunState>, fuel: u64) {
    let state = store.data();
    usage.fuel = fuel.saturating_sub(store.get_fuel().unwrap_or(0));
    usage.memory_peak_bytes = state.memory.peak();
    usage.rows = state.interfaces.data.rows;
    usage.bytes = state.interfaces.data.bytes;
    usage.host_calls = state.host_calls;
    usage.log_dropped = state.interfaces.log.dropped();
}

/// The end of a run's time; far away where the clock cannot hold it.
fn deadline(started: Instant, wall: Duration) -> Instant {
    started.checked_add(wall).unwrap_or_else(|| started + FAR)
}

/// What ends a run from outside.
struct Guard {
    cancel: CancelFlag,
    deadline: Instant,
}

impl Guard {
    /// Polls `work` until it is done, the flag is set or the time is up. Each poll looks at flag and clock first, so a
    /// guest that only yields is stopped without a timer; timer and wake-up are made only when `work` has to wait.
    async fn watch<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        let mut work = pin!(work);
        let mut woken = pin!(None);
        poll_fn(|cx| {
            if let Some(stop) = self.stopped() {
                return Poll::Ready(Err(stop));
            }
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            if woken.is_none() {
                woken.set(Some(self.ended()));
            }
            match woken.as_mut().as_pin_mut() {
                Some(ended) => ended.poll(cx).map(Err),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Whether the flag is set or the time is up, now.
    fn stopped(&self) -> Option<Stop> {
        if self.cancel.is_cancelled() {
            Some(Stop::Cancelled)
        } else if now() >= self.deadline {
            Some(Stop::Time)
        } else {
            None
        }
    }

    async fn ended(&self) -> Stop {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Stop::Cancelled,
            () = tokio::time::sleep_until(self.deadline.into()) => Stop::Time,
        }
    }
}
