//! Where a module's crate, its workspace and its dependencies lie, as cargo sees them. Reads only.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// What a build needs to know of places and names.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) module_dir: PathBuf,
    pub(super) package: String,
    /// The file that cargo makes.
    pub(super) artefact: String,
    pub(super) target_dir: PathBuf,
    /// Whether there is a lock file to hold to.
    pub(super) locked: bool,
    /// Crates of this checkout: name and folder.
    pub(super) local: Vec<(String, PathBuf)>,
    /// Folders that hold the sources of published crates.
    pub(super) registries: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// Absent for crates of this checkout.
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// The layout around a module's folder.
pub(super) fn layout(module_dir: &Path) -> Result<Layout> {
    let module_dir =
        module_dir.canonicalize().with_context(|| format!("there is no folder `{}`", module_dir.display()))?;
    let manifest = module_dir.join("Cargo.toml");
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--filter-platform", super::TARGET, "--manifest-path"])
        .arg(&manifest)
        .output()
        .context("cannot start `cargo`")?;
    if !output.status.success() {
        bail!("cargo cannot read `{}`: {}", manifest.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata is not as expected")?;
    let package = metadata.packages.iter().find(|package| package.manifest_path == manifest);
    let package = package.with_context(|| format!("`{}` holds no package", manifest.display()))?;
    let library = package.targets.iter().find(|target| target.kind.iter().any(|kind| kind == "cdylib"));
    let library = library.with_context(|| format!("`{}` needs `crate-type = [\"cdylib\"]`", package.name))?;
    let (mut local, mut registries) = (Vec::new(), Vec::new());
    for package in &metadata.packages {
        let Some(dir) = package.manifest_path.parent() else { continue };
        match (&package.source, dir.parent()) {
            (Some(_), Some(registry)) => registries.push(registry.to_owned()),
            _ => local.push((package.name.clone(), dir.to_owned())),
        }
    }
    registries.sort();
    registries.dedup();
    Ok(Layout {
        package: package.name.clone(),
        artefact: format!("{}.wasm", library.name.replace('-', "_")),
        target_dir: metadata.target_directory,
        locked: metadata.workspace_root.join("Cargo.lock").is_file(),
        local,
        registries,
        module_dir,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_or_holds_no_crate_is_named() {
        let error = layout(Path::new("no/such/folder")).unwrap_err().to_string();
        assert_eq!(error, "there is no folder `no/such/folder`");
        let empty = tempfile::tempdir().unwrap();
        let error = layout(empty.path()).unwrap_err().to_string();
        assert!(error.starts_with("cargo cannot read"), "{error}");
    }
}
