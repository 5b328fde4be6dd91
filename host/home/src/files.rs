//! The files of a home, read whole within a bound and replaced as a whole, with errors that name them.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use iog_machine::files;
pub use iog_machine::files::Readers;

use crate::error::HomeError;

/// Bytes any file of the home may have that is read whole.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// Writes a file as a whole: a temporary neighbour, made durable, then renamed over it.
///
/// # Errors
/// [`HomeError::Io`]; the old file is there then.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), HomeError> {
    files::replace(path, bytes, readers).map_err(failed("write", path))
}

/// Reads a file whole, up to [`FILE_BYTES_MAX`].
///
/// # Errors
/// [`HomeError::Io`].
pub fn read(path: &Path) -> Result<Vec<u8>, HomeError> {
    files::read(path, FILE_BYTES_MAX).map_err(failed("read", path))
}

/// Reads a text whole, up to [`FILE_BYTES_MAX`].
///
/// # Errors
/// [`HomeError`].
pub fn read_text(path: &Path) -> Result<String, HomeError> {
    String::from_utf8(read(path)?).map_err(|_| damaged(path, "it is not UTF-8"))
}

/// Reads a JSON file, up to [`FILE_BYTES_MAX`].
///
/// # Errors
/// [`HomeError`].
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, HomeError> {
    serde_json::from_slice(&read(path)?).map_err(|e| damaged(path, e))
}

/// Writes a JSON file as a whole.
///
/// # Errors
/// [`HomeError`]; the old file is there then.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), HomeError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|e| damaged(path, e))?;
    write(path, &bytes, Readers::All)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::Io { action, path, source }
}

fn damaged(path: &Path, problem: impl ToString) -> HomeError {
    HomeError::Damaged { path: path.to_owned(), problem: problem.to_string() }
}
