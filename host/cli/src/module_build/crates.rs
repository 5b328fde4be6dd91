//! What cargo knows of the build's folder: the file it will make, and where published crates lie. Reads only.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::toolchain::TARGET;

/// What a build needs to know of names and places.
#[derive(Debug)]
pub(super) struct Layout {
    /// The file that cargo makes.
    pub(super) artefact: String,
    /// Folders that hold the sources of published crates.
    pub(super) registries: Vec<PathBuf>,
    /// What of them would run on this machine.
    pub(super) runs: Vec<Runs>,
}

/// A crate with code that runs on this machine while the module is built.
#[derive(Debug)]
pub(super) struct Runs {
    pub(super) name: String,
    pub(super) version: String,
    /// Absent for crates of the folder itself.
    pub(super) source: Option<String>,
    /// What of it runs.
    pub(super) what: &'static str,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// Absent for crates of the folder itself.
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// The layout of the folder `stage` for building `package`.
pub(super) fn layout(stage: &Path, package: &str) -> Result<Layout> {
    let mut command = Command::new("cargo");
    super::toolchain::clean_environment(&mut command);
    let output = command
        .current_dir(stage)
        .args(["metadata", "--format-version", "1", "--filter-platform", TARGET, "--manifest-path"])
        .arg(stage.join("Cargo.toml"))
        .output()
        .context("cannot start `cargo`")?;
    if !output.status.success() {
        bail!("cargo cannot read the manifests: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata is not as expected")?;
    let own = metadata.packages.iter().find(|found| found.source.is_none() && found.name == package);
    let targets = own.map_or(&[][..], |own| &own.targets);
    let library = targets.iter().find(|target| target.kind.iter().any(|kind| kind == "cdylib"));
    let library = library.with_context(|| format!("`{package}` needs `crate-type = [\"cdylib\"]`"))?;
    let published = metadata.packages.iter().filter(|package| package.source.is_some());
    let mut registries: Vec<_> =
        published.filter_map(|package| Some(package.manifest_path.parent()?.parent()?.to_owned())).collect();
    registries.sort();
    registries.dedup();
    let artefact = format!("{}.wasm", library.name.replace('-', "_"));
    Ok(Layout { artefact, registries, runs: metadata.packages.iter().filter_map(runs).collect() })
}

fn runs(package: &Package) -> Option<Runs> {
    let kinds: Vec<&str> = package.targets.iter().flat_map(|target| &target.kind).map(String::as_str).collect();
    let what = match (kinds.contains(&"custom-build"), kinds.contains(&"proc-macro")) {
        (true, true) => "build script and macros",
        (true, false) => "build script",
        (false, true) => "macros",
        (false, false) => return None,
    };
    Some(Runs { name: package.name.clone(), version: package.version.clone(), source: package.source.clone(), what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_makes_no_module_is_told_what_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        assert!(layout(dir.path(), "a").unwrap_err().to_string().starts_with("cargo cannot read the manifests"));
        std::fs::create_dir(dir.path().join("src")).unwrap();
        std::fs::write(dir.path().join("src/lib.rs"), "").unwrap();
        std::fs::write(dir.path().join("Cargo.toml"), "[package]\nname = \"a\"\nedition = \"2024\"\n[workspace]\n")
            .unwrap();
        assert_eq!(layout(dir.path(), "a").unwrap_err().to_string(), "`a` needs `crate-type = [\"cdylib\"]`");
    }
}
