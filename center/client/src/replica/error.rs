//! Why a replica could not be opened or brought up to date. Each variant says whose fault it is.

use crate::error::ClientError;
use iog_protocol::ids::Digest;
use iog_tlog::{BundleError, CheckpointError, PolicyError};
use std::io;
use std::path::{Path, PathBuf};

/// A failure of a replica. After any of them the replica still holds what it held before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    /// Ours: the directory cannot be used.
    #[error("cannot {action} `{}`", path.display())]
    Disk {
        /// What was tried: `create`, `lock`, `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Ours: a file of the replica is damaged or missing. Delete the directory and synchronise again.
    #[error("`{}` of the replica is damaged or missing", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// Ours: the directory holds another log than the pinned one.
    #[error("replica `{}` is not of the pinned log", path.display())]
    OtherLog {
        /// The checkpoint file.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// Ours: the background task that writes was cut off.
    #[error("the replica's writer was cut off")]
    Interrupted,
    /// The center is away, or it answered with something that is not an answer. Go on with what is held.
    #[error("the center's log cannot be fetched")]
    Fetch(#[from] ClientError),
    /// The center's fault: its checkpoint is malformed or not signed by the pinned log key.
    #[error("the center's checkpoint is not the pinned log's")]
    Checkpoint(#[from] CheckpointError),
    /// The center's fault: the log has no genesis yet.
    #[error("the center's log is empty")]
    Empty,
    /// The center's fault: entry 0 is not the pinned genesis.
    #[error("the log does not begin with the pinned genesis `{pinned}`")]
    Genesis {
        /// Digest pinned.
        pinned: Digest,
        /// Why the entry was refused.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The center's fault: it offers an earlier head than the one held.
    #[error("the center offers a log of {offered_size} entries after one of {held_size}")]
    Rollback {
        /// Entries held.
        held_size: u64,
        /// Entries offered.
        offered_size: u64,
        /// Signed checkpoint held.
        held: Vec<u8>,
        /// Signed checkpoint offered.
        offered: Vec<u8>,
        /// The file with both, where it could be written.
        evidence: Option<PathBuf>,
    },
    /// The log key's holder signed two histories. The two checkpoints are the proof: keep and publish them.
    #[error("the log forked: its head of {offered_size} entries does not extend the one of {held_size} held")]
    Fork {
        /// Entries held.
        held_size: u64,
        /// Entries offered.
        offered_size: u64,
        /// Signed checkpoint held.
        held: Vec<u8>,
        /// Signed checkpoint offered.
        offered: Vec<u8>,
        /// The file with both, where it could be written.
        evidence: Option<PathBuf>,
    },
    /// The center's fault: an entry bundle is malformed.
    #[error("entry bundle `{path}` is malformed")]
    Bundle {
        /// Path below the log's prefix.
        path: String,
        /// What is wrong.
        source: BundleError,
    },
    /// The center's fault: an entry is not the one the signed log holds at that index.
    #[error("entry {index} served is not the one in the signed log")]
    ReplacedEntry {
        /// Index of the entry.
        index: u64,
    },
    /// The center's fault: what it serves does not lead to the root it signed.
    #[error("the entries served do not lead to the signed root of {size} entries")]
    WrongRoot {
        /// Entries of the signed head.
        size: u64,
    },
    /// The center's fault: a log larger than this version handles.
    #[error("log of {size} entries is larger than the {size_max} accepted")]
    TooLarge {
        /// Entries offered.
        size: u64,
        /// Entries accepted.
        size_max: u64,
    },
    /// The root keys' fault: the genesis names another log key or an unusable witness policy.
    #[error("the genesis contradicts the pinned log: {reason}")]
    GenesisContent {
        /// What is wrong.
        reason: String,
    },
    /// The witnesses' or the center's fault: too few witnesses cosigned the head.
    #[error("the head lacks the cosignatures the genesis asks for")]
    Witnesses(#[source] PolicyError),
}

impl ReplicaError {
    pub(super) fn disk(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Disk { action, path: path.to_owned(), source }
    }

    /// Whether the center was merely away, so that going on with what is held needs no alarm.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Fetch(error) if error.is_away())
    }

    /// The file into which both signed checkpoints of a fork or rollback were written.
    #[must_use]
    pub fn evidence(&self) -> Option<&Path> {
        match self {
            Self::Rollback { evidence, .. } | Self::Fork { evidence, .. } => evidence.as_deref(),
            _ => None,
        }
    }

    /// Whether it shows the center or the log key misbehaving, which an operator must hear about.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        matches!(
            self,
            Self::Rollback { .. }
                | Self::Fork { .. }
                | Self::ReplacedEntry { .. }
                | Self::WrongRoot { .. }
                | Self::Genesis { .. }
        )
    }
}
