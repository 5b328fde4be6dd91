//! How people name a module: by release or by the digest of its file.

use std::fmt;
use std::str::FromStr;

use iog_protocol::ids::{Digest, ModuleName, ModuleVersion};
use iog_protocol::registry::Registry;
use serde::Deserialize;

/// How a configuration or a caller names a module.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ModuleRef {
    /// A name and a version.
    Release(ModuleName, ModuleVersion),
    /// The SHA-256 of the file.
    Digest(Digest),
}

/// A text that names no module; its writer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no module; write `name@version` or `sha256:<64 hex digits>`")]
pub struct ModuleRefError {
    /// The text.
    pub text: String,
}

impl ModuleRef {
    /// The digest of the file that is meant; `None` where the registry has no such release. A digest stands for itself.
    #[must_use]
    pub fn resolve(&self, registry: &Registry) -> Option<Digest> {
        match self {
            Self::Digest(digest) => Some(*digest),
            Self::Release(name, version) => registry.find(name, Some(version)).map(|record| record.submission.module),
        }
    }
}

impl FromStr for ModuleRef {
    type Err = ModuleRefError;

    fn from_str(text: &str) -> Result<Self, ModuleRefError> {
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        let wrong = || ModuleRefError { text: text.to_owned() };
        let (name, version) = text.split_once('@').ok_or_else(wrong)?;
        match (name.parse(), version.parse()) {
            (Ok(name), Ok(version)) => Ok(Self::Release(name, version)),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for ModuleRef {
    type Error = ModuleRefError;

    fn try_from(text: String) -> Result<Self, ModuleRefError> {
        text.parse()
    }
}

impl fmt::Display for ModuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(name, version) => write!(f, "{name}@{version}"),
            Self::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_release_or_a_digest_and_prints_as_it_was_written() {
        let digest = Digest::of(b"module").to_string();
        for text in ["iog/ip-traceback@1.0.0", digest.as_str()] {
            assert_eq!(text.parse::<ModuleRef>().unwrap().to_string(), text);
        }
        for text in ["", "iog/ip-traceback", "iog/ip-traceback@", "@1.0.0", "sha256:12"] {
            let error = text.parse::<ModuleRef>().unwrap_err();
            assert!(error.to_string().contains("name@version"), "{error}");
        }
    }
}
