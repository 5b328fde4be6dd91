//! What the sandbox costs over bare wasmtime. Prints one JSON object: for each question our median and the baseline's,
//! measured in turns in the same process, with spread and ratio.
//!
//! (a) a whole run of `top-talkers` over a source without rows: new store, instantiate, typed dynamic call, one query,
//!     result, drop; against [`baseline`], the same component and configuration through a hand-written linker.
//! (b) the first call of a module never seen before, inspection included, against compiling and calling it bare.
//!
//! `cargo bench -p iog-tests --bench sandbox_run`

#[path = "baseline.rs"]
mod baseline;
#[path = "fresh_module.rs"]
mod fresh_module;
#[path = "measure.rs"]
mod measure;

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use iog_inspect::InspectLimits;
use iog_sandbox::{
    CancelFlag, ColumnInfo, ColumnKind, DataAnswer, DataRequest, Grants, HostAnswer, HostPort, HostRequest, Limits,
    Provider, RunOutcome, RunSpec, Runner, Sandbox, SandboxConfig,
};
use serde_json::json;

use crate::measure::compare;

/// Runs a round of (a) has, and rounds of each side.
const RUNS_PER_ROUND: u32 = 500;
const ROUNDS: u32 = 41;
/// Modules compiled for (b).
const FRESH_MODULES: u32 = 21;

/// A source that has the right columns and no rows.
struct NoRows;

#[async_trait]
impl HostPort for NoRows {
    async fn call(&self, request: HostRequest) -> HostAnswer {
        match request {
            HostRequest::Data(DataRequest::Open { .. }) => HostAnswer::Data(DataAnswer::Opened { columns: columns() }),
            HostRequest::Data(DataRequest::Next { .. }) => HostAnswer::Data(DataAnswer::Batch(None)),
            other => other.unserved(),
        }
    }
}

fn columns() -> Vec<ColumnInfo> {
    [("src", ColumnKind::Address), ("packets", ColumnKind::Uint), ("bytes", ColumnKind::Uint)]
        .map(|(name, kind)| ColumnInfo { name: name.to_owned(), kind })
        .into()
}

#[expect(clippy::print_stdout, reason = "the report is what the program is for")]
fn main() -> anyhow::Result<ExitCode> {
    // The confined compilations of (b) are children of this program.
    if let Some(code) = iog_sandbox::child_main(std::env::args_os()) {
        return Ok(code);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let whole = runtime.block_on(whole_run())?;
    let first = runtime.block_on(first_call(&SandboxConfig::default()))?;
    let here = runtime.block_on(first_call(&SandboxConfig::compiling_here()))?;
    let report = json!({
        "engine": "wasmtime 48.0.8",
        "whole_run": whole,
        "first_call_100kB": first,
        "first_call_100kB_compiled_here": here,
        "aims": {"whole_run": "ratio <= 1.3, median <= 25 us", "first_call_100kB": "median <= 150 ms"},
    });
    println!("{report:#}");
    Ok(ExitCode::SUCCESS)
}

async fn whole_run() -> anyhow::Result<serde_json::Value> {
    let wasm = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../modules/prebuilt/top-talkers.wasm"))?;
    let sandbox = Sandbox::new(&SandboxConfig::compiling_here())?;
    let module = sandbox.load(&wasm).await?;
    let params = json!({"side": "source", "measure": "bytes"}).into();
    let spec = RunSpec {
        module,
        entry: "top".to_owned(),
        params,
        provider: Provider::default(),
        grants: Grants::ALL,
        limits: Limits::default(),
        cancel: CancelFlag::new(),
    };
    let host: Arc<dyn HostPort> = Arc::new(NoRows);
    let report = sandbox.run(spec.clone(), Arc::clone(&host)).await;
    let bare = baseline::Baseline::new(&wasm)?;
    anyhow::ensure!(
        matches!(report.outcome, RunOutcome::Succeeded { .. }) && bare.run().await? == report.usage.rows,
        "the run under test fails: {:?}",
        report.outcome
    );
    compare(
        ROUNDS,
        RUNS_PER_ROUND,
        async || {
            std::hint::black_box(sandbox.run(spec.clone(), Arc::clone(&host)).await);
            Ok(())
        },
        async || {
            std::hint::black_box(bare.run().await?);
            Ok(())
        },
    )
    .await
}

async fn first_call(config: &SandboxConfig) -> anyhow::Result<serde_json::Value> {
    let sandbox = Sandbox::new(config)?;
    let bare = baseline::Engine::new()?;
    let bytes = fresh_module::component(0)?.len();
    let mut number = 0;
    let mut fresh = || {
        number += 1;
        fresh_module::component(number)
    };
    let modules: Vec<Vec<u8>> = (0..2 * FRESH_MODULES).map(|_| fresh()).collect::<anyhow::Result<_>>()?;
    let mut ours = modules[..modules.len() / 2].iter();
    let mut theirs = modules[modules.len() / 2..].iter();
    let mut report = compare(
        FRESH_MODULES,
        1,
        async || {
            let wasm = ours.next().expect("one module a round");
            iog_inspect::inspect(wasm, &InspectLimits::default())?;
            let module = sandbox.load(wasm).await?;
            let spec = RunSpec {
                module,
                entry: "run".to_owned(),
                params: json!({"x": 7}).into(),
                provider: Provider::default(),
                grants: Grants::default(),
                limits: Limits::default(),
                cancel: CancelFlag::new(),
            };
            let report = sandbox.run(spec, Arc::new(NoRows)).await;
            anyhow::ensure!(matches!(report.outcome, RunOutcome::Succeeded { .. }), "{:?}", report.outcome);
            Ok(())
        },
        async || bare.first_call(theirs.next().expect("one module a round")).await,
    )
    .await?;
    report["module_bytes"] = bytes.into();
    Ok(report)
}
