//! Builds an analysis module: cargo makes a core module of the crate, `wit-component` makes it a component. The same
//! sources and toolchain give the same bytes wherever the checkout lies. It signs nothing and judges nothing;
//! `iog-inspect` does that with the result.

mod crates;
mod record;
mod source;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

pub(crate) use record::{Comparison, Record, compare};
pub(crate) use source::source_digest;

/// What turns the core module into a component; part of what decides the bytes.
const ENCODER: &str = "wit-component 0.254";

/// The target every module is built for: no operating system, so no import but the module's own.
const TARGET: &str = "wasm32-unknown-unknown";

/// How to build.
#[derive(Debug, Clone)]
pub(crate) struct BuildOptions {
    /// The module's folder, with `Cargo.toml`, `src/` and `wit/`.
    pub(crate) module_dir: PathBuf,
    /// Where cargo keeps its work; `None`: where the module's workspace has it.
    pub(crate) target_dir: Option<PathBuf>,
    /// Whether a missing toolchain may be installed with apt-get (needs root).
    pub(crate) install_toolchain: bool,
}

/// A component and what it was built with.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// The component's bytes: what is signed.
    pub(crate) component: Vec<u8>,
    /// Compiler and encoder, in words that tell two builds with different ones apart.
    pub(crate) toolchain: String,
    /// The cargo command, without machine paths.
    pub(crate) command: String,
}

impl Built {
    /// `sha256:` and the SHA-256 of the component in hex: the module's identity.
    pub(crate) fn digest(&self) -> String {
        digest(&self.component)
    }
}

/// Builds the module in `options.module_dir` and checks that the result is a valid component.
///
/// # Errors
/// When no toolchain for the target is found (the message names the commands that install one), the crate does not
/// compile (cargo's own words go to standard error), or the core module is not what its WIT says.
pub(crate) fn build(options: &BuildOptions) -> Result<Built> {
    let layout = crates::layout(&options.module_dir)?;
    let toolchain = toolchain::find(options.install_toolchain)?;
    let target_dir = options.target_dir.clone().unwrap_or_else(|| layout.target_dir.clone());
    let mut command = Command::new("cargo");
    toolchain::clean_environment(&mut command);
    command
        .args(["build", "--release", "--target", TARGET, "--package", &layout.package])
        .args(if layout.locked { &["--locked"][..] } else { &[] })
        .args(&toolchain.cargo_args)
        .arg("--manifest-path")
        .arg(layout.module_dir.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir)
        .envs(toolchain.envs.iter().map(|(name, value)| (name, value)))
        .env("CARGO_ENCODED_RUSTFLAGS", remaps(&layout, &toolchain.sources).join("\u{1f}"));
    let status = command.status().context("cannot start `cargo`")?;
    ensure!(status.success(), "cargo could not build `{}`", layout.package);
    let core = target_dir.join(TARGET).join("release").join(&layout.artefact);
    let core = std::fs::read(&core).with_context(|| format!("cargo made no `{}`", core.display()))?;
    Ok(Built {
        component: encode(&core).with_context(|| format!("`{}` is no component", layout.package))?,
        toolchain: format!("{}; {ENCODER}", toolchain.version),
        command: format!("cargo build --release --target {TARGET} --package {}{}", layout.package, toolchain.note()),
    })
}

/// The component of a core module that carries its WIT, validated.
///
/// # Errors
/// When the core module carries no WIT, or lacks what that WIT says.
pub(crate) fn encode(core: &[u8]) -> Result<Vec<u8>> {
    wit_component::ComponentEncoder::default().validate(true).module(core)?.encode()
}

/// Compiler flags that keep the places of the machine out of the result. The last one that fits a path counts.
fn remaps(layout: &crates::Layout, sources: &[PathBuf]) -> Vec<String> {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags: Vec<_> = sources.iter().map(|source| remap(source, "/rust")).collect();
    flags.extend(layout.registries.iter().map(|registry| remap(registry, "/crates")));
    flags.extend(layout.local.iter().map(|(name, dir)| remap(dir, &format!("/{name}"))));
    flags
}

/// `sha256:` and the SHA-256 of `bytes` in hex.
fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_module_without_wit_is_refused_with_a_reason() {
        let empty = b"\0asm\x01\0\0\0";
        assert!(encode(empty).is_err() || !encode(empty).unwrap().is_empty());
        assert!(encode(b"no module").is_err());
    }

    #[test]
    fn digests_are_those_of_the_whole_file() {
        assert_eq!(digest(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
