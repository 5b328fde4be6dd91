//! Why the gateway's database cannot be used.

use std::path::PathBuf;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it; two writers would fork the receipt log.
    #[error("`{path}` is in use by another gateway; stop that one first")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// A newer version of the gateway wrote it.
    #[error("the journal `{path}` has version {found}, this gateway knows up to {known}; use a newer gateway")]
    TooNew {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version this gateway knows.
        known: usize,
    },
    /// SQLite found the file damaged.
    #[error("the journal `{path}` is damaged: {report}; restore it from a copy")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the check said.
        report: String,
    },
    /// The file system refused.
    #[error("cannot use `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The database refused: full disk, lost file, wrong rights.
    #[error("the journal did not answer")]
    Database(#[from] sqlx::Error),
}

/// What is stored and cannot be what this gateway wrote.
pub(crate) fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    sqlx::Error::Decode(Box::new(error)).into()
}
