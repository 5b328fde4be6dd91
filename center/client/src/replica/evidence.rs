//! The proof of a fork or rollback, kept beside the log: both signed checkpoints in one file, for people to publish. It
//! judges nothing and never replaces what is held.

use super::ReplicaError;
use super::disk::Disk;
use iog_protocol::time::Timestamp;
use std::path::PathBuf;

/// Files kept at most, so that a center cannot fill the disk with contradictions. The first are as good a proof as any.
const FILES_MAX: usize = 64;
/// Bytes of one file: two notes and a few words.
const BYTES_MAX: usize = 2 * iog_tlog::MAX_NOTE_BYTES + 4096;

/// Writes what the error proves into the replica's folder and notes in the error where.
pub(super) fn keep(disk: &Disk, mut error: ReplicaError, now: Timestamp) -> ReplicaError {
    let said = error.to_string();
    let (ReplicaError::Fork { held, offered, evidence: kept, .. }
    | ReplicaError::Rollback { held, offered, evidence: kept, .. }) = &mut error
    else {
        return error;
    };
    // A disk that refuses must not hide the alarm; the error still carries both checkpoints.
    *kept = write(disk, &text(&said, held, offered), now).unwrap_or_default();
    error
}

fn text(said: &str, held: &[u8], offered: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 6] = [said.as_bytes(), b"\n\n--- held ---\n", held, b"\n--- offered ---\n", offered, b""];
    parts.concat()
}

fn write(disk: &Disk, text: &[u8], now: Timestamp) -> Result<Option<PathBuf>, ReplicaError> {
    let _lock = disk.lock_exclusive()?;
    let names = disk.names("evidence-")?;
    // Seen again at every synchronisation, it is still the same proof.
    for name in &names {
        if disk.read(name, BYTES_MAX)?.as_deref() == Some(text) {
            return Ok(Some(disk.path(name)));
        }
    }
    let stamp: String = now.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    let free = (1..).map(|number| match number {
        1 => format!("evidence-{stamp}.txt"),
        number => format!("evidence-{stamp}-{number}.txt"),
    });
    let Some(name) = free.take(FILES_MAX).find(|name| !names.contains(name)).filter(|_| names.len() < FILES_MAX) else {
        return Ok(None);
    };
    disk.write(&name, text)?;
    Ok(Some(disk.path(&name)))
}
