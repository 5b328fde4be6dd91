//! The body of a witness's `add-checkpoint` request (C2SP tlog-witness v1.0.0) and the name a witness serves a log under.
//! Deciding (known log, stored size, consistency) belongs to the witness; this file only reads and writes.

use crate::hash::Hash;
use crate::note::Note;
use crate::note_error::{MAX_NOTE_BYTES, NoteError};
use crate::text::{TextError, parse_decimal, to_hex};
use sha2::{Digest as _, Sha256};
use std::fmt;
use thiserror::Error;

/// Most consistency hashes a request may carry.
pub const MAX_CONSISTENCY_HASHES: usize = 63;
/// Longest request body accepted, in bytes.
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES + 4 * 1024;

/// A request that cannot be read. The log that sent it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddCheckpointError {
    /// Longer than [`MAX_REQUEST_BYTES`], or more than 63 hashes.
    #[error("witness request is too long")]
    TooLong,
    /// Not of the form old size, hashes, empty line, checkpoint.
    #[error("witness request is not of the form old size, hashes, checkpoint")]
    Form,
    /// A field is misspelled.
    #[error("line {line} of the witness request is misspelled")]
    Spelling {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        source: TextError,
    },
    /// The checkpoint is not a signed note.
    #[error("checkpoint of the witness request is malformed")]
    Note(#[from] NoteError),
}

/// A log's request to have a checkpoint cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the last checkpoint the witness cosigned, as the log believes; 0 if none.
    pub old_size: u64,
    /// Consistency proof from that size to the checkpoint's.
    pub proof: Vec<Hash>,
    /// The checkpoint, its signatures not verified yet.
    pub checkpoint: Note,
}

impl AddCheckpoint {
    /// Reads a request body.
    ///
    /// # Errors
    /// [`AddCheckpointError`] naming what is malformed.
    pub fn parse(body: &[u8]) -> Result<Self, AddCheckpointError> {
        if body.len() > MAX_REQUEST_BYTES {
            return Err(AddCheckpointError::TooLong);
        }
        let text = std::str::from_utf8(body).map_err(|_| AddCheckpointError::Form)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(AddCheckpointError::Form)?;
        let mut lines = head.split('\n').zip(1..);
        let old = lines.next().and_then(|(line, _)| line.strip_prefix("old ")).ok_or(AddCheckpointError::Form)?;
        let old_size = parse_decimal(old).map_err(|source| AddCheckpointError::Spelling { line: 1, source })?;
        let mut proof = Vec::new();
        for (text, line) in lines {
            if proof.len() == MAX_CONSISTENCY_HASHES {
                return Err(AddCheckpointError::TooLong);
            }
            proof.push(Hash::from_base64(text).map_err(|source| AddCheckpointError::Spelling { line, source })?);
        }
        Ok(Self { old_size, proof, checkpoint: Note::parse(checkpoint.as_bytes())? })
    }
}

impl fmt::Display for AddCheckpoint {
    /// The request body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Lower-case hexadecimal SHA-256 of an origin: where a witness serves its last cosigned checkpoint of that log.
pub fn origin_hash(origin: &str) -> String {
    to_hex(&Sha256::digest(origin))
}
