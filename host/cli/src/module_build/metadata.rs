//! What `cargo metadata` says of the build's folder. Cargo reads manifests and the lock file and runs no code of the
//! crates. It must find the lock file as it is: what it would write into it is in no source digest.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::asking;

/// The crates of a build and what each needs.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
    pub(super) resolve: Resolve,
}

/// A crate.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    /// Absent for crates of the folder itself.
    pub(super) source: Option<String>,
    pub(super) manifest_path: PathBuf,
    pub(super) targets: Vec<Target>,
}

/// Something that cargo makes of a crate.
#[derive(Debug, Deserialize)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) kind: Vec<String>,
    pub(super) src_path: PathBuf,
}

/// Who needs whom.
#[derive(Debug, Deserialize)]
pub(super) struct Resolve {
    pub(super) nodes: Vec<Node>,
}

/// What one crate needs.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) deps: Vec<Edge>,
}

/// A crate that another one needs.
#[derive(Debug, Deserialize)]
pub(super) struct Edge {
    /// Its id.
    pub(super) pkg: String,
    pub(super) dep_kinds: Vec<EdgeKind>,
}

/// What for: absent for itself, `build` for its build script.
#[derive(Debug, Deserialize)]
pub(super) struct EdgeKind {
    pub(super) kind: Option<String>,
}

impl Package {
    /// Whether cargo makes something of this kind of it.
    pub(super) fn makes(&self, kind: &str) -> bool {
        self.targets.iter().flat_map(|target| &target.kind).any(|found| found == kind)
    }
}

/// What cargo says of the folder `stage` on these platforms together. `lock_file` is the one that the author keeps.
pub(super) fn ask(stage: &Path, platforms: &[&str], lock_file: &Path) -> Result<Metadata> {
    let mut command = asking::command(stage, "cargo");
    command.args(["metadata", "--locked", "--format-version", "1"]);
    command.args(platforms.iter().flat_map(|platform| ["--filter-platform", *platform]));
    command.arg("--manifest-path").arg(stage.join("Cargo.toml"));
    let output = command.output().context("cannot start `cargo`")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && said.contains("--locked") {
        bail!(
            "`{}` does not fit the manifests, so that the build would take crates that it does not name: whoever wrote the \
             module refreshes it with `cargo update --workspace`",
            lock_file.display()
        );
    }
    if !output.status.success() {
        bail!("cargo cannot read the manifests: {}", said.trim());
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata is not as expected")
}
