//! Finds a compiler for the target: rustup's, where the target is installed or can be added; else a compiler that comes
//! with the standard library's sources (Debian's `rustc-web` and `rust-web-src`), from which cargo builds that library.
//! It installs nothing unless asked to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

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

/// The first way that works.
pub(super) fn find(install: bool) -> Result<Toolchain> {
    if let Some(found) = find_present() {
        return Ok(found);
    }
    let added =
        Command::new("rustup").args(["target", "add", TARGET]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if added.is_ok_and(|status| status.success())
        && let Some(found) = find_present()
    {
        return Ok(found);
    }
    if !install {
        bail!(
            "no Rust compiler for `{TARGET}`: run `rustup target add {TARGET}`, or on Debian `apt-get install {}`",
            PACKAGES.join(" ")
        );
    }
    install_packages()?;
    find_present()
        .with_context(|| format!("`{}` are installed but do not build for `{TARGET}`", PACKAGES.join("` and `")))
}

fn find_present() -> Option<Toolchain> {
    prebuilt_library("rustc").or_else(|| library_sources("rustc")).or_else(|| library_sources(SYSTEM_RUSTC))
}

/// A compiler that has the target's standard library.
fn prebuilt_library(rustc: &str) -> Option<Toolchain> {
    let library = PathBuf::from(ask(rustc, &["--print", "target-libdir", "--target", TARGET])?);
    library.is_dir().then_some(())?;
    let sources = library_source_dirs(rustc);
    Some(Toolchain { version: ask(rustc, &["--version"])?, cargo_args: Vec::new(), envs: Vec::new(), sources })
}

/// A compiler that has the sources of the standard library, to be built with the module. They belong to this very
/// compiler, so that what cargo calls unstable here cannot drift.
fn library_sources(rustc: &str) -> Option<Toolchain> {
    let sources = library_source_dirs(rustc);
    sources.iter().any(|dir| dir.join("library/std/Cargo.toml").is_file()).then_some(())?;
    let linker = ["rustc", rustc].into_iter().find_map(bundled_linker)?;
    Some(Toolchain {
        version: ask(rustc, &["--version"])?,
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
fn library_source_dirs(rustc: &str) -> Vec<PathBuf> {
    let Some(sysroot) = ask(rustc, &["--print", "sysroot"]) else { return Vec::new() };
    let usual = Path::new(&sysroot).join("lib/rustlib/src/rust");
    let mut dirs = vec![usual.clone()];
    dirs.extend(usual.join("library").canonicalize().ok().and_then(|library| library.parent().map(Path::to_owned)));
    dirs.dedup();
    dirs
}

fn bundled_linker(rustc: &str) -> Option<PathBuf> {
    let sysroot = ask(rustc, &["--print", "sysroot"])?;
    let about = ask(rustc, &["--version", "--verbose"])?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "))?;
    Some(Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld")).filter(|linker| linker.is_file())
}

/// A command's answer, if it gives one.
fn ask(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stderr(Stdio::null()).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}

fn install_packages() -> Result<()> {
    let root = ask("id", &["-u"]).is_some_and(|id| id == "0");
    ensure!(root, "installing `{}` needs root", PACKAGES.join("` and `"));
    for args in [&["update"][..], &["install", "-y", "--no-install-recommends", PACKAGES[0], PACKAGES[1]]] {
        let status =
            Command::new("apt-get").args(args).stdout(Stdio::null()).status().context("cannot start `apt-get`")?;
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

/// Leaves of the caller's environment what cargo needs to find itself and its crates. The rest could change the result, or
/// be a secret that a source reads with `env!`.
pub(super) fn clean_environment(command: &mut Command) {
    const KEPT: [&str; 12] = [
        "PATH",
        "HOME",
        "USER",
        "TMPDIR",
        "LANG",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "SYSTEMROOT",
        "USERPROFILE",
    ];
    const PREFIXES: [&str; 4] = ["CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTRIES_CRATES_IO_PROTOCOL", "LC_"];
    let is_proxy = |name: &str| name.to_ascii_lowercase().ends_with("_proxy");
    for (name, _) in std::env::vars_os() {
        let kept = name.to_str().is_some_and(|name| {
            KEPT.contains(&name) || is_proxy(name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        if !kept {
            command.env_remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_names_its_compiler() {
        let Some(found) = find_present() else { return };
        assert!(found.version.starts_with("rustc "), "{}", found.version);
        assert_eq!(found.cargo_args.is_empty(), found.envs.is_empty());
    }

    #[test]
    fn a_compiler_that_is_not_there_is_no_way() {
        assert!(prebuilt_library("no-such-rustc").is_none());
        assert!(library_sources("no-such-rustc").is_none());
        assert_eq!(ask("false", &[]), None);
    }

    #[test]
    fn the_callers_flags_do_not_reach_cargo() {
        let mut command = Command::new("cargo");
        clean_environment(&mut command);
        assert!(command.get_envs().all(|(_, value)| value.is_none()));
    }
}
