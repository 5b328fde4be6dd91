//! `iog review …`: what an auditor reads and signs. Everything shown comes from the verified log and from files whose
//! digests it names; what the center says about a module is not shown here.

mod stop;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use iog_inspect::InspectLimits;
use iog_protocol::registry::{FindingRecord, ModuleRecord, Registry};
use iog_protocol::statements::{Finding, Review, RevocationSeverity, Scope, Severity, Statement, Verdict};
use serde_json::{Value, json};

use crate::args::{CenterArg, ReviewArgs, ReviewCommand};
use crate::link::{Link, module, now};
use crate::ui::{Ui, escaped, grouped, size};
use crate::{keys, module as modules, runtime};

/// Bytes of a module and of a manifest that are fetched at most; the center takes no larger ones.
const MODULE_BYTES_MAX: usize = 8 << 20;
const MANIFEST_BYTES_MAX: usize = 64 << 10;

pub(crate) fn run(ui: Ui, command: ReviewCommand) -> Result<ExitCode> {
    let runtime = runtime()?;
    match command {
        ReviewCommand::List { center } => runtime.block_on(list(ui, &center))?,
        ReviewCommand::Show { module, center } => runtime.block_on(show(ui, &module, &center))?,
        ReviewCommand::Approve(args) => runtime.block_on(sign(ui, &args, Verdict::Approve))?,
        ReviewCommand::Reject(args) => runtime.block_on(sign(ui, &args, Verdict::Reject))?,
        ReviewCommand::Suspend(args) => runtime.block_on(stop::stop(ui, &args, RevocationSeverity::Suspend))?,
        ReviewCommand::Revoke(args) => runtime.block_on(stop::stop(ui, &args, RevocationSeverity::Revoke))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(ui: Ui, arg: &CenterArg) -> Result<()> {
    let mut link = Link::open(arg)?;
    let registry = link.registry().await?;
    let waiting: Vec<&ModuleRecord> =
        registry.modules().filter(|record| registry.effective(&record.submission.module, now()).is_err()).collect();
    let rows: Vec<Vec<String>> = waiting.iter().map(|record| row(&registry, record)).collect();
    if rows.is_empty() {
        ui.line("no module waits for reviews");
    }
    ui.table(&["module", "reviews", "needed", "why it does not run"], &rows);
    let listed: Vec<Value> = waiting.iter().map(|record| modules::summary(&registry, record)).collect();
    ui.object(&json!({"modules": listed}));
    Ok(())
}

fn row(registry: &Registry, record: &ModuleRecord) -> Vec<String> {
    let submission = &record.submission;
    let why = registry.effective(&submission.module, now()).err().map(|reason| reason.to_string());
    vec![
        format!("{}@{}", submission.name, submission.version),
        record.reviews.len().to_string(),
        registry.needed_reviews(record).to_string(),
        why.unwrap_or_default(),
    ]
}

async fn show(ui: Ui, reference: &str, arg: &CenterArg) -> Result<()> {
    let mut link = Link::open(arg)?;
    let registry = link.registry().await?;
    let record = module(&registry, reference)?;
    let submission = &record.submission;
    let wasm = link.center.blob(&submission.module, MODULE_BYTES_MAX).await.context("cannot fetch the module")?;
    let text = link.center.blob(&submission.manifest, MANIFEST_BYTES_MAX).await.context("cannot fetch the manifest")?;
    let text = String::from_utf8(text).context("the manifest is not UTF-8")?;
    let seen = modules::examine(&wasm, Some(&text), &InspectLimits::default())?;
    if seen.capabilities.as_ref() != Some(&submission.capabilities) {
        bail!("the signed capabilities are not those of the file: do not approve this module");
    }
    ui.line(format!("module        {}@{}", submission.name, submission.version));
    ui.line(format!("digest        {}\nmanifest      {}", submission.module, submission.manifest));
    ui.line(format!("size          {}", size(submission.size)));
    ui.line(format!("publisher     {}", submission.publisher_organisation));
    ui.line(format!("source        {} at {}", submission.source.repository, submission.source.commit));
    modules::print_capabilities(ui, &submission.capabilities);
    print_change(ui, &registry, record);
    print_findings(ui, record);
    ui.title("manifest");
    ui.line(escaped(&text));
    ui.title("interface");
    ui.line(escaped(&seen.facts.wit));
    ui.line(format!(
        "\n{} core functions in {} modules, {} memories",
        grouped(seen.facts.core.functions),
        seen.facts.core.modules,
        seen.facts.core.memories
    ));
    let mut object = modules::summary(&registry, record);
    object["manifest_text"] = text.into();
    object["wit"] = seen.facts.wit.clone().into();
    object["findings"] = record.findings.iter().map(|(name, found)| finding(name, found)).collect();
    ui.object(&object);
    Ok(())
}

/// What this version asks for beyond the last one that runs: the first thing an auditor wants to know.
fn print_change(ui: Ui, registry: &Registry, record: &ModuleRecord) {
    ui.title("change");
    let Some(before) = registry.find_effective(&record.submission.name, now()) else {
        return ui.line("no earlier version runs: everything is new");
    };
    let (old, new) = (&before.submission.capabilities, &record.submission.capabilities);
    ui.line(format!("against {}@{}", before.submission.name, before.submission.version));
    if new.superset_of_nothing_new(old) {
        return ui.line("asks for nothing more");
    }
    for import in new.imports.iter().filter(|import| !old.imports.contains(import)) {
        ui.line(format!("+ import {import}"));
    }
    for (slot, uses) in &new.datasets {
        let had = old.datasets.get(slot).map(|uses| uses.columns.as_slice()).unwrap_or_default();
        for column in uses.columns.iter().filter(|column| !had.contains(column)) {
            ui.line(format!("+ column {slot}.{column} of {}", uses.schema));
        }
    }
}

/// What auditors found, by the names that `--closes` takes.
fn print_findings(ui: Ui, record: &ModuleRecord) {
    if record.findings.is_empty() {
        return;
    }
    ui.title("findings");
    let rows: Vec<Vec<String>> = record
        .findings
        .iter()
        .map(|(name, found)| {
            let state = found.closed.map_or("open".to_owned(), |index| format!("closed by entry {index}"));
            let severity = format!("{:?}", found.finding.severity).to_lowercase();
            vec![escaped(name), severity, state, escaped(&found.finding.text)]
        })
        .collect();
    ui.table(&["finding", "severity", "state", "text"], &rows);
}

fn finding(name: &str, found: &FindingRecord) -> Value {
    let said = &found.finding;
    json!({"name": name, "severity": said.severity, "text": said.text, "index": found.index, "closed": found.closed})
}

async fn sign(ui: Ui, args: &ReviewArgs, verdict: Verdict) -> Result<()> {
    if verdict == Verdict::Reject && args.note.is_none() {
        bail!("say why with --note: a rejection without a reason helps nobody");
    }
    let key = keys::secret(&args.key)?;
    let mut link = Link::open(&args.center)?;
    let registry = link.registry().await?;
    let record = module(&registry, &args.module)?;
    let submission = &record.submission;
    if !registry.keyset().auditors.iter().any(|auditor| auditor.key == key.public()) {
        bail!("the key {} does not belong to an auditor in the keyset in force", key.public());
    }
    let severity = if args.blocking { Severity::Blocking } else { Severity::Note };
    let findings =
        args.note.iter().map(|text| Finding { id: format!("f{}", registry.size()), severity, text: text.clone() });
    let review = Review {
        verdict,
        criteria: vec!["iog-safe-to-run".to_owned(), "iog-capability-minimal".to_owned(), "iog-privacy".to_owned()],
        scope: Scope::Full,
        manifest: submission.manifest,
        findings: findings.collect(),
        closes: args.closes.clone(),
        issued: now(),
        expires: args.expires_days.map(|days| now().plus_days(days.into())),
    };
    let statement = Statement::about(registry.genesis_digest(), record.subject(), review);
    let envelope = statement.sign(&[&key]).context("cannot sign the review")?;
    let accepted =
        link.center.post_statement(envelope.to_json()).await.context("the center did not take the review")?;
    let accepted = accepted.logged().context("the center answered a review as if it were a domain's statement")?;
    let word = if verdict == Verdict::Approve { "approved" } else { "rejected" };
    ui.line(format!(
        "{word} {}@{} ({}): entry {}",
        submission.name, submission.version, submission.module, accepted.index
    ));
    if let Some(approval) = accepted.approval_index {
        ui.line(format!("enough reviews stand: the center logged its approval as entry {approval}"));
    }
    ui.object(&json!({"verdict": word, "module": submission.module, "index": accepted.index, "approval_index": accepted.approval_index}));
    Ok(())
}
