//! `iog module …`: building, looking at, submitting and listing analyses; `try` is in `module_try`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use iog_desk::decide::submission::{self, Refused, SubmissionLogged};
use iog_desk::reach::ModuleFiles;
use iog_desk::views::{ModuleLine, ModulePage, Modules};
use iog_inspect::{Facts, InspectLimits, inspect};
use iog_module::Examined;
use iog_protocol::api::ModuleSubmission;
use iog_protocol::capabilities::Capabilities;
use iog_protocol::keys::SecretKey;
use iog_protocol::registry::Registry;
use serde_json::json;

use crate::args::{CenterArg, ModuleCommand};
use crate::catalog_page::limits;
use crate::link::{self, module, now};
use crate::module_build::command::{self, Order};
use crate::ui::{Text, Tone, Ui, counted, size};
use crate::{keys, module_files, module_try, runtime};

pub(crate) fn run(ui: Ui, command: ModuleCommand) -> Result<ExitCode> {
    match command {
        ModuleCommand::Build { dir, out, check, install_toolchain, trust_build_scripts } => {
            let good = command::run(ui, Order { dir: &dir, out, check, install_toolchain, trust_build_scripts })?;
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        ModuleCommand::Inspect { wasm, manifest } => look(ui, &wasm, manifest.as_deref())?,
        ModuleCommand::Try(args) => return module_try::run(ui, &args),
        ModuleCommand::Submit { wasm, manifest, key, center } => {
            let submission = Offer { wasm: &wasm, manifest: &manifest, key: &key, center: &center };
            runtime::start()?.block_on(submit(ui, &submission))?;
        }
        ModuleCommand::Show { module, center } => runtime::start()?.block_on(show(ui, module.as_deref(), &center))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn look(ui: Ui, wasm: &Path, manifest: Option<&Path>) -> Result<()> {
    let (facts, capabilities) = seen(wasm, manifest)?;
    let imports = listed(&facts.imports);
    let fields = [("digest", facts.digest.to_string()), ("size", size(facts.size)), ("imports", imports)];
    ui.named(&fields.map(|(name, text)| (name, Text::from(text))));
    match &capabilities {
        Some(capabilities) => print_capabilities(ui, capabilities),
        None => ui.prose("with --manifest it also says which columns it reads and within which limits it runs"),
    }
    ui.title("interface");
    ui.block(&facts.wit);
    ui.object(&json!({"facts": facts, "capabilities": capabilities}));
    Ok(())
}

/// What inspection finds in a component, and with its manifest what it can touch and ask.
fn seen(wasm: &Path, manifest: Option<&Path>) -> Result<(Facts, Option<Capabilities>)> {
    let Some(manifest) = manifest else {
        let wasm = module_files::read_component(wasm)?;
        return Ok((inspect(&wasm, &InspectLimits::default()).map_err(Refused::Component)?, None));
    };
    let files = module_files::read(wasm, manifest)?;
    let found = Examined::examine(files.source()).map_err(Refused::from)?;
    Ok((found.facts().clone(), Some(found.capabilities().clone())))
}

/// What a module can touch and ask, for people.
pub(crate) fn print_capabilities(ui: Ui, capabilities: &Capabilities) {
    ui.title("capabilities");
    let mut fields: Vec<(&str, Text)> = vec![("imports", listed(&capabilities.imports).into())];
    for (slot, uses) in &capabilities.datasets {
        fields.push(("reads", format!("{slot} ({}): {}", uses.schema, listed(&uses.columns)).into()));
    }
    fields.push(("limits", limits(&capabilities.limits).into()));
    fields.push(("class", capabilities.release.to_string().into()));
    ui.named(&fields);
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

struct Offer<'a> {
    wasm: &'a Path,
    manifest: &'a Path,
    key: &'a Path,
    center: &'a CenterArg,
}

async fn submit(ui: Ui, offer: &Offer<'_>) -> Result<()> {
    let files = module_files::read(offer.wasm, offer.manifest)?;
    let key = keys::secret(offer.key)?;
    let mut link = link::open(offer.center)?;
    let registry = link.registry().await?;
    let body = signed(&registry, files, &key)?;
    let submitted = link.center.submit_module(&body).await.context("the center did not take the module")?;
    let registry = link.registry().await?;
    let needed = registry.needed_reviews(module(&registry, &submitted.digest.to_string())?);
    let logged = SubmissionLogged { digest: submitted.digest, index: submitted.index, needed };
    let organisations = counted(needed.into(), "organisation", "organisations");
    ui.line(format!("submitted as entry {} of the log", logged.index));
    ui.line(format!("  {}", logged.digest));
    ui.prose(format!("next: auditors of {organisations} approve it; each runs"));
    ui.line(format!("  iog review show {} {}", logged.digest, link::again(offer.center)));
    ui.view(&logged)
}

/// A submission signed by a publisher, with what it speaks of.
///
/// # Errors
/// When component and manifest are refused, or the key may not publish under the namespace.
pub fn submission(registry: &Registry, wasm: &[u8], manifest_text: &str, key: &SecretKey) -> Result<ModuleSubmission> {
    signed(registry, ModuleFiles { wasm: wasm.to_vec(), manifest: manifest_text.to_owned() }, key)
}

fn signed(registry: &Registry, files: ModuleFiles, key: &SecretKey) -> Result<ModuleSubmission> {
    let statement = submission::statement(registry, &files, &key.public())?;
    let envelope = statement.sign(&[key]).context("cannot sign the submission")?;
    Ok(submission::body(envelope.to_json(), files))
}

async fn show(ui: Ui, reference: Option<&str>, arg: &CenterArg) -> Result<()> {
    let registry = link::open(arg)?.registry().await?;
    let Some(reference) = reference else { return list(ui, &registry) };
    let page = ModulePage::of(&registry, module(&registry, reference)?, now());
    let line = &page.line;
    ui.named(&[
        ("module", line.release().into()),
        ("digest", line.digest.to_string().into()),
        ("state", state(line)),
        ("publisher", line.publisher.to_string().into()),
        ("source", format!("{} at {}", page.source.repository, page.source.commit).into()),
    ]);
    print_capabilities(ui, &line.capabilities);
    ui.view(line)
}

fn list(ui: Ui, registry: &Registry) -> Result<()> {
    let all = Modules::of(registry, now());
    let row = |line: &ModuleLine| vec![line.release().into(), line.digest.hex()[..16].into(), state(line)];
    let rows: Vec<Vec<Text>> = all.modules.iter().map(row).collect();
    if rows.is_empty() {
        ui.line("the registry has no modules");
    }
    ui.table(&["module", "digest", "state"], &rows);
    ui.view(&all)
}

fn state(line: &ModuleLine) -> Text {
    match &line.reason {
        None => Text::toned(Tone::Good, "may run"),
        Some(reason) => Text::toned(Tone::Warn, reason),
    }
}
