//! Everything that a component is made of: the module's crate, the crates of the same checkout that it uses, the WIT they
//! are generated from, the workspace's profile and the part of its lock file that counts. `Sources` holds these files
//! as they are built, in a layout of their own, so that the digest covers what cargo compiles and nothing else. It runs no
//! cargo: a test compares digests in milliseconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use iog_machine::walk::{Bounds, walk};
use sha2::{Digest, Sha256};

use super::files::{digest, read, read_text};
use super::lock;
use super::manifest::{self, Local};

/// Bounds on each folder of sources; far above any module.
const FOLDER: Bounds = Bounds { depth_max: 16, entries_max: 2_000, bytes_max: 64 << 20 };
/// Bound on the files of a build.
const FILES_MAX: usize = 2_000;

/// The crate that brings the contract with it, in the folder `../wit` beside it.
const SDK: &str = "iog-guest";

/// `Sources::digest` of the module in a folder.
///
/// # Errors
/// As `Sources::read`.
pub(crate) fn source_digest(module_dir: &Path) -> Result<String> {
    Ok(Sources::read(module_dir)?.digest())
}

/// The files of a build.
#[derive(Debug)]
pub(super) struct Sources {
    /// The module's package.
    pub(super) package: String,
    /// The lock file as its author keeps it.
    pub(super) lock_file: PathBuf,
    /// By path within the build's folder: `Cargo.toml` and `Cargo.lock` of the workspace, a folder for each crate by its
    /// name, `wit/` for the contract.
    files: BTreeMap<String, Vec<u8>>,
}

impl Sources {
    /// Reads the sources of the module in `module_dir`. The manifest `iog.toml`, documents, and what only tests use are
    /// not among them, for no byte of the component depends on them.
    ///
    /// # Errors
    /// When a file cannot be read or is over-large, there is no lock file, or a `Cargo.toml` is not understood.
    pub(super) fn read(module_dir: &Path) -> Result<Self> {
        let module_dir = canonical(module_dir)?;
        let (workspace_dir, workspace) = workspace(&module_dir)?;
        let mut crates = BTreeMap::new();
        collect(&module_dir, &workspace_dir, &workspace, &mut crates)?;
        let package = crates[&module_dir].name.clone();
        let places: BTreeMap<_, _> = crates.iter().map(|(dir, found)| (dir.clone(), found.name.clone())).collect();
        let needs: BTreeMap<_, _> =
            crates.values().map(|found| (found.name.clone(), found.needs(&workspace))).collect();
        ensure!(needs.len() == crates.len(), "two crates that `{package}` is built from have the same name");
        let lock_file = workspace_dir.join("Cargo.lock");
        let mut sources = Self { package, lock_file, files: BTreeMap::new() };
        sources.add("Cargo.toml", manifest::workspace(&workspace, &workspace_dir, &places)?);
        let lock = read_text(&sources.lock_file).context("a module is built to a lock file")?;
        sources.add("Cargo.lock", lock::pare(&lock, &needs)?);
        for (dir, found) in &crates {
            let name = &found.name;
            sources.add(&format!("{name}/Cargo.toml"), manifest::member(found, dir, &places)?);
            if dir.join("build.rs").is_file() {
                sources.add(&format!("{name}/build.rs"), read(&dir.join("build.rs"))?);
            }
            for folder in ["src", "wit"] {
                sources.add_folder(&dir.join(folder), &format!("{name}/{folder}"))?;
            }
            if name == SDK {
                sources.add_folder(&dir.join("../wit"), "wit")?;
            }
        }
        Ok(sources)
    }

    /// The lock file of the build.
    pub(super) fn lock(&self) -> Result<String> {
        let lock = self.files.get("Cargo.lock").context("a module is built to a lock file")?;
        String::from_utf8(lock.clone()).context("`Cargo.lock` is not text")
    }

    /// `sha256:` and the SHA-256, in hex, of the listing: a line `<sha256 hex>  <path>` for each file, ordered by path, as
    /// `sha256sum` writes it.
    pub(super) fn digest(&self) -> String {
        let line = |(path, bytes): (&String, &Vec<u8>)| format!("{}  {path}\n", hex::encode(Sha256::digest(bytes)));
        digest(self.files.iter().map(line).collect::<String>().as_bytes())
    }

    /// Lays the files out in `dir` and removes what else is there. Writes even those that are as they should be: cargo
    /// compares times, and must not take another checkout's crate for this one.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn lay_out(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        self.sweep(dir)?;
        for (path, bytes) in &self.files {
            let path = dir.join(path);
            let parent = path.parent().unwrap_or(dir);
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
            std::fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }

    /// Removes what does not belong here. Of a link the link goes, never what it leads to.
    fn sweep(&self, dir: &Path) -> Result<()> {
        let walked = walk(dir, FOLDER)?;
        let ours = |path: &PathBuf| {
            path.strip_prefix(dir).ok().and_then(Path::to_str).is_some_and(|inside| self.files.contains_key(inside))
        };
        for path in walked.files.iter().filter(|path| !ours(path)).chain(&walked.left) {
            std::fs::remove_file(path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
        Ok(())
    }

    fn add(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.to_owned(), bytes.into());
    }

    fn add_folder(&mut self, dir: &Path, label: &str) -> Result<()> {
        if !dir.is_dir() {
            return Ok(());
        }
        let walked = walk(dir, FOLDER)?;
        if let Some(path) = walked.left.first() {
            bail!(
                "`{}` is a link or no file: sources are files, or the digest would cover what lies elsewhere",
                path.display()
            );
        }
        for path in walked.files {
            let inside = path.strip_prefix(dir).ok().and_then(Path::to_str);
            let inside = inside.with_context(|| format!("a file name in `{}` is not text", dir.display()))?;
            self.add(&format!("{label}/{inside}"), read(&path)?);
            ensure!(self.files.len() <= FILES_MAX, "`{}` has more than {FILES_MAX} files", dir.display());
        }
        Ok(())
    }
}

/// The nearest folder upwards whose `Cargo.toml` declares a workspace, and that file.
fn workspace(module_dir: &Path) -> Result<(PathBuf, toml::Table)> {
    for dir in module_dir.ancestors().filter(|dir| dir.join("Cargo.toml").is_file()) {
        let manifest = manifest::parse(&dir.join("Cargo.toml"))?;
        if manifest.contains_key("workspace") {
            return Ok((dir.to_owned(), manifest));
        }
    }
    bail!("`{}` is in no cargo workspace", module_dir.display())
}

/// The crate in `dir` and the crates of this checkout that it is built from, by folder.
fn collect(
    dir: &Path,
    workspace_dir: &Path,
    workspace: &toml::Table,
    crates: &mut BTreeMap<PathBuf, Local>,
) -> Result<()> {
    if crates.contains_key(dir) {
        return Ok(());
    }
    let found = Local::read(dir)?;
    let dependencies = found.local_dependencies(workspace);
    crates.insert(dir.to_owned(), found);
    for dependency in dependencies {
        let base = if dependency.inherited { workspace_dir } else { dir };
        collect(&canonical(&base.join(&dependency.path))?, workspace_dir, workspace, crates)?;
    }
    Ok(())
}

fn canonical(dir: &Path) -> Result<PathBuf> {
    dir.canonicalize().with_context(|| format!("there is no folder `{}`", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout with a workspace, a module, the kit beside it and a crate that the module does not use.
    fn checkout() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let lock = "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\"iog-guest\", \"x\"]\n\
                    [[package]]\nname = \"iog-guest\"\nversion = \"1.0.0\"\n[[package]]\nname = \"x\"\nversion = \"1.0.0\"\n\
                    source = \"registry\"\n[[package]]\nname = \"unused\"\nversion = \"1.0.0\"\nsource = \"registry\"\n";
        for (path, text) in [
            (
                "modules/Cargo.toml",
                "[workspace]\nmembers = [\"a\", \"b\"]\n[workspace.dependencies]\niog-guest = { path = \"../kit/rust\" }\n",
            ),
            ("modules/Cargo.lock", lock),
            (
                "modules/a/Cargo.toml",
                "[package]\nname = \"a\"\n[dependencies]\niog-guest.workspace = true\nx = \"1\"\n[dev-dependencies]\ny = \"1\"\n",
            ),
            ("modules/a/src/lib.rs", "fn a() {}"),
            ("modules/a/wit/a.wit", "package a:a;"),
            ("modules/a/README.md", "words"),
            ("modules/a/iog.toml", "[module]"),
            ("kit/rust/Cargo.toml", "[package]\nname = \"iog-guest\"\nworkspace = \"../../modules\"\n"),
            ("kit/rust/src/lib.rs", "fn kit() {}"),
            ("kit/wit/kit.wit", "package iog:guest;"),
        ] {
            write(dir.path(), path, text);
        }
        dir
    }

    fn write(checkout: &Path, path: &str, text: &str) {
        let path = checkout.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn sources(checkout: &tempfile::TempDir) -> Sources {
        Sources::read(&checkout.path().join("modules/a")).unwrap()
    }

    #[test]
    fn everything_a_component_is_made_of_is_there_and_no_place_of_the_machine() {
        let checkout = checkout();
        let sources = sources(&checkout);
        let expected = [
            "Cargo.lock",
            "Cargo.toml",
            "a/Cargo.toml",
            "a/src/lib.rs",
            "a/wit/a.wit",
            "iog-guest/Cargo.toml",
            "iog-guest/src/lib.rs",
            "wit/kit.wit",
        ];
        assert_eq!(sources.files.keys().collect::<Vec<_>>(), expected);
        let place = checkout.path().to_str().unwrap();
        assert!(sources.files.values().all(|bytes| !String::from_utf8_lossy(bytes).contains(place)));
    }

    #[test]
    fn the_digest_is_the_same_in_every_checkout_and_changes_with_every_source() {
        let before = sources(&checkout()).digest();
        assert_eq!(before, sources(&checkout()).digest());
        for path in ["kit/wit/kit.wit", "kit/rust/src/lib.rs", "modules/a/src/lib.rs", "modules/a/wit/a.wit"] {
            let changed = checkout();
            write(changed.path(), path, "changed");
            assert_ne!(before, sources(&changed).digest(), "{path}");
        }
        let changed = checkout();
        let lock = std::fs::read_to_string(changed.path().join("modules/Cargo.lock")).unwrap();
        write(
            changed.path(),
            "modules/Cargo.lock",
            &lock.replace("\"x\"\nversion = \"1.0.0\"", "\"x\"\nversion = \"1.0.1\""),
        );
        assert_ne!(before, sources(&changed).digest(), "a dependency's version");
    }

    #[test]
    fn documents_and_other_modules_do_not_count() {
        let changed = checkout();
        write(changed.path(), "modules/a/README.md", "other words");
        write(changed.path(), "modules/b/src/lib.rs", "fn b() {}");
        let lock = std::fs::read_to_string(changed.path().join("modules/Cargo.lock")).unwrap();
        write(changed.path(), "modules/Cargo.lock", &lock.replace("unused", "no-longer-used"));
        assert_eq!(sources(&checkout()).digest(), sources(&changed).digest());
    }

    #[test]
    fn what_is_laid_out_is_what_was_read() {
        let (checkout, stage) = (checkout(), tempfile::tempdir().unwrap());
        write(stage.path(), "a/src/old.rs", "left from before");
        sources(&checkout).lay_out(stage.path()).unwrap();
        assert!(!stage.path().join("a/src/old.rs").exists());
        let again = Sources::read(&stage.path().join("a")).unwrap();
        assert_eq!(again.digest(), sources(&checkout).digest(), "laying out a second time changes nothing");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_no_sources_and_nothing_is_removed_through_them() {
        let checkout = checkout();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("root.key"), "secret").unwrap();
        let link = checkout.path().join("modules/a/src/keys");
        std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
        let error = Sources::read(&checkout.path().join("modules/a")).unwrap_err().to_string();
        assert!(error.contains("is a link"), "{error}");
        std::fs::remove_file(&link).unwrap();

        // A checkout that comes with a `target` folder of its own, in which our stage leads elsewhere.
        let stage = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), stage.path().join("a")).unwrap();
        sources(&checkout).lay_out(stage.path()).unwrap();
        let left: Vec<_> =
            std::fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["root.key"]);
        assert!(stage.path().join("a/src/lib.rs").is_file());
    }

    #[test]
    fn a_crate_for_a_platform_is_in_the_digest_wherever_it_lies() {
        let evil = tempfile::tempdir().unwrap();
        write(evil.path(), "Cargo.toml", "[package]\nname = \"evil\"\n");
        write(evil.path(), "src/lib.rs", "fn harmless() {}");
        let checkout = checkout();
        let manifest = checkout.path().join("modules/a/Cargo.toml");
        let mut text = std::fs::read_to_string(&manifest).unwrap();
        text.push_str(&format!("[target.'cfg(all())'.dependencies]\nevil = {{ path = {:?} }}\n", evil.path()));
        std::fs::write(&manifest, text).unwrap();
        let before = sources(&checkout);
        assert!(before.files.contains_key("evil/src/lib.rs"));
        let place = evil.path().to_str().unwrap();
        assert!(before.files.values().all(|bytes| !String::from_utf8_lossy(bytes).contains(place)));
        write(evil.path(), "src/lib.rs", "fn other() {}");
        assert_ne!(before.digest(), sources(&checkout).digest());
    }

    #[test]
    fn a_module_without_a_lock_file_is_refused() {
        let checkout = checkout();
        std::fs::remove_file(checkout.path().join("modules/Cargo.lock")).unwrap();
        let error = source_digest(&checkout.path().join("modules/a")).unwrap_err().to_string();
        assert!(error.contains("lock file"), "{error}");
    }
}
