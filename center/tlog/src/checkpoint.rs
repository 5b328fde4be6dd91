//! Checkpoints (C2SP tlog-checkpoint v1.0.0): the signed head of a log.
//! A checkpoint that was only parsed is a claim; [`Checkpoint::open`] is the door that verifies.

use crate::hash::{Hash, empty_root};
use crate::key::{KeyKind, NoteSigner, VerifierKey, check_name};
use crate::note::{Note, VerifiedNote};
use crate::note_error::NoteError;
use crate::text::{TextError, parse_decimal};
use thiserror::Error;

/// A checkpoint that cannot be read (the log's fault) or is not the log's (the server's fault).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// The signed note around it fails.
    #[error("checkpoint is not a valid signed note")]
    Note(#[from] NoteError),
    /// Fewer than three lines, an empty line, or no final newline.
    #[error("checkpoint is not of the form origin, size, root")]
    Form,
    /// The origin is not a valid key name.
    #[error("checkpoint origin is empty, too long or has spaces")]
    Origin,
    /// The size or root is misspelled.
    #[error("checkpoint of `{origin}` is misspelled")]
    Spelling {
        /// Origin line.
        origin: String,
        /// What is wrong.
        source: TextError,
    },
    /// Size zero with a root that is not the empty tree's.
    #[error("checkpoint of `{0}` has size 0 but another root than the empty tree")]
    EmptyRoot(String),
    /// Signed by a known log, but for another origin.
    #[error("checkpoint is of `{found}`, not of `{expected}`")]
    OtherOrigin {
        /// Origin of the log key.
        expected: String,
        /// Origin in the checkpoint.
        found: String,
    },
    /// The key given is not a log key (type `0x01`).
    #[error("key `{0}` is of a kind that signs no checkpoints")]
    NotALogKey(String),
}

/// Head of a log: origin, number of entries and Merkle root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Identity of the log: the name of its key.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root over those entries.
    pub root: Hash,
    /// Further non-empty lines (not recommended by the specification; kept because they are signed).
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// A head without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// The text that gets signed.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64());
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Reads a checkpoint text (no signatures).
    ///
    /// # Errors
    /// [`CheckpointError`] naming what is malformed.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Form)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Form);
        };
        check_name(origin).map_err(|_| CheckpointError::Origin)?;
        let spelling = |source| CheckpointError::Spelling { origin: origin.to_owned(), source };
        let size = parse_decimal(size).map_err(spelling)?;
        let root = Hash::from_base64(root).map_err(spelling)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(|line| line.is_empty() || line.contains(char::is_control)) {
            return Err(CheckpointError::Form);
        }
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::EmptyRoot(origin.to_owned()));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// The note a log serves: this checkpoint signed by the log. The signer's name must be the origin, else nobody accepts it.
    pub fn sign(&self, signer: &NoteSigner) -> Vec<u8> {
        let text = self.to_text();
        let signature = signer.sign(&text);
        Note { text, signatures: vec![signature] }.to_bytes()
    }

    /// Reads a served checkpoint and verifies that the log of this key signed it for its own origin.
    ///
    /// # Errors
    /// [`CheckpointError`]: malformed, not signed by the key, or of another origin.
    pub fn open(bytes: &[u8], log: &VerifierKey) -> Result<Self, CheckpointError> {
        Self::open_with(bytes, log, &[]).map(|(checkpoint, _)| checkpoint)
    }

    /// As [`Checkpoint::open`], verifying the cosignatures of these cosigners too. Which of them are missing is the caller's
    /// to judge (see [`crate::Policy`]).
    ///
    /// # Errors
    /// As [`Checkpoint::open`]; a false cosignature of a known cosigner spoils the checkpoint.
    pub fn open_with(
        bytes: &[u8],
        log: &VerifierKey,
        cosigners: &[VerifierKey],
    ) -> Result<(Self, VerifiedNote), CheckpointError> {
        if log.kind() != KeyKind::Ed25519 {
            return Err(CheckpointError::NotALogKey(log.name().to_owned()));
        }
        let mut keys = vec![log.clone()];
        keys.extend_from_slice(cosigners);
        let note = Note::parse(bytes)?.verify(&keys)?;
        if !note.signed_by(log) {
            return Err(NoteError::NoKnownSignature.into());
        }
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != log.name() {
            let (expected, found) = (log.name().to_owned(), checkpoint.origin);
            return Err(CheckpointError::OtherOrigin { expected, found });
        }
        Ok((checkpoint, note))
    }
}
