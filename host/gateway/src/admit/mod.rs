//! May this run? Two pure steps. [`accept`] says that a request is its sender's, for this gateway and now; what fails there
//! was never accepted and leaves no receipt. [`decide`] says whether it may run; a refusal there is an outcome with a receipt.
//! Neither reads a file, a clock or a counter: all of it is passed in.

use std::sync::Arc;

use iog_protocol::api::ApiErrorCode;
use iog_protocol::dsse::Signed;
use iog_protocol::ids::{Digest, DomainId, EntryName, ServiceName};
use iog_protocol::registry::Registry;
use iog_protocol::run::RunRequest;

use crate::identity::{LIFETIME_S_MAX, NotAccepted, not_in_force};
use crate::not_ready::NotReady;
use crate::policy::{Caller, Denied, Policy, Question, Used};
use crate::vantage::Here;

/// A request whose sender is known.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// What is asked.
    pub request: RunRequest,
    /// The signed request, as received.
    pub envelope: Vec<u8>,
    /// The digest of the signed request.
    pub digest: Digest,
    /// Who asks.
    pub caller: Caller,
}

/// Says whether a signed request is one of `caller`, in this order: registry, signature, audience, times, caller.
///
/// # Errors
/// [`NotAccepted`]: the first thing that does not hold.
pub fn accept(envelope: &[u8], caller: Caller, here: &Here) -> Result<Authenticated, NotAccepted> {
    let sender = &caller.domain;
    let record = here.registry.domain(sender, here.now).ok_or_else(|| not_in_force(sender, here))?;
    let signed = Signed::<RunRequest>::parse(envelope).map_err(|e| NotAccepted::Envelope { problem: e.to_string() })?;
    let digest = signed.digest();
    let request =
        signed.verify(std::slice::from_ref(&record.caller_key)).map_err(|e| signature_problem(e, sender))?.into_inner();
    check_request(&request, sender, here)?;
    Ok(Authenticated { request, envelope: envelope.to_vec(), digest, caller })
}

fn signature_problem(error: iog_protocol::dsse::SignatureError, sender: &DomainId) -> NotAccepted {
    match error {
        iog_protocol::dsse::SignatureError::Content(problem) => NotAccepted::Envelope { problem },
        _ => NotAccepted::Signature { domain: sender.clone() },
    }
}

fn check_request(request: &RunRequest, sender: &DomainId, here: &Here) -> Result<(), NotAccepted> {
    request.check(&here.domain, here.now)?;
    if request.caller != *sender {
        return Err(NotAccepted::Caller { found: request.caller.clone(), sender: sender.clone() });
    }
    let found_s = request.expires.seconds_since(request.issued);
    if found_s > LIFETIME_S_MAX { Err(NotAccepted::Lifetime { found_s }) } else { Ok(()) }
}

/// A service as the decision sees it.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Its name.
    pub name: &'a ServiceName,
    /// What the provider allows.
    pub policy: &'a Policy,
    /// What was fetched, inspected and bound; or why it was not.
    pub prepared: Result<PreparedFacts<'a>, &'a NotReady>,
}

/// What the gateway itself found out about a service's module.
#[derive(Debug, Clone, Copy)]
pub struct PreparedFacts<'a> {
    /// SHA-256 of the file that was inspected and loaded.
    pub module: Digest,
    /// SHA-256 of the manifest it was inspected with.
    pub manifest: Digest,
    /// The entries of the manifest.
    pub entries: &'a [EntryName],
}

/// A request that may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Index of the approval in the registry's log.
    pub approval_index: u64,
    /// The gateway's own first AS number in the registry.
    pub asn: Option<u32>,
}

/// What was decided, and on what.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The registry on which it rests.
    pub registry: Arc<Registry>,
    /// May it run?
    pub verdict: Result<Admitted, Refusal>,
}

/// Why an accepted request does not run: an outcome, with a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody confirmed the registry for too long: it may lack a revocation.
    #[error("this gateway's registry was not confirmed for more than {max_h} h")]
    RegistryStale {
        /// How long it may be, in hours.
        max_h: u64,
    },
    /// The caller was suspended or revoked since the request was accepted.
    #[error("domain `{domain}` is no longer in force in the registry this gateway holds")]
    CallerGone {
        /// The domain.
        domain: DomainId,
    },
    /// There is no such service here.
    #[error("this gateway has no service `{asked}`")]
    NoService {
        /// What was asked for: a name or a module.
        asked: String,
    },
    /// The module is not approved, or no longer.
    #[error("module `{module}` is not effective: {reason}")]
    NotEffective {
        /// The module.
        module: Digest,
        /// The registry's reason.
        reason: String,
    },
    /// The service runs another module.
    #[error("service `{service}` runs module `{found}`, not `{asked}`")]
    OtherModule {
        /// The service.
        service: ServiceName,
        /// What it runs.
        found: Digest,
        /// What was asked for.
        asked: Digest,
    },
    /// The gateway could not prepare the service.
    #[error("service `{service}` is not ready: {reason}")]
    NotReady {
        /// The service.
        service: ServiceName,
        /// Why.
        reason: NotReady,
    },
    /// The manifest here is not the one that was approved.
    #[error("the manifest of service `{service}` is not the one approved for its module")]
    OtherManifest {
        /// The service.
        service: ServiceName,
    },
    /// The manifest lists no such entry.
    #[error("module has no entry `{entry}`")]
    NoEntry {
        /// The entry asked for.
        entry: EntryName,
    },
    /// The provider's policy says no.
    #[error("{}", denied_text(.0))]
    Denied(Denied),
    /// The parameters do not fit the entry.
    #[error("the parameters do not fit: {problem}")]
    Params {
        /// Path, expected and found.
        problem: String,
    },
    /// The module imports what this run was not granted.
    #[error("the module imports `{interface}`, which this run was not granted")]
    NotGranted {
        /// The interface.
        interface: String,
    },
}

fn denied_text(denied: &Denied) -> String {
    match denied {
        Denied::Caller => "the provider's policy does not allow this caller".to_owned(),
        Denied::Entry => "the provider's policy does not allow this entry".to_owned(),
        Denied::Purpose => "the provider's policy does not allow this purpose".to_owned(),
        Denied::RunsPerHour { max } => format!("the caller's {max} runs of this hour are used up"),
        Denied::RunsPerDay { max } => format!("the caller's {max} runs of this day are used up"),
        Denied::TargetTooWide { min } => format!("the provider answers about prefixes of /{min} and longer only"),
        Denied::TargetUnclear => {
            "the target is neither an address nor a prefix, so its width cannot be told".to_owned()
        }
        Denied::TargetsPerDay { max } => format!("the caller's {max} distinct targets of this day are used up"),
    }
}

impl Refusal {
    /// The stable code, as receipts and answers carry it.
    #[must_use]
    pub fn code(&self) -> ApiErrorCode {
        match self {
            Self::RegistryStale { .. } => ApiErrorCode::RegistryStale,
            Self::CallerGone { .. } => ApiErrorCode::DomainSuspended,
            Self::NoService { .. } => ApiErrorCode::UnknownService,
            Self::NotEffective { .. } | Self::OtherManifest { .. } => ApiErrorCode::ModuleNotEffective,
            Self::OtherModule { .. } => ApiErrorCode::UnknownModule,
            Self::NotReady { reason: NotReady::Class { .. }, .. } => ApiErrorCode::ReleaseDenied,
            Self::NotReady { reason: NotReady::NotGiven { .. }, .. } => ApiErrorCode::NotGranted,
            Self::NotReady { .. } => ApiErrorCode::Unavailable,
            Self::NoEntry { .. } => ApiErrorCode::UnknownEntry,
            Self::Denied(
                Denied::Caller | Denied::Entry | Denied::Purpose | Denied::TargetTooWide { .. } | Denied::TargetUnclear,
            ) => ApiErrorCode::PolicyDenied,
            Self::Denied(_) => ApiErrorCode::QuotaExceeded,
            Self::Params { .. } => ApiErrorCode::BadParams,
            Self::NotGranted { .. } => ApiErrorCode::NotGranted,
        }
    }
}

/// Says whether a request may run, in this order: age of the registry, caller, registry, what was fetched and inspected,
/// policy, quotas. The first thing that does not hold is the refusal.
#[must_use]
pub fn decide(asked: &Authenticated, here: &Here, offer: Option<&Offer<'_>>, used: Used) -> Decision {
    Decision { registry: Arc::clone(&here.registry), verdict: verdict(asked, here, offer, used) }
}

fn verdict(asked: &Authenticated, here: &Here, offer: Option<&Offer<'_>>, used: Used) -> Result<Admitted, Refusal> {
    if let Some(max_h) = here.stale_after_h {
        return Err(Refusal::RegistryStale { max_h });
    }
    let request = &asked.request;
    let domain = &asked.caller.domain;
    if here.registry.domain(domain, here.now).is_none() {
        return Err(Refusal::CallerGone { domain: domain.clone() });
    }
    let Some(offer) = offer else { return Err(no_service(request)) };
    let effective = here
        .registry
        .effective(&request.module, here.now)
        .map_err(|e| Refusal::NotEffective { module: request.module, reason: e.to_string() })?;
    let facts =
        offer.prepared.map_err(|reason| Refusal::NotReady { service: offer.name.clone(), reason: reason.clone() })?;
    if facts.module != request.module {
        let (service, found) = (offer.name.clone(), facts.module);
        return Err(Refusal::OtherModule { service, found, asked: request.module });
    }
    if facts.manifest != effective.manifest {
        return Err(Refusal::OtherManifest { service: offer.name.clone() });
    }
    if !facts.entries.contains(&request.entry) {
        return Err(Refusal::NoEntry { entry: request.entry.clone() });
    }
    let question = Question { caller: &asked.caller, entry: &request.entry, purpose: &request.purpose, used };
    offer.policy.decide(&question).map_err(Refusal::Denied)?;
    offer.policy.decide_target(&asked.request.params).map_err(Refusal::Denied)?;
    let own = here.registry.domain(&here.domain, here.now);
    let asn = own.and_then(|record| record.asns.first()).map(|asn| asn.0);
    Ok(Admitted { approval_index: effective.approval_index, asn })
}

fn no_service(request: &RunRequest) -> Refusal {
    let asked = match &request.service {
        Some(name) => name.to_string(),
        None => format!("with module {}", request.module),
    };
    Refusal::NoService { asked }
}

#[cfg(test)]
mod tests;
