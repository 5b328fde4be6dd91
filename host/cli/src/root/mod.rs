//! `iog root …`: what holders of root keys do with them, offline wherever that is possible. Members with a say in
//! admissions use `admit` with their caller key. Nothing is signed that its signer was not shown or asked to compare.

mod admit;
mod consent;
mod files;
mod keyset;
mod shown;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use iog_desk::views::SigningSheet;
use serde_json::json;

use self::consent::consent;
use self::files::{read_small, replace};
use self::shown::show;
use crate::args::RootCommand;
use crate::ui::Ui;
use crate::{keys, runtime};

pub(crate) fn run(ui: Ui, command: RootCommand) -> Result<ExitCode> {
    match command {
        RootCommand::Sign { file, key, out, yes } => sign(ui, &file, &key, &out, yes)?,
        RootCommand::Domains { center } => runtime::start()?.block_on(admit::domains(ui, &center))?,
        RootCommand::Admit(args) => runtime::start()?.block_on(admit::admit(ui, &args))?,
        RootCommand::Keyset(args) => runtime::start()?.block_on(keyset::keyset(ui, &args))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn sign(ui: Ui, file: &Path, key: &Path, out: &Path, yes: bool) -> Result<()> {
    let key = keys::secret(key)?;
    let statement = read_small(file)?;
    let sheet = SigningSheet::of(&statement).with_context(|| format!("`{}` is not signed", file.display()))?;
    show(ui, &sheet);
    consent(yes, || ui.ask("Sign all of this?"), || "say --yes to sign all of what was shown".to_owned())?;
    let so_far = if out.exists() { Some(read_small(out)?) } else { None };
    let (bytes, state) = iog_center::sign_genesis(&statement, so_far.as_deref(), &key).context("not signed")?;
    replace(out, &bytes)?;
    ui.line(format!("signed `{}`: {} of {} signatures", out.display(), state.signatures, state.needed));
    if state.signatures >= state.needed {
        ui.line("the genesis is complete; its digest, which members pin, is");
        ui.line(state.digest.to_string());
    }
    ui.object(&json!({"file": out.to_string_lossy(), "signatures": state.signatures, "needed": state.needed, "digest": state.digest, "statement": sheet}));
    Ok(())
}
