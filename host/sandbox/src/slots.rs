//! Places for runs. A run takes one, and of what the engine's pool holds as much as its module needs, before the engine is
//! asked for any of it: a pool that is in use is waited for, in the order of asking, and never fails a run.

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmparser::{Instance, Parser, Payload};
use wasmtime::component::Component;

use crate::config::LoadError;
use crate::structure::malformed;

/// Core instances that a component may have.
pub(crate) const CORE_INSTANCES_MAX: u32 = 32;
/// Tables that it may have.
pub(crate) const TABLES_MAX: u32 = 8;
/// Everything in a component shares one linear memory.
pub(crate) const MEMORIES_MAX: u32 = 1;

/// What a run of a module takes of the pool, beside its one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Core instances.
    pub(crate) core_instances: u32,
    /// Linear memories.
    pub(crate) memories: u32,
    /// Tables.
    pub(crate) tables: u32,
}

/// As much as any module may need.
const HEAVIEST: Weight = Weight { core_instances: CORE_INSTANCES_MAX, memories: MEMORIES_MAX, tables: TABLES_MAX };

/// What a pool holds of everything: for each run as much as a component may have, so that no module can use up what another
/// run needs. Core instances are counted and not reserved; a table reserves 160 KB of addresses and no memory.
pub(crate) fn totals(runs_max: u32) -> Weight {
    Weight {
        core_instances: runs_max.saturating_mul(CORE_INSTANCES_MAX),
        memories: runs_max.saturating_mul(MEMORIES_MAX),
        tables: runs_max.saturating_mul(TABLES_MAX),
    }
}

impl Weight {
    /// What a run of this component takes, counted on its bytes and its compiled form.
    ///
    /// # Errors
    /// [`LoadError::NeverFits`] where it is more than a run may have.
    pub(crate) fn of(wasm: &[u8], component: &Component) -> Result<Self, LoadError> {
        let core_instances = core_instances(wasm)?;
        // A core module from outside could need anything; nothing can be linked that gives one.
        let Some(needs) = component.resources_required() else { return Ok(Self { core_instances, ..HEAVIEST }) };
        let weight = Self { core_instances, memories: needs.num_memories, tables: needs.num_tables };
        let parts = [
            ("core instances", weight.core_instances, CORE_INSTANCES_MAX),
            ("memories", weight.memories, MEMORIES_MAX),
            ("tables", weight.tables, TABLES_MAX),
        ];
        match parts.into_iter().find(|(_, found, max)| found > max) {
            Some((what, found, max)) => {
                Err(LoadError::NeverFits { problem: format!("it has {found} {what}, a run {max} at most") })
            }
            None => Ok(weight),
        }
    }
}

/// Core instances of a component. Where components inside it make some of their own, which may be instantiated any number of
/// times, it counts as the heaviest; the engine refuses what has even more.
fn core_instances(wasm: &[u8]) -> Result<u32, LoadError> {
    let (mut own, mut components) = (0u32, 0u32);
    let mut open = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding, .. } => {
                let component = encoding == wasmparser::Encoding::Component;
                components += u32::from(component);
                open.push(component);
            }
            Payload::End(_) => components -= u32::from(open.pop().unwrap_or(false)),
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    if matches!(instance.map_err(malformed)?, Instance::Instantiate { .. }) {
                        own = if components > 1 { CORE_INSTANCES_MAX } else { own.saturating_add(1) };
                    }
                }
            }
            _ => {}
        }
    }
    Ok(own.min(CORE_INSTANCES_MAX))
}

/// The places there are.
#[derive(Debug)]
pub(crate) struct Slots {
    runs: Semaphore,
    core_instances: Semaphore,
    memories: Semaphore,
    tables: Semaphore,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot<'s> {
    _held: [SemaphorePermit<'s>; 4],
}

impl Slots {
    /// Places for so many runs, which share a pool of this size.
    pub(crate) fn new(runs_max: u32, totals: Weight) -> Self {
        let of = |permits: u32| Semaphore::new(permits as usize);
        Self {
            runs: of(runs_max),
            core_instances: of(totals.core_instances),
            memories: of(totals.memories),
            tables: of(totals.tables),
        }
    }

    /// Waits for a place. Who asked first is first, whatever it weighs; what is waited for is taken in one order by
    /// everybody, so that nobody waits for ever. `None` where the sandbox is closed, which it never is.
    pub(crate) async fn take(&self, weight: Weight) -> Option<Slot<'_>> {
        let run = self.runs.acquire().await.ok()?;
        let core_instances = self.core_instances.acquire_many(weight.core_instances).await.ok()?;
        let memories = self.memories.acquire_many(weight.memories).await.ok()?;
        let tables = self.tables.acquire_many(weight.tables).await.ok()?;
        Some(Slot { _held: [run, core_instances, memories, tables] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIGHT: Weight = Weight { core_instances: 1, memories: 1, tables: 0 };

    async fn is_taken<'s>(taking: &mut (impl Future<Output = Option<Slot<'s>>> + Unpin)) -> Option<Slot<'s>> {
        tokio::select! { biased; slot = taking => slot, () = tokio::task::yield_now() => None }
    }

    #[tokio::test]
    async fn a_pool_in_use_is_waited_for_in_the_order_of_asking() {
        let slots = Slots::new(8, Weight { core_instances: 32, memories: 8, tables: 8 });
        let heavy = Weight { core_instances: 32, memories: 1, tables: 8 };
        let first = slots.take(heavy).await.unwrap();
        let mut second = Box::pin(slots.take(heavy));
        let mut third = Box::pin(slots.take(LIGHT));
        assert!(is_taken(&mut second).await.is_none() && is_taken(&mut third).await.is_none());
        drop(first);
        assert!(is_taken(&mut third).await.is_none(), "a light one does not overtake for ever");
        drop(is_taken(&mut second).await.unwrap());
        assert!(is_taken(&mut third).await.is_some());
    }

    #[tokio::test]
    async fn who_leaves_while_waiting_gives_everything_back() {
        let slots = Slots::new(2, Weight { core_instances: 2, memories: 2, tables: 0 });
        let held = slots.take(Weight { core_instances: 2, ..LIGHT }).await.unwrap();
        let mut waiting = Box::pin(slots.take(LIGHT));
        assert!(is_taken(&mut waiting).await.is_none());
        drop(waiting);
        drop(held);
        let all = [slots.take(LIGHT).await, slots.take(LIGHT).await];
        assert!(all.iter().all(Option::is_some));
    }

    #[test]
    fn core_instances_are_counted_and_nested_ones_weigh_as_the_heaviest() {
        let count = |wat: &str| core_instances(&wat::parse_str(wat).unwrap()).unwrap();
        let one = "(core module $m) (core instance (instantiate $m))";
        assert_eq!(count("(component)"), 0);
        assert_eq!(count(&format!("(component {one} (core instance (instantiate $m)))")), 2);
        assert_eq!(count(&format!("(component {one} (component $c) (instance (instantiate $c)))")), 1);
        assert_eq!(count(&format!("(component (component {one}))")), CORE_INSTANCES_MAX);
    }
}
