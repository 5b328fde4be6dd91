//! Offline proofs that an entry is in a log, as text (C2SP tlog-proof, `c2sp.org/tlog-proof@v1`).
//! The `extra` line is carried, never trusted: it is not authenticated.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::note_error::MAX_NOTE_BYTES;
use crate::proof::{MAX_PROOF_HASHES, ProofError, verify_inclusion};
use crate::text::{TextError, from_base64, parse_decimal, to_base64};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// First line of the format.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Longest decoded `extra`, in bytes.
pub const MAX_EXTRA_BYTES: usize = 64 * 1024;
/// Longest proof text, in bytes.
pub const MAX_PROOF_TEXT_BYTES: usize = MAX_NOTE_BYTES + MAX_EXTRA_BYTES * 2 + 8 * 1024;

/// A proof that cannot be read or does not prove. Whoever supplied it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InclusionError {
    /// Longer than [`MAX_PROOF_TEXT_BYTES`], or its extra data than [`MAX_EXTRA_BYTES`], or with too many hashes.
    #[error("log proof is too long")]
    TooLong,
    /// Not of the form header, index, hashes, empty line, checkpoint.
    #[error("log proof is not of the form header, index, hashes, checkpoint")]
    Form,
    /// A field is misspelled.
    #[error("line {line} of the log proof is misspelled")]
    Spelling {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        source: TextError,
    },
    /// The checkpoint in it fails.
    #[error("checkpoint of the log proof fails")]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead from the entry to the checkpoint's root.
    #[error("log proof does not hold for this entry")]
    Proof(#[from] ProofError),
}

/// Proof that an entry is in a log: index, path to the root, and the signed head it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Index of the entry, from 0.
    pub index: u64,
    /// Path from the leaf's sibling to the root's child.
    pub hashes: Vec<Hash>,
    /// The checkpoint, verbatim with all its signatures.
    pub checkpoint: Vec<u8>,
    /// Opaque data of the application, not authenticated.
    pub extra: Option<Vec<u8>>,
}

impl InclusionProof {
    /// A proof without extra data.
    pub fn new(index: u64, hashes: Vec<Hash>, checkpoint: Vec<u8>) -> Self {
        Self { index, hashes, checkpoint, extra: None }
    }

    /// Verifies that the log of this key signed the head and that the leaf is in it; gives the head.
    ///
    /// # Errors
    /// [`InclusionError::Checkpoint`], [`InclusionError::Proof`].
    pub fn verify(&self, log: &VerifierKey, leaf: &Hash) -> Result<Checkpoint, InclusionError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, log)?;
        self.verify_in(&checkpoint, leaf)?;
        Ok(checkpoint)
    }

    /// Verifies the path only, against a head the caller has verified already.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify_in(&self, head: &Checkpoint, leaf: &Hash) -> Result<(), ProofError> {
        verify_inclusion(leaf, self.index, head.size, &self.hashes, &head.root)
    }
}

impl fmt::Display for InclusionProof {
    /// The proof text. A checkpoint that is not UTF-8 (which no parser here yields) cannot be written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", hash.to_base64())?;
        }
        writeln!(f)?;
        f.write_str(std::str::from_utf8(&self.checkpoint).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for InclusionProof {
    type Err = InclusionError;

    fn from_str(text: &str) -> Result<Self, InclusionError> {
        if text.len() > MAX_PROOF_TEXT_BYTES {
            return Err(InclusionError::TooLong);
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(InclusionError::Form)?;
        if checkpoint.is_empty() {
            return Err(InclusionError::Form);
        }
        let mut lines = head.split('\n').zip(1..).peekable();
        if lines.next().map(|(line, _)| line) != Some(HEADER) {
            return Err(InclusionError::Form);
        }
        let extra = lines.next_if(|(line, _)| line.starts_with("extra "));
        let extra = extra.map(|(line, number)| parse_extra(line, number)).transpose()?;
        let (index, number) = lines.next().ok_or(InclusionError::Form)?;
        let index = index.strip_prefix("index ").ok_or(InclusionError::Form)?;
        let index = parse_decimal(index).map_err(|source| InclusionError::Spelling { line: number, source })?;
        let mut hashes = Vec::new();
        for (line, number) in lines {
            if hashes.len() == MAX_PROOF_HASHES {
                return Err(InclusionError::TooLong);
            }
            let hash = Hash::from_base64(line);
            hashes.push(hash.map_err(|source| InclusionError::Spelling { line: number, source })?);
        }
        Ok(Self { index, hashes, checkpoint: checkpoint.as_bytes().to_vec(), extra })
    }
}

fn parse_extra(line: &str, number: usize) -> Result<Vec<u8>, InclusionError> {
    let encoded = line.strip_prefix("extra ").ok_or(InclusionError::Form)?;
    let extra = from_base64(encoded).map_err(|source| InclusionError::Spelling { line: number, source })?;
    if extra.len() > MAX_EXTRA_BYTES { Err(InclusionError::TooLong) } else { Ok(extra) }
}
