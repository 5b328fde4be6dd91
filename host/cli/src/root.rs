//! `iog root …`: what holders of root keys do with them, offline wherever that is possible. Members with a say in
//! admissions use `admit` with their caller key. Nothing is signed that its signer was not shown or asked to compare.

mod admit;
mod keyset;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use iog_protocol::statements::{Predicate, parse_payload};
use serde_json::json;

use crate::args::RootCommand;
use crate::ui::Ui;
use crate::{keys, runtime};

/// Bytes a genesis may have: an entry of the log, which is at most 65,535.
const GENESIS_BYTES_MAX: u64 = 65_535;

pub(crate) fn run(ui: Ui, command: RootCommand) -> Result<ExitCode> {
    match command {
        RootCommand::Sign { file, key, out } => sign(ui, &file, &key, &out)?,
        RootCommand::Domains { center } => runtime()?.block_on(admit::domains(ui, &center))?,
        RootCommand::Admit(args) => runtime()?.block_on(admit::admit(ui, &args))?,
        RootCommand::Keyset(args) => runtime()?.block_on(keyset::keyset(ui, &args))?,
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

fn read_small(file: &Path) -> Result<Vec<u8>> {
    let show = || format!("cannot read `{}`", file.display());
    let length = std::fs::metadata(file).with_context(show)?.len();
    if length > GENESIS_BYTES_MAX {
        bail!("`{}` has {length} bytes; a genesis has at most {GENESIS_BYTES_MAX}", file.display());
    }
    std::fs::read(file).with_context(show)
}

/// Replaces a file as a whole, so that a failure leaves the old one.
fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let beside = file.with_extension("new");
    std::fs::write(&beside, bytes).with_context(|| format!("cannot write `{}`", beside.display()))?;
    std::fs::rename(&beside, file).with_context(|| format!("cannot replace `{}`", file.display()))
}
