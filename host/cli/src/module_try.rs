//! `iog module try`.
use std::process::ExitCode;
use anyhow::Result;
use crate::args::TryArgs;
use crate::ui::Ui;
pub(crate) fn run(_ui: Ui, _args: &TryArgs) -> Result<ExitCode> { anyhow::bail!("x") }
