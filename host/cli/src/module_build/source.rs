//! The digest of everything that a component is made of: the module's crate, the crates of the same checkout that it
//! uses, the WIT they are generated from, and the workspace's profile and lock file. It runs no cargo, so that a test can
//! compare it with what is recorded beside a built component in milliseconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// Bounds on what is read; far above any module.
const FILES_MAX: usize = 2_000;
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The crate that brings the contract with it.
const SDK: &str = "iog-guest";

/// `sha256:` and the SHA-256, in hex, of the listing: a line `<sha256 hex>  <name>` for each file, ordered by name, as
/// `sha256sum` writes it. Names begin with `module/`, `crate/<name>/`, `contract/` or `workspace/`, never with a path of
/// the machine. The manifest `iog.toml` and documents are not in it, for no byte of the component depends on them.
///
/// # Errors
/// When a file cannot be read, is over-large, or a `Cargo.toml` is not understood.
pub(crate) fn source_digest(module_dir: &Path) -> Result<String> {
    let mut listing = String::new();
    for (name, path) in files(module_dir)? {
        let size = path.metadata().with_context(|| format!("cannot read `{}`", path.display()))?.len();
        ensure!(size <= FILE_BYTES_MAX, "`{}` is larger than {FILE_BYTES_MAX} bytes", path.display());
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        listing.push_str(&format!("{}  {name}\n", hex::encode(Sha256::digest(&bytes))));
    }
    Ok(super::digest(listing.as_bytes()))
}

/// All files by the name they are listed under.
fn files(module_dir: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let workspace = workspace(module_dir)?;
    let mut files = BTreeMap::new();
    for name in ["Cargo.toml", "Cargo.lock"] {
        let path = workspace.dir.join(name);
        ensure!(path.is_file(), "`{}` is missing; a module is built to a lock file", path.display());
        files.insert(format!("workspace/{name}"), path);
    }
    let mut crates = BTreeMap::new();
    collect_crates(module_dir, &workspace, &mut crates)?;
    let own = canonical(module_dir)?;
    for (dir, name) in crates {
        let label = if dir == own { "module".to_owned() } else { format!("crate/{name}") };
        for file in ["Cargo.toml", "build.rs"] {
            let path = dir.join(file);
            if path.is_file() {
                files.insert(format!("{label}/{file}"), path);
            }
        }
        for folder in ["src", "wit"] {
            add_folder(&dir.join(folder), &format!("{label}/{folder}"), &mut files)?;
        }
        if name == SDK {
            add_folder(&dir.join("../wit"), "contract", &mut files)?;
        }
    }
    Ok(files)
}

fn add_folder(dir: &Path, label: &str, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in dir.read_dir().with_context(|| format!("cannot read `{}`", dir.display()))? {
        let entry = entry.with_context(|| format!("cannot read `{}`", dir.display()))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { bail!("a file name in `{}` is not text", dir.display()) };
        let label = format!("{label}/{name}");
        if entry.path().is_dir() {
            add_folder(&entry.path(), &label, files)?;
        } else {
            files.insert(label, entry.path());
        }
        ensure!(files.len() <= FILES_MAX, "`{}` has more than {FILES_MAX} files", dir.display());
    }
    Ok(())
}

/// The nearest folder upwards whose `Cargo.toml` declares a workspace.
struct Workspace {
    dir: PathBuf,
    manifest: toml::Table,
}

fn workspace(module_dir: &Path) -> Result<Workspace> {
    let start = canonical(module_dir)?;
    for dir in start.ancestors() {
        let path = dir.join("Cargo.toml");
        if !path.is_file() {
            continue;
        }
        let manifest = read_toml(&path)?;
        if manifest.contains_key("workspace") {
            return Ok(Workspace { dir: dir.to_owned(), manifest });
        }
    }
    bail!("`{}` is in no cargo workspace", module_dir.display())
}

/// The crate in `dir` and the crates of this checkout that it is built from, by folder.
fn collect_crates(dir: &Path, workspace: &Workspace, crates: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    let dir = canonical(dir)?;
    let manifest = read_toml(&dir.join("Cargo.toml"))?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    let Some(name) = name else { bail!("`{}` holds no package", dir.display()) };
    if crates.insert(dir.clone(), name.to_owned()).is_some() {
        return Ok(());
    }
    let shared = workspace.manifest.get("workspace").and_then(|table| table.get("dependencies"));
    for table in ["dependencies", "build-dependencies"] {
        let Some(dependencies) = manifest.get(table).and_then(toml::Value::as_table) else { continue };
        for (name, dependency) in dependencies {
            if let Some(path) = path_of(dependency) {
                collect_crates(&dir.join(path), workspace, crates)?;
            } else if dependency.get("workspace").and_then(toml::Value::as_bool) == Some(true)
                && let Some(path) = shared.and_then(|shared| shared.get(name)).and_then(path_of)
            {
                collect_crates(&workspace.dir.join(path), workspace, crates)?;
            }
        }
    }
    Ok(())
}

fn path_of(dependency: &toml::Value) -> Option<&str> {
    dependency.get("path").and_then(toml::Value::as_str)
}

fn canonical(dir: &Path) -> Result<PathBuf> {
    dir.canonicalize().with_context(|| format!("there is no folder `{}`", dir.display()))
}

fn read_toml(path: &Path) -> Result<toml::Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    text.parse().with_context(|| format!("`{}` is not TOML", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout with a workspace, a module and the kit beside it.
    fn checkout() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            (
                "modules/Cargo.toml",
                "[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\niog-guest = { path = \"../kit/rust\" }\n",
            ),
            ("modules/Cargo.lock", "version = 4\n"),
            (
                "modules/a/Cargo.toml",
                "[package]\nname = \"a\"\n[dependencies]\niog-guest.workspace = true\nserde = \"1\"\n",
            ),
            ("modules/a/src/lib.rs", "fn a() {}"),
            ("modules/a/wit/a.wit", "package a:a;"),
            ("modules/a/README.md", "words"),
            ("modules/a/iog.toml", "[module]"),
            ("kit/rust/Cargo.toml", "[package]\nname = \"iog-guest\"\n"),
            ("kit/rust/src/lib.rs", "fn kit() {}"),
            ("kit/wit/kit.wit", "package iog:guest;"),
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn digest_of(checkout: &tempfile::TempDir) -> String {
        source_digest(&checkout.path().join("modules/a")).unwrap()
    }

    #[test]
    fn everything_a_component_is_made_of_is_listed_without_machine_paths() {
        let checkout = checkout();
        let names: Vec<_> = files(&checkout.path().join("modules/a")).unwrap().into_keys().collect();
        let expected = [
            "contract/kit.wit",
            "crate/iog-guest/Cargo.toml",
            "crate/iog-guest/src/lib.rs",
            "module/Cargo.toml",
            "module/src/lib.rs",
            "module/wit/a.wit",
            "workspace/Cargo.lock",
            "workspace/Cargo.toml",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_digest_is_the_same_in_every_checkout_and_changes_with_every_source() {
        let (here, there) = (checkout(), checkout());
        let before = digest_of(&here);
        assert_eq!(before, digest_of(&there));
        for path in [
            "kit/wit/kit.wit",
            "kit/rust/src/lib.rs",
            "modules/a/src/lib.rs",
            "modules/a/wit/a.wit",
            "modules/Cargo.lock",
        ] {
            let changed = checkout();
            let file = changed.path().join(path);
            std::fs::write(&file, format!("{}\n# changed", std::fs::read_to_string(&file).unwrap())).unwrap();
            assert_ne!(before, digest_of(&changed), "{path}");
        }
        std::fs::write(here.path().join("modules/a/README.md"), "other words").unwrap();
        assert_eq!(before, digest_of(&here), "documents do not count");
    }

    #[test]
    fn a_module_without_a_lock_file_is_refused() {
        let checkout = checkout();
        std::fs::remove_file(checkout.path().join("modules/Cargo.lock")).unwrap();
        let error = source_digest(&checkout.path().join("modules/a")).unwrap_err().to_string();
        assert!(error.contains("lock file"), "{error}");
    }
}
