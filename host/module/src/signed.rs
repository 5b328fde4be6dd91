//! A module's second moment: what was found in it is what its publisher signed and the registry has. It is the only way to
//! say so, for gateways, callers and auditors alike; the center's word counts for nothing.

use iog_protocol::ids::Digest;
use iog_protocol::statements::Submission;

use crate::examined::Examined;

/// A module that is what the registry says.
#[derive(Debug, Clone)]
pub struct AsSigned(Examined);

/// A module that is not what was signed; nobody may run it until that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAsSigned {
    /// The file or the manifest is another one.
    #[error("module `{module}` is another file than was signed, or has another manifest")]
    OtherFile {
        /// The module that was signed.
        module: Digest,
    },
    /// It may touch other things.
    #[error("module `{module}` has other capabilities than were signed")]
    OtherCapabilities {
        /// The module.
        module: Digest,
    },
}

impl AsSigned {
    /// Compares what was found with what was signed.
    ///
    /// # Errors
    /// [`NotAsSigned`].
    pub fn compare(found: Examined, signed: &Submission) -> Result<Self, NotAsSigned> {
        if found.digest() != signed.module || found.manifest_digest() != signed.manifest {
            return Err(NotAsSigned::OtherFile { module: signed.module });
        }
        if *found.capabilities() != signed.capabilities {
            return Err(NotAsSigned::OtherCapabilities { module: signed.module });
        }
        Ok(Self(found))
    }

    /// What was found, which is what was signed.
    #[must_use]
    pub fn examined(&self) -> &Examined {
        &self.0
    }

    /// As [`Self::examined`], for who keeps it.
    #[must_use]
    pub fn into_examined(self) -> Examined {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examined::Source;
    use iog_protocol::statements::Source as SourceOfModule;

    const WASM: &[u8] = include_bytes!("../../../modules/prebuilt/hello.wasm");
    const MANIFEST: &str = include_str!("../../../modules/hello/iog.toml");

    #[test]
    fn what_was_signed_of_another_file_or_of_less_is_not_this_module() {
        let hello = Examined::examine(Source { wasm: WASM, manifest: MANIFEST }).unwrap();
        let honest = Submission {
            name: hello.manifest().module.name.clone(),
            version: hello.manifest().module.version.clone(),
            size: WASM.len() as u64,
            module: hello.digest(),
            manifest: hello.manifest_digest(),
            capabilities: hello.capabilities().clone(),
            source: SourceOfModule { repository: "https://iog.example/iog".to_owned(), commit: "0".to_owned() },
            publisher_organisation: "iog-project".parse().unwrap(),
        };
        assert!(AsSigned::compare(hello.clone(), &honest).is_ok());
        let other = Digest::of(b"other");
        for changed in
            [Submission { module: other, ..honest.clone() }, Submission { manifest: other, ..honest.clone() }]
        {
            let error = AsSigned::compare(hello.clone(), &changed).unwrap_err();
            assert!(matches!(error, NotAsSigned::OtherFile { .. }), "{error}");
        }
        let mut less = honest.clone();
        less.capabilities.datasets.values_mut().for_each(|slot| slot.columns.truncate(1));
        let mut none = honest;
        none.capabilities.imports.clear();
        for changed in [less, none] {
            let error = AsSigned::compare(hello.clone(), &changed).unwrap_err();
            assert!(matches!(error, NotAsSigned::OtherCapabilities { .. }), "{error}");
        }
    }
}
