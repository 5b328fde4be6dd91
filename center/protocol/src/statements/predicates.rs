//! What the statements of the registry say: one struct for each predicate type, with no rule in it. Unknown members are
//! ignored (the in-toto parsing rule), so a later version may add some. What counts is decided in `registry`.

use serde::{Deserialize, Serialize};

use crate::capabilities::Capabilities;
use crate::ids::{Asn, Digest, DomainId, ModuleName, ModuleVersion, OrganisationId, TrustDomain};
use crate::keys::PublicKey;
use crate::time::Timestamp;

/// The first entry: what everybody who trusts a registry pins by its digest. Signed by the root threshold it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// The registry's name.
    pub trust_domain: TrustDomain,
    /// The offline keys that may change everything else.
    pub root: Root,
    /// The log's verifier key as signed-note text; the name in it is the log's origin.
    pub log_key: String,
    /// Who must have cosigned a checkpoint (C2SP tlog-policy text); `None` while there is no independent witness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness_policy: Option<String>,
    /// The version of the rules that the founders had in mind.
    pub rules_version: u32,
    /// The oldest version of the rules that may judge this registry; software that knows less stops.
    pub min_rules_version: u32,
    /// Named thresholds.
    pub thresholds: Thresholds,
    /// The first keyset, version 1.
    pub keyset: Keyset,
}

/// Root keys, of which `threshold` must sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Public keys of different people.
    pub keys: Vec<PublicKey>,
    /// How many must sign: 1 to the number of keys.
    pub threshold: u32,
}

/// The numbers in the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Organisations that must have reviewed an analysis of public data; any other needs one more. At least 1.
    pub k: u32,
    /// Hours until a suspension lapses, 1 to 720.
    pub suspension_hours: u32,
    /// Member organisations that together may admit a domain; 0: only the root may.
    pub member_cosigners: u32,
}

/// The keys of every role. `keyset/v1` replaces the whole, one version after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyset {
    /// 1 in the genesis, then one more each time.
    pub version: u32,
    /// After this moment nothing is approved any more until a new keyset is logged.
    pub expires: Timestamp,
    /// Keys of the center that sign approvals.
    pub approval: Vec<PublicKey>,
    /// Keys of the center that sign tokens.
    pub token: Vec<PublicKey>,
    /// Digests of the subject public keys of the certificate authorities.
    pub ca_spki_sha256: Vec<Digest>,
    /// Who may review.
    pub auditors: Vec<Auditor>,
    /// Who may submit, by namespace.
    pub publishers: Vec<Publisher>,
    /// A new root; both the old and the new one then sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// Raises the genesis' number; it can never fall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rules_version: Option<u32>,
}

/// A person or team that reviews for an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auditor {
    /// A name within the registry, 1 to 63 of `a-z`, `0-9` and `-`; it need not be a person's.
    pub id: String,
    /// Whose vote it is.
    pub organisation: OrganisationId,
    /// The one key it signs with.
    pub key: PublicKey,
}

/// Who may submit modules under a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publisher {
    /// The part of a module's name before the slash.
    pub namespace: String,
    /// The organisation, whose auditors' reviews of these modules do not count.
    pub organisation: OrganisationId,
    /// Any of these keys signs a submission.
    pub keys: Vec<PublicKey>,
}

/// A member domain and its keys: signed by its caller key, and by the root threshold or enough member organisations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The domain.
    pub id: DomainId,
    /// Who runs it.
    pub organisation: OrganisationId,
    /// Its autonomous systems.
    pub asns: Vec<Asn>,
    /// Where its gateway answers. Identity is never tied to these.
    pub endpoints: Vec<Endpoint>,
    /// Signs its requests and descriptors.
    pub caller_key: PublicKey,
    /// Signs its receipt log's checkpoints.
    pub receipt_key: PublicKey,
    /// Grows with each statement about the same domain.
    pub sequence: u64,
}

/// One way to reach a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `https` today.
    pub transport: String,
    /// `host:port`.
    pub address: String,
}

/// A module offered for review, signed by a publisher of its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Name of the module.
    pub name: ModuleName,
    /// Version; a name and version stand for one file for ever.
    pub version: ModuleVersion,
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the whole file; also the statement's subject.
    pub module: Digest,
    /// SHA-256 of the manifest's text.
    pub manifest: Digest,
    /// What inspection found that it can touch and ask.
    pub capabilities: Capabilities,
    /// Where its source is.
    pub source: Source,
    /// The publisher's organisation, as the keyset has it.
    pub publisher_organisation: OrganisationId,
}

/// Where a module's source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Repository URL.
    pub repository: String,
    /// Commit.
    pub commit: String,
}

/// One auditor's judgement of one submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The judgement.
    pub verdict: Verdict,
    /// The criteria applied, by name.
    pub criteria: Vec<String>,
    /// What was read.
    pub scope: Scope,
    /// Digest of the manifest that was read.
    pub manifest: Digest,
    /// What was found.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Findings that this review closes: `<auditor id>/<finding id>`, or the bare id of one's own.
    #[serde(default)]
    pub closes: Vec<String>,
    /// When it was signed. A review that is not later than the last logged one of the same key is refused, so a center can
    /// neither repeat an old review nor hold one back until the auditor has changed their mind.
    pub issued: Timestamp,
    /// After this moment it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// A judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// May run.
    Approve,
    /// Must not run.
    Reject,
    /// Read, not judged.
    Abstain,
}

/// What a review covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole module.
    Full,
    /// The difference to an approved version; counts only where nothing more is asked for.
    Delta {
        /// The file of that version.
        from: Digest,
    },
}

/// Something an auditor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A name, unique among the author's findings on this module.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, or the digest of a text under embargo.
    pub text: String,
}

/// How bad a finding is, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Should be better.
    Minor,
    /// Should be fixed soon.
    Major,
    /// No approval while it is open.
    Blocking,
}

/// The center's approval: a SLSA verification summary (`https://slsa.dev/verification_summary/v1`). It takes effect only
/// where enough reviews stand behind it, which everybody counts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Who verified.
    pub verifier: Verifier,
    /// When.
    pub time_verified: Timestamp,
    /// `iog:module:<name>@<version>`.
    pub resource_uri: String,
    /// By which rules.
    pub policy: PolicyRef,
    /// The reviews it rests on.
    #[serde(default)]
    pub input_attestations: Vec<ResourceRef>,
    /// `PASSED` or `FAILED`.
    pub verification_result: VerificationResult,
    /// `IOG_REVIEWED`.
    pub verified_levels: Vec<String>,
    /// Digest of the approved manifest.
    #[serde(rename = "https://iog.example/manifest_digest")]
    pub manifest: Digest,
    /// After this moment it has no effect.
    #[serde(rename = "https://iog.example/expires", default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// Who made a verification summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    /// A URI.
    pub id: String,
}

/// The rules of a verification summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRef {
    /// A URI.
    pub uri: String,
    /// Its digest: here that of the genesis, which fixes the rules.
    pub digest: DigestSet,
}

/// A resource with its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRef {
    /// `iog:log:<index>` for an entry of the log.
    pub uri: String,
    /// Its digest.
    pub digest: DigestSet,
}

/// An in-toto digest set with the one algorithm used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestSet(pub Digest);

#[derive(Serialize, Deserialize)]
struct WireDigestSet {
    sha256: String,
}

impl Serialize for DigestSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WireDigestSet { sha256: self.0.hex() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DigestSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = WireDigestSet::deserialize(deserializer)?;
        Digest::from_hex(&wire.sha256).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The outcome of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VerificationResult {
    /// The rules hold.
    Passed,
    /// They do not.
    Failed,
}

/// A module or domain is to stop, for a while or for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// For a while or for good.
    pub severity: RevocationSeverity,
    /// What is to stop.
    pub target: Target,
    /// A short machine-readable reason, for example `vulnerability`.
    pub reason_code: String,
    /// The reason in words, or the digest of a text under embargo.
    pub reason: String,
    /// An earlier end of a suspension than the registry's own; never a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When it was signed; a suspension counts from here.
    pub issued: Timestamp,
}

/// For a while or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationSeverity {
    /// Lapses by itself.
    Suspend,
    /// Final.
    Revoke,
}

/// What a revocation stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The file with this digest.
    Module(Digest),
    /// This member.
    Domain(DomainId),
}
