//! How a command reaches a center: what was typed, turned into a link of the desk. It believes nothing by itself.

use std::sync::Arc;

use anyhow::{Context as _, Result};
pub use iog_desk::{Link, Network};
use iog_home::Home;
use iog_machine::{Clock, SystemClock};
use iog_module::ModuleNamed;
use iog_protocol::registry::{ModuleRecord, Registry};
use iog_protocol::time::Timestamp;

use crate::args::CenterArg;

/// What `arg` names: a network file, else a home.
pub(crate) fn open(arg: &CenterArg) -> Result<Link> {
    if let Some(file) = &arg.network {
        return Ok(Link::of_network(&Network::read(file)?, &file.with_extension("log"), clock())?);
    }
    let home = Home::open(&arg.home.home)
        .context("name the center with --network FILE, or your domain's home with --home DIR")?;
    Ok(Link::of_home(&home, clock())?)
}

/// What names the same center in a command that is to be typed next.
pub(crate) fn again(arg: &CenterArg) -> String {
    match &arg.network {
        Some(file) => format!("--network {}", file.display()),
        None => format!("--home {}", arg.home.home.display()),
    }
}

/// A module of the registry by digest, `name@version` or name (its newest version).
pub(crate) fn module<'a>(registry: &'a Registry, reference: &str) -> Result<&'a ModuleRecord> {
    let named: ModuleNamed = reference.parse()?;
    Ok(iog_desk::decide::module(registry, &named)?)
}

/// The clock of this process's commands.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The present time, of this process's commands.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}
