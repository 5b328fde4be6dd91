//! `iog module …`: building, looking at, submitting and listing analyses; `try` is in `module_try`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use iog_inspect::{Facts, InspectLimits, check, inspect};
use iog_protocol::api::{Base64Bytes, ModuleSubmission};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::Manifest;
use iog_protocol::registry::{ModuleRecord, Registry};
use iog_protocol::statements::{Source, Statement, Submission};
use serde_json::{Value, json};

use crate::args::{CenterArg, ModuleCommand};
use crate::link::{Link, module, now};
use crate::module_build::{self, BuildOptions, Comparison, Record};
use crate::ui::{Tone, Ui, escaped, grouped, size};
use crate::{keys, module_try, runtime};

/// Bytes that are read of a component at most; a center takes no larger one.
const COMPONENT_BYTES_MAX: u64 = 8 << 20;
/// Bytes that are read of a manifest at most.
const MANIFEST_BYTES_MAX: u64 = 64 << 10;

pub(crate) fn run(ui: Ui, command: ModuleCommand) -> Result<ExitCode> {
    match command {
        ModuleCommand::Build { dir, out, check, install_toolchain } => {
            let good = build(ui, Order { dir: &dir, out, check, install_toolchain })?;
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        ModuleCommand::Inspect { wasm, manifest } => look(ui, &wasm, manifest.as_deref())?,
        ModuleCommand::Try(args) => return module_try::run(ui, &args),
        ModuleCommand::Submit { wasm, manifest, key, center } => {
            let submission = Offer { wasm: &wasm, manifest: &manifest, key: &key, center: &center };
            runtime()?.block_on(submit(ui, &submission))?;
        }
        ModuleCommand::Show { module, center } => runtime()?.block_on(show(ui, module.as_deref(), &center))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What inspection found.
pub(crate) struct Examined {
    pub(crate) facts: Facts,
    /// What the module can touch and ask; known only with its manifest.
    pub(crate) capabilities: Option<Capabilities>,
}

/// Inspects a component and, with its manifest, checks that the two fit.
pub(crate) fn examine(wasm: &[u8], manifest: Option<&str>, limits: &InspectLimits) -> Result<Examined> {
    let facts = inspect(wasm, limits).context("the component is refused")?;
    let Some(text) = manifest else { return Ok(Examined { facts, capabilities: None }) };
    let manifest = Manifest::parse(text).context("the manifest is refused")?;
    match check(&facts, &manifest) {
        Ok(capabilities) => Ok(Examined { facts, capabilities: Some(capabilities) }),
        Err(findings) => {
            let lines: Vec<String> = findings.iter().map(|finding| format!("  {finding}")).collect();
            bail!("component and manifest do not fit:\n{}", lines.join("\n"))
        }
    }
}

/// Reads a component from disk.
pub(crate) fn read_component(file: &Path) -> Result<Vec<u8>> {
    read_bounded(file, COMPONENT_BYTES_MAX)
}

/// Reads a manifest from disk.
pub(crate) fn read_manifest(file: &Path) -> Result<String> {
    let bytes = read_bounded(file, MANIFEST_BYTES_MAX)?;
    String::from_utf8(bytes).with_context(|| format!("`{}` is not UTF-8", file.display()))
}

fn read_bounded(file: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let show = || format!("cannot read `{}`", file.display());
    let length = std::fs::metadata(file).with_context(show)?.len();
    ensure!(length <= bytes_max, "`{}` has {length} bytes, allowed are {bytes_max}", file.display());
    std::fs::read(file).with_context(show)
}

/// What `iog module build` was asked.
struct Order<'a> {
    dir: &'a Path,
    out: Option<PathBuf>,
    check: bool,
    install_toolchain: bool,
}

fn build(ui: Ui, order: Order<'_>) -> Result<bool> {
    let mut all_good = true;
    let mut reported = Vec::new();
    for (module_dir, out) in jobs(order.dir, order.out)? {
        let spinner = ui.spinner(&format!("building {}", module_dir.display()));
        let target_dir = target_dir(&module_dir);
        let options = BuildOptions { module_dir, target_dir, install_toolchain: order.install_toolchain };
        if order.check {
            let (found, _) = module_build::compare(&options, &out)?;
            spinner.finish_and_clear();
            let (good, words) = verdict(found);
            all_good &= good;
            ui.line(format!("{}  {}", out.display(), ui.paint(if good { Tone::Good } else { Tone::Bad }, words)));
            reported.push(json!({"file": out.to_string_lossy(), "belongs_to_source": good, "reason": words}));
            continue;
        }
        let built = module_build::build(&options)?;
        spinner.finish_and_clear();
        Record::of(&built).write(&out, &built.component)?;
        let bytes = built.component.len() as u64;
        ui.line(format!("{}  {}  {}", out.display(), size(bytes), built.digest()));
        let (digest, source) = (built.digest(), &built.source);
        reported.push(
            json!({"file": out.to_string_lossy(), "bytes": bytes, "digest": digest, "source": source, "toolchain": built.toolchain}),
        );
    }
    ui.object(&json!({"built": reported}));
    Ok(all_good)
}

/// Which modules are built, and where each component goes.
fn jobs(dir: &Path, out: Option<PathBuf>) -> Result<Vec<(PathBuf, PathBuf)>> {
    if dir.join("iog.toml").is_file() {
        let name = dir.canonicalize().context("no such folder")?;
        let name = name.file_name().context("the folder has no name")?.to_string_lossy().into_owned();
        return Ok(vec![(dir.to_owned(), out.unwrap_or_else(|| dir.join(format!("{name}.wasm"))))]);
    }
    let folder = out.unwrap_or_else(|| dir.join("prebuilt"));
    let named = modules_of(dir)?.into_iter();
    Ok(named.map(|(name, module)| (module, folder.join(format!("{name}.wasm")))).collect())
}

/// Modules of one workspace share cargo's work, wherever the command was started.
fn target_dir(module_dir: &Path) -> PathBuf {
    let up = module_dir.join("..");
    if up.join("Cargo.toml").is_file() { up.join("target") } else { module_dir.join("target") }
}

/// What a rebuild says, and whether the component may stay.
fn verdict(found: Comparison) -> (bool, &'static str) {
    match found {
        Comparison::Reproduced => (true, "reproduced byte for byte"),
        Comparison::OtherToolchain { same_bytes: true } => (true, "reproduced byte for byte by another toolchain"),
        Comparison::OtherToolchain { same_bytes: false } => {
            (true, "sources are the recorded ones; this toolchain gives other bytes than the recorded one")
        }
        Comparison::NotTheRecordedFile => (false, "the file is not the one its record speaks of"),
        Comparison::SourcesChanged => (false, "the sources changed since it was built: run `iog module build`"),
        Comparison::NotReproduced => (false, "the same sources and toolchain give other bytes"),
    }
}

/// The modules of a workspace: its folders with an `iog.toml`, by name.
fn modules_of(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read `{}`", dir.display()))? {
        let path = entry.with_context(|| format!("cannot read `{}`", dir.display()))?.path();
        if path.join("iog.toml").is_file() {
            let name = path.file_name().context("a folder has a name")?.to_string_lossy().into_owned();
            found.push((name, path));
        }
    }
    ensure!(!found.is_empty(), "`{}` is not a module and holds none: there is no `iog.toml`", dir.display());
    found.sort();
    Ok(found)
}

fn look(ui: Ui, wasm: &Path, manifest: Option<&Path>) -> Result<()> {
    let bytes = read_component(wasm)?;
    let text = manifest.map(read_manifest).transpose()?;
    let seen = examine(&bytes, text.as_deref(), &InspectLimits::default())?;
    ui.line(format!("digest   {}\nsize     {}", seen.facts.digest, size(seen.facts.size)));
    match &seen.capabilities {
        Some(capabilities) => print_capabilities(ui, capabilities),
        None => {
            let imports =
                if seen.facts.imports.is_empty() { "none".to_owned() } else { seen.facts.imports.join("\n         ") };
            ui.line(format!("imports  {imports}"));
        }
    }
    ui.title("interface");
    ui.line(escaped(&seen.facts.wit));
    ui.object(&json!({"facts": seen.facts, "capabilities": seen.capabilities}));
    Ok(())
}

/// What a module can touch and ask, for people.
pub(crate) fn print_capabilities(ui: Ui, capabilities: &Capabilities) {
    ui.title("capabilities");
    for import in &capabilities.imports {
        ui.line(format!("  imports  {import}"));
    }
    for (slot, uses) in &capabilities.datasets {
        ui.line(format!("  reads    {slot} ({}): {}", uses.schema, uses.columns.join(", ")));
    }
    let limits = &capabilities.limits;
    ui.line(format!(
        "  limits   {} fuel, {} MiB, {} s, {} KiB of result; release class {}",
        grouped(limits.fuel),
        limits.memory_mib,
        limits.wall_s,
        limits.result_kib,
        capabilities.release
    ));
}

struct Offer<'a> {
    wasm: &'a Path,
    manifest: &'a Path,
    key: &'a Path,
    center: &'a CenterArg,
}

async fn submit(ui: Ui, offer: &Offer<'_>) -> Result<()> {
    let wasm = read_component(offer.wasm)?;
    let text = read_manifest(offer.manifest)?;
    let key = keys::secret(offer.key)?;
    let mut link = Link::open(offer.center)?;
    let registry = link.registry().await?;
    let body = submission(&registry, &wasm, &text, &key)?;
    let submitted = link.center.submit_module(&body).await.context("the center did not take the module")?;
    let registry = link.registry().await?;
    let record = module(&registry, &submitted.digest.to_string())?;
    let needed = registry.needed_reviews(record);
    ui.line(format!(
        "submitted {} as entry {}; it needs {needed} approving organisations",
        submitted.digest, submitted.index
    ));
    ui.object(&json!({"digest": submitted.digest, "index": submitted.index, "needed": needed}));
    Ok(())
}

/// A submission signed by a publisher, with what it speaks of.
///
/// # Errors
/// When component and manifest are refused, or the key may not publish under the namespace.
pub fn submission(
    registry: &Registry,
    wasm: &[u8],
    manifest_text: &str,
    key: &iog_protocol::keys::SecretKey,
) -> Result<ModuleSubmission> {
    let seen = examine(wasm, Some(manifest_text), &InspectLimits::default())?;
    let manifest = Manifest::parse(manifest_text).context("the manifest is refused")?;
    let namespace = manifest.module.name.namespace();
    let publisher = registry.keyset().publishers.iter().find(|publisher| publisher.namespace == namespace);
    let publisher =
        publisher.with_context(|| format!("nobody may publish under `{namespace}`; root adds publishers"))?;
    ensure!(publisher.keys.contains(&key.public()), "the key {} may not publish under `{namespace}`", key.public());
    let submission = Submission {
        name: manifest.module.name.clone(),
        version: manifest.module.version.clone(),
        size: wasm.len() as u64,
        module: Digest::of(wasm),
        manifest: Digest::of(manifest_text.as_bytes()),
        capabilities: seen.capabilities.context("inspection with a manifest gives capabilities")?,
        source: Source { repository: manifest.source.repository.clone(), commit: manifest.source.commit.clone() },
        publisher_organisation: publisher.organisation.clone(),
    };
    let envelope = Statement::submission(registry.genesis_digest(), submission)
        .sign(&[key])
        .context("cannot sign the submission")?;
    Ok(ModuleSubmission {
        submission: Base64Bytes(envelope.to_json()),
        manifest: manifest_text.to_owned(),
        module: Base64Bytes(wasm.to_vec()),
    })
}

async fn show(ui: Ui, reference: Option<&str>, arg: &CenterArg) -> Result<()> {
    let mut link = Link::open(arg)?;
    let registry = link.registry().await?;
    if let Some(reference) = reference {
        let record = module(&registry, reference)?;
        let submission = &record.submission;
        ui.line(format!("module     {}@{}\ndigest     {}", submission.name, submission.version, submission.module));
        ui.line(format!("state      {}", state(ui, &registry, record)));
        ui.line(format!("publisher  {}", submission.publisher_organisation));
        ui.line(format!(
            "source     {} at {}",
            escaped(&submission.source.repository),
            escaped(&submission.source.commit)
        ));
        print_capabilities(ui, &submission.capabilities);
        ui.object(&summary(&registry, record));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = registry
        .modules()
        .map(|record| {
            let submission = &record.submission;
            let digest = submission.module.hex()[..16].to_owned();
            vec![format!("{}@{}", submission.name, submission.version), digest, state(ui, &registry, record)]
        })
        .collect();
    if rows.is_empty() {
        ui.line("the registry has no modules");
    }
    ui.table(&["module", "digest", "state"], &rows);
    let listed: Vec<Value> = registry.modules().map(|record| summary(&registry, record)).collect();
    ui.object(&json!({"modules": listed}));
    Ok(())
}

fn state(ui: Ui, registry: &Registry, record: &ModuleRecord) -> String {
    match registry.effective(&record.submission.module, now()) {
        Ok(_) => ui.paint(Tone::Good, "may run"),
        Err(reason) => ui.paint(Tone::Warn, &reason.to_string()),
    }
}

/// A module of the registry for machines.
pub(crate) fn summary(registry: &Registry, record: &ModuleRecord) -> Value {
    let submission = &record.submission;
    let effective = registry.effective(&submission.module, now());
    json!({
        "name": submission.name,
        "version": submission.version,
        "digest": submission.module,
        "manifest": submission.manifest,
        "index": record.index,
        "size": submission.size,
        "publisher": submission.publisher_organisation,
        "capabilities": submission.capabilities,
        "reviews": record.reviews.len(),
        "needed": registry.needed_reviews(record),
        "effective": effective.is_ok(),
        "reason": effective.err().map(|reason| reason.to_string()),
    })
}
