//! The statements of the registry as in-toto Statements (v1): subjects, a predicate type and a predicate. They travel as the
//! payload of a DSSE envelope. This module reads and writes them; which of them count is decided in `registry`.
//!
//! Every statement but the genesis has the registry itself among its subjects, by the genesis' digest: what was signed for
//! one registry means nothing in another.

pub(crate) mod digest_set;
pub(crate) mod kind;
mod predicate;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

pub use crate::registry::halts::statement::{Revocation, RevocationSeverity, Target};
pub use crate::registry::keysets::statement::{Auditor, Genesis, Keyset, Publisher, RequiredFamily, Root, Thresholds};
pub use crate::registry::members::statement::{Domain, Endpoint};
pub use crate::registry::modules::statement::{
    Approval, Finding, PolicyRef, ResourceRef, Review, Scope, Severity, Source, Submission, Verdict,
    VerificationResult, Verifier,
};
pub use digest_set::DigestSet;
pub use kind::Kind;
pub use predicate::Predicate;

use crate::dsse::{Content, Envelope, EnvelopeError, Signed};
use crate::ids::{Digest, ModuleName, ModuleVersion};
use crate::keys::SecretKey;

/// The media type of every statement's envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The `_type` of an in-toto Statement, version 1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// What the types of our own predicates begin with; they need not resolve.
pub const PREDICATE_PREFIX: &str = "https://iog.example/statement/";
/// Predicate types that later versions give a meaning; they are hashed and otherwise ignored today.
pub const RESERVED: &[&str] =
    &["policy/v1", "member/v1", "motion/v1", "vote/v1", "agreement/v1", "rebuild/v1", "trial/v1"];
/// The name of the subject that ties a statement to its registry.
pub const REGISTRY_SUBJECT: &str = "iog:registry";

const SUBJECTS_MAX: usize = 16;

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// For a module `<namespace>/<name>@<version>`.
    pub name: String,
    digest: DigestSet,
}

impl Subject {
    /// A subject.
    #[must_use]
    pub fn new(name: &str, digest: Digest) -> Self {
        Self { name: name.to_owned(), digest: DigestSet(digest) }
    }

    /// The subject that stands for a module file.
    #[must_use]
    pub fn module(name: &ModuleName, version: &ModuleVersion, digest: Digest) -> Self {
        Self::new(&format!("{name}@{version}"), digest)
    }

    /// Its SHA-256.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest.0
    }
}

/// An in-toto Statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it is about.
    pub subjects: Vec<Subject>,
    /// What it says.
    pub predicate: Predicate,
}

impl Statement {
    /// The first statement of a registry; its subject is the registry's name.
    #[must_use]
    pub fn genesis(genesis: Genesis) -> Self {
        let name = genesis.trust_domain.to_string();
        Self { subjects: vec![Subject::new(&name, Digest::of(name.as_bytes()))], predicate: genesis.into() }
    }

    /// A statement about the registry with this genesis digest: a keyset, a domain, the revocation of a domain.
    #[must_use]
    pub fn new(registry: &Digest, predicate: impl Into<Predicate>) -> Self {
        Self { subjects: vec![Subject::new(REGISTRY_SUBJECT, *registry)], predicate: predicate.into() }
    }

    /// A statement about a module: a submission, a review, an approval, the revocation of a module.
    #[must_use]
    pub fn about(registry: &Digest, module: Subject, predicate: impl Into<Predicate>) -> Self {
        Self { subjects: vec![module, Subject::new(REGISTRY_SUBJECT, *registry)], predicate: predicate.into() }
    }

    /// A submission, whose subject follows from what it says.
    #[must_use]
    pub fn submission(registry: &Digest, submission: Submission) -> Self {
        let module = Subject::module(&submission.name, &submission.version, submission.module);
        Self::about(registry, module, submission)
    }

    /// The registry it is for.
    #[must_use]
    pub fn registry(&self) -> Option<Digest> {
        self.subjects.iter().find(|subject| subject.name == REGISTRY_SUBJECT).map(Subject::digest)
    }

    /// The one subject beside the registry, if there is exactly one.
    #[must_use]
    pub fn module(&self) -> Option<&Subject> {
        let mut others = self.subjects.iter().filter(|subject| subject.name != REGISTRY_SUBJECT);
        others.next().filter(|_| others.next().is_none())
    }

    /// The statement in an envelope signed with `keys`.
    ///
    /// # Errors
    /// [`EnvelopeError::Json`] for an unknown predicate, whose content was not kept.
    pub fn sign(&self, keys: &[&SecretKey]) -> Result<Envelope, EnvelopeError> {
        Ok(Signed::sign(self, keys)?.envelope().clone())
    }
}

impl Content for Statement {
    const PAYLOAD_TYPE: &'static str = PAYLOAD_TYPE;

    fn from_payload(payload: &[u8]) -> Result<Self, serde_json::Error> {
        parse_payload(payload)
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Serialize)]
struct Whole<'a, P> {
    #[serde(rename = "_type")]
    statement_type: &'a str,
    subject: &'a [Subject],
    #[serde(rename = "predicateType")]
    predicate_type: &'a str,
    predicate: &'a P,
}

/// Reads the payload of a statement's envelope.
///
/// # Errors
/// The JSON reader's words.
pub fn parse_payload(payload: &[u8]) -> Result<Statement, serde_json::Error> {
    let head: Head = serde_json::from_slice(payload)?;
    if head.statement_type != STATEMENT_TYPE {
        return Err(<serde_json::Error as de::Error>::custom("`_type` is not that of an in-toto statement, version 1"));
    }
    if head.subject.is_empty() || head.subject.len() > SUBJECTS_MAX {
        return Err(<serde_json::Error as de::Error>::custom("`subject` does not have 1 to 16 subjects"));
    }
    let predicate = Predicate::read(head.predicate_type, payload)?;
    Ok(Statement { subjects: head.subject, predicate })
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = AsWhole { serializer, subject: &self.subjects, predicate_type: self.predicate.type_uri() };
        let unknown = || Err(ser::Error::custom("a statement of an unknown type cannot be written"));
        self.predicate.write(whole).unwrap_or_else(unknown)
    }
}

struct AsWhole<'a, S> {
    serializer: S,
    subject: &'a [Subject],
    predicate_type: &'a str,
}

impl<S: Serializer> predicate::Write for AsWhole<'_, S> {
    type Done = Result<S::Ok, S::Error>;

    fn write<P: Serialize>(self, predicate: &P) -> Self::Done {
        let Self { serializer, subject, predicate_type } = self;
        Whole { statement_type: STATEMENT_TYPE, subject, predicate_type, predicate }.serialize(serializer)
    }
}

/// Only for [`Content`]; [`parse_payload`] is the reader.
impl<'de> Deserialize<'de> for Statement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        parse_payload(value.to_string().as_bytes()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVIEW: &str = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"iog/x@1.0.0","digest":{"sha256":"93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476"}}],"predicateType":"https://iog.example/statement/review/v1","predicate":{"verdict":"approve","criteria":[],"scope":{"delta":{"from":"sha256:93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476"}},"manifest":"sha256:93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476","findings":[],"closes":[],"issued":"2026-01-01T00:00:00Z"}}"#;

    #[test]
    fn statements_are_written_as_they_are_read() {
        let statement = parse_payload(REVIEW.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&statement).unwrap(), REVIEW);
        assert_eq!(serde_json::from_str::<Statement>(REVIEW).unwrap(), statement);
    }

    #[test]
    fn unknown_members_are_ignored_and_repeated_ones_refused() {
        let more = REVIEW.replace("\"criteria\"", "\"mood\":\"fine\",\"criteria\"");
        assert_eq!(parse_payload(more.as_bytes()).unwrap(), parse_payload(REVIEW.as_bytes()).unwrap());
        let twice = REVIEW.replace("\"criteria\"", "\"verdict\":\"reject\",\"criteria\"");
        assert!(parse_payload(twice.as_bytes()).unwrap_err().to_string().contains("duplicate"));
        let two_predicates = REVIEW.replace("\"predicate\":", "\"predicate\":{},\"predicate\":");
        assert!(parse_payload(two_predicates.as_bytes()).is_err());
    }

    #[test]
    fn reserved_and_foreign_types_are_unknown() {
        for name in RESERVED {
            let uri = format!("{PREDICATE_PREFIX}{name}");
            let text = REVIEW.replace("https://iog.example/statement/review/v1", &uri);
            assert_eq!(parse_payload(text.as_bytes()).unwrap().predicate, Predicate::Unknown(uri));
        }
        let foreign = REVIEW.replace("https://iog.example/statement/review/v1", "https://example.com/x");
        assert!(matches!(parse_payload(foreign.as_bytes()).unwrap().predicate, Predicate::Unknown(_)));
    }

    #[test]
    fn a_statement_has_one_module_subject_or_none() {
        let module = Subject::new("iog/x@1.0.0", Digest::of(b"m"));
        let registry = Digest::of(b"genesis");
        let mut statement = Statement::about(&registry, module.clone(), Predicate::Unknown("x".into()));
        assert_eq!((statement.registry(), statement.module()), (Some(registry), Some(&module)));
        statement.subjects.push(module);
        assert_eq!(statement.module(), None);
    }
}
