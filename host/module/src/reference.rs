//! How people name a module: by release, by the digest of its file, or by name alone for the newest. There is one parser.

use std::fmt;
use std::str::FromStr;

use iog_protocol::ids::{Digest, IdError, ModuleName, ModuleVersion};
use iog_protocol::registry::{ModuleRecord, Registry};
use serde::Deserialize;

/// A module as people name it who look at the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleNamed {
    /// One file.
    Exactly(ModuleRef),
    /// The newest version of a name.
    Newest(ModuleName),
}

/// A text that names no module; its writer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNamed {
    /// It begins like a digest.
    #[error("`{text}` is not a digest")]
    Digest {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: IdError,
    },
    /// What follows the `@`.
    #[error("`{text}` is not a version")]
    Version {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: IdError,
    },
    /// The name.
    #[error("`{text}` is not a module name")]
    Name {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: IdError,
    },
}

impl ModuleNamed {
    /// The module that is meant, approved or not; `None` where the registry has none.
    #[must_use]
    pub fn find<'r>(&self, registry: &'r Registry) -> Option<&'r ModuleRecord> {
        match self {
            Self::Exactly(ModuleRef::Digest(digest)) => registry.module(digest),
            Self::Exactly(ModuleRef::Release(name, version)) => registry.find(name, Some(version)),
            Self::Newest(name) => registry.find(name, None),
        }
    }
}

impl FromStr for ModuleNamed {
    type Err = NotNamed;

    /// `sha256:…`, `namespace/name@version` or `namespace/name`.
    fn from_str(text: &str) -> Result<Self, NotNamed> {
        let owned = |text: &str| text.to_owned();
        if text.starts_with("sha256:") {
            let digest = text.parse().map_err(|source| NotNamed::Digest { text: owned(text), source })?;
            return Ok(Self::Exactly(ModuleRef::Digest(digest)));
        }
        let name = |name: &str| name.parse().map_err(|source| NotNamed::Name { text: owned(name), source });
        let Some((before, version)) = text.split_once('@') else { return Ok(Self::Newest(name(text)?)) };
        let version = version.parse().map_err(|source| NotNamed::Version { text: owned(version), source })?;
        Ok(Self::Exactly(ModuleRef::Release(name(before)?, version)))
    }
}

impl fmt::Display for ModuleNamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(module) => module.fmt(f),
            Self::Newest(name) => name.fmt(f),
        }
    }
}

/// How a configuration or a caller names a module: one file, whatever comes after it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ModuleRef {
    /// A name and a version.
    Release(ModuleName, ModuleVersion),
    /// The SHA-256 of the file.
    Digest(Digest),
}

/// A text that names no file of a module; its writer's.
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
        match text.parse() {
            Ok(ModuleNamed::Exactly(module)) => Ok(module),
            Ok(ModuleNamed::Newest(_)) | Err(_) => Err(ModuleRefError { text: text.to_owned() }),
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

    #[test]
    fn a_name_alone_is_the_newest_and_a_wrong_text_says_which_part_is_wrong() {
        let digest = Digest::of(b"module").to_string();
        for text in ["iog/ip-traceback", "iog/ip-traceback@1.0.0", digest.as_str()] {
            assert_eq!(text.parse::<ModuleNamed>().unwrap().to_string(), text);
        }
        for (text, said) in [
            ("sha256:12", "`sha256:12` is not a digest"),
            ("iog/ip-traceback@one", "`one` is not a version"),
            ("No Name", "`No Name` is not a module name"),
            ("No Name@1.0.0", "`No Name` is not a module name"),
        ] {
            assert_eq!(text.parse::<ModuleNamed>().unwrap_err().to_string(), said);
        }
    }
}
