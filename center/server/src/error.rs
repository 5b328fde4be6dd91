//! Why the center does not start, or stops: the operator's errors. What a client did wrong is a `Refusal` (see `refusal.rs`), never one of these.

use std::path::PathBuf;

use iog_keeper::{FileError, KeepError, Unsettled};
use iog_protocol::ids::Digest;

/// An error of the center itself or of how it is set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CenterError {
    /// Operator: a file cannot be read or written.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// `read`, `write`, `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Operator: the configuration is wrong.
    #[error("configuration `{}` is wrong: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong; names the key.
        reason: String,
    },
    /// Operator: what was given to `init` does not make a genesis.
    #[error("cannot make a genesis: {reason}")]
    Init {
        /// What is wrong.
        reason: String,
    },
    /// Operator: a folder already holds a center.
    #[error("`{}` already exists; a center is never initialised over another", path.display())]
    AlreadyInitialised {
        /// The file that was found.
        path: PathBuf,
    },
    /// Operator: another process serves this center.
    #[error("another process holds `{}`; only one may write the log", path.display())]
    Running {
        /// The lock file.
        path: PathBuf,
    },
    /// Operator: a key file does not hold a key of its kind.
    #[error("key file `{}` does not hold {expected}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// Operator: a key is not the one the registry names.
    #[error("the {role} key in `keys/` is not the one the registry names")]
    ForeignKey {
        /// `log`, `approval`, `token`, `certificate authority`.
        role: &'static str,
    },
    /// Root holders: the genesis is not signed by enough of them yet, or is not a genesis.
    #[error("genesis `{}` cannot be used: {reason}", path.display())]
    Genesis {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Operator or attacker: the stored log is not the one this center signed.
    #[error("the stored log is not the one that was signed: {reason}")]
    Log {
        /// What differs.
        reason: String,
    },
    /// Operator: a module file of the registry is missing or altered.
    #[error("module file `{digest}` is missing or altered")]
    Blob {
        /// Its digest.
        digest: Digest,
    },
    /// Operator: the database failed.
    #[error("the database failed while {action}")]
    Database {
        /// What was being done.
        action: &'static str,
        /// The database's answer.
        source: sqlx::Error,
    },
    /// Operator: a database record that this center wrote cannot be read back.
    #[error("database record `{record}` is malformed")]
    Record {
        /// Table and key.
        record: String,
    },
    /// Operator: certificates or TLS.
    #[error("transport: {0}")]
    Transport(#[from] iog_transport::TransportError),
    /// Operator: the machine gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] iog_machine::NoEntropy),
    /// Ours: the center has stopped writing its log, after a failure that was logged.
    #[error("the center has stopped writing its log")]
    Stopped,
    /// Whoever asked for an invitation: its content is wrong.
    #[error("cannot make an invitation: {reason}")]
    Invitation {
        /// What is wrong.
        reason: String,
    },
}

impl CenterError {
    pub(crate) fn database(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { action, source }
    }
}

impl From<FileError> for CenterError {
    fn from(FileError { action, path, source }: FileError) -> Self {
        Self::File { action, path, source }
    }
}

impl From<KeepError<Self>> for CenterError {
    fn from(error: KeepError<Self>) -> Self {
        match error {
            KeepError::Storage(error) => error,
            KeepError::Beside(error) => error.into(),
        }
    }
}

impl From<Unsettled> for CenterError {
    fn from(_: Unsettled) -> Self {
        Self::Stopped
    }
}
