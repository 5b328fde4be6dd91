//! `iog review …`: what an auditor reads and signs. Everything shown comes from the verified log and from files whose
//! digests it names; what the center says about a module is not shown here.

mod stop;

use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use iog_desk::decide::review::{NoReason, ReviewDecision};
use iog_desk::reach::Statements;
use iog_desk::views::module_page::FindingLine;
use iog_desk::views::review_sheet::{Change, NewColumn};
use iog_desk::views::{ModuleLine, Queue, ReviewSheet};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::manifest::LimitsDecl;
use iog_protocol::statements::{RevocationSeverity, Severity, Verdict};

use crate::args::{CenterArg, ReviewArgs, ReviewCommand};
use crate::link::{self, module, now};
use crate::ui::{Ui, counted, grouped, size};
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
        ui.line("no module waits for reviews; `iog module show` lists all modules");
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
    ui.named(&[
        ("module", line.release().into()),
        ("digest", line.digest.to_string().into()),
        ("manifest", line.manifest.to_string().into()),
        ("size", size(line.size).into()),
        ("publisher", line.publisher.to_string().into()),
        ("source", format!("{} at {}", sheet.source.repository, sheet.source.commit).into()),
    ]);
    modules::print_capabilities(ui, &line.capabilities);
    ui.title("change");
    for told in change_lines(sheet.change.as_ref(), &line.capabilities) {
        ui.words(told);
    }
    print_findings(ui, &document.findings);
    ui.title("manifest");
    ui.block(&document.manifest_text);
    ui.title("interface");
    ui.block(&document.wit);
    ui.gap();
    let core = &sheet.core;
    ui.prose(format!(
        "{} in {}, {}",
        counted(core.functions, "core function", "core functions"),
        counted(core.modules, "module", "modules"),
        counted(core.memories, "memory", "memories")
    ));
    ui.gap();
    ui.prose("to judge it, with your auditor's key:");
    let (module, center) = (line.digest, link::again(arg));
    ui.line(format!("  iog review approve {module} --key KEY {center}"));
    ui.line(format!("  iog review reject {module} --key KEY --note 'WHY' --blocking {center}"));
    ui.view(document)
}

/// What this version asks for beyond the one before: the first thing an auditor wants to know.
fn change_lines(change: Option<&Change>, now: &Capabilities) -> Vec<String> {
    let Some(change) = change else { return vec!["this is the first version: everything is new".to_owned()] };
    let runs = if change.against_runs { "" } else { ", which does not run" };
    let mut lines = vec![format!("against {}@{}{runs}", change.against.name, change.against.version)];
    if change.nothing_more {
        lines.push("asks for nothing more".to_owned());
    }
    lines.extend(change.imports.iter().map(|import| format!("+ import {import}")));
    let column = |new: &NewColumn| format!("+ column {}.{} of {}", new.slot, new.column, new.schema);
    lines.extend(change.columns.iter().map(column));
    lines.extend(
        change
            .release_before
            .map(|before| format!("{} release class {before} → {}", plus_or_minus(now.release > before), now.release)),
    );
    lines.extend(change.limits_before.iter().flat_map(|before| limit_lines(before, &now.limits)));
    lines
}

/// Each limit that is another one now, before → after.
fn limit_lines(before: &LimitsDecl, now: &LimitsDecl) -> impl Iterator<Item = String> {
    let limits = [
        ("fuel", before.fuel, now.fuel, ""),
        ("memory", before.memory_mib.into(), now.memory_mib.into(), " MiB"),
        ("wall time", before.wall_s.into(), now.wall_s.into(), " s"),
        ("result", before.result_kib.into(), now.result_kib.into(), " KiB"),
    ];
    limits.into_iter().filter(|(_, before, now, _)| before != now).map(|(limit, before, now, unit)| {
        format!("{} {limit} {} → {}{unit}", plus_or_minus(now > before), grouped(before), grouped(now))
    })
}

fn plus_or_minus(more: bool) -> char {
    if more { '+' } else { '-' }
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
            vec![found.name.clone(), severity, state, found.text.clone()]
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
        "{} {}@{}: entry {} of the log",
        logged.verdict, submission.name, submission.version, logged.index
    ));
    ui.line(format!("  {}", logged.module));
    if let Some(approval) = logged.approval_index {
        ui.prose(format!("enough reviews stand: the center logged its approval as entry {approval}"));
    }
    ui.view(&logged)
}

#[cfg(test)]
mod tests {
    use iog_desk::views::review_sheet::Release;
    use iog_protocol::ids::Digest;
    use iog_protocol::manifest::ReleaseClass;

    use super::*;

    fn capabilities(release: ReleaseClass, limits: LimitsDecl) -> Capabilities {
        Capabilities { imports: Vec::new(), datasets: std::collections::BTreeMap::new(), release, limits }
    }

    /// A change in release class and limits alone.
    fn change(before: &Capabilities, now: &Capabilities) -> Change {
        Change {
            against: Release {
                name: "iog/hello".parse().unwrap(),
                version: "1.0.0".parse().unwrap(),
                digest: Digest::of(b"before"),
            },
            against_runs: true,
            nothing_more: now.superset_of_nothing_new(before),
            imports: Vec::new(),
            columns: Vec::new(),
            release_before: (before.release != now.release).then_some(before.release),
            limits_before: (before.limits != now.limits).then_some(before.limits),
        }
    }

    #[test]
    fn a_version_that_only_asks_for_more_limits_or_another_class_says_so() {
        let before = capabilities(ReleaseClass::Reviewed, LimitsDecl::default());
        let limits = LimitsDecl { fuel: 3_000_000_000, memory_mib: 128, wall_s: 5, ..before.limits };
        let now = capabilities(ReleaseClass::Open, limits);
        let told = [
            "against iog/hello@1.0.0",
            "+ release class reviewed → open",
            "+ fuel 2,000,000,000 → 3,000,000,000",
            "+ memory 64 → 128 MiB",
            "- wall time 10 → 5 s",
        ];
        assert_eq!(change_lines(Some(&change(&before, &now)), &now), told);
        let less = capabilities(before.release, LimitsDecl { result_kib: 32, ..before.limits });
        let told = ["against iog/hello@1.0.0", "asks for nothing more", "- result 64 → 32 KiB"];
        assert_eq!(change_lines(Some(&change(&before, &less)), &less), told);
        let stopped = Change { against_runs: false, ..change(&before, &less) };
        assert_eq!(change_lines(Some(&stopped), &less)[0], "against iog/hello@1.0.0, which does not run");
        assert_eq!(change_lines(None, &now), ["this is the first version: everything is new"]);
    }
}
