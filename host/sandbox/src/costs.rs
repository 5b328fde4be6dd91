//! What things cost in fuel: wasm operators and the host's own work. Part of every receipt (as a hash), so a change here
//! changes receipts; nothing else may charge fuel by a number of its own.

use sha2::{Digest as _, Sha256};
use wasmtime::OperatorCost;

/// The exact version of the engine; the root manifest pins the same.
pub const ENGINE_VERSION: &str = "48.0.8";

/// Every call of an imported function (measured 0.4 to 0.6 µs).
pub const HOST_CALL: u64 = 500;
/// Starting a query, on top of the call.
pub const OPEN: u64 = 20_000;
/// Each row the guest advances over.
pub const ROW: u64 = 8;
/// Each byte that crosses between guest and host: columns, column names, parameters, log text.
pub const BYTE: u64 = 1;
/// Each page of 64 KiB that a linear memory grows by (the host zeroes it).
pub const MEMORY_GROW_PER_PAGE: u8 = 64;

/// The operator table: the engine's default of one an operator (none for `nop`, `drop`, `unreachable`, `block`, `loop`,
/// `else`, `end`, `return`; one for entering a function; one a byte or element of bulk operations), and growth paid.
pub fn operators() -> OperatorCost {
    let mut cost = OperatorCost::new();
    cost.variable.memory_grow_per_page = MEMORY_GROW_PER_PAGE;
    cost
}

/// SHA-256 over the engine version and every cost above: equal hashes mean that fuel is comparable.
pub fn table_sha256() -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"iog-cost-table/v1\0");
    hash.update(ENGINE_VERSION.as_bytes());
    hash.update([0]);
    hash.update(serde_json::to_vec(&operators()).expect("a struct of integers serialises"));
    for cost in [HOST_CALL, OPEN, ROW, BYTE] {
        hash.update(cost.to_be_bytes());
    }
    hash.finalize().into()
}
