//! Why a configuration cannot be used, in words for the operator: key, problem, remedy. It knows no table of the file.

use std::path::PathBuf;

/// Why a configuration cannot be used; the operator has to mend the file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than any configuration.
    #[error("the configuration `{path}` has more than {bytes_max} bytes; is it the right file?")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes it may have.
        bytes_max: u64,
    },
    /// It is not TOML, or a key is unknown, missing or of another type.
    #[error("the configuration does not parse: {message}")]
    Syntax {
        /// Line, key and what was expected.
        message: String,
    },
    /// A value cannot be used.
    #[error("`{key}`: {problem}; {remedy}")]
    Value {
        /// The key with its tables, for example `service.traceback.bind.flows`.
        key: String,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
}

impl ConfigError {
    pub(super) fn value(key: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Value { key: key.into(), problem: problem.into(), remedy: remedy.into() }
    }
}

/// Refuses a number outside its range.
pub(super) fn within(key: &str, found: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(ConfigError::value(key, format!("{found} is out of range"), format!("write a number from {min} to {max}")))
}
