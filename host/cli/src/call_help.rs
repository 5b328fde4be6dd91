//! `iog call … --help`: how to call, and of a service that is named what its entries take and return, in its author's words.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use iog_caller::about::about;
use iog_caller::{Caller, What};
use iog_home::Home;
use iog_machine::Machine;
use iog_sandbox::Sandbox;

use crate::args::{CallArgs, Cli};
use crate::runtime;
use crate::ui::{self, Ui};

pub(crate) fn run(ui: Ui, args: &CallArgs, sandbox: &Sandbox) -> Result<ExitCode> {
    if let Err(help) = Cli::command().try_get_matches_from(["iog", "help", "call"]) {
        ui::usage(&help);
    }
    let Some(service) = &args.service else { return Ok(ExitCode::SUCCESS) };
    let what: What = service.parse().map_err(anyhow::Error::msg)?;
    let home = Home::open(&args.home.home)?;
    let caller = Caller { home: &home, machine: &Machine::default(), sandbox };
    let found = runtime::start()?.block_on(about(caller, &what));
    let found = found.with_context(|| format!("what `{service}` takes is not known here"))?;
    ui.title(&format!("{}@{}", found.name, found.version));
    ui.words(&found.summary);
    ui.line(format!("  {}", found.digest));
    for (at, entry) in found.entries.iter().enumerate() {
        let default = if at == 0 { ", where --entry says nothing" } else { "" };
        ui.gap();
        ui.line(format!("  entry `{}`{default}:", entry.name));
        ui.block(&entry.wit);
        let chosen = if at == 0 { String::new() } else { format!(" --entry {}", entry.name) };
        let params: String = entry.example.iter().map(|param| format!(" --param {param}")).collect();
        ui.line(format!("  for example: iog call {service} --all{chosen}{params}"));
    }
    Ok(ExitCode::SUCCESS)
}
