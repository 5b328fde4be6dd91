//! `iog receipt …`: what providers signed, checked again from files and the pinned genesis alone. Never uses the network.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use iog_desk::Archive;
use iog_desk::views::receipts::{Found, ReceiptCheck, ReceiptPage};
use iog_desk::views::{ReceiptChecks, Receipts};
use iog_home::Home;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::ReleaseClass;

use crate::args::{ReceiptArgs, ReceiptCommand};
use crate::ui::{Text, Tone, Ui, grouped};

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
    ui.line(format!(
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
    for file in archive.files() {
        let page = page(&archive, file)?;
        print(ui, &page);
        receipts.push(page);
    }
    ui.view(&Receipts { receipts })?;
    Ok(ExitCode::SUCCESS)
}

fn page(archive: &Archive, file: &Path) -> Result<ReceiptPage> {
    let held = archive.verify(file).with_context(|| format!("the receipt `{}` does not hold", file.display()))?;
    Ok(ReceiptPage::of(file, held)?)
}

fn print(ui: Ui, held: &ReceiptPage) {
    let receipt = &held.receipt;
    ui.title(&format!("receipt of `{}` for run {}", receipt.gateway, receipt.request_id));
    ui.line(format!("asked by   {} on {}, purpose `{}`", receipt.caller, receipt.issued, held.request.purpose));
    ui.line(format!("module     {} entry `{}`", receipt.module, receipt.entry));
    let approval = receipt.module_log_index.map_or("none".to_owned(), |index| format!("log entry {index}"));
    ui.line(format!("approval   {approval}; registry had {} entries", receipt.registry_size));
    ui.line(format!("outcome    {}", receipt.outcome));
    if let Some(digest) = &receipt.result_digest {
        ui.line(format!("result     {digest}"));
    }
    if let Some(class) = &receipt.release {
        ui.line(format!("class      {class}"));
    }
    let cost = &receipt.cost;
    ui.line(format!(
        "cost       {} fuel, {} rows, {} bytes read, {} bytes of memory, {} ms{}",
        grouped(cost.fuel),
        grouped(cost.rows),
        grouped(cost.bytes),
        grouped(cost.memory_bytes),
        grouped(cost.wall_ms),
        if receipt.release == Some(ReleaseClass::Open) { "" } else { " (rounded up)" }
    ));
    ui.line(format!("engine     {} with cost table {}", receipt.engine, receipt.cost_table));
    ui.line(format!("policy     {}", receipt.policy));
    ui.line(format!("snapshot   {} (salted commitment)", receipt.snapshot_commitment));
    ui.line(format!("proof      leaf {} of {} in the provider's receipt log", receipt.leaf_index, receipt.log_size));
    if let Some(reason) = &held.module_today {
        ui.line(Text::toned(Tone::Warn, &format!("note       at that time by today's registry: {reason}")));
    }
}
