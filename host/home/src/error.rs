//! Why a home cannot be used.

use std::io;
use std::path::PathBuf;

use iog_protocol::ids::DomainId;

/// Why a home cannot be used; the operator has to look at the file named.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The folder is not a home.
    #[error("`{path}` is not the home of a domain; name yours, or make one with `iog enroll`")]
    NotAHome {
        /// The folder.
        path: PathBuf,
    },
    /// There is a domain already.
    #[error("`{path}` is already the home of domain `{domain}`")]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        domain: DomainId,
    },
    /// The file system refused.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{path}` is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}
