//! The baseline: `top-talkers` through a linker written by hand for this one component, with the sandbox's engine
//! configuration and nothing else: no manifest, no grants, no caps on host calls, no canonical JSON.

use std::collections::BTreeMap;

use wasmtime::component::{
    Component, ComponentExportIndex, ComponentType, InstancePre, Lift, Linker, Lower, Resource, ResourceType, Val,
};
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig, ResourceLimiter, Store,
    WasmFeatures,
};

/// Fuel, time-slice and result bytes of a run: the sandbox's defaults.
const FUEL: u64 = 2_000_000_000;
const FUEL_SLICE: u64 = 1_000_000;
const MEMORY_BYTES_MAX: usize = 64 << 20;
const HOSTCALL_BYTES: usize = 4 << 20;

/// The sandbox's configuration, by hand.
pub(crate) struct Engine(wasmtime::Engine);

impl Engine {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(64)
            .total_core_instances(256)
            .total_memories(64)
            .total_tables(128)
            .total_stacks(64)
            .max_core_instances_per_component(32)
            .max_memories_per_component(1)
            .max_tables_per_component(8)
            .table_elements(20_000)
            .max_memory_size(256 << 20)
            .linear_memory_keep_resident(1 << 20)
            .table_keep_resident(64 << 10)
            .decommit_batch_size(1)
            .pagemap_scan(Enabled::Auto);
        let mut cost = OperatorCost::new();
        cost.variable.memory_grow_per_page = 64;
        let mut config = Config::new();
        config
            .consume_fuel(true)
            .operator_cost(cost)
            .cranelift_nan_canonicalization(true)
            .max_wasm_stack(512 << 10)
            .async_stack_size(2 << 20)
            .wasm_backtrace_max_frames(None)
            .generate_address_map(false)
            .concurrency_support(false)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let off = WasmFeatures::MEMORY64
            | WasmFeatures::THREADS
            | WasmFeatures::GC
            | WasmFeatures::FUNCTION_REFERENCES
            | WasmFeatures::EXCEPTIONS
            | WasmFeatures::RELAXED_SIMD
            | WasmFeatures::MULTI_MEMORY
            | WasmFeatures::CM_ASYNC;
        config.wasm_features(off, false);
        Ok(Self(wasmtime::Engine::new(&config).map_err(anyhow_of)?))
    }

    /// Compiles, links nothing, calls `run(7)`.
    pub(crate) async fn first_call(&self, wasm: &[u8]) -> anyhow::Result<()> {
        let component = Component::from_binary(&self.0, wasm).map_err(anyhow_of)?;
        let linker: Linker<Run> = Linker::new(&self.0);
        let pre = linker.instantiate_pre(&component).map_err(anyhow_of)?;
        let export = component.get_export_index(None, "run").expect("the module exports it");
        call(&self.0, &pre, export, &[Val::U32(7)]).await.map(drop)
    }
}

/// One component, linked once.
pub(crate) struct Baseline {
    engine: Engine,
    pre: InstancePre<Run>,
    export: ComponentExportIndex,
    arguments: Vec<Val>,
}

impl Baseline {
    pub(crate) fn new(wasm: &[u8]) -> anyhow::Result<Self> {
        let engine = Engine::new()?;
        let component = Component::from_binary(&engine.0, wasm).map_err(anyhow_of)?;
        let mut linker = Linker::new(&engine.0);
        link(&mut linker).map_err(anyhow_of)?;
        let pre = linker.instantiate_pre(&component).map_err(anyhow_of)?;
        let export = component.get_export_index(None, "top").expect("top-talkers exports it");
        let none = || Val::Option(None);
        let arguments =
            vec![Val::Enum("source".into()), Val::Enum("bytes".into()), none(), none(), none(), none(), none()];
        Ok(Self { engine, pre, export, arguments })
    }

    /// One whole run; returns the rows read.
    pub(crate) async fn run(&self) -> anyhow::Result<u64> {
        match call(&self.engine.0, &self.pre, self.export, &self.arguments).await? {
            Val::Result(Ok(_)) => Ok(0),
            other => anyhow::bail!("the baseline's run answered {other:?}"),
        }
    }
}

struct Run {
    memory_bytes: usize,
    cursors: BTreeMap<u32, ()>,
    next: u32,
}

impl ResourceLimiter for Run {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.memory_bytes += desired - current;
        Ok(self.memory_bytes <= MEMORY_BYTES_MAX)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 20_000)
    }
}

async fn call(
    engine: &wasmtime::Engine,
    pre: &InstancePre<Run>,
    export: ComponentExportIndex,
    arguments: &[Val],
) -> anyhow::Result<Val> {
    let mut store = Store::new(engine, Run { memory_bytes: 0, cursors: BTreeMap::new(), next: 0 });
    store.limiter(|run| run);
    store.set_fuel(FUEL).map_err(anyhow_of)?;
    store.fuel_async_yield_interval(Some(FUEL_SLICE)).map_err(anyhow_of)?;
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    let instance = pre.instantiate_async(&mut store).await.map_err(anyhow_of)?;
    let function = instance.get_func(&mut store, export).expect("the export is a function");
    let mut results = [Val::Bool(false)];
    function.call_async(&mut store, arguments, &mut results).await.map_err(anyhow_of)?;
    let [result] = results;
    Ok(result)
}

struct Cursor;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum Param {
    #[component(name = "text")]
    Text(String),
    #[component(name = "int")]
    Int(i64),
    #[component(name = "uint")]
    Uint(u64),
    #[component(name = "float")]
    Float(f64),
    #[component(name = "flag")]
    Flag(bool),
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "the enum has the cases of the WIT; this source uses two")]
enum Kind {
    #[component(name = "int")]
    Int,
    #[component(name = "uint")]
    Uint,
    #[component(name = "float")]
    Float,
    #[component(name = "boolean")]
    Boolean,
    #[component(name = "text")]
    Text,
    #[component(name = "bytes")]
    Bytes,
    #[component(name = "address")]
    Address,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Column {
    name: String,
    kind: Kind,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum Fault {
    #[component(name = "not-granted")]
    NotGranted,
    #[component(name = "unknown-query")]
    UnknownQuery(String),
    #[component(name = "bad-param")]
    BadParam(String),
    #[component(name = "bad-column")]
    BadColumn(String),
    #[component(name = "unavailable")]
    Unavailable,
}

fn link(linker: &mut Linker<Run>) -> wasmtime::Result<()> {
    let mut data = linker.instance("iog:guest/data@0.1.0")?;
    data.resource("rows", ResourceType::host::<Cursor>(), |mut store, handle| {
        store.data_mut().cursors.remove(&handle);
        Ok(())
    })?;
    data.func_wrap_async("open", |mut store, (_query, _params): (String, Vec<Param>)| {
        Box::new(async move {
            let run = store.data_mut();
            run.next += 1;
            run.cursors.insert(run.next, ());
            let handle = run.next;
            Ok((Ok::<_, Fault>(Resource::<Cursor>::new_own(handle)),))
        })
    })?;
    data.func_wrap_async("[method]rows.columns", |_store, (_rows,): (Resource<Cursor>,)| {
        Box::new(async move {
            let column = |name: &str, kind| Column { name: name.to_owned(), kind };
            Ok((vec![column("src", Kind::Address), column("packets", Kind::Uint), column("bytes", Kind::Uint)],))
        })
    })?;
    data.func_wrap_async("[method]rows.advance", |_store, (_rows,): (Resource<Cursor>,)| {
        Box::new(async move { Ok((Ok::<u32, Fault>(0),)) })
    })?;
    data.func_wrap_async("[method]rows.uints", |_store, (_rows, _column): (Resource<Cursor>, u32)| {
        Box::new(async move { Ok((Ok::<Vec<u64>, Fault>(Vec::new()),)) })
    })?;
    data.func_wrap_async("[method]rows.addresses", |_store, (_rows, _column): (Resource<Cursor>, u32)| {
        Box::new(async move { Ok((Ok::<Vec<u8>, Fault>(Vec::new()),)) })
    })?;
    data.func_wrap_async("[method]rows.nulls", |_store, (_rows, _column): (Resource<Cursor>, u32)| {
        Box::new(async move { Ok((Ok::<Vec<u8>, Fault>(Vec::new()),)) })
    })?;
    Ok(())
}

fn anyhow_of(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
