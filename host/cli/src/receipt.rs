//! `iog receipt …`: what providers signed, checked again from files and the pinned genesis alone. Never uses the network.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use iog_caller::verify::ReceiptSummary;
use iog_desk::Archive;
use iog_desk::views::receipts::{Found, ReceiptCheck, ReceiptPage};
use iog_desk::views::{ReceiptChecks, Receipts, Shown};
use iog_home::Home;
use iog_inspect::{ExportFact, Facts, WitTypeFact};
use iog_protocol::ids::Digest;
use iog_protocol::manifest::ReleaseClass;
use serde_json::Value;

use crate::args::{ReceiptArgs, ReceiptCommand};
use crate::ui::{Text, Tone, Ui, counted, grouped, size};

pub(crate) fn run(ui: Ui, command: &ReceiptCommand) -> Result<ExitCode> {
    match command {
        ReceiptCommand::Show(args) => show(ui, args),
        ReceiptCommand::Verify(args) => verify(ui, args),
    }
}

fn open(args: &ReceiptArgs) -> Result<Archive> {
    let home = Home::open(&args.home.home)?;
    let expected: Option<Digest> = match &args.genesis {
        Some(expected) => Some(expected.parse().with_context(|| format!("`{expected}` is not a digest"))?),
        None => None,
    };
    Ok(Archive::open(home, &args.files, expected.as_ref())?)
}

fn verify(ui: Ui, args: &ReceiptArgs) -> Result<ExitCode> {
    let archive = open(args)?;
    let found: Vec<_> = archive.files().iter().map(|file| (file.clone(), archive.verify(file))).collect();
    let checks = ReceiptChecks::of(archive.genesis(), archive.log_size(), &found);
    let rows: Vec<Vec<Text>> = checks.receipts.iter().map(row).collect();
    ui.table(&["file", "gateway", "outcome", "receipt"], &rows);
    ui.gap();
    ui.prose(format!(
        "{} of {} hold, by genesis {} and {} log entries at hand",
        checks.verified,
        checks.receipts.len(),
        checks.genesis,
        checks.log_size
    ));
    ui.view(&checks)?;
    Ok(if checks.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(check: &ReceiptCheck) -> Vec<Text> {
    let (gateway, outcome, state) = match &check.found {
        Found::Holds { receipt, .. } => {
            (receipt.gateway.to_string(), receipt.outcome.to_string(), Text::toned(Tone::Good, "holds"))
        }
        Found::Not { reason } => {
            (String::new(), String::new(), Text::toned(Tone::Bad, &format!("DOES NOT HOLD: {reason}")))
        }
    };
    vec![check.short_name().into(), gateway.into(), outcome.into(), state]
}

fn show(ui: Ui, args: &ReceiptArgs) -> Result<ExitCode> {
    let archive = open(args)?;
    let mut receipts = Vec::new();
    let mut modules: BTreeMap<Digest, Option<Facts>> = BTreeMap::new();
    for file in archive.files() {
        let page = page(&archive, file)?;
        let module = page.receipt.module;
        let facts = modules.entry(module).or_insert_with(|| archive.facts(&module));
        print(ui, &page, facts.as_ref().and_then(|facts| facts.export(page.receipt.entry.as_str())));
        receipts.push(page);
    }
    ui.view(&Receipts { receipts })?;
    Ok(ExitCode::SUCCESS)
}

fn page(archive: &Archive, file: &Path) -> Result<ReceiptPage> {
    let held = archive.verify(file).with_context(|| format!("the receipt `{}` does not hold", file.display()))?;
    Ok(ReceiptPage::of(file, held)?)
}

/// Prints a receipt with what was asked and answered, by the types of `export`: the entry, where the module is at hand.
pub(crate) fn print(ui: Ui, held: &ReceiptPage, export: Option<&ExportFact>) {
    let receipt = &held.receipt;
    ui.title(&format!("receipt of `{}` for run {}", receipt.gateway, receipt.request_id));
    let approval = receipt.module_log_index.map_or("none".to_owned(), |index| format!("log entry {index}"));
    let proof = format!("leaf {} of {} in the provider's receipt log", receipt.leaf_index, receipt.log_size);
    let asked = format!("{} on {}, purpose `{}`", receipt.caller, receipt.issued, held.request.purpose);
    let digest = |digest: &Option<Digest>| digest.as_ref().map(ToString::to_string);
    let fields = [
        ("asked by", Some(asked)),
        ("module", Some(receipt.module.to_string())),
        ("entry", Some(receipt.entry.to_string())),
        ("approval", Some(format!("{approval}; registry had {} entries", receipt.registry_size))),
        ("outcome", Some(receipt.outcome.to_string())),
        ("result", digest(&receipt.result_digest)),
        ("class", receipt.release.map(|class| class.to_string())),
        ("cost", Some(cost(receipt))),
        ("engine", Some(format!("{} with cost table {}", receipt.engine, receipt.cost_table))),
        ("policy", Some(receipt.policy.to_string())),
        ("snapshot", Some(format!("{} (salted commitment)", receipt.snapshot_commitment))),
        ("proof", Some(proof)),
    ];
    let fields: Vec<(&str, Text)> = fields.into_iter().filter_map(|(name, text)| Some((name, text?.into()))).collect();
    ui.named(&fields);
    if let Some(reason) = &held.module_today {
        ui.words(Text::toned(Tone::Warn, &format!("note: at that time by today's registry: {reason}")));
    }
    print_run(ui, held, export);
}

fn cost(receipt: &ReceiptSummary) -> String {
    let cost = &receipt.cost;
    format!(
        "{} fuel, {}, {} read, {} of memory, {} ms{}",
        grouped(cost.fuel),
        counted(cost.rows, "row", "rows"),
        size(cost.bytes),
        size(cost.memory_bytes),
        grouped(cost.wall_ms),
        if receipt.release == Some(ReleaseClass::Open) { "" } else { " (rounded up)" }
    )
}

fn print_run(ui: Ui, held: &ReceiptPage, export: Option<&ExportFact>) {
    let print = |name: &str, ty: Option<&WitTypeFact>, value: &Value| {
        ui.title(name);
        if export.is_some() { ui.shown(&Shown::of(ty, value)) } else { ui.block(&value.to_string()) }
    };
    if export.is_none() {
        ui.gap();
        ui.words("the module's file is not in this home, so nothing says what types these have:");
    }
    let params = export.map(|export| WitTypeFact::Record { name: String::new(), fields: export.params.clone() });
    let asked = held.request.params.value().unwrap_or_else(|_| Value::String(held.request.params.text().to_owned()));
    print("asked", params.as_ref(), &asked);
    if let Some(result) = &held.result {
        print("answered", export.and_then(|export| export.result.as_ref()), result);
    }
}
