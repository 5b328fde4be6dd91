//! A request, its answer and its receipt as one file: everything an offline verification needs beside the registry.

use std::path::{Path, PathBuf};

use iog_client::gateway::SignedRun;
use iog_machine::walk::{Bounds, WalkError, walk};
use iog_protocol::api::Base64Bytes;
use iog_protocol::ids::DomainId;
use iog_protocol::run::RunAnswer;
use iog_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use iog_home::{Home, HomeError};

/// The version of the file's form.
pub const VERSION: u32 = 1;

/// Receipts that are looked at at once: years of calls, in a folder for each call. Bundles have a few KiB each.
const WALK: Bounds = Bounds { depth_max: 4, entries_max: 1_000_000, bytes_max: 64 << 30 };

/// One answer with the request it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`VERSION`].
    pub version: u32,
    /// The gateway's domain.
    pub domain: DomainId,
    /// The signed request (DSSE JSON).
    pub request: Base64Bytes,
    /// The answer with result and receipt, as the gateway sent it.
    pub answer: RunAnswer,
}

/// A new folder for the bundles of one call: its time, and some random digits against collisions.
///
/// # Errors
/// [`HomeError`].
pub fn folder(home: &Home, now: Timestamp, random: &[u8; 16]) -> Result<PathBuf, HomeError> {
    let time: String = now.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    let path = home.receipts_folder().join(format!("{time}-{}", hex::encode(&random[..4])));
    std::fs::create_dir_all(&path).map_err(|source| HomeError::Io { action: "make", path: path.clone(), source })?;
    Ok(path)
}

/// Writes one bundle; gives its path.
///
/// # Errors
/// [`HomeError`].
pub fn store(folder: &Path, run: &SignedRun, answer: &RunAnswer) -> Result<PathBuf, HomeError> {
    let bundle = Bundle {
        version: VERSION,
        domain: answer.domain.clone(),
        request: run.envelope.to_bytes().into(),
        answer: answer.clone(),
    };
    let path = folder.join(format!("{}.json", bundle.domain));
    iog_home::files::write_json(&path, &bundle)?;
    Ok(path)
}

/// Reads one bundle.
///
/// # Errors
/// [`HomeError`].
pub fn read(path: &Path) -> Result<Bundle, HomeError> {
    let bundle: Bundle = iog_home::files::read_json(path)?;
    if bundle.version == VERSION {
        return Ok(bundle);
    }
    let problem = format!("it has version {}, this program knows {VERSION}", bundle.version);
    Err(HomeError::Damaged { path: path.to_owned(), problem })
}

/// The bundles of a file, of a call's folder or of all calls, sorted by path. Links below `place` are not followed.
///
/// # Errors
/// [`HomeError`].
pub fn list(place: &Path) -> Result<Vec<PathBuf>, HomeError> {
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let is_bundle = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let walked = walk(place, WALK).map_err(|error| match error {
        WalkError::Io { path, source } => HomeError::Io { action: "list", path, source },
        other => HomeError::Damaged { path: place.to_owned(), problem: other.to_string() },
    })?;
    for path in walked.left.iter().filter(|path| is_bundle(path)) {
        tracing::warn!(path = %path.display(), "a link is not followed and not a bundle");
    }
    Ok(walked.files.into_iter().filter(is_bundle).collect())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Links round and round: forty of them, each to the folder itself. Whoever followed them would list 40^40 paths.
    #[test]
    fn a_folder_of_links_is_listed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one.json"), "{}").unwrap();
        for number in 0..40 {
            symlink(folder.path(), folder.path().join(format!("call-{number}"))).unwrap();
        }
        symlink("/etc/hostname", folder.path().join("other.json")).unwrap();
        assert_eq!(list(folder.path()).unwrap(), [folder.path().join("one.json")]);
    }
}
