//! `iog receipt …`: what providers signed, checked again from files and the pinned genesis alone. Never uses the network.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use iog_caller::bundle;
use iog_caller::verify::{VerifiedBundle, verify_with};
use iog_home::Home;
use iog_home::connect;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::ReleaseClass;
use iog_protocol::registry::Registry;
use serde_json::{Value, json};

use crate::args::{ReceiptArgs, ReceiptCommand};
use crate::ui::{Tone, Ui, escaped, grouped};

pub(crate) fn run(ui: Ui, command: &ReceiptCommand) -> Result<ExitCode> {
    match command {
        ReceiptCommand::Show(args) => show(ui, args),
        ReceiptCommand::Verify(args) => verify(ui, args),
    }
}

/// What is verified against what.
struct Case {
    home: Home,
    registry: Arc<Registry>,
    files: Vec<PathBuf>,
}

fn open(args: &ReceiptArgs) -> Result<Case> {
    let home = Home::open(&args.home.home)?;
    if let Some(expected) = &args.genesis {
        let expected: Digest = expected.parse().with_context(|| format!("`{expected}` is not a digest"))?;
        let pinned = home.domain_file().genesis;
        ensure!(pinned == expected, "this home pins the genesis {pinned}, not {expected}");
    }
    let replica = connect::replica(&home).context("the copy of the log does not hold")?;
    let registry =
        replica.registry().context("this home holds no registry yet; run any command that reaches the center once")?;
    let places = if args.files.is_empty() { vec![home.root().join("receipts")] } else { args.files.clone() };
    let mut files = Vec::new();
    for place in &places {
        files.extend(bundle::list(place)?);
    }
    ensure!(!files.is_empty(), "there are no receipts in `{}`", places[0].display());
    Ok(Case { home, registry, files })
}

fn verify(ui: Ui, args: &ReceiptArgs) -> Result<ExitCode> {
    let case = open(args)?;
    let (mut rows, mut objects, mut bad) = (Vec::new(), Vec::new(), 0);
    for file in &case.files {
        let name = shown(file);
        match verify_with(&case.home, &case.registry, file).map_err(anyhow::Error::from) {
            Ok(held) => {
                let receipt = &held.receipt;
                rows.push(vec![
                    name,
                    receipt.gateway.to_string(),
                    escaped(&receipt.outcome.to_string()),
                    ui.paint(Tone::Good, "holds"),
                ]);
                objects
                    .push(json!({"file": file.to_string_lossy(), "ok": true, "receipt": receipt, "module_today": module_today(&held)}));
            }
            Err(error) => {
                bad += 1;
                let why = escaped(&format!("{error:#}"));
                rows.push(vec![
                    name,
                    String::new(),
                    String::new(),
                    ui.paint(Tone::Bad, &format!("DOES NOT HOLD: {why}")),
                ]);
                objects.push(json!({"file": file.to_string_lossy(), "ok": false, "reason": why}));
            }
        }
    }
    ui.table(&["file", "gateway", "outcome", "receipt"], &rows);
    let (good, all) = (case.files.len() - bad, case.files.len());
    ui.line(format!(
        "\n{good} of {all} hold, by genesis {} and {} log entries at hand",
        case.home.domain_file().genesis,
        case.registry.size()
    ));
    ui.object(&json!({"verified": good, "failed": bad, "genesis": case.home.domain_file().genesis, "log_size": case.registry.size(), "receipts": objects}));
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The file with its call's folder, which tells the calls apart.
fn shown(file: &std::path::Path) -> String {
    let parts: Vec<_> = file.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

fn show(ui: Ui, args: &ReceiptArgs) -> Result<ExitCode> {
    let case = open(args)?;
    let mut objects = Vec::new();
    for file in &case.files {
        let held = verify_with(&case.home, &case.registry, file)
            .with_context(|| format!("the receipt `{}` does not hold", file.display()))?;
        print(ui, &held);
        let result: Option<Value> =
            held.result.as_ref().map(|result| serde_json::from_str(result.as_str())).transpose()?;
        objects.push(json!({"file": file.to_string_lossy(), "request": held.request, "receipt": held.receipt, "result": result, "module_today": module_today(&held)}));
    }
    ui.object(&json!({"receipts": objects}));
    Ok(ExitCode::SUCCESS)
}

fn print(ui: Ui, held: &VerifiedBundle) {
    let receipt = &held.receipt;
    ui.title(&format!("receipt of `{}` for run {}", receipt.gateway, receipt.request_id));
    ui.line(format!(
        "asked by   {} on {}, purpose `{}`",
        receipt.caller,
        receipt.issued,
        escaped(&held.request.purpose)
    ));
    ui.line(format!("module     {} entry `{}`", receipt.module, receipt.entry));
    let approval = receipt.module_log_index.map_or("none".to_owned(), |index| format!("log entry {index}"));
    ui.line(format!("approval   {approval}; registry had {} entries", receipt.registry_size));
    ui.line(format!("outcome    {}", escaped(&receipt.outcome.to_string())));
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
    ui.line(format!("engine     {} with cost table {}", escaped(&receipt.engine), receipt.cost_table));
    ui.line(format!("policy     {}\nsnapshot   {} (salted commitment)", receipt.policy, receipt.snapshot_commitment));
    ui.line(format!("proof      leaf {} of {} in the provider's receipt log", receipt.leaf_index, receipt.log_size));
    if let Err(reason) = &held.module_today {
        ui.line(ui.paint(Tone::Warn, &format!("note       at that time by today's registry: {}", escaped(reason))));
    }
}

fn module_today(held: &VerifiedBundle) -> Value {
    match &held.module_today {
        Ok(()) => Value::Null,
        Err(reason) => json!(reason),
    }
}
