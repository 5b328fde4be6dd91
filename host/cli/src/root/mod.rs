//! `iog root …`: what holders of root keys do with them, offline wherever that is possible. Members with a say in
//! admissions use `admit` with their caller key. Nothing is signed that its signer was not shown or asked to compare.

mod admit;
mod files;
mod keyset;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use iog_protocol::statements::{Predicate, parse_payload};
use serde_json::json;

use self::files::{read_small, replace};
use crate::args::RootCommand;
use crate::ui::Ui;
use crate::{keys, runtime};

pub(crate) fn run(ui: Ui, command: RootCommand) -> Result<ExitCode> {
    match command {
        RootCommand::Sign { file, key, out } => sign(ui, &file, &key, &out)?,
        RootCommand::Domains { center } => runtime::start()?.block_on(admit::domains(ui, &center))?,
        RootCommand::Admit(args) => runtime::start()?.block_on(admit::admit(ui, &args))?,
        RootCommand::Keyset(args) => runtime::start()?.block_on(keyset::keyset(ui, &args))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn sign(ui: Ui, file: &Path, key: &Path, out: &Path) -> Result<()> {
    let key = keys::secret(key)?;
    let statement = read_small(file)?;
    if let Ok(Predicate::Genesis(genesis)) = parse_payload(&statement).map(|statement| statement.predicate) {
        ui.line(format!("trust domain  {}\nlog key       {}", genesis.trust_domain, genesis.log_key));
        ui.line(format!(
            "thresholds    k = {}, root {} of {}",
            genesis.thresholds.k,
            genesis.root.threshold,
            genesis.root.keys.len()
        ));
        for auditor in &genesis.keyset.auditors {
            ui.line(format!("auditor       {} of {}  {}", auditor.id, auditor.organisation, auditor.key));
        }
    }
    let so_far = if out.exists() { Some(read_small(out)?) } else { None };
    let (bytes, state) = iog_center::sign_genesis(&statement, so_far.as_deref(), &key).context("not signed")?;
    replace(out, &bytes)?;
    ui.line(format!("signed `{}`: {} of {} signatures", out.display(), state.signatures, state.needed));
    if state.signatures >= state.needed {
        ui.line(format!("the genesis is complete; its digest, which members pin, is\n{}", state.digest));
    }
    ui.object(&json!({"file": out.to_string_lossy(), "signatures": state.signatures, "needed": state.needed, "digest": state.digest}));
    Ok(())
}
