//! The files of a replica: checkpoint, entry bundles, hash tiles, `state.json`, and the lock that lets several processes share
//! one directory. Files are replaced whole and read bounded.
//! What they say is not judged here.

use super::ReplicaError;
use iog_machine::files::{self, Readers};
use iog_protocol::ids::Digest;
use iog_tlog::{MAX_NOTE_BYTES, VerifierKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub(super) const CHECKPOINT: &str = "checkpoint";
const STATE: &str = "state.json";
const LOCK: &str = "lock";
const STATE_BYTES_MAX: usize = 16 * 1024;
const STATE_VERSION: u32 = 1;

/// What a replica remembers beside the log itself. Nothing in it is trusted: it says when, never what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// Genesis the replica is pinned to.
    genesis: Digest,
    /// Log key (verifier key text) the replica is pinned to.
    log_key: String,
    /// When the center last confirmed this head, POSIX seconds.
    pub(super) synced: i64,
}

impl State {
    pub(super) fn new(genesis: Digest, log_key: &VerifierKey, synced: i64) -> Self {
        Self { version: STATE_VERSION, genesis, log_key: log_key.to_string(), synced }
    }
}

/// One replica's directory.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    root: PathBuf,
}

/// The directory's lock; dropping it gives the lock back.
pub(super) struct Locked(#[expect(dead_code, reason = "held for its drop")] File);

impl Disk {
    /// Uses the directory, creating it if it is missing.
    pub(super) fn open(root: &Path) -> Result<Self, ReplicaError> {
        fs::create_dir_all(root).map_err(|source| ReplicaError::disk("create", root, source))?;
        Ok(Self { root: root.to_owned() })
    }

    /// Waits until no other process writes.
    pub(super) fn lock_shared(&self) -> Result<Locked, ReplicaError> {
        self.lock(File::lock_shared)
    }

    /// Waits until no other process reads or writes.
    pub(super) fn lock_exclusive(&self) -> Result<Locked, ReplicaError> {
        self.lock(File::lock)
    }

    fn lock(&self, take: impl Fn(&File) -> io::Result<()>) -> Result<Locked, ReplicaError> {
        let path = self.root.join(LOCK);
        let opened = File::options().create(true).truncate(false).write(true).read(true).open(&path);
        let locked = opened.and_then(|file| take(&file).map(|()| file));
        locked.map(Locked).map_err(|source| ReplicaError::disk("lock", &path, source))
    }

    /// The checkpoint, if there is one.
    pub(super) fn checkpoint(&self) -> Result<Option<Vec<u8>>, ReplicaError> {
        self.read(CHECKPOINT, MAX_NOTE_BYTES)
    }

    /// The remembered state, if there is one of a version this code knows.
    pub(super) fn state(&self) -> Result<Option<State>, ReplicaError> {
        let Some(bytes) = self.read(STATE, STATE_BYTES_MAX)? else { return Ok(None) };
        let state: State = serde_json::from_slice(&bytes).map_err(|_| self.corrupt(STATE))?;
        Ok(Some(state).filter(|state| state.version == STATE_VERSION))
    }

    /// Remembers the state.
    pub(super) fn write_state(&self, state: &State) -> Result<(), ReplicaError> {
        let bytes = serde_json::to_vec_pretty(state).map_err(|_| self.corrupt(STATE))?;
        self.write(STATE, &bytes)
    }

    /// Reads a file of at most `bytes_max` bytes; `None` if it does not exist.
    pub(super) fn read(&self, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, ReplicaError> {
        let path = self.root.join(name);
        match files::read(&path, bytes_max as u64) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(self.corrupt(name)),
            Err(source) => Err(ReplicaError::disk("read", &path, source)),
        }
    }

    /// The files directly in the directory whose names begin with `prefix`.
    pub(super) fn names(&self, prefix: &str) -> Result<Vec<String>, ReplicaError> {
        let failed = |source| ReplicaError::disk("read", &self.root, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().filter(|name| name.starts_with(prefix)).map(str::to_owned));
        }
        Ok(names)
    }

    /// Writes a file atomically and durably.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ReplicaError> {
        self.write_all(&[(name.to_owned(), bytes.to_vec())])
    }

    /// Writes files, each atomically and all of them durably; each folder is waited for once.
    pub(super) fn write_all(&self, files: &[(String, Vec<u8>)]) -> Result<(), ReplicaError> {
        let Some((first, _)) = files.first() else { return Ok(()) };
        let files: Vec<_> = files.iter().map(|(name, bytes)| (self.root.join(name), bytes.as_slice())).collect();
        self.replace_all(&files).map_err(|source| ReplicaError::disk("write", &self.root.join(first), source))
    }

    fn replace_all(&self, files: &[(PathBuf, &[u8])]) -> io::Result<()> {
        let folders: BTreeSet<&Path> = files.iter().filter_map(|(path, _)| path.parent()).collect();
        folders.iter().try_for_each(fs::create_dir_all)?;
        files::replace_all(files, Readers::All)?;
        // Folders made on the way are on disk only when those above them are.
        let above: BTreeSet<&Path> = folders.iter().flat_map(|folder| folder.ancestors().skip(1)).collect();
        above.into_iter().filter(|folder| folder.starts_with(&self.root)).try_for_each(files::sync_folder)
    }

    /// Makes the names of files durable that are there already.
    pub(super) fn settle(&self, names: &[String]) -> Result<(), ReplicaError> {
        let paths: Vec<PathBuf> = names.iter().map(|name| self.root.join(name)).collect();
        let folders: BTreeSet<&Path> = paths.iter().flat_map(|path| path.ancestors().skip(1)).collect();
        let mut own = folders.into_iter().filter(|folder| folder.starts_with(&self.root));
        own.try_for_each(|folder| files::sync_folder(folder).map_err(|e| ReplicaError::disk("write", folder, e)))
    }

    /// Removes a partial tile that a wider one replaces. It is only a matter of space, so nothing fails.
    pub(super) fn remove_partial(&self, name: &str) {
        let path = self.root.join(name);
        if fs::remove_file(&path).is_ok()
            && let Some(folder) = path.parent()
        {
            let _ = fs::remove_dir(folder);
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn corrupt(&self, name: &str) -> ReplicaError {
        ReplicaError::Corrupt { path: self.root.join(name) }
    }
}
