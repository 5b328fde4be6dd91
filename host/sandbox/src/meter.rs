//! What a run may use and has used: the store's limiter (memory and tables summed) and the reasons that stop a run from
//! within a host call.

use wasmtime::ResourceLimiter;

use crate::engine::TABLE_ELEMENTS_MAX;
use crate::slots::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};

/// What a table element costs in the memory sum, in bytes: a pointer.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Why the host ended a run from within a call. Travels through wasmtime as an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the run was cancelled")]
    Cancelled,
    #[error("the time is up")]
    Time,
    #[error("too many host calls")]
    HostCalls,
    #[error("too many cursors")]
    Handles,
    #[error("the host failed: {0}")]
    Host(String),
}

/// Sums the parameters, every linear memory and every table of a run against one limit and remembers the peak.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    bytes_max: usize,
    bytes: usize,
    peak: usize,
    /// A growth was refused: a guest that gives up afterwards ran out of memory.
    pub(crate) refused: bool,
}

impl MemoryMeter {
    /// A meter that has counted `held` bytes already, which last as long as the run: its parameters.
    pub(crate) fn new(bytes_max: usize, held: usize) -> Self {
        Self { bytes_max, bytes: held, peak: held, refused: false }
    }

    /// What is left of the limit, in bytes.
    pub(crate) fn left(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak as u64
    }

    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>, unit: usize) -> bool {
        let more = desired.saturating_sub(current).saturating_mul(unit);
        let sum = self.bytes.saturating_add(more);
        if sum > self.bytes_max {
            self.refused = true;
            return false;
        }
        // A growth beyond the memory's own maximum fails by itself: allowing it must not count it.
        if maximum.is_some_and(|max| desired > max) {
            return false;
        }
        self.bytes = sum;
        self.peak = self.peak.max(sum);
        true
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, 1))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            return Ok(false);
        }
        Ok(self.grow(current, desired, maximum, TABLE_ELEMENT_BYTES))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // An allowed growth that fails is the machine's shortage: going on would make the result depend on it.
        Err(Stop::Host(format!("memory cannot grow: {error}")).into())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_limit() {
        let mut meter = MemoryMeter::new(1 << 20, 0);
        assert!(meter.memory_growing(0, 512 << 10, None).unwrap());
        assert!(meter.table_growing(0, 1_000, None).unwrap());
        assert!(!meter.memory_growing(512 << 10, 1 << 20, None).unwrap(), "the table's 8,000 bytes count");
        assert!(meter.refused);
        assert_eq!(meter.peak(), (512 << 10) + 8_000);
        assert_eq!(meter.left(), (512 << 10) - 8_000);
    }

    #[test]
    fn what_is_held_from_the_start_counts() {
        let mut meter = MemoryMeter::new(1 << 20, 600 << 10);
        assert!(!meter.memory_growing(0, 512 << 10, None).unwrap());
        assert_eq!(meter.peak(), 600 << 10);
    }

    #[test]
    fn a_growth_that_fails_by_itself_is_not_counted() {
        let mut meter = MemoryMeter::new(1 << 20, 0);
        assert!(!meter.memory_growing(0, 128 << 10, Some(64 << 10)).unwrap());
        assert!(!meter.refused, "the memory's own maximum is not our limit");
        assert_eq!(meter.peak(), 0);
    }
}
