//! The one wasmtime engine: which features exist, how memory is pooled, how fuel is counted. Every knob is set here and
//! nowhere else.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, ModuleVersionStrategy, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails, WasmFeatures,
};

use crate::config::{SandboxConfig, SandboxError};
use crate::costs;
use crate::slots::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX, totals};

/// Stack of a guest, in bytes. The fiber is larger, so that a host call at the deepest frame still has room.
const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of the fiber a guest runs on, in bytes.
const FIBER_STACK_BYTES: usize = 2 << 20;
/// How much of a memory slot stays resident between runs, in bytes.
const MEMORY_RESIDENT_BYTES: usize = 1 << 20;
/// How much of a table slot stays resident between runs, in bytes.
const TABLE_RESIDENT_BYTES: usize = 64 << 10;
/// Addresses reserved for a memory that is not pooled, and for its growth, in bytes.
const ON_DEMAND_BYTES: u64 = 4 << 20;
/// Elements that a table may have.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 20_000;

/// Which engine runs, for receipts and operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// The exact wasmtime version.
    pub version: &'static str,
    /// SHA-256 of the cost table: fuel is comparable only where it is equal.
    pub cost_table_sha256: [u8; 32],
    /// Whether instances come from a pool; false where the address space is too short for one.
    pub pooled: bool,
}

/// Builds the engine; without a pool where the address space does not allow one.
pub(crate) fn build(config: &SandboxConfig) -> Result<(Engine, EngineInfo), SandboxError> {
    let info = |pooled| EngineInfo { version: costs::ENGINE_VERSION, cost_table_sha256: costs::table_sha256(), pooled };
    if config.pooled {
        let mut pooled = tuned(true)?;
        pooled
            .parallel_compilation(config.parallel_compilation)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
        match Engine::new(&pooled) {
            Ok(engine) => return Ok((engine, info(true))),
            Err(error) => tracing::warn!(error = %error, "no pool of instances: falling back to on-demand allocation"),
        }
    }
    let mut small = tuned(false)?;
    small.parallel_compilation(config.parallel_compilation);
    Ok((start(&small)?, info(false)))
}

/// An engine that only compiles, on one thread, for one that runs with or without a pool: it reserves no addresses.
pub(crate) fn compiler(pooled: bool) -> Result<Engine, SandboxError> {
    let mut config = tuned(pooled)?;
    config.parallel_compilation(false);
    start(&config)
}

fn start(config: &Config) -> Result<Engine, SandboxError> {
    Engine::new(config).map_err(|e| SandboxError::Engine(e.to_string()))
}

/// Everything that decides what code is made, and so must be the same where it is made and where it runs.
fn tuned(pooled: bool) -> Result<Config, SandboxError> {
    let mut config = base()?;
    if !pooled {
        // Memories of their own size and explicit bounds checks, instead of 4 GiB of addresses for each.
        config
            .memory_reservation(ON_DEMAND_BYTES)
            .memory_reservation_for_growth(ON_DEMAND_BYTES)
            .memory_guard_size(64 << 10)
            .guard_before_linear_memory(false)
            .memory_may_move(true);
    }
    Ok(config)
}

fn base() -> Result<Config, SandboxError> {
    let mut c = Config::new();
    c.strategy(Strategy::Cranelift)
        .consume_fuel(true)
        .operator_cost(costs::operators())
        .epoch_interruption(false)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        .wasm_backtrace_max_frames(None)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .generate_address_map(false)
        .memory_init_cow(true)
        .concurrency_support(false)
        .shared_memory(false);
    features(&mut c);
    c.module_version(ModuleVersionStrategy::Custom(format!("{}/iog-1", costs::ENGINE_VERSION)))
        .map_err(|e| SandboxError::Engine(e.to_string()))?;
    Ok(c)
}

fn features(c: &mut Config) {
    for off in [
        WasmFeatures::MEMORY64,
        WasmFeatures::THREADS,
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        WasmFeatures::GC,
        WasmFeatures::FUNCTION_REFERENCES,
        WasmFeatures::EXCEPTIONS,
        WasmFeatures::LEGACY_EXCEPTIONS,
        WasmFeatures::RELAXED_SIMD,
        WasmFeatures::MULTI_MEMORY,
        WasmFeatures::CUSTOM_PAGE_SIZES,
        WasmFeatures::WIDE_ARITHMETIC,
        WasmFeatures::STACK_SWITCHING,
        WasmFeatures::CM_ASYNC,
        WasmFeatures::CM_ASYNC_STACKFUL,
        WasmFeatures::CM_MORE_ASYNC_BUILTINS,
        WasmFeatures::CM_THREADING,
        WasmFeatures::CM_ERROR_CONTEXT,
        WasmFeatures::CM_GC,
        WasmFeatures::CM_MAP,
        WasmFeatures::CM_FIXED_LENGTH_LISTS,
    ] {
        c.wasm_features(off, false);
    }
    for on in [
        WasmFeatures::TAIL_CALL,
        WasmFeatures::SIMD,
        WasmFeatures::BULK_MEMORY,
        WasmFeatures::MULTI_VALUE,
        WasmFeatures::COMPONENT_MODEL,
    ] {
        c.wasm_features(on, true);
    }
}

fn pool(config: &SandboxConfig) -> PoolingAllocationConfig {
    let runs = config.runs_max;
    let totals = totals(runs);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(runs)
        .total_core_instances(totals.core_instances)
        .total_memories(totals.memories)
        .total_tables(totals.tables)
        .total_stacks(runs)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(config.memory_bytes_max)
        .linear_memory_keep_resident(MEMORY_RESIDENT_BYTES)
        .table_keep_resident(TABLE_RESIDENT_BYTES)
        .decommit_batch_size(1)
        .pagemap_scan(Enabled::Auto);
    pool
}
