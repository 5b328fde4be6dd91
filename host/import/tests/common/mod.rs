//! What the tests of the flow importers share: a sink that keeps rows, the real data, other decoders.

#![allow(dead_code, reason = "every test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at once, and says what it skips")]

use std::path::{Path, PathBuf};
use std::process::Command;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use iog_import::columns::Sink;

/// Keeps the batches of an import.
#[derive(Default)]
pub(crate) struct Kept(pub(crate) Vec<RecordBatch>);

impl Sink for Kept {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.push(batch);
        Ok(())
    }
}

impl Kept {
    /// Rows kept.
    pub(crate) fn rows(&self) -> u64 {
        self.0.iter().map(|batch| batch.num_rows() as u64).sum()
    }

    /// Values of a column of numbers, null as none.
    pub(crate) fn uints(&self, column: &str) -> Vec<Option<u64>> {
        self.0
            .iter()
            .flat_map(|batch| {
                batch.column_by_name(column).unwrap().as_primitive::<UInt64Type>().iter().collect::<Vec<_>>()
            })
            .collect()
    }

    /// Sum of a column of numbers.
    pub(crate) fn sum(&self, column: &str) -> u64 {
        self.uints(column).into_iter().flatten().sum()
    }

    /// Values of a column of times.
    pub(crate) fn times(&self, column: &str) -> Vec<i64> {
        self.0
            .iter()
            .flat_map(|batch| batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().values().to_vec())
            .collect()
    }

    /// Values of a column of addresses as text, IPv4 as such, null as `0.0.0.0`.
    pub(crate) fn addresses(&self, column: &str) -> Vec<String> {
        let text = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                let address = std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap());
                address.to_ipv4_mapped().map_or_else(|| address.to_string(), |v4| v4.to_string())
            }
            None => "0.0.0.0".to_owned(),
        };
        let values = |batch: &RecordBatch| {
            let array = batch.column_by_name(column).unwrap().as_fixed_size_binary().clone();
            (0..array.len()).map(|at| text(array.is_valid(at).then(|| array.value(at)))).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(values).collect()
    }
}

/// A file of the real data, or none where the data are absent: the test is skipped and says so.
pub(crate) fn shared(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(file);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no `{}`", path.display());
    None
}

/// What a program prints; none where it is not installed: the test is skipped and says so.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).env("TZ", "UTC").output() {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {arguments:?} failed: {errors}");
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: `{program}` is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}
