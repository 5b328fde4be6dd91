//! Offline verification: a stored bundle against the home's replica of the registry and the pinned genesis, without any
//! network. What holds here holds for anybody who has the same log.

use std::path::Path;

use iog_client::gateway::BeliefError;
use iog_client::gateway::{SignedRun, believe, receipt_log};
use iog_protocol::dsse::{EnvelopeError, SignatureError, Signed};
use iog_protocol::ids::{Digest, DomainId, EntryName, RequestId, ServiceName};
use iog_protocol::manifest::ReleaseClass;
use iog_protocol::receipt::{Cost, ReceiptView, VerifiedReceipt};
use iog_protocol::registry::{DomainRecord, NotEffective, Registry};
use iog_protocol::run::{Outcome, ResultJson, RunRequest};
use iog_protocol::time::Timestamp;
use serde::Serialize;

use crate::bundle;
use iog_home::connect::{self, ConnectError};
use iog_home::{Home, HomeError};

/// What a verified receipt says, for people and machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptSummary {
    /// The request.
    pub request_id: RequestId,
    /// Digest of the signed request.
    pub request: Digest,
    /// The domain that asked.
    pub caller: DomainId,
    /// The domain that answered.
    pub gateway: DomainId,
    /// The service asked, if one was.
    pub service: Option<ServiceName>,
    /// The module.
    pub module: Digest,
    /// Index of the approval in the registry's log.
    pub module_log_index: Option<u64>,
    /// Entries of the registry that the gateway had applied.
    pub registry_size: u64,
    /// The entry called.
    pub entry: EntryName,
    /// Digest of the provider's policy.
    pub policy: Digest,
    /// Release class applied.
    pub release: Option<ReleaseClass>,
    /// How it ended.
    pub outcome: Outcome,
    /// Digest of the result.
    pub result_digest: Option<Digest>,
    /// Engine and version.
    pub engine: String,
    /// Digest of the fuel costs.
    pub cost_table: Digest,
    /// What it cost; rounded up to powers of two unless the class is `open`.
    pub cost: Cost,
    /// Salted commitment to the state of the data.
    pub snapshot_commitment: Digest,
    /// When the receipt was made.
    pub issued: Timestamp,
    /// Its index in the gateway's receipt log.
    pub leaf_index: u64,
    /// Size of that log under the checkpoint that proves it.
    pub log_size: u64,
}

impl ReceiptSummary {
    /// What a receipt says.
    #[must_use]
    pub fn new(receipt: &VerifiedReceipt) -> Self {
        Self {
            request_id: receipt.request_id.clone(),
            request: receipt.request,
            caller: receipt.caller.clone(),
            gateway: receipt.gateway.clone(),
            service: receipt.service.clone(),
            module: receipt.module,
            module_log_index: receipt.module_log_index,
            registry_size: receipt.registry_size,
            entry: receipt.entry.clone(),
            policy: receipt.policy,
            release: receipt.release,
            outcome: receipt.outcome.clone(),
            result_digest: receipt.result_digest,
            engine: receipt.engine.clone(),
            cost_table: receipt.cost_table,
            cost: receipt.cost,
            snapshot_commitment: *receipt.snapshot_commitment(),
            issued: receipt.issued,
            leaf_index: receipt.leaf_index(),
            log_size: receipt.checkpoint().size,
        }
    }
}

/// A bundle that holds.
#[derive(Debug, Clone)]
pub struct VerifiedBundle {
    /// What was asked.
    pub request: RunRequest,
    /// What the receipt says.
    pub receipt: ReceiptSummary,
    /// The result, where there is one.
    pub result: Option<ResultJson>,
    /// Whether the module may run today, and why not.
    pub module_today: Result<(), String>,
}

/// Why a bundle does not hold.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The home or its replica.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The bundle's file.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The replica is empty.
    #[error("this home holds no registry yet; run any command that reaches the center once")]
    NoRegistry,
    /// A domain that was not a member when the receipt was made.
    #[error("the registry has no domain `{domain}` in force among its first {size} entries")]
    UnknownDomain {
        /// The domain.
        domain: DomainId,
        /// The entries that the receipt rests on.
        size: u64,
    },
    /// The request is not an envelope.
    #[error("the request in the bundle is not a signed run request")]
    Envelope(#[from] EnvelopeError),
    /// The caller did not sign the request.
    #[error("the request is not signed by the logged key of domain `{domain}`")]
    Signature {
        /// The domain.
        domain: DomainId,
        /// What is wrong.
        #[source]
        source: SignatureError,
    },
    /// The receipt does not prove the answer.
    #[error("the receipt does not prove the answer")]
    Receipt(#[from] BeliefError),
    /// The registry's key of the gateway is unusable.
    #[error("the gateway's receipt key is unusable")]
    Key(#[from] iog_tlog::KeyError),
    /// A run without an approval.
    #[error("the receipt of a run that succeeded names no approval of its module")]
    NoApproval,
    /// The receipt rests on something that did not let the module run then.
    #[error("log entry {claimed}, which the receipt names as the module's approval, did not let it run")]
    Approval {
        /// The entry that the receipt names.
        claimed: u64,
        /// What the registry says of it.
        #[source]
        source: NotEffective,
    },
}

/// Verifies one bundle from files alone.
///
/// # Errors
/// [`VerifyError`]: the first thing that does not hold.
pub fn verify_bundle(home: &Home, path: &Path) -> Result<VerifiedBundle, VerifyError> {
    let registry = connect::replica(home)?.registry().ok_or(VerifyError::NoRegistry)?;
    verify_with(home, &registry, path)
}

/// Verifies one bundle against a registry that was opened already, for many bundles at once.
///
/// # Errors
/// [`VerifyError`]: the first thing that does not hold.
pub fn verify_with(home: &Home, registry: &Registry, path: &Path) -> Result<VerifiedBundle, VerifyError> {
    let stored = bundle::read(path)?;
    let envelope = Signed::<RunRequest>::parse(&stored.request.0)?;
    let size = registry_size(&stored.answer.receipt, registry);
    let caller = record(registry, home.domain(), size)?;
    let request = envelope
        .verify(std::slice::from_ref(&caller.caller_key))
        .map_err(|source| VerifyError::Signature { domain: home.domain().clone(), source })?
        .into_inner();
    let log = receipt_log(home.trust_domain(), record(registry, &stored.domain, size)?)?;
    let believed = believe(stored.answer, &SignedRun { request: request.clone(), envelope }, &log)?;
    check_approval(registry, believed.receipt(), size)?;
    let today = registry.effective(&believed.receipt().module, believed.receipt().issued);
    Ok(VerifiedBundle {
        request,
        receipt: ReceiptSummary::new(believed.receipt()),
        result: believed.answer().result.clone(),
        module_today: today.map(|_| ()).map_err(|reason| reason.to_string()),
    })
}

/// The entries of the registry on which a receipt says to rest, as far as they are held here. The receipt is not verified yet;
/// verifying it includes this very field, so a false number fails there or names keys that do not fit.
fn registry_size(receipt: &ReceiptView, registry: &Registry) -> u64 {
    let claimed = receipt.disclosed.get("registry_size").and_then(|field| field.value.as_u64());
    claimed.unwrap_or(u64::MAX).min(registry.size())
}

/// A domain with the keys it had then. What it signed before it was suspended or revoked stays signed.
fn record<'r>(registry: &'r Registry, domain: &DomainId, size: u64) -> Result<&'r DomainRecord, VerifyError> {
    let unknown = || VerifyError::UnknownDomain { domain: domain.clone(), size };
    registry.domain_at(domain, size).ok_or_else(unknown)
}

/// A run that succeeded rested on the approval it names. Where the module has been halted since, that is not held against
/// the receipt.
fn check_approval(registry: &Registry, receipt: &VerifiedReceipt, size: u64) -> Result<(), VerifyError> {
    if !receipt.outcome.is_success() {
        return Ok(());
    }
    let claimed = receipt.module_log_index.ok_or(VerifyError::NoApproval)?;
    registry
        .was_effective(&receipt.module, claimed, size, receipt.issued)
        .map_err(|source| VerifyError::Approval { claimed, source })
}
