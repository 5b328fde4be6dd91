//! Whether a submitted module may enter the registry. Pure and in one order, cheapest first: signature and registry rules, sizes, digests,
//! manifest, static inspection, and at last the capabilities: what the publisher signed must be what the file and the queries show.

use iog_inspect::InspectLimits;
use iog_protocol::{
    api::{ApiErrorCode, ModuleSubmission},
    capabilities::Capabilities,
    dsse::Envelope,
    ids::Digest,
    manifest::Manifest,
    registry::{Registry, Said},
    statements::{Predicate, Submission, parse_payload},
};
use iog_transport::PeerKey;

use crate::{present::Present, rates::SharedRates, refusal::Refusal};

/// A submission that may be appended, with the files it names.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) entry: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
    pub(crate) module: Vec<u8>,
}

impl Checked {
    /// Whether the publisher may submit so much by now.
    pub(crate) fn may_be_said(&self, rates: &SharedRates, present: &Present) -> Result<(), Refusal> {
        let Some(said) = Said::read(&self.entry) else { return Ok(()) };
        Ok(rates.lock().check(&present.registry(), &said, self.entry.len(), present.now())?)
    }
}

/// Checks a submission against the registry as it is. The sequencer asks the registry again when it appends.
pub(crate) fn check(
    submitted: ModuleSubmission,
    registry: &Registry,
    module_bytes_max: usize,
) -> Result<Checked, Refusal> {
    let entry = submitted.submission.0;
    let submission = read_statement(&entry)?;
    registry.check(&entry).map_err(|invalid| Refusal::from(&invalid))?;
    let module = submitted.module.0;
    check_files(&submission, &module, &submitted.manifest, module_bytes_max)?;
    let manifest = Manifest::parse(&submitted.manifest)
        .map_err(|error| Refusal::because(ApiErrorCode::ManifestInvalid, &error))?;
    check_manifest(&submission, &manifest)?;
    let found = inspect(&module, &manifest)?;
    if found != submission.capabilities {
        let detail = "the signed capabilities are not those that the file and its queries show";
        return Err(Refusal::new(ApiErrorCode::InspectionFailed, detail));
    }
    Ok(Checked { entry, manifest: submitted.manifest.into_bytes(), module })
}

/// Who sends a submission, by its statement alone: the publisher whose key signed it, if the registry would take it.
pub(crate) fn publisher(entry: &[u8], registry: &Registry) -> Result<PeerKey, Refusal> {
    let submission = read_statement(entry)?;
    registry.check(entry).map_err(|invalid| Refusal::from(&invalid))?;
    Ok(PeerKey::Named(format!("publisher {}", submission.publisher_organisation).into()))
}

fn read_statement(entry: &[u8]) -> Result<Submission, Refusal> {
    let envelope = Envelope::parse(entry).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    let statement =
        parse_payload(envelope.payload()).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    match statement.predicate {
        Predicate::Submission(submission) => Ok(*submission),
        _ => Err(Refusal::new(ApiErrorCode::BadEnvelope, "the statement is not a submission")),
    }
}

fn check_files(submission: &Submission, module: &[u8], manifest: &str, module_bytes_max: usize) -> Result<(), Refusal> {
    if module.len() > module_bytes_max {
        let detail = format!("the module has {} bytes, at most {module_bytes_max} are taken", module.len());
        return Err(Refusal::new(ApiErrorCode::TooLarge, detail));
    }
    let wrong = |what: &str, found: String, signed: String| {
        let detail = format!("the {what} is `{found}`, signed was `{signed}`");
        Err(Refusal::new(ApiErrorCode::InspectionFailed, detail))
    };
    let (digest, size) = (Digest::of(module), module.len() as u64);
    if digest != submission.module {
        return wrong("module's digest", digest.to_string(), submission.module.to_string());
    }
    if size != submission.size {
        return wrong("module's size", size.to_string(), submission.size.to_string());
    }
    let digest = Digest::of(manifest.as_bytes());
    if digest != submission.manifest {
        return wrong("manifest's digest", digest.to_string(), submission.manifest.to_string());
    }
    Ok(())
}

fn check_manifest(submission: &Submission, manifest: &Manifest) -> Result<(), Refusal> {
    let wrong = |member: &str| {
        let detail = format!("`{member}` of the manifest is not what the submission says");
        Err(Refusal::new(ApiErrorCode::ManifestInvalid, detail))
    };
    if manifest.module.name != submission.name {
        return wrong("module.name");
    }
    if manifest.module.version != submission.version {
        return wrong("module.version");
    }
    let (source, signed) = (&manifest.source, &submission.source);
    if (&source.repository, &source.commit) != (&signed.repository, &signed.commit) {
        return wrong("source");
    }
    Ok(())
}

fn inspect(module: &[u8], manifest: &Manifest) -> Result<Capabilities, Refusal> {
    let facts = iog_inspect::inspect(module, &InspectLimits::default())
        .map_err(|error| Refusal::because(ApiErrorCode::InspectionFailed, &error))?;
    iog_inspect::check(&facts, manifest).map_err(|findings| {
        let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
        Refusal::new(ApiErrorCode::InspectionFailed, texts.join("; "))
    })
}
