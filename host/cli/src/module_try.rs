//! `iog module try`: a module on files of one's own, exactly as a gateway would run it, and what it cost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use iog_gateway::config::{DatasetConfig, DatasetFormat, LimitsConfig, TimestampUnit};
use iog_protocol::ids::SlotName;
use iog_protocol::manifest::Manifest;
use iog_sandbox::{Provider, RunOutcome, Sandbox, SandboxConfig};
use serde_json::{Value, json};

use crate::args::TryArgs;
use crate::call::{params, print_value};
use crate::trial::{TryReport, TrySpec, try_module};
use crate::ui::{Text, Tone, Ui, counted, grouped, size};
use crate::{module_files, runtime};

pub(crate) fn run(ui: Ui, args: &TryArgs) -> Result<ExitCode> {
    let files = module_files::read(&args.wasm, &args.manifest)?;
    let manifest = Manifest::parse(&files.manifest).context("the manifest is refused")?;
    let entry =
        args.entry.as_ref().map(|entry| entry.parse().with_context(|| format!("`{entry}` is not an entry name")));
    let spec = TrySpec {
        wasm: &files.wasm,
        manifest: &files.manifest,
        entry: entry.transpose()?,
        params: params(&args.param)?,
        datasets: datasets(&args.data, &manifest)?,
        limits: LimitsConfig::default(),
        provider: Provider { domain: "local".to_owned(), asn: args.asn },
    };
    let sandbox = Sandbox::new(&SandboxConfig { runs_max: 1, ..SandboxConfig::default() })?;
    let spinner = ui.spinner("running");
    let report = runtime::start()?.block_on(try_module(&sandbox, &spec)).context("the module cannot be tried")?;
    spinner.end();
    print(ui, &report);
    ui.object(&object(&report)?);
    let done = matches!(report.outcome, RunOutcome::Succeeded { .. });
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The files that the slots are bound to: `SLOT=FILE`, with the format by the file's ending.
fn datasets(given: &[String], manifest: &Manifest) -> Result<BTreeMap<SlotName, DatasetConfig>> {
    let mut bound = BTreeMap::new();
    for text in given {
        let (slot, file) = text.split_once('=').with_context(|| format!("`{text}` should be SLOT=FILE"))?;
        let slot: SlotName = slot.parse().with_context(|| format!("`{slot}` is not a slot name"))?;
        let Some(declared) = manifest.data.get(&slot) else {
            let known: Vec<String> = manifest.data.keys().map(|slot| format!("`{slot}`")).collect();
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            bail!("the manifest has no slot `{slot}`; {known}");
        };
        let config = dataset(Path::new(file), &declared.schema)?;
        ensure!(bound.insert(slot.clone(), config).is_none(), "the slot `{slot}` is bound twice");
    }
    if let Some(missing) = manifest.data.keys().find(|slot| !bound.contains_key(*slot)) {
        bail!("the slot `{missing}` needs data: --data {missing}=FILE");
    }
    Ok(bound)
}

fn dataset(file: &Path, schema: &str) -> Result<DatasetConfig> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (format, timestamp) = if name.ends_with(".parquet") {
        (DatasetFormat::Parquet, TimestampUnit::Micros)
    } else if name.ends_with(".csv") || name.ends_with(".csv.gz") {
        (DatasetFormat::Csv, TimestampUnit::Seconds)
    } else {
        bail!("`{}` should end in .csv, .csv.gz (times in seconds) or .parquet", file.display());
    };
    Ok(DatasetConfig::file(schema, PathBuf::from(file), format, timestamp))
}

pub(crate) fn print(ui: Ui, report: &TryReport) {
    let good = matches!(report.outcome, RunOutcome::Succeeded { .. });
    if let Some(result) = &report.result {
        ui.title("result");
        print_value(ui, report.returns.as_ref(), result);
    }
    ui.title("run");
    let tone = if good { Tone::Good } else { Tone::Bad };
    let (usage, limits) = (&report.usage, &report.limits);
    let bytes = report.result.as_ref().map_or(0, |result| result.as_str().len()) as u64;
    let of = |used: String, most: String| Text::from(format!("{used} of {most}"));
    ui.named(&[
        ("entry", report.entry.to_string().into()),
        ("outcome", Text::toned(tone, &report.ended)),
        ("fuel", of(grouped(usage.fuel), grouped(limits.fuel))),
        ("peak memory", of(size(usage.memory_peak_bytes), format!("{} MiB", limits.memory_mib))),
        ("read", format!("{}, {}", counted(usage.rows, "row", "rows"), size(usage.bytes)).into()),
        ("result", of(size(bytes), format!("{} KiB, class {}", limits.result_kib, report.class))),
        ("time", of(format!("{} ms", usage.wall_us / 1000), format!("{} s", limits.wall_s))),
    ]);
}

fn object(report: &TryReport) -> Result<Value> {
    let result: Option<Value> =
        report.result.as_ref().map(|result| serde_json::from_str(result.as_str())).transpose()?;
    Ok(json!({
        "entry": report.entry,
        "succeeded": matches!(report.outcome, RunOutcome::Succeeded { .. }),
        "outcome": report.ended,
        "result": result,
        "usage": report.usage,
        "limits": report.limits,
        "class": report.class,
        "capabilities": report.capabilities,
    }))
}
