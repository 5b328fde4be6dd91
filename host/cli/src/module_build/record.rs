//! What is recorded beside a built component (`prebuilt/<name>.json`), so that anyone can tell whether it still belongs
//! to the sources and build it again.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use iog_machine::files::{self, Readers};
use serde::{Deserialize, Serialize};

use super::build::{BuildOptions, Built, build};
use super::files::digest;
use super::source::source_digest;

/// Bound on a record read from disk.
const RECORD_BYTES_MAX: usize = 64 << 10;

/// How a component came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// SHA-256 of the component, `sha256:` and hex.
    pub(crate) component: String,
    /// Bytes of the component.
    pub(crate) size: u64,
    /// `source_digest` of the module's folder.
    pub(crate) source: String,
    /// Compiler and encoder.
    pub(crate) toolchain: String,
    /// The cargo command.
    pub(crate) command: String,
}

impl Record {
    /// The record of a component just built.
    pub(crate) fn of(built: &Built) -> Self {
        Self {
            component: built.digest(),
            size: built.component.len() as u64,
            source: built.source.clone(),
            toolchain: built.toolchain.clone(),
            command: built.command.clone(),
        }
    }

    /// Reads the record beside a component: the same file name with the ending `json`.
    ///
    /// # Errors
    /// When it is not there, over-large, or not such a record.
    pub(crate) fn read(component: &Path) -> Result<Self> {
        let path = component.with_extension("json");
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        ensure!(bytes.len() <= RECORD_BYTES_MAX, "`{}` is larger than {RECORD_BYTES_MAX} bytes", path.display());
        serde_json::from_slice(&bytes).with_context(|| format!("`{}` is not a record of a build", path.display()))
    }

    /// Writes the component and, beside it, this record.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write(&self, component: &Path, bytes: &[u8]) -> Result<()> {
        if let Some(dir) = component.parent() {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        }
        let mut text = serde_json::to_string_pretty(self).context("cannot write a record")?;
        text.push('\n');
        // The record last: one that is there speaks of a component that is there.
        let files = [(component.to_owned(), bytes), (component.with_extension("json"), text.as_bytes())];
        let failed = || format!("cannot write `{}` and its record", component.display());
        files::replace_all(&files, Readers::All).with_context(failed)
    }
}

/// What a rebuild says about a component that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The same sources and toolchain give the same bytes.
    Reproduced,
    /// The sources are the recorded ones; another toolchain was at hand, so the bytes may differ.
    OtherToolchain {
        /// Whether they are the same nevertheless.
        same_bytes: bool,
    },
    /// The file is not the one that the record speaks of.
    NotTheRecordedFile,
    /// The sources have changed since.
    SourcesChanged,
    /// Same sources and toolchain, other bytes: the build is not reproducible, or the record is wrong.
    NotReproduced,
}

/// Rebuilds a module and compares with the component at `component` and its record.
///
/// # Errors
/// When component or record cannot be read, or the module cannot be built.
pub(crate) fn compare(
    options: &BuildOptions,
    component: &Path,
    said: &dyn Fn(&str),
) -> Result<(Comparison, Option<Built>)> {
    let record = Record::read(component)?;
    let bytes = std::fs::read(component).with_context(|| format!("cannot read `{}`", component.display()))?;
    if digest(&bytes) != record.component {
        return Ok((Comparison::NotTheRecordedFile, None));
    }
    if source_digest(&options.module_dir)? != record.source {
        return Ok((Comparison::SourcesChanged, None));
    }
    let built = build(options, said)?;
    Ok((judge(&record, &built), Some(built)))
}

fn judge(record: &Record, built: &Built) -> Comparison {
    let same_bytes = record.component == built.digest();
    match (record.toolchain == built.toolchain, same_bytes) {
        (true, true) => Comparison::Reproduced,
        (true, false) => Comparison::NotReproduced,
        (false, same_bytes) => Comparison::OtherToolchain { same_bytes },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(component: &[u8], toolchain: &str) -> Built {
        Built {
            component: component.to_vec(),
            source: digest(b""),
            toolchain: toolchain.into(),
            command: "cargo build".into(),
        }
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prebuilt/a.wasm");
        let built = built(b"component", "rustc 1");
        Record::of(&built).write(&path, &built.component).unwrap();
        assert_eq!(Record::read(&path).unwrap(), Record::of(&built));
        assert_eq!(std::fs::read(&path).unwrap(), b"component");
        std::fs::write(path.with_extension("json"), "{}").unwrap();
        assert!(Record::read(&path).unwrap_err().to_string().ends_with("is not a record of a build"));
    }

    #[test]
    fn a_rebuild_is_judged_by_toolchain_and_bytes() {
        let first = built(b"one", "rustc 1");
        let recorded = Record::of(&first);
        assert_eq!(judge(&recorded, &first), Comparison::Reproduced);
        assert_eq!(judge(&recorded, &built(b"two", "rustc 1")), Comparison::NotReproduced);
        assert_eq!(judge(&recorded, &built(b"two", "rustc 2")), Comparison::OtherToolchain { same_bytes: false });
        assert_eq!(judge(&recorded, &built(b"one", "rustc 2")), Comparison::OtherToolchain { same_bytes: true });
    }

    #[test]
    fn a_file_that_was_exchanged_is_noticed_before_anything_is_built() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        let built = built(b"component", "rustc 1");
        Record::of(&built).write(&path, b"another").unwrap();
        let options = BuildOptions {
            module_dir: dir.path().into(),
            target_dir: dir.path().into(),
            install_toolchain: false,
            trust_build_scripts: false,
        };
        assert_eq!(compare(&options, &path, &|_| {}).unwrap().0, Comparison::NotTheRecordedFile);
    }

    #[test]
    fn the_committed_components_belong_to_their_sources() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (workspace, module) in [
            ("modules", "dns-watch"),
            ("modules", "hello"),
            ("modules", "ip-traceback"),
            ("modules", "origin-check"),
            ("modules", "top-talkers"),
            ("tests/guests", "hostile"),
        ] {
            let component = root.join(workspace).join("prebuilt").join(module).with_extension("wasm");
            let record = Record::read(&component).unwrap();
            let source = source_digest(&root.join(workspace).join(module)).unwrap();
            assert_eq!(record.source, source, "`{module}` has changed: run `iog module build {workspace}`");
            let bytes = std::fs::read(&component).unwrap();
            assert_eq!((record.component, record.size), (digest(&bytes), bytes.len() as u64), "`{module}`");
        }
    }
}
