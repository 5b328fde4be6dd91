//! The analyses of routes and names on real data of `../shared/data`, through the decoders of `iog-import`, inspection,
//! planning, data engine and sandbox as a gateway has them, and with stories made up for them. What a module says is
//! compared with what the test counts itself from the same rows. The data stay where they are; where they are absent, a
//! line says what was skipped.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and says what it skips")]

mod dns_watch;
mod hijacks;
mod hostile;
mod limits;
mod origin_check;
mod roas;
mod tables;
mod updates;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iog_caller::merge_limits::{MergeLimits, Size};
use iog_cli::trial::{TryReport, TrySpec, try_module};
use iog_gateway::config::{DatasetConfig, LimitsConfig};
use iog_protocol::manifest::Manifest;
use iog_sandbox::{
    CancelFlag, Grants, Limits, NothingGranted, Provider, RunOutcome, RunSpec, Runner as _, Sandbox, SandboxConfig,
};
use serde_json::{Value, json};

/// A file of the shared data, if it is there.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if !path.is_file() {
        println!("skipped: `{}` is not there", path.display());
    }
    path.is_file().then_some(path)
}

fn modules(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../modules").join(name)
}

/// A committed analysis.
struct Analysis {
    name: &'static str,
    wasm: Vec<u8>,
    manifest: String,
    sandbox: Sandbox,
}

impl Analysis {
    fn new(name: &'static str) -> Self {
        let wasm = std::fs::read(modules(&format!("prebuilt/{name}.wasm"))).unwrap();
        let manifest = std::fs::read_to_string(modules(&format!("{name}/iog.toml"))).unwrap();
        let sandbox = Sandbox::new(&SandboxConfig { runs_max: 1, ..SandboxConfig::compiling_here() }).unwrap();
        Self { name, wasm, manifest, sandbox }
    }

    /// Runs its entry over files bound to its slots: CSV with times in microseconds, or Parquet.
    async fn try_on(&self, params: Value, files: &[(&str, &str, &Path)]) -> TryReport {
        let dataset = |&(slot, schema, path): &(&str, &str, &Path)| {
            let format = path.extension().unwrap().to_str().unwrap();
            let config = json!({
                "schema": schema, "path": path, "format": format, "timestamp": "micros", "class": "reviewed"
            });
            (slot.parse().unwrap(), serde_json::from_value::<DatasetConfig>(config).unwrap())
        };
        let spec = TrySpec {
            wasm: &self.wasm,
            manifest: &self.manifest,
            entry: None,
            params,
            datasets: files.iter().map(dataset).collect::<BTreeMap<_, _>>(),
            limits: LimitsConfig::default(),
            provider: Provider { domain: "local".into(), asn: None },
        };
        let report = try_module(&self.sandbox, &spec).await.unwrap();
        let usage = report.usage;
        let per_row = usage.fuel / usage.rows.max(1);
        let peak_kib = usage.memory_peak_bytes >> 10;
        println!("{}: {} rows, {} fuel, {per_row} a row, {peak_kib} KiB", self.name, usage.rows, usage.fuel);
        report
    }

    /// What its entry returns, `{"ok": …}` or `{"err": …}`.
    async fn run(&self, params: Value, files: &[(&str, &str, &Path)]) -> Value {
        let report = self.try_on(params, files).await;
        let result = report.result.unwrap_or_else(|| panic!("{}: {}", self.name, report.ended));
        serde_json::from_str(result.as_str()).unwrap()
    }

    /// What its `merge` makes of the answers of several domains, under the limits of its manifest and with nothing
    /// granted. Of memory, which the answers as values take too, it has what a caller gives.
    async fn merge(&self, parts: &[(&str, Value)]) -> Value {
        let part = |(domain, outcome): &(&str, Value)| json!({ "domain": domain, "asn": null, "outcome": outcome });
        let parts: Vec<_> = parts.iter().map(part).collect();
        let asked = Manifest::parse(&self.manifest).unwrap().limits;
        let bytes = parts.iter().map(|part| part["outcome"].to_string().len() as u64).sum();
        let size = Size { parts: parts.len() as u64, bytes };
        let limits = Limits {
            fuel: asked.fuel,
            wall: std::time::Duration::from_secs(asked.wall_s.into()),
            result_bytes: usize::try_from(asked.result_kib).unwrap() << 10,
            ..MergeLimits::default().of(&asked, size)
        };
        let spec = RunSpec {
            module: self.sandbox.load(&self.wasm).await.unwrap(),
            entry: "merge".into(),
            params: json!({ "parts": parts }).into(),
            provider: Provider { domain: "caller".into(), asn: None },
            grants: Grants::ALL,
            limits,
            cancel: CancelFlag::new(),
        };
        let report = self.sandbox.run(spec, Arc::new(NothingGranted)).await;
        let (fuel, peak_kib) = (report.usage.fuel, report.usage.memory_peak_bytes >> 10);
        println!("{}: merge of {} parts, {fuel} fuel, {peak_kib} KiB", self.name, parts.len());
        let RunOutcome::Succeeded { json } = report.outcome else { panic!("{}: {:?}", self.name, report.outcome) };
        serde_json::from_str(&json).unwrap()
    }
}

/// The texts of a list, or of one field of its records.
fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let text = |item: &'a Value| item.as_str().or_else(|| item[field].as_str());
    list.as_array().into_iter().flatten().filter_map(text).collect()
}
