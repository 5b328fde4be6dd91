//! `iog data …`: what a provider does with its own data before a gateway serves it. Nothing here talks to a network but
//! the collectors, and they only listen.

mod access;
mod bmp;
mod check;
mod collect;
mod describe;
mod drops;
mod files;
mod flows;
mod import;
mod known;
mod opened;
mod readers;
mod rotate;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{CollectCommand, DataCommand};
use crate::ui::Ui;

pub(crate) fn run(ui: Ui, command: DataCommand) -> Result<ExitCode> {
    match command {
        DataCommand::Check(args) => check::run(ui, &args),
        DataCommand::Describe(args) => describe::run(ui, &args),
        DataCommand::Import(args) => import::run(ui, &args),
        DataCommand::Collect(CollectCommand::Flows { collect, neighbours }) => flows::run(ui, &collect, &neighbours),
        DataCommand::Collect(CollectCommand::Bmp { collect, collector, post_policy }) => {
            bmp::run(ui, &collect, collector, post_policy)
        }
    }
}
