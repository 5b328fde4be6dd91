//! A request, its answer and its receipt as one file: everything an offline verification needs beside the registry.

use std::path::{Path, PathBuf};

use iog_client::gateway::SignedRun;
use iog_protocol::api::Base64Bytes;
use iog_protocol::ids::DomainId;
use iog_protocol::run::RunAnswer;
use iog_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use iog_home::{Home, HomeError};

/// The version of the file's form.
pub const VERSION: u32 = 1;

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

/// The bundles of a file, of a call's folder or of all calls, sorted by path.
///
/// # Errors
/// [`HomeError`].
pub fn list(place: &Path) -> Result<Vec<PathBuf>, HomeError> {
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let io = |source| HomeError::Io { action: "list", path: place.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            found.extend(list(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
