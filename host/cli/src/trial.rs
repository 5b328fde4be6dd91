//! A module on files of one's own, exactly as a gateway would run it: the same inspection, binding, planning, limits and
//! sandbox; only registry, policy and receipt are left out.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use iog_caller::params;
use iog_data::{Engine, QueryError};
use iog_gateway::config::{Allowance, DatasetConfig, LimitsConfig};
use iog_gateway::datasets::{self, Bound};
use iog_gateway::executor::{Executed, Executor, Run, Snapshots};
use iog_gateway::prepare::{Runnable, Tools};
use iog_gateway::runs::under_way::RunHandle;
use iog_inspect::WitTypeFact;
use iog_module::{Examined, NotRun, Source, ended};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::ids::{EntryName, RequestId, SlotName};
use iog_protocol::manifest::{LimitsDecl, ReleaseClass};
use iog_protocol::run::ResultJson;
use iog_sandbox::{Provider, RunOutcome, Sandbox, Usage};

/// Memory that one query may hold, as a gateway's default has it, in bytes.
const QUERY_MEMORY_BYTES: usize = 256 << 20;

/// What to try.
#[derive(Debug, Clone)]
pub struct TrySpec<'a> {
    /// The component.
    pub wasm: &'a [u8],
    /// The text of its manifest.
    pub manifest: &'a str,
    /// The entry; `None`: the manifest's first.
    pub entry: Option<EntryName>,
    /// Parameters by name.
    pub params: serde_json::Value,
    /// Slot → file.
    pub datasets: BTreeMap<SlotName, DatasetConfig>,
    /// Limits below those of the manifest.
    pub limits: LimitsConfig,
    /// What `iog:guest/context` says.
    pub provider: Provider,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct TryReport {
    /// The entry called.
    pub entry: EntryName,
    /// How it ended, in full: there is nobody to hide it from.
    pub outcome: RunOutcome,
    /// The outcome in words.
    pub ended: String,
    /// The result, where there is one.
    pub result: Option<ResultJson>,
    /// The type of what the entry returns; nothing where it returns nothing.
    pub returns: Option<WitTypeFact>,
    /// What it used, exactly.
    pub usage: Usage,
    /// What the data of each slot were.
    pub snapshots: Snapshots,
    /// What it may touch.
    pub capabilities: Capabilities,
    /// The limits it ran under.
    pub limits: LimitsDecl,
    /// The release class it would have.
    pub class: ReleaseClass,
}

/// Runs a module once on local files.
///
/// # Errors
/// Why it cannot be tried, parameters that do not fit among it; a trap or a limit is an outcome, not an error.
pub async fn try_module(sandbox: &Sandbox, spec: &TrySpec<'_>) -> Result<TryReport> {
    let tools = Tools { sandbox: sandbox.clone(), engine: Engine::new().context(NOT_QUERIED)? };
    let bound = open(&spec.datasets).await?;
    let examined = Examined::examine(Source { wasm: spec.wasm, manifest: spec.manifest })?;
    let allowance = Allowance { limits: spec.limits.clone(), ..Allowance::default() };
    let prepared = Runnable::new(&tools, examined, spec.wasm, &bound, &allowance).await?;
    let entries = &prepared.module.manifest().module.entry;
    let entry = spec.entry.clone().unwrap_or_else(|| entries[0].clone());
    if !entries.contains(&entry) {
        let known: Vec<_> = entries.iter().map(|e| format!("`{e}`")).collect();
        bail!("the module has no entry `{entry}`; its entries are {}", known.join(", "));
    }
    let export = prepared.module.facts().export(entry.as_str());
    export.map_or(Ok(()), |export| params::check(export, &spec.params)).context("nothing was run")?;
    let executor = Executor { sandbox: sandbox.clone(), query_memory_bytes: QUERY_MEMORY_BYTES };
    let run = Run {
        id: &RequestId::from_bytes([0; 16]),
        entry: &entry,
        params: spec.params.clone().into(),
        provider: spec.provider.clone(),
        handle: &RunHandle::new(prepared.module.digest()),
    };
    let Executed { report, snapshots } =
        executor.execute(&prepared, run).await.map_err(not_run).context(NOT_QUERIED)?;
    let result = match &report.outcome {
        RunOutcome::Succeeded { json } => ResultJson::parse(json.clone()).ok(),
        _ => None,
    };
    Ok(TryReport {
        returns: export.and_then(|export| export.result.clone()),
        entry,
        ended: ended(&report.outcome),
        outcome: report.outcome,
        result,
        usage: report.usage,
        snapshots,
        limits: prepared.limits,
        class: prepared.class,
        capabilities: prepared.module.capabilities().clone(),
    })
}

/// What stands before the errors of the data engine.
const NOT_QUERIED: &str = "the data cannot be queried";

fn not_run(why: NotRun<QueryError>) -> QueryError {
    match why {
        NotRun::Cancelled => QueryError::Cancelled,
        NotRun::Late => QueryError::Deadline,
        NotRun::NoGround(error) => error,
    }
}

async fn open(datasets: &BTreeMap<SlotName, DatasetConfig>) -> Result<BTreeMap<SlotName, Bound>> {
    let mut bound = BTreeMap::new();
    for (slot, config) in datasets {
        let opened = datasets::open_one(slot.as_str(), config).await;
        let opened = opened.with_context(|| format!("slot `{slot}`"))?;
        bound.insert(slot.clone(), opened);
    }
    Ok(bound)
}

#[cfg(test)]
mod tests {
    use iog_gateway::config::{DatasetFormat, TimestampUnit};
    use iog_module::ExamineError;
    use iog_sandbox::SandboxConfig;

    use super::*;

    const WASM: &[u8] = include_bytes!("../../../modules/prebuilt/hello.wasm");
    const MANIFEST: &str = include_str!("../../../modules/hello/iog.toml");
    /// Three flows, all to one network.
    const FLOWS: &str = "start,end,src,dst,proto,packets,bytes,ingress_as
1800000000,1800000001,198.51.100.1,192.0.2.1,17,3,300,64501
1800000002,1800000003,198.51.100.2,192.0.2.1,17,4,400,64502
1800000004,1800000005,198.51.100.3,192.0.2.9,6,5,500,64503
";

    fn dataset(folder: &std::path::Path) -> DatasetConfig {
        let path = folder.join("flows.csv");
        std::fs::write(&path, FLOWS).unwrap();
        DatasetConfig::file("flow/1", path, DatasetFormat::Csv, TimestampUnit::Seconds)
    }

    fn sandbox() -> Sandbox {
        Sandbox::new(&SandboxConfig { runs_max: 1, ..SandboxConfig::compiling_here() }).unwrap()
    }

    fn spec(folder: &std::path::Path) -> TrySpec<'static> {
        TrySpec {
            wasm: WASM,
            manifest: MANIFEST,
            entry: None,
            params: serde_json::json!({ "target": "192.0.2.0/24" }),
            datasets: [("flows".parse().unwrap(), dataset(folder))].into(),
            limits: LimitsConfig::default(),
            provider: Provider { domain: "local".into(), asn: None },
        }
    }

    #[tokio::test]
    async fn a_trial_reports_the_result_and_what_it_cost() {
        let folder = tempfile::tempdir().unwrap();
        let (sandbox, spec) = (sandbox(), spec(folder.path()));
        let report = try_module(&sandbox, &spec).await.unwrap();
        assert_eq!(report.result.unwrap().as_str(), r#"{"ok":12}"#);
        assert_eq!((report.usage.rows, report.usage.bytes), (3, 24));
        let again = try_module(&sandbox, &spec).await.unwrap();
        assert_eq!(again.usage.fuel, report.usage.fuel);
        assert_eq!(report.capabilities.datasets.values().next().unwrap().columns, ["dst", "packets"]);
    }

    #[tokio::test]
    async fn limits_and_parameters_are_those_of_a_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let starved =
            TrySpec { limits: LimitsConfig { fuel: Some(1_000), ..LimitsConfig::default() }, ..spec(folder.path()) };
        let report = try_module(&sandbox(), &starved).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::Limit(iog_sandbox::LimitKind::Fuel));
        let wrong = TrySpec { params: serde_json::json!({ "target": 5 }), ..spec(folder.path()) };
        let error = try_module(&sandbox(), &wrong).await.unwrap_err();
        let told = "nothing was run: the parameter `target: string` does not fit: expected string, found the number 5; \
                    for example `'target=\"5\"'`";
        assert_eq!(format!("{error:#}"), told);
        let nobody = TrySpec { entry: Some("other".parse().unwrap()), ..spec(folder.path()) };
        let error = try_module(&sandbox(), &nobody).await.unwrap_err().to_string();
        assert_eq!(error, "the module has no entry `other`; its entries are `packets-to`");
    }

    #[tokio::test]
    async fn what_does_not_fit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let unbound = TrySpec { datasets: BTreeMap::new(), ..spec(folder.path()) };
        let error = try_module(&sandbox(), &unbound).await.unwrap_err().to_string();
        assert_eq!(error, "slot `flows`: no dataset is bound; bind one of schema `flow/1`");
        let lacking = spec(folder.path());
        let path = &lacking.datasets.values().next().unwrap().path;
        std::fs::write(path, FLOWS.replace("packets", "pkts")).unwrap();
        let error = try_module(&sandbox(), &lacking).await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("`flows`") && text.contains("`packets`"), "{text}");
        let cut = TrySpec { wasm: &WASM[..1_000], ..spec(folder.path()) };
        let error = try_module(&sandbox(), &cut).await.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(ExamineError::Inspect(_))), "{error:#}");
    }
}
