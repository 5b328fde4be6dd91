//! An auditor's verdict on one submission: a `review/v1`.

use iog_protocol::ids::Digest;
use iog_protocol::keys::PublicKey;
use iog_protocol::registry::{ModuleRecord, Registry};
use iog_protocol::statements::{Finding, Review, Scope, Severity, Statement, Verdict};
use iog_protocol::time::Timestamp;
use serde::Serialize;

/// The criteria of a full review.
pub const CRITERIA: [&str; 3] = ["iog-safe-to-run", "iog-capability-minimal", "iog-privacy"];

/// What an auditor decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewDecision {
    verdict: Verdict,
    found: Vec<(Severity, String)>,
    /// The criteria applied.
    pub criteria: Vec<String>,
    /// What was read.
    pub scope: Scope,
    /// Findings that this review closes.
    pub closes: Vec<String>,
    /// After this moment it does not count.
    pub expires: Option<Timestamp>,
}

/// A rejection without a finding; the auditor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rejection without a finding that says why helps nobody")]
pub struct NoReason;

/// Somebody decided who may not; the signer's, or root has to add the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key {key} does not belong to an auditor in the keyset in force")]
pub struct NotAnAuditor {
    /// The key.
    pub key: Box<PublicKey>,
}

impl ReviewDecision {
    /// A verdict of a full review by [`CRITERIA`], with what was found and how bad it is.
    ///
    /// # Errors
    /// [`NoReason`].
    pub fn new(verdict: Verdict, found: Vec<(Severity, String)>) -> Result<Self, NoReason> {
        if verdict == Verdict::Reject && found.is_empty() {
            return Err(NoReason);
        }
        let criteria = CRITERIA.map(str::to_owned).to_vec();
        Ok(Self { verdict, found, criteria, scope: Scope::Full, closes: Vec::new(), expires: None })
    }

    /// What the auditor with this key signs at `now`. Findings are named by the size of the log, so that no later one of
    /// the same auditor has the same name.
    ///
    /// # Errors
    /// [`NotAnAuditor`].
    pub fn statement(
        &self,
        registry: &Registry,
        record: &ModuleRecord,
        auditor: &PublicKey,
        now: Timestamp,
    ) -> Result<Statement, NotAnAuditor> {
        if !registry.keyset().auditors.iter().any(|known| known.key == *auditor) {
            return Err(NotAnAuditor { key: Box::new(*auditor) });
        }
        let name = |place: usize| match place {
            0 => format!("f{}", registry.size()),
            further => format!("f{}-{further}", registry.size()),
        };
        let findings = self.found.iter().enumerate();
        let findings = findings.map(|(place, (severity, text))| Finding {
            id: name(place),
            severity: *severity,
            text: text.clone(),
        });
        let review = Review {
            verdict: self.verdict,
            criteria: self.criteria.clone(),
            scope: self.scope,
            manifest: record.submission.manifest,
            findings: findings.collect(),
            closes: self.closes.clone(),
            issued: now,
            expires: self.expires,
        };
        Ok(Statement::about(registry.genesis_digest(), record.subject(), review))
    }

    /// What a machine is told once the review is in the log.
    #[must_use]
    pub fn logged(&self, module: Digest, index: u64, approval_index: Option<u64>) -> ReviewLogged {
        let verdict = if self.verdict == Verdict::Approve { "approved" } else { "rejected" };
        ReviewLogged { verdict, module, index, approval_index }
    }
}

/// A review in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewLogged {
    /// `approved` or `rejected`.
    pub verdict: &'static str,
    /// The module.
    pub module: Digest,
    /// Its index.
    pub index: u64,
    /// The index of the approval that followed, where it was the last review needed.
    pub approval_index: Option<u64>,
}
