//! The files of a module on its author's disk: what they are called, where they lie and how they are read. Everything that
//! reads a component or a manifest from disk comes here.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use iog_desk::reach::ModuleFiles;
use iog_home::blobs::MODULE_BYTES_MAX;
use iog_protocol::manifest::MANIFEST_BYTES_MAX;

/// The manifest in a module's folder; a folder with one is a module's.
pub(crate) const MANIFEST_FILE: &str = "iog.toml";

/// Whether a folder is a module's.
pub(crate) fn is_module(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).is_file()
}

/// The component of a module of this name in `folder`.
pub(crate) fn component_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.wasm"))
}

/// Where the components of a workspace are.
pub(crate) fn prebuilt(workspace: &Path) -> PathBuf {
    workspace.join("prebuilt")
}

/// Reads both files of a module.
pub(crate) fn read(component: &Path, manifest: &Path) -> Result<ModuleFiles> {
    Ok(ModuleFiles { wasm: read_component(component)?, manifest: read_manifest(manifest)? })
}

/// Reads a component; a center takes no larger one than this does.
pub(crate) fn read_component(file: &Path) -> Result<Vec<u8>> {
    read_bounded(file, MODULE_BYTES_MAX as u64)
}

fn read_manifest(file: &Path) -> Result<String> {
    let bytes = read_bounded(file, MANIFEST_BYTES_MAX as u64)?;
    String::from_utf8(bytes).with_context(|| format!("`{}` is not UTF-8", file.display()))
}

fn read_bounded(file: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let show = || format!("cannot read `{}`", file.display());
    let length = std::fs::metadata(file).with_context(show)?.len();
    ensure!(length <= bytes_max, "`{}` has {length} bytes, allowed are {bytes_max}", file.display());
    std::fs::read(file).with_context(show)
}
