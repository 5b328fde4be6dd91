//! The file beside the database with the last signed head, so that an older copy of the database is noticed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iog_machine::files::{self, Readers};

/// Bytes of a head at most.
const HEAD_BYTES_MAX: u64 = 256 * 1024;

/// The file cannot be read or written; the operator's.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", path.display())]
pub struct FileError {
    /// `read` or `write`.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

/// The last head that was signed; `None` before the first.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match files::read(path, HEAD_BYTES_MAX) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError { action: "read", path: path.to_owned(), source }),
    }
}

/// Replaces the head; durable once this returns.
pub(crate) async fn write(path: &Path, note: &Arc<[u8]>) -> Result<(), FileError> {
    let (target, bytes) = (path.to_owned(), Arc::clone(note));
    let written = tokio::task::spawn_blocking(move || files::replace(&target, &bytes, Readers::All)).await;
    let failed = |source| FileError { action: "write", path: path.to_owned(), source };
    written.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)
}
