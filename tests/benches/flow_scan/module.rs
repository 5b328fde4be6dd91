//! The side under test: `ip-traceback` as committed, with the query of its manifest and the limits it asks for, served by
//! the data engine as a gateway's port does.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use iog_data::{ColumnType, Dataset, Engine, Planned, QueryLimits, QuerySpec, Rows, SourceSpec, Value};
use iog_protocol::manifest::{Manifest, ParamType};
use iog_sandbox::{
    CancelFlag, ColumnInfo, ColumnKind, DataAnswer, DataRequest, Fault, Grants, HostAnswer, HostPort, HostRequest,
    Limits, Param, Provider, RunOutcome, RunSpec, Runner as _, Sandbox, SandboxConfig,
};
use serde_json::{Value as Json, json};

use crate::flows::{self, Case};
use crate::native::{Answer, Sums};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../modules");

/// The module, loaded, and its queries.
pub(crate) struct Module {
    sandbox: Sandbox,
    loaded: Arc<iog_sandbox::Module>,
    queries: Vec<QuerySpec>,
    limits: Limits,
}

impl Module {
    pub(crate) async fn load() -> anyhow::Result<Self> {
        let wasm = std::fs::read(format!("{FOLDER}/prebuilt/ip-traceback.wasm"))?;
        let manifest = Manifest::parse(&std::fs::read_to_string(format!("{FOLDER}/ip-traceback/iog.toml"))?)?;
        let mut queries = Vec::new();
        for (name, declared) in &manifest.query {
            let ty = |ty: &ParamType| serde_json::from_value(serde_json::to_value(ty)?);
            let params = declared.params.iter().map(|(name, of)| Ok((name.clone(), ty(of)?)));
            let params = params.collect::<Result<_, serde_json::Error>>()?;
            queries.push(QuerySpec { name: name.clone(), sql: declared.sql.clone(), params });
        }
        let asked = manifest.limits;
        let limits = Limits {
            fuel: asked.fuel,
            memory_bytes: usize::try_from(asked.memory_mib)? << 20,
            wall: Duration::from_secs(asked.wall_s.into()),
            result_bytes: usize::try_from(asked.result_kib)? << 10,
            ..Limits::default()
        };
        let sandbox = Sandbox::new(&SandboxConfig::compiling_here())?;
        let loaded = sandbox.load(&wasm).await?;
        Ok(Self { sandbox, loaded, queries, limits })
    }

    /// Opens the file and plans the manifest's queries, as a gateway does once for a binding.
    pub(crate) async fn plan(&self, path: &Path) -> anyhow::Result<Planned> {
        let dataset = Dataset::open("flows", &flows::schema()?, SourceSpec::parquet(path)).await?;
        let slots = BTreeMap::from([("flows".to_owned(), Arc::new(dataset))]);
        Ok(Engine::new()?.plan(slots, &self.queries).await?)
    }

    /// One run; `usage` becomes what it used.
    pub(crate) async fn run(&self, planned: Planned, case: &Case, usage: &mut Json) -> anyhow::Result<Answer> {
        let spec = RunSpec {
            module: Arc::clone(&self.loaded),
            entry: "trace".to_owned(),
            params: json!({"target": case.target}).into(),
            provider: Provider::default(),
            grants: Grants::ALL,
            limits: self.limits,
            cancel: CancelFlag::new(),
        };
        let report = self.sandbox.run(spec, Arc::new(Port { planned, cursors: Mutex::default() })).await;
        *usage = serde_json::to_value(report.usage)?;
        match report.outcome {
            RunOutcome::Succeeded { json } => answer(&serde_json::from_str(&json)?),
            other => anyhow::bail!("the module ended with {other:?}"),
        }
    }
}

/// The module's answer as the baselines give theirs.
fn answer(json: &Json) -> anyhow::Result<Answer> {
    let report = json.get("ok").with_context(|| format!("the module answered {json}"))?;
    let mut all = Answer::new();
    for (asn, entry) in report["ingress"].as_array().context("no `ingress`")?.iter().map(|e| (e["asn"].as_u64(), e)) {
        all.insert(u32::try_from(asn.context("no `asn`")?)?, sums(entry)?);
    }
    if report["inside"]["flows"] != 0 {
        all.insert(0, sums(&report["inside"])?);
    }
    Ok(all)
}

fn sums(entry: &Json) -> anyhow::Result<Sums> {
    let number = |name: &str| {
        let text = entry[name].as_str().and_then(|text| text.parse().ok());
        entry[name].as_i64().or(text).with_context(|| format!("no `{name}` in {entry}"))
    };
    let count = |name: &str| number(name).and_then(|number| Ok(u64::try_from(number)?));
    Ok(Sums {
        flows: count("flows")?,
        packets: count("packets")?,
        bytes: count("bytes")?,
        sources: count("sources")?,
        first_us: number("first-us")?,
        last_us: number("last-us")?,
    })
}

/// Serves a run from planned queries.
struct Port {
    planned: Planned,
    cursors: Mutex<HashMap<u32, Arc<tokio::sync::Mutex<Rows>>>>,
}

impl Port {
    async fn open(&self, handle: u32, query: &str, params: Vec<Param>) -> DataAnswer {
        let Some(declared) = self.planned.query(query) else {
            return DataAnswer::Fault(Fault::UnknownQuery(query.to_owned()));
        };
        let columns = declared.columns().iter().map(|(name, ty)| column(name, *ty)).collect();
        let values = params.into_iter().map(value).collect();
        match self.planned.open(query, values, QueryLimits::default()).await {
            Ok(rows) => {
                self.cursors().insert(handle, Arc::new(tokio::sync::Mutex::new(rows)));
                DataAnswer::Opened { columns }
            }
            Err(error) => DataAnswer::Fault(Fault::BadParam(error.to_string())),
        }
    }

    async fn next(&self, handle: u32) -> DataAnswer {
        let cursor = self.cursors().get(&handle).map(Arc::clone);
        let Some(cursor) = cursor else { return DataAnswer::Fault(Fault::Unavailable) };
        let next = cursor.lock().await.next().await;
        next.map_or(DataAnswer::Fault(Fault::Unavailable), DataAnswer::Batch)
    }

    fn cursors(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<tokio::sync::Mutex<Rows>>>> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HostPort for Port {
    async fn call(&self, request: HostRequest) -> HostAnswer {
        match request {
            HostRequest::Data(DataRequest::Open { handle, query, params }) => {
                HostAnswer::Data(self.open(handle, &query, params).await)
            }
            HostRequest::Data(DataRequest::Next { handle }) => HostAnswer::Data(self.next(handle).await),
            HostRequest::Data(DataRequest::Close { handle }) => {
                self.cursors().remove(&handle);
                HostAnswer::Data(DataAnswer::Closed)
            }
            other => other.unserved(),
        }
    }
}

fn column(name: &str, ty: ColumnType) -> ColumnInfo {
    let kind = match ty {
        ColumnType::Timestamp | ColumnType::Int => ColumnKind::Int,
        ColumnType::Uint => ColumnKind::Uint,
        ColumnType::Float => ColumnKind::Float,
        ColumnType::Flag => ColumnKind::Boolean,
        ColumnType::Text => ColumnKind::Text,
        ColumnType::Bytes => ColumnKind::Bytes,
        ColumnType::Address => ColumnKind::Address,
    };
    ColumnInfo { name: name.to_owned(), kind }
}

fn value(param: Param) -> Value {
    match param {
        Param::Text(text) => Value::Text(text),
        Param::Int(int) => Value::Int(int),
        Param::Uint(uint) => Value::Uint(uint),
        Param::Float(float) => Value::Float(float),
        Param::Flag(flag) => Value::Flag(flag),
    }
}
