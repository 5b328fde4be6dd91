//! A module's first moment: its file and its manifest were inspected and fit each other. Nothing was executed, nothing was
//! compared with what anybody signed.

use iog_inspect::{Facts, InspectError, InspectLimits};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::{Manifest, ManifestError};

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
