//! The files of exports and how tests read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use iog_import::columns::Sink;
use iog_import::exports::Exports;
use iog_import::{FileReport, ImportError};

/// Keeps the batches.
#[derive(Default)]
pub(crate) struct Kept(pub(crate) Vec<RecordBatch>);

impl Sink for Kept {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.push(batch);
        Ok(())
    }
}

/// The files in the order of their names; none when the data are not there.
pub(crate) fn all() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/netflow_exports");
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: ../shared/data/netflow_exports is not there");
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "dat"));
    files.sort();
    files
}

/// The name of a file.
pub(crate) fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The files of each exporter: the part of the name before what the file holds.
pub(crate) fn by_exporter() -> BTreeMap<String, Vec<PathBuf>> {
    let mut groups: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in all() {
        let name = name(&path);
        let end = ["_tpl", "_data", "_opttpl"].iter().filter_map(|part| name.find(part)).min();
        groups.entry(name[..end.unwrap_or(name.len())].to_owned()).or_default().push(path.clone());
    }
    groups
}

/// What came of a file.
pub(crate) struct Read {
    pub(crate) result: Result<FileReport, ImportError>,
    pub(crate) batches: Vec<RecordBatch>,
}

/// Reads files given together, in two passes.
pub(crate) fn read(files: &[PathBuf]) -> Vec<Read> {
    let mut exports = Exports::default();
    for path in files {
        let bytes = std::fs::read(path).unwrap();
        let _refused_again_below = exports.collect(&mut bytes.as_slice(), path, &mut |_| ());
    }
    let one = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let mut kept = Kept::default();
        let result = exports.read(&mut bytes.as_slice(), path, &mut kept, &mut |_| ());
        if let Ok(report) = &result {
            assert_eq!(report.bytes, bytes.len() as u64);
            assert_eq!(report.rows, kept.0.iter().map(|batch| batch.num_rows() as u64).sum::<u64>());
        }
        Read { result, batches: kept.0 }
    };
    files.iter().map(one).collect()
}
