//! `iog review …`: what an auditor reads and signs. Everything shown comes from the verified log and from files whose
//! digests it names; what the center says about a module is not shown here.

mod stop;

use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use iog_desk::decide::review::{NoReason, ReviewDecision};
use iog_desk::reach::Statements;
use iog_desk::views::module_page::FindingLine;
use iog_desk::views::review_sheet::Change;
use iog_desk::views::{ModuleLine, Queue, ReviewSheet};
use iog_protocol::statements::{RevocationSeverity, Severity, Verdict};

use crate::args::{CenterArg, ReviewArgs, ReviewCommand};
use crate::link::{self, module, now};
use crate::ui::{Ui, escaped, grouped, size};
use crate::{keys, module as modules, runtime};

pub(crate) fn run(ui: Ui, command: ReviewCommand) -> Result<ExitCode> {
    let runtime = runtime::start()?;
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
    let registry = link::open(arg)?.registry().await?;
    let queue = Queue::of(&registry, now());
    let rows: Vec<Vec<String>> = queue.modules.iter().map(row).collect();
    if rows.is_empty() {
        ui.line("no module waits for reviews");
    }
    ui.table(&["module", "reviews", "needed", "why it does not run"], &rows);
    ui.view(&queue)
}

fn row(line: &ModuleLine) -> Vec<String> {
    let why = line.reason.clone().unwrap_or_default();
    vec![line.release(), line.reviews.to_string(), line.needed.to_string(), why]
}

async fn show(ui: Ui, reference: &str, arg: &CenterArg) -> Result<()> {
    let mut link = link::open(arg)?;
    let registry = link.registry().await?;
    let record = module(&registry, reference)?;
    let files = link.files(&record.submission).await?;
    let sheet = ReviewSheet::of(&registry, record, files, now())?;
    let (document, line) = (&sheet.document, &sheet.document.line);
    ui.line(format!("module        {}", line.release()));
    ui.line(format!("digest        {}\nmanifest      {}", line.digest, line.manifest));
    ui.line(format!("size          {}", size(line.size)));
    ui.line(format!("publisher     {}", line.publisher));
    ui.line(format!("source        {} at {}", sheet.source.repository, sheet.source.commit));
    modules::print_capabilities(ui, &line.capabilities);
    print_change(ui, sheet.change.as_ref());
    print_findings(ui, &document.findings);
    ui.title("manifest");
    ui.line(escaped(&document.manifest_text));
    ui.title("interface");
    ui.line(escaped(&document.wit));
    ui.line(format!(
        "\n{} core functions in {} modules, {} memories",
        grouped(sheet.core.functions),
        sheet.core.modules,
        sheet.core.memories
    ));
    ui.view(document)
}

/// What this version asks for beyond the last one that runs: the first thing an auditor wants to know.
fn print_change(ui: Ui, change: Option<&Change>) {
    ui.title("change");
    let Some(change) = change else {
        return ui.line("no earlier version runs: everything is new");
    };
    ui.line(format!("against {}@{}", change.against.name, change.against.version));
    if change.nothing_more {
        return ui.line("asks for nothing more");
    }
    for import in &change.imports {
        ui.line(format!("+ import {import}"));
    }
    for new in &change.columns {
        ui.line(format!("+ column {}.{} of {}", new.slot, new.column, new.schema));
    }
}

/// What auditors found, by the names that `--closes` takes.
fn print_findings(ui: Ui, findings: &[FindingLine]) {
    if findings.is_empty() {
        return;
    }
    ui.title("findings");
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|found| {
            let state = found.closed.map_or("open".to_owned(), |index| format!("closed by entry {index}"));
            let severity = format!("{:?}", found.severity).to_lowercase();
            vec![escaped(&found.name), severity, state, escaped(&found.text)]
        })
        .collect();
    ui.table(&["finding", "severity", "state", "text"], &rows);
}

async fn sign(ui: Ui, args: &ReviewArgs, verdict: Verdict) -> Result<()> {
    let severity = if args.blocking { Severity::Blocking } else { Severity::Note };
    let found = args.note.iter().map(|text| (severity, text.clone())).collect();
    let mut decision = ReviewDecision::new(verdict, found)
        .map_err(|NoReason| anyhow!("say why with --note: a rejection without a reason helps nobody"))?;
    decision.closes.clone_from(&args.closes);
    decision.expires = args.expires_days.map(|days| now().plus_days(days.into()));
    let key = keys::secret(&args.key)?;
    let mut link = link::open(&args.center)?;
    let registry = link.registry().await?;
    let record = module(&registry, &args.module)?;
    let statement = decision.statement(&registry, record, &key.public(), now())?;
    let envelope = statement.sign(&[&key]).context("cannot sign the review")?;
    let accepted = link.hand_in(Statements::Review, envelope.to_json()).await?;
    let submission = &record.submission;
    let logged = decision.logged(submission.module, accepted.index, accepted.approval_index);
    ui.line(format!(
        "{} {}@{} ({}): entry {}",
        logged.verdict, submission.name, submission.version, logged.module, logged.index
    ));
    if let Some(approval) = logged.approval_index {
        ui.line(format!("enough reviews stand: the center logged its approval as entry {approval}"));
    }
    ui.view(&logged)
}
