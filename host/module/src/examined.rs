//! A module's first moment: its file and its manifest were inspected and fit each other. Nothing was executed, nothing was
//! compared with what anybody signed. Only the file that was examined is loaded.

use std::sync::Arc;

use iog_inspect::{Facts, InspectError, InspectLimits};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::{Manifest, ManifestError};
use iog_sandbox::{LoadError, Module, Sandbox};

/// A module as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The component.
    pub wasm: &'a [u8],
    /// The text of its manifest.
    pub manifest: &'a str,
}

/// A module whose file and manifest fit each other.
#[derive(Debug, Clone)]
pub struct Examined {
    manifest_digest: Digest,
    manifest: Manifest,
    facts: Facts,
    capabilities: Capabilities,
}

/// Why a file and a manifest are not a module; the author's fault.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// The manifest does not parse.
    #[error("the manifest cannot be used")]
    Manifest(#[from] ManifestError),
    /// The file is not a component that may run.
    #[error("the module cannot be inspected")]
    Inspect(#[from] InspectError),
    /// File and manifest do not fit each other or the rules.
    #[error("the module does not fit its manifest: {}", .0.join("; "))]
    Findings(Vec<String>),
}

/// Why an examined module is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum NotLoaded {
    /// The file is not the one that was examined; our fault, or that of whoever gave another file.
    #[error("the file to load has digest `{found}`, the module that was examined `{examined}`")]
    OtherFile {
        /// The module that was examined.
        examined: Digest,
        /// The file that was to be loaded.
        found: Digest,
    },
    /// The engine refuses it; the author's.
    #[error("the module cannot be loaded")]
    Engine(#[from] LoadError),
}

impl Examined {
    /// Inspects a file and its manifest.
    ///
    /// # Errors
    /// [`ExamineError`].
    pub fn examine(source: Source<'_>) -> Result<Self, ExamineError> {
        let manifest = Manifest::parse(source.manifest)?;
        let facts = iog_inspect::inspect(source.wasm, &InspectLimits::default())?;
        let capabilities = iog_inspect::check(&facts, &manifest)
            .map_err(|findings| ExamineError::Findings(findings.iter().map(ToString::to_string).collect()))?;
        let manifest_digest = Digest::of(source.manifest.as_bytes());
        Ok(Self { manifest_digest, manifest, facts, capabilities })
    }

    /// Compiles the module from its file, which must be the one that was examined. Publishers take turns, so that whose
    /// modules compile long delays only its own.
    ///
    /// # Errors
    /// [`NotLoaded`].
    pub async fn load(&self, sandbox: &Sandbox, wasm: &[u8]) -> Result<Arc<Module>, NotLoaded> {
        let loaded = sandbox.load_for(self.manifest.module.name.namespace(), wasm).await?;
        let (examined, found) = (self.digest(), Digest::from_bytes(loaded.digest()));
        if found == examined { Ok(loaded) } else { Err(NotLoaded::OtherFile { examined, found }) }
    }

    /// SHA-256 of the file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.facts.digest
    }

    /// SHA-256 of the manifest's text.
    #[must_use]
    pub fn manifest_digest(&self) -> Digest {
        self.manifest_digest
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What inspection found.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What the module may touch.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iog_sandbox::SandboxConfig;

    const WASM: &[u8] = include_bytes!("../../../modules/prebuilt/hello.wasm");
    const MANIFEST: &str = include_str!("../../../modules/hello/iog.toml");

    #[tokio::test]
    async fn only_the_file_that_was_examined_is_loaded() {
        let sandbox = Sandbox::new(&SandboxConfig { runs_max: 1, ..SandboxConfig::compiling_here() }).unwrap();
        let hello = Examined::examine(Source { wasm: WASM, manifest: MANIFEST }).unwrap();
        assert_eq!(Digest::from_bytes(hello.load(&sandbox, WASM).await.unwrap().digest()), hello.digest());
        // A custom section changes nothing of what a module does, and makes it another file.
        let other = [WASM, &[0, 2, 1, b'x']].concat();
        let error = hello.load(&sandbox, &other).await.unwrap_err();
        assert!(
            matches!(error, NotLoaded::OtherFile { examined, found } if examined == hello.digest() && found == Digest::of(&other))
        );
    }
}
