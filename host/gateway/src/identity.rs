//! Who is at the other end? A pure step: TLS peer, token and registry say which domain asks. What fails here was never
//! accepted and leaves no receipt. Every route that is not public asks it before it reads a body; where there is one, it is asked again
//! afterwards, since a body may take its time.

use iog_home::connect::token_issuer;
use iog_protocol::api::ApiErrorCode;
use iog_protocol::ids::{DomainId, TrustDomain};
use iog_protocol::run::RunRequestError;
use iog_protocol::token::{self, Expected, TokenError};
use iog_transport::PeerIdentity;

use crate::policy::Caller;
use crate::vantage::Here;

/// What a caller shows of itself.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The TLS peer.
    pub peer: Option<PeerIdentity>,
    /// The bearer token.
    pub token: Option<String>,
}

/// The longest that a signed request may be valid, in seconds.
pub const LIFETIME_S_MAX: i64 = 600;

/// Why a request was not accepted. Nothing is recorded, there is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
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
    /// The body is not a signed run request.
    #[error("the body is not a signed run request: {problem}")]
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
    /// It is valid for too long.
    #[error("the request is valid for {found_s} s; at most {LIFETIME_S_MAX} s are allowed")]
    Lifetime {
        /// For how long.
        found_s: i64,
    },
}

impl NotAccepted {
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

/// Says who is at the other end of a connection: what every route asks that is not public.
///
/// # Errors
/// [`NotAccepted`]: certificate, token or registry do not hold.
pub fn identify(shown: &Shown, here: &Here) -> Result<Caller, NotAccepted> {
    let (peer, domain) = peer_domain(shown.peer.as_ref(), here)?;
    check_token(shown.token.as_deref(), peer, &domain, here)?;
    let record = here.registry.domain(&domain, here.now).ok_or_else(|| not_in_force(&domain, here))?;
    Ok(Caller { organisation: record.organisation.clone(), asns: record.asns.clone(), domain })
}

/// The domain that a TLS peer's certificate names.
fn peer_domain<'p>(peer: Option<&'p PeerIdentity>, here: &Here) -> Result<(&'p PeerIdentity, DomainId), NotAccepted> {
    let trust_domain = &here.registry.founding().trust_domain;
    let named = peer.and_then(|peer| Some((peer, trust_domain.domain_named(peer.spiffe.as_deref()?)?)));
    named.ok_or_else(|| NotAccepted::NoPeer { trust_domain: trust_domain.clone() })
}

pub(crate) fn not_in_force(sender: &DomainId, here: &Here) -> NotAccepted {
    let domain = sender.clone();
    if let Some(needed) = here.registry.stopped() {
        return NotAccepted::RulesTooNew { needed: needed.needed() };
    }
    match here.registry.domain_history(sender) {
        Some(_) => NotAccepted::Suspended { domain },
        None => NotAccepted::UnknownCaller { domain },
    }
}

fn check_token(token: Option<&str>, peer: &PeerIdentity, sender: &DomainId, here: &Here) -> Result<(), NotAccepted> {
    let token = token.ok_or(NotAccepted::NoToken)?;
    let trust_domain = &here.registry.founding().trust_domain;
    let expected = Expected {
        issuer: &token_issuer(trust_domain),
        audience: trust_domain,
        now: here.now,
        cert_sha256: &peer.leaf_sha256,
    };
    let wrong = |e: TokenError| NotAccepted::Token { expired: e == TokenError::Expired, problem: e.to_string() };
    let claims = token::verify(token, &here.registry.keyset().token, &expected).map_err(wrong)?;
    let named = claims.domain().map_err(wrong)?;
    if named == *sender { Ok(()) } else { Err(NotAccepted::OtherDomain { token: named, peer: sender.clone() }) }
}
