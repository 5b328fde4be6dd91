//! Builds an analysis module: cargo makes a core module of the crate, `wit-component` makes it a component. The same
//! sources and toolchain give the same bytes wherever the checkout lies. It signs nothing and judges nothing;
//! `iog-inspect` does that with the result.

use std::fs::DirBuilder;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use iog_sandbox::Reach;

use super::docs;
use super::files::digest;
use super::source::Sources;
use super::strangers;
use super::toolchain::{self, TARGET};
use super::{asking, confined, crates};

/// Bytes of a line of cargo's that are shown as one.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// What turns the core module into a component; part of what decides the bytes.
const ENCODER: &str = "wit-component 0.254, comments kept";

/// How to build.
#[derive(Debug, Clone)]
pub(crate) struct BuildOptions {
    /// The module's folder, with `Cargo.toml`, `src/` and `wit/`.
    pub(crate) module_dir: PathBuf,
    /// Where the copy of the sources and cargo's work are kept; made if it is not there.
    pub(crate) target_dir: PathBuf,
    /// Whether a missing toolchain may be installed with apt-get (needs root).
    pub(crate) install_toolchain: bool,
    /// Whether build scripts and macros of strangers may run, as whoever builds.
    pub(crate) trust_build_scripts: bool,
}

/// A component and what it was built with.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// The component's bytes: what is signed.
    pub(crate) component: Vec<u8>,
    /// Digest of the sources it was built from, as `source_digest` gives it.
    pub(crate) source: String,
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

/// Builds the module in `options.module_dir` and checks that the result is a valid component. What is compiled is a copy
/// of the sources in a folder of its own, to the lock file as it is, so that cargo compiles nothing that the source digest does
/// not cover; and unless strangers are trusted, the compiler sees nothing else of this machine that a source could include.
///
/// # Errors
/// When no toolchain for the target is found (the message names the commands that install one), the crate does not
/// compile (`said` gets cargo's own words), would run code of strangers, or the core module is not what its WIT says.
pub(crate) fn build(options: &BuildOptions, said: &dyn Fn(&str)) -> Result<Built> {
    let sources = Sources::read(&options.module_dir)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&options.target_dir)
        .with_context(|| format!("cannot make `{}`", options.target_dir.display()))?;
    let target_dir = options.target_dir.canonicalize().context("the target folder went away")?;
    let stages = target_dir.join("iog-sources");
    let stage = stages.join(&sources.package);
    for folder in [&stages, &stage] {
        ensure!(!folder.is_symlink(), "`{}` is a link; remove it", folder.display());
    }
    sources.lay_out(&stage)?;
    if !options.trust_build_scripts {
        confined::ensure_held()?;
        // Before cargo is called at all: what it would run may be named by files that it reads first.
        let module_dir = options.module_dir.canonicalize().context("the module's folder went away")?;
        let here = std::env::current_dir().context("the current folder went away")?;
        strangers::refuse_configuration(&[&stage, &module_dir, &here], &toolchain::cargo_home())?;
    }
    let layout = crates::layout(&stage, &sources.package, &toolchain::host(&stage)?, &sources.lock_file)?;
    if !options.trust_build_scripts {
        strangers::refuse_code(&layout.runs, &sources.lock()?)?;
    }
    let toolchain = toolchain::find(&stage, options.install_toolchain)?;
    let mut command = if options.trust_build_scripts {
        asking::command(&stage, "cargo")
    } else {
        confined::cargo(&stage, &target_dir, &toolchain)?
    };
    command
        .args(["build", "--release", "--locked", "--target", TARGET, "--package", &sources.package])
        .args(&toolchain.cargo_args)
        .arg("--target-dir")
        .arg(&target_dir)
        .envs(toolchain.envs.iter().map(|(name, value)| (name, value)))
        .env("CARGO_ENCODED_RUSTFLAGS", remaps(&stages, &layout, &toolchain.sources).join("\u{1f}"));
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot start `cargo`")?;
    if let Some(words) = child.stderr.take() {
        relay(words, said);
    }
    let status = child.wait().context("`cargo` went away")?;
    ensure!(!Reach::was_not_held(status), "the kernel did not confine `cargo`, so nothing was built");
    ensure!(status.success(), "cargo could not build `{}`", sources.package);
    let core = target_dir.join(TARGET).join("release").join(&layout.artefact);
    let core = std::fs::read(&core).with_context(|| format!("cargo made no `{}`", core.display()))?;
    let component = encode(&core).with_context(|| format!("`{}` is not a component", sources.package))?;
    Ok(Built {
        component: docs::documented(component, &stage.join(&sources.package).join("wit"))?,
        source: sources.digest(),
        toolchain: format!("{}; {ENCODER}", toolchain.version),
        command: format!(
            "cargo build --release --locked --target {TARGET} --package {}{}",
            sources.package,
            toolchain.note()
        ),
    })
}

/// Hands on what cargo says, a line at a time. It quotes strangers' sources, so whoever shows it escapes it.
fn relay(words: impl Read, said: &dyn Fn(&str)) {
    let mut words = BufReader::new(words);
    let mut line = Vec::new();
    while words.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        said(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

/// The component of a core module that carries its WIT, validated.
///
/// # Errors
/// When the core module carries no WIT, or lacks what that WIT says.
pub(crate) fn encode(core: &[u8]) -> Result<Vec<u8>> {
    wit_component::ComponentEncoder::default().validate(true).module(core)?.encode()
}

/// Compiler flags that keep the places of the machine out of the result. The last one that fits a path counts.
fn remaps(stages: &Path, layout: &crates::Layout, library: &[PathBuf]) -> Vec<String> {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags: Vec<_> = library.iter().map(|source| remap(source, "/rust")).collect();
    flags.extend(layout.registries.iter().map(|registry| remap(registry, "/crates")));
    // The same for all modules, so that they share one build of the standard library.
    flags.push(remap(stages, "/iog"));
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_module_without_wit_is_refused_with_a_reason() {
        // A core module that imports the function `f` of `m`, which no WIT explains.
        let importing = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x07\x01\x01m\x01f\0\0";
        assert!(format!("{:#}", encode(importing).unwrap_err()).contains("`m`"));
        assert!(encode(b"no module").is_err());
    }
}
