//! Who asks, and may it? Two pure steps. [`authenticate`] says whose request it is; what fails there was never accepted and
//! leaves no receipt. [`decide`] says whether it may run; a refusal there is an outcome with a receipt. Neither reads a
//! file, a clock or a counter: all of it is passed in.

use iog_protocol::api::ApiErrorCode;
use iog_protocol::dsse::Signed;
use iog_protocol::ids::{Digest, DomainId, EntryName, ServiceName, TrustDomain};
use iog_protocol::registry::Registry;
use iog_protocol::run::{RunRequest, RunRequestError};
use iog_protocol::time::Timestamp;
use iog_protocol::token::{self, Expected, TokenError};
use iog_transport::PeerIdentity;

use crate::policy::{Caller, Denied, Policy, Question, Used};
use crate::services::NotReady;
use iog_home::connect::token_issuer;

/// The longest a signed request may be good for, in seconds.
pub const LIFETIME_S_MAX: i64 = 600;

/// What came over the wire.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The TLS peer.
    pub peer: Option<&'a PeerIdentity>,
    /// The bearer token.
    pub token: Option<&'a str>,
    /// The signed request, as received.
    pub envelope: &'a [u8],
}

/// What the gateway knows at the moment of asking.
#[derive(Debug, Clone, Copy)]
pub struct Here<'a> {
    /// The replayed registry.
    pub registry: &'a Registry,
    /// The gateway's own domain.
    pub domain: &'a DomainId,
    /// The present time.
    pub now: Timestamp,
}

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

/// Why a request was not accepted. Nothing is recorded, there is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The connection carries no certificate of a domain.
    #[error("the connection shows no certificate of a domain of `{trust_domain}`")]
    NoPeer {
        /// The trust domain expected.
        trust_domain: TrustDomain,
    },
    /// There is no bearer token.
    #[error("the request carries no bearer token")]
    NoToken,
    /// The token does not admit this peer.
    #[error("the token does not admit this peer: {problem}")]
    Token {
        /// What is wrong with it.
        problem: String,
        /// Whether only its time is over.
        expired: bool,
    },
    /// The token is of another domain than the certificate.
    #[error("the token is for domain `{token}`, the certificate for `{peer}`")]
    OtherDomain {
        /// The token's.
        token: DomainId,
        /// The certificate's.
        peer: DomainId,
    },
    /// The registry asks for newer rules than this gateway knows.
    #[error("the registry asks for {needed}; this gateway stops until it is updated")]
    RulesTooNew {
        /// What it asks for: rules, or a family of statements, with the version.
        needed: String,
    },
    /// The registry has the domain suspended or revoked.
    #[error("domain `{domain}` is suspended or revoked in the registry this gateway holds")]
    Suspended {
        /// The domain.
        domain: DomainId,
    },
    /// The registry has no such domain in force.
    #[error("domain `{domain}` is not in force in the registry this gateway holds")]
    UnknownCaller {
        /// The domain.
        domain: DomainId,
    },
    /// The body is no signed run request.
    #[error("the body is no signed run request: {problem}")]
    Envelope {
        /// What is wrong with it.
        problem: String,
    },
    /// The logged key of the caller did not sign it.
    #[error("the request is not signed by the logged key of domain `{domain}`")]
    Signature {
        /// The domain.
        domain: DomainId,
    },
    /// It is for another gateway, expired, from the future or misshapen.
    #[error(transparent)]
    Request(#[from] RunRequestError),
    /// It names another caller than the one who sent it.
    #[error("the request names domain `{found}` as its caller, it was sent by `{sender}`")]
    Caller {
        /// Whom it names.
        found: DomainId,
        /// Who sent it.
        sender: DomainId,
    },
    /// It is good for too long.
    #[error("the request is good for {found_s} s, {LIFETIME_S_MAX} are the most")]
    Lifetime {
        /// For how long.
        found_s: i64,
    },
}

/// Says whose request it is, in this order: TLS peer, token, registry, signature, audience, times, caller.
///
/// # Errors
/// [`Rejection`]: the first thing that does not hold.
pub fn authenticate(presented: &Presented<'_>, here: &Here<'_>) -> Result<Authenticated, Rejection> {
    let caller = identify(presented.peer, presented.token, here)?;
    let sender = &caller.domain;
    let record = here.registry.domain(sender, here.now).ok_or_else(|| not_in_force(sender, here))?;
    let signed =
        Signed::<RunRequest>::parse(presented.envelope).map_err(|e| Rejection::Envelope { problem: e.to_string() })?;
    let digest = signed.digest();
    let request =
        signed.verify(std::slice::from_ref(&record.caller_key)).map_err(|e| signature_problem(e, sender))?.into_inner();
    check_request(&request, sender, here)?;
    Ok(Authenticated { request, envelope: presented.envelope.to_vec(), digest, caller })
}

/// Says who is at the other end of a connection: what every route asks that is not public.
///
/// # Errors
/// [`Rejection`]: certificate, token or registry do not hold.
pub fn identify(peer: Option<&PeerIdentity>, token: Option<&str>, here: &Here<'_>) -> Result<Caller, Rejection> {
    let (peer, domain) = peer_domain(peer, here)?;
    check_token(token, peer, &domain, here)?;
    let record = here.registry.domain(&domain, here.now).ok_or_else(|| not_in_force(&domain, here))?;
    Ok(Caller { organisation: record.organisation.clone(), asns: record.asns.clone(), domain })
}

/// The domain that a TLS peer's certificate names.
fn peer_domain<'p>(peer: Option<&'p PeerIdentity>, here: &Here<'_>) -> Result<(&'p PeerIdentity, DomainId), Rejection> {
    let trust_domain = &here.registry.founding().trust_domain;
    let named = peer.and_then(|peer| Some((peer, trust_domain.domain_named(peer.spiffe.as_deref()?)?)));
    named.ok_or_else(|| Rejection::NoPeer { trust_domain: trust_domain.clone() })
}

fn not_in_force(sender: &DomainId, here: &Here<'_>) -> Rejection {
    let domain = sender.clone();
    if let Some(needed) = here.registry.stopped() {
        return Rejection::RulesTooNew { needed: needed.needed() };
    }
    match here.registry.domain_history(sender) {
        Some(_) => Rejection::Suspended { domain },
        None => Rejection::UnknownCaller { domain },
    }
}

fn check_token(token: Option<&str>, peer: &PeerIdentity, sender: &DomainId, here: &Here<'_>) -> Result<(), Rejection> {
    let token = token.ok_or(Rejection::NoToken)?;
    let trust_domain = &here.registry.founding().trust_domain;
    let expected = Expected {
        issuer: &token_issuer(trust_domain),
        audience: trust_domain,
        now: here.now,
        cert_sha256: &peer.leaf_sha256,
    };
    let wrong = |e: TokenError| Rejection::Token { expired: e == TokenError::Expired, problem: e.to_string() };
    let claims = token::verify(token, &here.registry.keyset().token, &expected).map_err(wrong)?;
    let named = claims.domain().map_err(wrong)?;
    if named == *sender { Ok(()) } else { Err(Rejection::OtherDomain { token: named, peer: sender.clone() }) }
}

fn signature_problem(error: iog_protocol::dsse::SignatureError, sender: &DomainId) -> Rejection {
    match error {
        iog_protocol::dsse::SignatureError::Content(problem) => Rejection::Envelope { problem },
        _ => Rejection::Signature { domain: sender.clone() },
    }
}

fn check_request(request: &RunRequest, sender: &DomainId, here: &Here<'_>) -> Result<(), Rejection> {
    request.check(here.domain, here.now)?;
    if request.caller != *sender {
        return Err(Rejection::Caller { found: request.caller.clone(), sender: sender.clone() });
    }
    let found_s = request.expires.seconds_since(request.issued);
    if found_s > LIFETIME_S_MAX { Err(Rejection::Lifetime { found_s }) } else { Ok(()) }
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

impl Rejection {
    /// The stable code of the problem that the caller gets.
    #[must_use]
    pub fn code(&self) -> ApiErrorCode {
        match self {
            Self::NoPeer { .. } => ApiErrorCode::CertificateRequired,
            Self::NoToken => ApiErrorCode::TokenRequired,
            Self::Token { expired: true, .. } => ApiErrorCode::TokenExpired,
            Self::Token { .. } => ApiErrorCode::TokenInvalid,
            Self::UnknownCaller { .. } => ApiErrorCode::NotAMember,
            Self::RulesTooNew { .. } => ApiErrorCode::RulesTooNew,
            Self::Suspended { .. } => ApiErrorCode::DomainSuspended,
            Self::Envelope { .. } => ApiErrorCode::BadEnvelope,
            Self::Signature { .. } => ApiErrorCode::SignatureInvalid,
            Self::Request(RunRequestError::Audience { .. }) => ApiErrorCode::WrongAudience,
            Self::Request(RunRequestError::Member { .. }) => ApiErrorCode::BadRequest,
            Self::Request(_) | Self::Lifetime { .. } => ApiErrorCode::RequestExpired,
            Self::Caller { .. } | Self::OtherDomain { .. } => ApiErrorCode::IdentityMismatch,
        }
    }
}

/// Says whether a request may run, in this order: caller, registry, what was fetched and inspected, policy, quotas.
///
/// # Errors
/// [`Refusal`]: the first thing that does not hold.
pub fn decide(
    asked: &Authenticated,
    here: &Here<'_>,
    offer: Option<&Offer<'_>>,
    used: Used,
) -> Result<Admitted, Refusal> {
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
    Ok(Admitted { approval_index: effective.approval_index })
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
