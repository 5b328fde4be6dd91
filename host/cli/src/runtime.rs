//! The runtime of the commands that wait for a network.

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Runtime};

/// Starts one with all of the machine's cores.
pub(crate) fn start() -> Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}
