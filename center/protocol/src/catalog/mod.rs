//! Service descriptors: what a domain offers, signed by that domain and only indexed by the center, and the questions a
//! catalog answers. Descriptors promise; policies decide.

mod prefix;

use serde::{Deserialize, Serialize};

use crate::dsse::Content;
use crate::ids::{Asn, Digest, DomainId, EntryName, ModuleName, ModuleVersion, ServiceName, SlotName};
use crate::manifest::{LimitsDecl, ReleaseClass};
use crate::time::Timestamp;

pub use prefix::{IpPrefix, PrefixError};

/// Longest validity of a descriptor, in days: a domain that went away drops out by itself.
pub const LIFETIME_DAYS_MAX: i64 = 90;
/// Most entries of a service.
pub const ENTRIES_MAX: usize = 64;
/// Most datasets of a service.
pub const DATASETS_MAX: usize = 16;
/// Most AS numbers, prefixes or places of a coverage, each.
pub const COVERAGE_MAX: usize = 1024;
/// Longest text of people (summary, access, place), in characters.
pub const TEXT_CHARS_MAX: usize = 500;

/// Whether a service is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// It is.
    Published,
    /// No longer; the catalog keeps the statement so that an older one cannot return.
    Withdrawn,
}

/// A service as its domain describes it. A later `sequence` replaces a former one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// The domain that offers it, and signs this with its caller key.
    pub domain: DomainId,
    /// Name within the domain.
    pub service: ServiceName,
    /// Rises with every change.
    pub sequence: u64,
    /// Whether it is offered.
    pub state: ServiceState,
    /// The analysis.
    pub module: Digest,
    /// Its name.
    pub module_name: ModuleName,
    /// Its version.
    pub module_version: ModuleVersion,
    /// One line for people.
    pub summary: String,
    /// What can be called.
    pub entries: Vec<EntryDescription>,
    /// What it reads here.
    pub datasets: Vec<DatasetDescription>,
    /// Which part of the network the data tell about.
    pub coverage: Coverage,
    /// How to be admitted, in words.
    pub access: String,
    /// What a run gets at most.
    pub limits: LimitsDecl,
    /// When it was signed.
    pub issued: Timestamp,
    /// When it is no longer to be believed.
    pub expires: Timestamp,
}

/// One callable function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryDescription {
    /// Its name.
    pub name: EntryName,
    /// JSON Schema (2020-12) of its parameters: an object by parameter name.
    pub params: serde_json::Value,
    /// JSON Schema of its result.
    pub result: serde_json::Value,
    /// Its signature in WIT.
    pub wit: String,
}

/// One bound dataset, without a word about its rows beyond what the provider wants to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetDescription {
    /// The slot it is bound to.
    pub slot: SlotName,
    /// Its schema.
    pub schema: String,
    /// Release class of the dataset here.
    pub class: ReleaseClass,
    /// About how many rows, where the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The time its rows are about, where the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// From a time to a time; open where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Span {
    /// First moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Moment after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// Which part of the network a service tells about. An empty list says nothing, not "none".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// AS numbers observed from within.
    #[serde(default)]
    pub asns: Vec<Asn>,
    /// Prefixes observed.
    #[serde(default)]
    pub prefixes: Vec<IpPrefix>,
    /// Places, as ISO 3166 codes or names.
    #[serde(default)]
    pub places: Vec<String>,
    /// First moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Moment after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl Content for Descriptor {
    const PAYLOAD_TYPE: &'static str = "application/vnd.iog.descriptor+json";
    /// JSON Schemas and WIT of 64 entries fit.
    const ENVELOPE_BYTES_MAX: usize = 512 * 1024;
}

/// Why a descriptor cannot be in a catalog: its domain's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// A member does not fit.
    #[error("`{member}` of the descriptor is not {expected}")]
    Member {
        /// Which.
        member: &'static str,
        /// What fits.
        expected: &'static str,
    },
    /// Issued in the future, or no longer valid.
    #[error("the descriptor holds from {issued} to {expires}, now is {now}")]
    Time {
        /// From when.
        issued: Timestamp,
        /// Until when.
        expires: Timestamp,
        /// The reader's time.
        now: Timestamp,
    },
}

impl Descriptor {
    /// Checks bounds and times. Who signed it is checked by `Signed::verify` with the domain's key from the registry.
    ///
    /// # Errors
    /// [`DescriptorError`], which names the member.
    pub fn check(&self, now: Timestamp) -> Result<(), DescriptorError> {
        let coverage = &self.coverage;
        let lists = [coverage.asns.len(), coverage.prefixes.len(), coverage.places.len()];
        let lifetime_s = self.expires.unix() - self.issued.unix();
        let rules = [
            (fits_text(&self.summary), "summary", "1 to 500 characters"),
            (fits_text(&self.access), "access", "1 to 500 characters"),
            ((1..=ENTRIES_MAX).contains(&self.entries.len()), "entries", "a list of 1 to 64"),
            (self.datasets.len() <= DATASETS_MAX, "datasets", "a list of at most 16"),
            (lists.iter().all(|len| *len <= COVERAGE_MAX), "coverage", "lists of at most 1024"),
            (coverage.places.iter().all(|place| fits_text(place)), "coverage.places", "texts of 1 to 500 characters"),
            ((1..=LIFETIME_DAYS_MAX * 86_400).contains(&lifetime_s), "expires", "at most 90 days after `issued`"),
        ];
        if let Some((_, member, expected)) = rules.into_iter().find(|(fits, ..)| !fits) {
            return Err(DescriptorError::Member { member, expected });
        }
        let leeway_s = crate::run::CLOCK_LEEWAY_S;
        if self.issued > now.plus_seconds(leeway_s) || self.expires <= now {
            return Err(DescriptorError::Time { issued: self.issued, expires: self.expires, now });
        }
        Ok(())
    }

    /// Whether it may take the place of `old` in a catalog.
    #[must_use]
    pub fn replaces(&self, old: &Self) -> bool {
        self.domain == old.domain && self.service == old.service && self.sequence > old.sequence
    }
}

fn fits_text(text: &str) -> bool {
    let control = |c: char| c.is_control() && c != '\n';
    !text.trim().is_empty() && text.chars().count() <= TEXT_CHARS_MAX && !text.chars().any(control)
}

/// A question to a catalog: what is given must fit, what is left out does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogQuery {
    /// Words that must all occur in domain, service, module name, summary or places; letter case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// A schema that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// An AS that is covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<Asn>,
    /// A module: its digest, its name, or `name@version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

impl CatalogQuery {
    /// Whether a descriptor answers it. A withdrawn service answers nothing.
    #[must_use]
    pub fn matches(&self, descriptor: &Descriptor) -> bool {
        let module = |wanted: &String| is_module(descriptor, wanted);
        descriptor.state == ServiceState::Published
            && self.q.as_ref().is_none_or(|words| has_words(descriptor, words))
            && self.schema.as_ref().is_none_or(|id| descriptor.datasets.iter().any(|dataset| dataset.schema == *id))
            && self.asn.is_none_or(|asn| descriptor.coverage.asns.contains(&asn))
            && self.module.as_ref().is_none_or(module)
    }
}

fn is_module(descriptor: &Descriptor, wanted: &str) -> bool {
    let name = descriptor.module_name.to_string();
    let full = format!("{name}@{}", descriptor.module_version);
    [descriptor.module.to_string(), name, full].iter().any(|form| form == wanted)
}

fn has_words(descriptor: &Descriptor, words: &str) -> bool {
    let text = format!(
        "{} {} {} {} {}",
        descriptor.domain,
        descriptor.service,
        descriptor.module_name,
        descriptor.summary,
        descriptor.coverage.places.join(" ")
    );
    let text = text.to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

#[cfg(test)]
mod tests;
