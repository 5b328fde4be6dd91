//! The command line: parses what was typed, calls the crates that do the work, prints what came out. It decides
//! nothing about trust: that is `iog_protocol`'s and the gateway's.

mod args;
mod call;
mod call_help;
mod catalog;
mod catalog_page;
mod center;
mod data;
pub mod demo;
mod gateway;
mod keys;
pub mod link;
pub mod module;
mod module_build;
mod module_files;
mod module_try;
#[cfg(test)]
mod pages;
mod parts;
mod receipt;
mod review;
mod root;
mod runtime;
mod signals;
pub mod trial;
mod ui;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::args::{Cli, Command};
use crate::ui::{Log, Ui};

/// Runs the command line of this process.
///
/// Exit codes: 0 done, 1 failed (the message says why and what to do), 2 what was typed makes no sense.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            ui::usage(&told);
            return ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2));
        }
    };
    let ui = Ui::new(cli.json);
    log_to_stderr(cli.verbose);
    match run(ui, cli.command) {
        Ok(code) => code,
        Err(error) => {
            ui.failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(ui: Ui, command: Command) -> Result<ExitCode> {
    match command {
        Command::Call(args) => call::run(ui, &args),
        Command::Catalog(command) => catalog::run(ui, command),
        Command::Center(command) => center::run(ui, command),
        Command::Data(command) => data::run(ui, command),
        Command::Demo(args) => demo::run(ui, &args),
        Command::Enroll(args) => gateway::enroll(ui, &args),
        Command::Gateway(command) => gateway::run(ui, command),
        Command::Key(command) => keys::run(ui, command).map(|()| ExitCode::SUCCESS),
        Command::Module(command) => module::run(ui, command),
        Command::Receipt(command) => receipt::run(ui, &command),
        Command::Review(command) => review::run(ui, command),
        Command::Root(command) => root::run(ui, command),
    }
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("IOG_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log).with_ansi(false).with_target(false).init();
}
