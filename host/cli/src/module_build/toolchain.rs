//! Finds a compiler for the target: rustup's, where the target is installed or can be added; else a compiler that comes
//! with the standard library's sources (Debian's `rustc-web` and `rust-web-src`), from which cargo builds that library.
//! It installs nothing unless asked to, and asks in the build's own folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use super::asking::{ask, command};

/// The target every module is built for: no operating system, so no imports except the module's own.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler, which rustup's own hides on the search path.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

const PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// A way to compile for the target.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// The compiler's own line about itself.
    pub(super) version: String,
    /// What cargo needs beside its usual arguments.
    pub(super) cargo_args: Vec<&'static str>,
    pub(super) envs: Vec<(&'static str, OsString)>,
    /// Where sources of the standard library lie, which may show in the result.
    pub(super) sources: Vec<PathBuf>,
}

impl Toolchain {
    /// What to add to the command where it is told.
    pub(super) fn note(&self) -> String {
        self.cargo_args.iter().map(|arg| format!(" {arg}")).collect()
    }
}

/// The first way that works, as found out in the build's folder `stage`.
pub(super) fn find(stage: &Path, install: bool) -> Result<Toolchain> {
    if let Some(found) = find_present(stage) {
        return Ok(found);
    }
    let mut add = command(stage, "rustup");
    let added = add.args(["target", "add", TARGET]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if added.is_ok_and(|status| status.success())
        && let Some(found) = find_present(stage)
    {
        return Ok(found);
    }
    if !install {
        bail!(
            "no Rust compiler for `{TARGET}`: run `rustup target add {TARGET}`, or on Debian `apt-get install {}`",
            PACKAGES.join(" ")
        );
    }
    install_packages(stage)?;
    find_present(stage)
        .with_context(|| format!("`{}` are installed but do not build for `{TARGET}`", PACKAGES.join("` and `")))
}

/// The platform of this machine, for which macros and build scripts are compiled.
pub(super) fn host(stage: &Path) -> Result<String> {
    host_of(stage, "rustc").context("`rustc` does not say for which platform it is; it comes with cargo")
}

fn find_present(stage: &Path) -> Option<Toolchain> {
    let by_sources = || library_sources(stage, "rustc").or_else(|| library_sources(stage, SYSTEM_RUSTC));
    prebuilt_library(stage, "rustc").or_else(by_sources)
}

/// A compiler that has the target's standard library.
fn prebuilt_library(stage: &Path, rustc: &str) -> Option<Toolchain> {
    let library = PathBuf::from(ask(stage, rustc, &["--print", "target-libdir", "--target", TARGET])?);
    library.is_dir().then_some(())?;
    let sources = library_source_dirs(stage, rustc);
    Some(Toolchain { version: ask(stage, rustc, &["--version"])?, cargo_args: Vec::new(), envs: Vec::new(), sources })
}

/// A compiler that has the sources of the standard library, to be built with the module. They belong to this very
/// compiler, so that what cargo calls unstable here cannot drift.
fn library_sources(stage: &Path, rustc: &str) -> Option<Toolchain> {
    let sources = library_source_dirs(stage, rustc);
    sources.iter().any(|dir| dir.join("library/std/Cargo.toml").is_file()).then_some(())?;
    let linker = ["rustc", rustc].into_iter().find_map(|rustc| bundled_linker(stage, rustc))?;
    Some(Toolchain {
        version: ask(stage, rustc, &["--version"])?,
        cargo_args: vec!["-Zbuild-std=std,panic_abort"],
        envs: vec![
            ("RUSTC", rustc.into()),
            ("RUSTC_BOOTSTRAP", "1".into()),
            ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker.into()),
        ],
        sources,
    })
}

/// Where the sources of a compiler's standard library lie: under their usual name, and where that link leads.
fn library_source_dirs(stage: &Path, rustc: &str) -> Vec<PathBuf> {
    let Some(sysroot) = ask(stage, rustc, &["--print", "sysroot"]) else { return Vec::new() };
    let usual = Path::new(&sysroot).join("lib/rustlib/src/rust");
    let mut dirs = vec![usual.clone()];
    dirs.extend(usual.join("library").canonicalize().ok().and_then(|library| library.parent().map(Path::to_owned)));
    dirs.dedup();
    dirs
}

fn bundled_linker(stage: &Path, rustc: &str) -> Option<PathBuf> {
    let sysroot = ask(stage, rustc, &["--print", "sysroot"])?;
    let host = host_of(stage, rustc)?;
    Some(Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld")).filter(|linker| linker.is_file())
}

fn host_of(stage: &Path, rustc: &str) -> Option<String> {
    let about = ask(stage, rustc, &["--version", "--verbose"])?;
    about.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

fn install_packages(stage: &Path) -> Result<()> {
    let root = ask(stage, "id", &["-u"]).is_some_and(|id| id == "0");
    ensure!(root, "installing `{}` needs root", PACKAGES.join("` and `"));
    for args in [&["update"][..], &["install", "-y", "--no-install-recommends", PACKAGES[0], PACKAGES[1]]] {
        let mut install = command(stage, "apt-get");
        install.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        let status = install.status().context("cannot start `apt-get`")?;
        ensure!(status.success(), "`apt-get {}` failed", args.join(" "));
    }
    Ok(())
}

/// Where cargo keeps its user's settings.
pub(super) fn cargo_home() -> PathBuf {
    let in_home = || std::env::home_dir().unwrap_or_default().join(".cargo");
    let home = std::env::var_os("CARGO_HOME").map_or_else(in_home, PathBuf::from);
    home.canonicalize().unwrap_or(home)
}

/// Where rustup keeps compilers.
pub(super) fn rustup_home() -> PathBuf {
    let in_home = || std::env::home_dir().unwrap_or_default().join(".rustup");
    std::env::var_os("RUSTUP_HOME").map_or_else(in_home, PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_names_its_compiler() {
        let stage = tempfile::tempdir().unwrap();
        let Some(found) = find_present(stage.path()) else {
            // In CI the modules are built again, so there it is not skipped.
            assert!(std::env::var_os("IOG_REBUILT_MODULES").is_none(), "no compiler, but modules were built");
            return;
        };
        assert!(found.version.starts_with("rustc "), "{}", found.version);
        assert_eq!(found.cargo_args.is_empty(), found.envs.is_empty());
        assert!(host(stage.path()).unwrap().contains('-'));
    }

    #[test]
    fn a_compiler_that_is_not_there_is_no_way() {
        let stage = tempfile::tempdir().unwrap();
        assert!(prebuilt_library(stage.path(), "no-such-rustc").is_none());
        assert!(library_sources(stage.path(), "no-such-rustc").is_none());
    }
}
