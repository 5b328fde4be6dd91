//! The files that root holders sign one after another: a genesis, a keyset.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use iog_machine::files::{self, Readers};

/// Bytes a genesis may have: an entry of the log, which is at most 65,535.
const GENESIS_BYTES_MAX: u64 = 65_535;

/// A file of bounded size.
pub(super) fn read_small(file: &Path) -> Result<Vec<u8>> {
    let show = || format!("cannot read `{}`", file.display());
    let length = std::fs::metadata(file).with_context(show)?.len();
    if length > GENESIS_BYTES_MAX {
        bail!("`{}` has {length} bytes; a genesis has at most {GENESIS_BYTES_MAX}", file.display());
    }
    std::fs::read(file).with_context(show)
}

/// Replaces a file as a whole, so that a failure leaves the old one.
pub(super) fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    files::replace(file, bytes, Readers::All).with_context(|| format!("cannot replace `{}`", file.display()))
}
