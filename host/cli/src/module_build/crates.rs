//! What cargo knows of the build's folder: the file it will make, where published crates lie, and that every other crate and
//! file that it would compile lies in the folder. Reads only.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::host_side::{Runs, runs};
use super::metadata::{self, Metadata};
use super::toolchain::TARGET;

/// What a build needs to know of names and places.
#[derive(Debug)]
pub(super) struct Layout {
    /// The file that cargo makes.
    pub(super) artefact: String,
    /// Folders that hold the sources of published crates.
    pub(super) registries: Vec<PathBuf>,
    /// What would run on this machine.
    pub(super) runs: Vec<Runs>,
}

/// The layout of the folder `stage` for building `package` on a machine of the platform `host`. `lock_file` is the one that the
/// module's author keeps.
pub(super) fn layout(stage: &Path, package: &str, host: &str, lock_file: &Path) -> Result<Layout> {
    let module = metadata::ask(stage, &[TARGET], lock_file)?;
    let all = metadata::ask(stage, &[TARGET, host], lock_file)?;
    refuse_elsewhere(&all, stage)?;
    let own = module.packages.iter().find(|found| found.source.is_none() && found.name == package);
    let targets = own.map_or(&[][..], |own| &own.targets);
    let library = targets.iter().find(|target| target.kind.iter().any(|kind| kind == "cdylib"));
    let library = library.with_context(|| format!("`{package}` needs `crate-type = [\"cdylib\"]`"))?;
    let published = module.packages.iter().filter(|package| package.source.is_some());
    let mut registries: Vec<_> =
        published.filter_map(|package| Some(package.manifest_path.parent()?.parent()?.to_owned())).collect();
    registries.sort();
    registries.dedup();
    let artefact = format!("{}.wasm", library.name.replace('-', "_"));
    Ok(Layout { artefact, registries, runs: runs(&module, &all)? })
}

/// Fails where a crate that is not published would be compiled from elsewhere than the folder, whatever its manifests say:
/// no source digest would cover it.
fn refuse_elsewhere(all: &Metadata, stage: &Path) -> Result<()> {
    let stage = stage.canonicalize().context("the build's folder went away")?;
    for package in all.packages.iter().filter(|package| package.source.is_none()) {
        let files = package.targets.iter().map(|target| &target.src_path);
        for file in files.chain([&package.manifest_path]) {
            let is_inside = file.canonicalize().is_ok_and(|file| file.starts_with(&stage));
            ensure!(is_inside, "`{}` of `{}` is not among the sources of the module", file.display(), package.name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout of a folder with this manifest of a crate `a`.
    fn laid_out(manifest: &str) -> Result<Layout> {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("stage/src/lib.rs", ""),
            ("stage/Cargo.toml", manifest),
            ("stage/Cargo.lock", "version = 4\n[[package]]\nname = \"a\"\nversion = \"0.0.0\"\n"),
            ("other.rs", ""),
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        layout(&dir.path().join("stage"), "a", "x86_64-unknown-linux-gnu", Path::new("/author/Cargo.lock"))
    }

    const CRATE: &str = "[package]\nname = \"a\"\nedition = \"2024\"\n[workspace]\n";

    #[test]
    fn a_crate_that_makes_no_module_is_told_what_it_lacks() {
        assert!(laid_out("[package]").unwrap_err().to_string().starts_with("cargo cannot read the manifests"));
        assert_eq!(laid_out(CRATE).unwrap_err().to_string(), "`a` needs `crate-type = [\"cdylib\"]`");
        let library = format!("{CRATE}[lib]\ncrate-type = [\"cdylib\"]\n");
        assert_eq!(laid_out(&library).unwrap().artefact, "a.wasm");
    }

    #[test]
    fn what_lies_elsewhere_is_refused_whatever_leads_there() {
        let error = laid_out(&format!("{CRATE}[lib]\npath = \"../other.rs\"\n")).unwrap_err().to_string();
        assert!(error.contains("other.rs` of `a` is not among the sources"), "{error}");
    }

    #[test]
    fn a_lock_file_that_does_not_fit_is_named_as_its_author_knows_it() {
        let newer = CRATE.replace("[workspace]", "version = \"2.0.0\"\n[workspace]");
        let error = laid_out(&newer).unwrap_err().to_string();
        assert!(error.contains("`/author/Cargo.lock`") && error.contains("cargo update --workspace"), "{error}");
    }
}
