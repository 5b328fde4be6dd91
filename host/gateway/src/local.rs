//! A module on files of one's own, exactly as a gateway would run it: the same inspection, binding, planning, limits and
//! sandbox; only registry, policy and receipt are left out.

use std::collections::BTreeMap;

use iog_data::{DataError, Engine, QueryError};
use iog_module::{Examined, NotRun, Source, ended};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::ids::{EntryName, RequestId, SlotName};
use iog_protocol::manifest::{LimitsDecl, ReleaseClass};
use iog_protocol::run::ResultJson;
use iog_sandbox::{Provider, RunOutcome, Sandbox, Usage};

use crate::config::{Allowance, DatasetConfig, LimitsConfig};
use crate::datasets::{self, Bound};
use crate::executor::{Executed, Executor, Run, Snapshots};
use crate::prepare::{PrepareError, Runnable, Tools};
use crate::runs::under_way::RunHandle;

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

/// Why a module cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum TryError {
    /// A file does not fit its schema.
    #[error("slot `{slot}`")]
    Data {
        /// The slot.
        slot: SlotName,
        /// What does not fit.
        #[source]
        source: DataError,
    },
    /// The module or its binding.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The manifest has no such entry.
    #[error("the module has no entry `{entry}`; its entries are {known}")]
    NoEntry {
        /// The entry.
        entry: EntryName,
        /// What there is.
        known: String,
    },
    /// The query engine does not start, or the data cannot be read any more.
    #[error("the data cannot be queried")]
    Engine(#[from] QueryError),
}

impl From<NotRun<QueryError>> for TryError {
    fn from(why: NotRun<QueryError>) -> Self {
        match why {
            NotRun::Cancelled => Self::Engine(QueryError::Cancelled),
            NotRun::Late => Self::Engine(QueryError::Deadline),
            NotRun::NoGround(error) => Self::Engine(error),
        }
    }
}

/// Runs a module once on local files.
///
/// # Errors
/// [`TryError`]; a trap or a limit is no error but an outcome.
pub async fn try_module(sandbox: &Sandbox, spec: &TrySpec<'_>) -> Result<TryReport, TryError> {
    let tools = Tools { sandbox: sandbox.clone(), engine: Engine::new()? };
    let bound = open(&spec.datasets).await?;
    let examined =
        Examined::examine(Source { wasm: spec.wasm, manifest: spec.manifest }).map_err(PrepareError::from)?;
    let prepared = Runnable::new(
        &tools,
        examined, spec.wasm,
        &bound,
        &Allowance { limits: spec.limits.clone(), ..Allowance::default() },
    )
    .await?;
    let entries = &prepared.module.manifest().module.entry;
    let entry = spec.entry.clone().unwrap_or_else(|| entries[0].clone());
    if !entries.contains(&entry) {
        let known: Vec<_> = entries.iter().map(|e| format!("`{e}`")).collect();
        return Err(TryError::NoEntry { entry, known: known.join(", ") });
    }
    let executor = Executor { sandbox: sandbox.clone(), query_memory_bytes: QUERY_MEMORY_BYTES };
    let run = Run {
        id: &RequestId::from_bytes([0; 16]),
        entry: &entry,
        params: &spec.params,
        provider: spec.provider.clone(),
        handle: &RunHandle::new(prepared.module.digest()),
    };
    let Executed { report, snapshots } = executor.execute(&prepared, run).await.map_err(TryError::from)?;
    let result = match &report.outcome {
        RunOutcome::Succeeded { json } => ResultJson::parse(json.clone()).ok(),
        _ => None,
    };
    Ok(TryReport {
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

async fn open(datasets: &BTreeMap<SlotName, DatasetConfig>) -> Result<BTreeMap<SlotName, Bound>, TryError> {
    let mut bound = BTreeMap::new();
    for (slot, config) in datasets {
        let opened = datasets::open_one(slot.as_str(), config).await;
        let opened = opened.map_err(|source| TryError::Data { slot: slot.clone(), source })?;
        bound.insert(slot.clone(), opened);
    }
    Ok(bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit;

    fn spec(folder: &std::path::Path) -> TrySpec<'static> {
        TrySpec {
            wasm: testkit::WASM,
            manifest: testkit::MANIFEST,
            entry: None,
            params: serde_json::json!({ "target": "192.0.2.0/24" }),
            datasets: [("flows".parse().unwrap(), testkit::dataset(folder))].into(),
            limits: LimitsConfig::default(),
            provider: Provider { domain: "local".into(), asn: None },
        }
    }

    #[tokio::test]
    async fn a_trial_reports_the_result_and_what_it_cost() {
        let folder = tempfile::tempdir().unwrap();
        let (sandbox, spec) = (testkit::sandbox(), spec(folder.path()));
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
        let report = try_module(&testkit::sandbox(), &starved).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::Limit(iog_sandbox::LimitKind::Fuel));
        let wrong = TrySpec { params: serde_json::json!({ "target": 5 }), ..spec(folder.path()) };
        let report = try_module(&testkit::sandbox(), &wrong).await.unwrap();
        assert!(report.ended.contains("target"), "{}", report.ended);
        let nobody = TrySpec { entry: Some("other".parse().unwrap()), ..spec(folder.path()) };
        let error = try_module(&testkit::sandbox(), &nobody).await.unwrap_err().to_string();
        assert_eq!(error, "the module has no entry `other`; its entries are `packets-to`");
    }

    #[tokio::test]
    async fn what_does_not_fit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let unbound = TrySpec { datasets: BTreeMap::new(), ..spec(folder.path()) };
        let error = try_module(&testkit::sandbox(), &unbound).await.unwrap_err().to_string();
        assert_eq!(error, "slot `flows`: no dataset is bound; bind one of schema `flow/1`");
        let lacking = spec(folder.path());
        let path = &lacking.datasets.values().next().unwrap().path;
        std::fs::write(path, testkit::FLOWS.replace("packets", "pkts")).unwrap();
        let error = try_module(&testkit::sandbox(), &lacking).await.unwrap_err();
        let text = iog_machine::error::chain(&error);
        assert!(text.contains("`flows`") && text.contains("`packets`"), "{text}");
        let cut = TrySpec { wasm: &testkit::WASM[..1_000], ..spec(folder.path()) };
        assert!(matches!(
            try_module(&testkit::sandbox(), &cut).await,
            Err(TryError::Prepare(PrepareError::Examine(iog_module::ExamineError::Inspect(_))))
        ));
    }
}
