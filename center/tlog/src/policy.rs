//! Witness policies (C2SP tlog-policy): which logs are known and how many of which witnesses must have cosigned a head.
//! One vote per organisation is expressed with groups; this file must not invent votes beyond what the text names.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::key::{KeyError, VerifierKey};
use crate::note::{Note, VerifiedNote};
use crate::note_error::NoteError;
use thiserror::Error;

/// Longest policy text, in bytes.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;
/// Most logs, witnesses or groups of a policy (the specification asks for at least 32 of each).
pub const MAX_ITEMS: usize = 256;

/// A policy that cannot be used (its author's fault) or a head that does not meet it (the log's fault).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Longer than [`MAX_POLICY_BYTES`] or more than [`MAX_ITEMS`] of one kind.
    #[error("policy is too large")]
    TooLarge,
    /// A control character other than tab and newline, or no newline at the end.
    #[error("policy has a control character or does not end in a newline")]
    Characters,
    /// A line that is not one of `log`, `witness`, `group`, `quorum`, or lacks fields.
    #[error("line {0} of the policy is malformed")]
    Line(usize),
    /// A key of the wrong kind or misspelled.
    #[error("key in line {line} of the policy is unusable")]
    Key {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        source: KeyError,
    },
    /// A key of a kind that cannot play this part.
    #[error("key in line {0} of the policy is of the wrong kind")]
    KeyKind(usize),
    /// The same public key twice.
    #[error("key in line {0} of the policy was listed before")]
    DuplicateKey(usize),
    /// A name defined twice, or the reserved name `none`.
    #[error("name `{0}` is defined twice or reserved")]
    DuplicateName(String),
    /// A name that no line before defines.
    #[error("name `{0}` is not defined on a line before")]
    UnknownName(String),
    /// A name that is a member of two groups.
    #[error("name `{0}` is a member twice")]
    DuplicateMember(String),
    /// A threshold of 0 or above the number of members.
    #[error("threshold in line {0} of the policy is not between 1 and the number of members")]
    Threshold(usize),
    /// No quorum line, or more than one.
    #[error("policy does not have exactly one quorum line")]
    Quorum,
    /// The head is not a valid checkpoint of a known log.
    #[error("checkpoint is not one of a log the policy names")]
    Checkpoint(#[from] CheckpointError),
    /// Too few of the required witnesses cosigned.
    #[error("checkpoint of `{0}` lacks the quorum of witnesses")]
    NoQuorum(String),
}

/// A log the policy accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key; the name is the origin.
    pub key: VerifierKey,
    /// Where to find it, if said.
    pub url: Option<String>,
}

/// A witness the policy knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its name within the policy.
    pub name: String,
    /// Its cosigning key.
    pub key: VerifierKey,
    /// Where to submit checkpoints to it, if said.
    pub url: Option<String>,
}

/// Who must have cosigned. Indexes point into the policy's lists, always to earlier lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    None,
    Witness(usize),
    Group { threshold: usize, members: Vec<Self> },
}

/// A parsed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(crate) logs: Vec<PolicyLog>,
    pub(crate) witnesses: Vec<PolicyWitness>,
    pub(crate) quorum: Rule,
}

impl Policy {
    /// The logs accepted, in file order.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses known, in file order. Not all of them need be part of the quorum.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether the policy asks for no witness at all; then say "no independent witness" wherever it is shown.
    pub fn is_unwitnessed(&self) -> bool {
        self.quorum == Rule::None
    }

    /// Reads a checkpoint of a log of the policy and checks that the quorum cosigned it.
    ///
    /// # Errors
    /// [`PolicyError::Checkpoint`], [`PolicyError::NoQuorum`].
    pub fn open(&self, bytes: &[u8]) -> Result<Witnessed, PolicyError> {
        let note = Note::parse(bytes).map_err(CheckpointError::from)?;
        let origin = note.text.split('\n').next().unwrap_or_default();
        let signed = |log: &&PolicyLog| note.signatures.iter().any(|line| log.key.claims(line));
        let log = self.logs.iter().filter(|log| log.key.name() == origin).find(signed);
        let log = log.ok_or(CheckpointError::Note(NoteError::NoKnownSignature))?;
        self.open_log(bytes, &log.key)
    }

    /// As [`Policy::open`] for a log known from elsewhere (a policy need not list logs).
    ///
    /// # Errors
    /// As [`Policy::open`].
    pub fn open_log(&self, bytes: &[u8], log: &VerifierKey) -> Result<Witnessed, PolicyError> {
        let keys: Vec<VerifierKey> = self.witnesses.iter().map(|witness| witness.key.clone()).collect();
        let (checkpoint, note) = Checkpoint::open_with(bytes, log, &keys)?;
        let times: Vec<Option<u64>> = keys.iter().map(|key| cosigned_at(&note, key)).collect();
        if !holds(&self.quorum, &times, 0) {
            return Err(PolicyError::NoQuorum(checkpoint.origin));
        }
        let fresh_at = latest(&self.quorum, &times);
        Ok(Witnessed { checkpoint, fresh_at, note })
    }
}

/// A head whose quorum of witnesses cosigned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    checkpoint: Checkpoint,
    fresh_at: Option<u64>,
    note: VerifiedNote,
}

impl Witnessed {
    /// The head.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Latest time (POSIX seconds) at or after which a whole quorum cosigned; `None` if the policy asks for no witness.
    pub fn fresh_at(&self) -> Option<u64> {
        self.fresh_at
    }

    /// The signatures that verified: the log's and those of known witnesses.
    pub fn note(&self) -> &VerifiedNote {
        &self.note
    }
}

fn cosigned_at(note: &VerifiedNote, key: &VerifierKey) -> Option<u64> {
    note.signatures().iter().find(|signature| signature.key() == key)?.time()
}

/// Whether the rule holds with the cosignatures at or after `since`.
fn holds(rule: &Rule, times: &[Option<u64>], since: u64) -> bool {
    match rule {
        Rule::None => true,
        Rule::Witness(index) => times[*index].is_some_and(|time| time >= since),
        Rule::Group { threshold, members } => {
            members.iter().filter(|member| holds(member, times, since)).count() >= *threshold
        }
    }
}

fn latest(rule: &Rule, times: &[Option<u64>]) -> Option<u64> {
    let fresh = times.iter().flatten().copied().filter(|time| holds(rule, times, *time)).max();
    fresh.filter(|_| *rule != Rule::None)
}
