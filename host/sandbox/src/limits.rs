//! What one run may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one run may use. The defaults are those of the platform; a provider may give less or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Fuel: one a wasm instruction, plus the host charges of [`crate::costs`].
    pub fuel: u64,
    /// Linear memories, tables, the parameters as values, and what one call hands over as values, together, in bytes. More than
    /// the sandbox's own maximum counts as that maximum.
    pub memory_bytes: usize,
    /// Values that the parameters may make, fields that were left out included. Reading them is not paid in fuel; this bounds
    /// its time to some 30 ms. A request has at most 192 KiB of JSON, in which no more than 96,000 values can be written.
    pub values: u64,
    /// From the call of `run` to the answer, waiting for a slot and for the host included.
    pub wall: Duration,
    /// Canonical JSON of the result, in bytes.
    pub result_bytes: usize,
    /// Calls of imported functions, drops of cursors included.
    pub host_calls: u64,
    /// Log text passed to the host, in bytes; messages beyond it are dropped.
    pub log_bytes: usize,
    /// Live resource handles.
    pub handles: u32,
    /// Queries open at a time. Each holds up to two batches of rows that no other limit counts.
    pub queries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 2_000_000_000,
            memory_bytes: 64 << 20,
            values: 250_000,
            wall: Duration::from_secs(10),
            result_bytes: 64 << 10,
            host_calls: 100_000,
            log_bytes: 4 << 10,
            handles: 1_000,
            queries: 64,
        }
    }
}
