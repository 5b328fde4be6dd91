//! Compiling what strangers wrote: cargo sees the toolchain, the crates that were fetched before, the build's own folders and no
//! network, and so does everything that it starts. A source can include a file (`include_str!`) from wherever the compiler may
//! read, and the component would carry it to whoever it is given to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use iog_sandbox::Reach;

use super::asking::{ask, command, command_within};
use super::strangers::REMEDY;
use super::toolchain::{TARGET, Toolchain, cargo_home, rustup_home};

/// Software of the machine that everybody may read: compilers, linkers and their libraries.
const SOFTWARE: [&str; 9] =
    ["/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/nix/store", "/etc/ld.so.cache", "/dev/urandom"];
/// What of cargo's folder a build needs: crates, and the user's own settings, without which crates would be looked for
/// elsewhere. Not among it: `credentials.toml`.
const OF_CARGO: [&str; 4] = ["registry", "git", "config.toml", "config"];
/// Programs that may lie anywhere on the search path; rustup's are all one.
const PROGRAMS: [&str; 3] = ["cargo", "rustc", "rustup"];

/// Fails where nothing would hold the compiler.
pub(super) fn ensure_held() -> Result<()> {
    ensure!(
        Reach::is_held_here(),
        "this system cannot keep a compiler from your files (its kernel has no Landlock), so that the module could take them \
         into the component: {REMEDY}"
    );
    Ok(())
}

/// Cargo in `stage`, confined, when all that it needs from elsewhere is there.
pub(super) fn cargo(stage: &Path, target_dir: &Path, toolchain: &Toolchain) -> Result<Command> {
    fetch(stage, toolchain)?;
    let temporary = target_dir.join("iog-tmp");
    std::fs::create_dir_all(&temporary).with_context(|| format!("cannot make `{}`", temporary.display()))?;
    let mut cargo = command_within(&reach(stage, target_dir, toolchain), stage, "cargo")?;
    cargo.env("CARGO_NET_OFFLINE", "true").env("TMPDIR", temporary);
    // How to reach networks, sometimes with a password, is of no use to it.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.to_ascii_lowercase().ends_with("_proxy")) {
            cargo.env_remove(&name);
        }
    }
    Ok(cargo)
}

/// Has cargo fetch and unpack every crate of the lock file, which runs nothing of them.
fn fetch(stage: &Path, toolchain: &Toolchain) -> Result<()> {
    let mut cargo = command(stage, "cargo");
    cargo.args(["fetch", "--quiet", "--locked", "--target", TARGET]).args(&toolchain.cargo_args);
    cargo.envs(toolchain.envs.iter().map(|(name, value)| (name, value))).stdout(Stdio::null());
    let output = cargo.output().context("cannot start `cargo`")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo could not fetch what the module needs: {}", said.trim());
    Ok(())
}

fn reach(stage: &Path, target_dir: &Path, toolchain: &Toolchain) -> Reach {
    let mut read: Vec<PathBuf> = SOFTWARE.iter().map(PathBuf::from).collect();
    read.extend(OF_CARGO.iter().map(|name| cargo_home().join(name)));
    read.push(rustup_home());
    read.extend(ask(stage, "rustc", &["--print", "sysroot"]).map(PathBuf::from));
    read.extend(toolchain.sources.iter().cloned());
    let places = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&places).filter(|place| place.is_absolute()).collect();
    read.extend(places.iter().flat_map(|place| PROGRAMS.iter().map(|name| place.join(name))));
    Reach { read, write: vec![target_dir.to_owned(), PathBuf::from("/dev/null")] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_builders_own_is_in_reach() {
        let toolchain = Toolchain { version: String::new(), cargo_args: vec![], envs: vec![], sources: vec![] };
        let (stage, target) = (Path::new("/work/target/iog-sources/m"), Path::new("/work/target"));
        let reach = reach(stage, target, &toolchain);
        assert_eq!(reach.write, [target, Path::new("/dev/null")]);
        let home = std::env::home_dir().unwrap();
        for kept in [
            home.clone(),
            home.join(".ssh"),
            cargo_home().join("credentials.toml"),
            "/etc/shadow".into(),
            "/proc".into(),
        ] {
            assert!(!reach.read.iter().any(|path| kept.starts_with(path)), "{}", kept.display());
        }
    }
}
