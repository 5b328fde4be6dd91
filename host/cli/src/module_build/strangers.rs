//! What of a stranger's module would run on this machine while it is built, with everything that its user may do: build
//! scripts, macros, the libraries below them, and programs that configuration names. None of it is run unasked. Crates that
//! our own modules are built from, at the very checksums of our lock file, are known and run; which of their features are on
//! chooses among that code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::host_side::Runs;

/// The lock file of our own modules: name, version and checksum of each crate that is known.
const KNOWN: &str = include_str!("../../../../modules/Cargo.lock");

/// What cargo and rustup read in any folder above a build, and what may name a program to run.
const CONFIGURATIONS: [&str; 4] = [".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain"];

/// How to go on.
pub(super) const REMEDY: &str = "read it, then say --trust-build-scripts to build it as yourself, with your files and keys in reach; \
                                 better as a user without keys";

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// Fails where building would run code of strangers, and names it. `lock` is the lock file of the build.
pub(super) fn refuse_code(runs: &[Runs], lock: &str) -> Result<()> {
    let read = |text: &str| toml::from_str::<Lock>(text).context("`Cargo.lock` is not a lock file");
    let known: BTreeSet<Locked> = read(KNOWN)?.package.into_iter().filter(|it| it.checksum.is_some()).collect();
    let locked = read(lock)?.package;
    let is_known = |run: &Runs| {
        let same = |it: &&Locked| it.name == run.name && it.version == run.version && it.source == run.source;
        locked.iter().find(same).is_some_and(|it| known.contains(it))
    };
    let strange: Vec<String> = runs
        .iter()
        .filter(|run| !is_known(run))
        .map(|run| format!("`{} {}` ({})", run.name, run.version, run.what))
        .collect();
    ensure!(
        strange.is_empty(),
        "building would run code of strangers on this machine: {}; {REMEDY}",
        strange.join(", ")
    );
    Ok(())
}

/// Fails where a folder that one of `places` lies in says which programs cargo is to run. `own` is where the user's own
/// settings lie, which cargo reads wherever it builds.
pub(super) fn refuse_configuration(places: &[&Path], own: &Path) -> Result<()> {
    // A checkout may reach further up than its workspace, and nothing says how far.
    let folders = places.iter().flat_map(|place| place.ancestors());
    let named = folders.flat_map(|folder| CONFIGURATIONS.iter().map(|name| folder.join(name)));
    // Also what is a link to nothing yet.
    let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
    match named.filter(|path| path.parent() != Some(own)).find(is_there) {
        Some(found) => bail!("`{}` can name programs that cargo runs; {REMEDY}", found.display()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, version: &str, source: Option<&str>) -> Runs {
        let source = source.map(str::to_owned);
        Runs { name: name.to_owned(), version: version.to_owned(), source, what: "build script" }
    }

    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

    #[test]
    fn what_our_modules_are_built_from_is_known_and_nothing_else() {
        let known: Vec<Locked> = toml::from_str::<Lock>(KNOWN).unwrap().package;
        let anyhow = known.iter().find(|it| it.name == "anyhow").unwrap();
        refuse_code(&[run("anyhow", &anyhow.version, Some(REGISTRY))], KNOWN).unwrap();
        let other = KNOWN.replace(anyhow.checksum.as_deref().unwrap(), &"0".repeat(64));
        for (strange, lock) in [
            (run("anyhow", &anyhow.version, Some(REGISTRY)), other.as_str()),
            (run("anyhow", "9.9.9", Some(REGISTRY)), KNOWN),
            (run("anyhow", &anyhow.version, Some("git+https://example.net/anyhow")), KNOWN),
            (run("anyhow", &anyhow.version, None), KNOWN),
            (run("hello", "1.0.0", None), KNOWN),
        ] {
            let error = refuse_code(&[strange], lock).unwrap_err().to_string();
            assert!(error.contains("run code of strangers") && error.contains("--trust-build-scripts"), "{error}");
        }
    }

    #[test]
    fn configuration_of_the_strangers_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (workspace, stage) = (folder.path().join("w"), folder.path().join("w/target/iog-sources/a"));
        std::fs::create_dir_all(&stage).unwrap();
        let own = folder.path().join(".cargo");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("config.toml"), "[net]\noffline = true").unwrap();
        refuse_configuration(&[&stage], &own).unwrap();
        std::fs::create_dir_all(workspace.join("target/.cargo")).unwrap();
        std::fs::write(workspace.join("target/.cargo/config.toml"), "[build]\nrustc-wrapper = \"./evil\"").unwrap();
        let error = refuse_configuration(&[&stage], &own).unwrap_err().to_string();
        assert!(error.contains("config.toml"), "{error}");
        // What others brought into the user's own folder is not the user's.
        let fetched = own.join("git/checkouts/m");
        std::fs::create_dir_all(fetched.join(".cargo")).unwrap();
        std::fs::write(fetched.join(".cargo/config.toml"), "").unwrap();
        refuse_configuration(&[&fetched], &own).unwrap_err();
        // Folders that the build does not lie in, but its module or whoever asks for it.
        for name in CONFIGURATIONS {
            let module = folder.path().join("checkout/module");
            let file = folder.path().join("checkout").join(name);
            std::fs::create_dir_all(&module).unwrap();
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            let elsewhere = folder.path().join("elsewhere");
            let error = refuse_configuration(&[&elsewhere, &module], &own).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            std::fs::remove_file(&file).unwrap();
            refuse_configuration(&[&elsewhere, &module], &own).unwrap();
        }
    }
}
