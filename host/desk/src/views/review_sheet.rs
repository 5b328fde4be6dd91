//! What an auditor reads before signing: the module as signed, what it asks beyond the version before, what others
//! found, its manifest and its interface. It is made only from a module whose file was found to be as signed.

use iog_inspect::CoreFacts;
use iog_module::{AsSigned, ExamineError, Examined, NotAsSigned};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::ids::{Digest, ModuleName, ModuleVersion, SlotName};
use iog_protocol::manifest::{LimitsDecl, ReleaseClass};
use iog_protocol::registry::{ModuleRecord, Registry};
use iog_protocol::statements::{Source, Submission};
use iog_protocol::time::Timestamp;
use serde::Serialize;

use super::module_page::{FindingLine, ModuleLine};
use crate::decide::submission::Refused;
use crate::reach::ModuleFiles;

/// Why there is no sheet; the publisher's fault, and nobody should approve the module.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// The file or the manifest would be refused today.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It can touch other things than its publisher signed.
    #[error("the signed capabilities are not those of the file: do not approve this module")]
    OtherCapabilities,
    /// Other bytes than those that were signed.
    #[error("the file or the manifest is not the one that was signed: do not approve this module")]
    OtherFile,
}

/// Everything an auditor looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewSheet {
    /// The document that commands and API give.
    #[serde(flatten)]
    pub document: SheetDocument,
    /// Where its publisher says that the source is.
    pub source: Source,
    /// What it asks beyond the version before; nothing where it is the first.
    pub change: Option<Change>,
    /// Sizes of the code.
    pub core: CoreFacts,
}

/// What a machine is told of a sheet. The texts are foreign: whoever shows them escapes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SheetDocument {
    /// The module in short.
    #[serde(flatten)]
    pub line: ModuleLine,
    /// The manifest as it was submitted.
    pub manifest_text: String,
    /// The component's world as WIT.
    pub wit: String,
    /// Every finding by name.
    pub findings: Vec<FindingLine>,
}

/// What a version asks beyond the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The version before.
    pub against: Release,
    /// Whether that one may run; where several are older, one that may comes before one that may not.
    pub against_runs: bool,
    /// Whether everything asked was asked before.
    pub nothing_more: bool,
    /// Imports that it had not.
    pub imports: Vec<String>,
    /// Columns that it did not read.
    pub columns: Vec<NewColumn>,
    /// The release class of before, where it is another one now.
    pub release_before: Option<ReleaseClass>,
    /// The limits of before, where they are others now.
    pub limits_before: Option<LimitsDecl>,
}

/// A version of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// Its name.
    pub name: ModuleName,
    /// Its version.
    pub version: ModuleVersion,
    /// SHA-256 of the component.
    pub digest: Digest,
}

/// A column that a module reads and its version of before did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewColumn {
    /// The slot.
    pub slot: SlotName,
    /// The column.
    pub column: String,
    /// The slot's schema.
    pub schema: String,
}

impl ReviewSheet {
    /// The sheet of a submission at `now`, from the files that its digests name.
    ///
    /// # Errors
    /// [`SheetError`].
    pub fn of(
        registry: &Registry,
        record: &ModuleRecord,
        files: ModuleFiles,
        now: Timestamp,
    ) -> Result<Self, SheetError> {
        let found = as_signed(&files, &record.submission)?;
        let facts = found.examined().facts();
        Ok(Self {
            source: record.submission.source.clone(),
            change: Change::of(registry, &record.submission, now),
            core: facts.core,
            document: SheetDocument {
                line: ModuleLine::of(registry, record, now),
                wit: facts.wit.clone(),
                findings: FindingLine::all(record),
                manifest_text: files.manifest,
            },
        })
    }
}

fn as_signed(files: &ModuleFiles, signed: &Submission) -> Result<AsSigned, SheetError> {
    let found = Examined::examine(files.source()).map_err(|error: ExamineError| Refused::from(error))?;
    AsSigned::compare(found, signed).map_err(|error| match error {
        NotAsSigned::OtherFile { .. } => SheetError::OtherFile,
        NotAsSigned::OtherCapabilities { .. } => SheetError::OtherCapabilities,
    })
}

impl Change {
    /// Against the highest version below this one: of those that may run at `now`, else of all; `None` where it is the first.
    #[must_use]
    pub fn of(registry: &Registry, submission: &Submission, now: Timestamp) -> Option<Self> {
        let runs = |record: &ModuleRecord| registry.effective(&record.submission.module, now).is_ok();
        let earlier = |record: &&ModuleRecord| {
            record.submission.name == submission.name && record.submission.version < submission.version
        };
        let earlier = registry.modules().filter(earlier).map(|record| (runs(record), record));
        let (against_runs, before) =
            earlier.max_by(|a, b| (a.0, &a.1.submission.version).cmp(&(b.0, &b.1.submission.version)))?;
        let before = &before.submission;
        let (old, new) = (&before.capabilities, &submission.capabilities);
        Some(Self {
            against: Release { name: before.name.clone(), version: before.version.clone(), digest: before.module },
            against_runs,
            nothing_more: new.superset_of_nothing_new(old),
            imports: new.imports.iter().filter(|import| !old.imports.contains(import)).cloned().collect(),
            columns: new_columns(old, new),
            release_before: (old.release != new.release).then_some(old.release),
            limits_before: (old.limits != new.limits).then_some(old.limits),
        })
    }
}

fn new_columns(old: &Capabilities, new: &Capabilities) -> Vec<NewColumn> {
    let mut columns = Vec::new();
    for (slot, uses) in &new.datasets {
        let had = old.datasets.get(slot).map(|uses| uses.columns.as_slice()).unwrap_or_default();
        let fresh = uses.columns.iter().filter(|column| !had.contains(column));
        columns.extend(fresh.map(|column| NewColumn {
            slot: slot.clone(),
            column: column.clone(),
            schema: uses.schema.clone(),
        }));
    }
    columns
}
