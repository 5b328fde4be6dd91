//! To offer a module for review: a `submission/v1` over what inspection found in the files, whoever the publisher is.

use iog_inspect::InspectError;
use iog_module::{ExamineError, Examined};
use iog_protocol::api::{Base64Bytes, ModuleSubmission};
use iog_protocol::ids::{Digest, OrganisationId};
use iog_protocol::keys::PublicKey;
use iog_protocol::manifest::ManifestError;
use iog_protocol::registry::Registry;
use iog_protocol::statements::{Source, Statement, Submission};
use serde::Serialize;

use crate::reach::ModuleFiles;

/// Why a module's files are refused; the author's fault.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The component.
    #[error("the component is refused")]
    Component(#[source] InspectError),
    /// The manifest.
    #[error("the manifest is refused")]
    Manifest(#[source] ManifestError),
    /// Each is right and they do not belong together.
    #[error("component and manifest do not fit:\n{}", indented(.0))]
    Misfit(Vec<String>),
}

impl From<ExamineError> for Refused {
    fn from(error: ExamineError) -> Self {
        match error {
            ExamineError::Inspect(source) => Self::Component(source),
            ExamineError::Manifest(source) => Self::Manifest(source),
            ExamineError::Findings(findings) => Self::Misfit(findings),
        }
    }
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Why a module cannot be submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// The files.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The namespace has no publisher.
    #[error("nobody may publish under `{namespace}`; root adds publishers")]
    NoPublisher {
        /// The namespace.
        namespace: String,
    },
    /// It has another one.
    #[error("the key {key} may not publish under `{namespace}`")]
    OtherPublisher {
        /// The key.
        key: Box<PublicKey>,
        /// The namespace.
        namespace: String,
    },
}

/// What the publisher with this key signs to submit a module.
///
/// # Errors
/// [`SubmissionError`].
pub fn statement(
    registry: &Registry,
    files: &ModuleFiles,
    publisher: &PublicKey,
) -> Result<Statement, SubmissionError> {
    let found = Examined::examine(files.source()).map_err(Refused::from)?;
    let manifest = found.manifest();
    let submission = Submission {
        name: manifest.module.name.clone(),
        version: manifest.module.version.clone(),
        size: found.facts().size,
        module: found.digest(),
        manifest: found.manifest_digest(),
        capabilities: found.capabilities().clone(),
        source: Source { repository: manifest.source.repository.clone(), commit: manifest.source.commit.clone() },
        publisher_organisation: organisation(registry, manifest.module.name.namespace(), publisher)?,
    };
    Ok(Statement::submission(registry.genesis_digest(), submission))
}

fn organisation(registry: &Registry, namespace: &str, key: &PublicKey) -> Result<OrganisationId, SubmissionError> {
    let mut publishers = registry.keyset().publishers.iter();
    let publisher = publishers
        .find(|publisher| publisher.namespace == namespace)
        .ok_or_else(|| SubmissionError::NoPublisher { namespace: namespace.to_owned() })?;
    if !publisher.keys.contains(key) {
        return Err(SubmissionError::OtherPublisher { key: Box::new(*key), namespace: namespace.to_owned() });
    }
    Ok(publisher.organisation.clone())
}

/// What is sent to the center: the signed statement with the files it speaks of.
#[must_use]
pub fn body(envelope: Vec<u8>, files: ModuleFiles) -> ModuleSubmission {
    ModuleSubmission { submission: Base64Bytes(envelope), manifest: files.manifest, module: Base64Bytes(files.wasm) }
}

/// What a machine is told once the submission is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubmissionLogged {
    /// The module.
    pub digest: Digest,
    /// Its index.
    pub index: u64,
    /// Approving organisations that it needs.
    pub needed: u32,
}
