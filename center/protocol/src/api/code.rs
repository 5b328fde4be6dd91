//! The errors of the HTTP interface by name. A code never changes its meaning; texts may.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $status:literal;)+) => {
        /// What went wrong. Its code is for programs, its meaning for people; the status follows from it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum ApiErrorCode {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $variant,)+
            /// A code that this version does not know, from a newer peer.
            #[serde(other)]
            Unknown,
        }

        impl ApiErrorCode {
            /// Every code that a server may send.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name, kebab-case.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Unknown => "unknown",
                }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)+
                    Self::Unknown => 500,
                }
            }

            /// What the code means, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => first_line(concat!($($doc, "\n",)+)),)+
                    Self::Unknown => "Unknown error.",
                }
            }
        }
    };
}

/// The text up to its first line end, without the space that a doc comment starts with.
const fn first_line(text: &'static str) -> &'static str {
    let bytes = text.as_bytes();
    let start = if bytes[0] == b' ' { 1 } else { 0 };
    let mut end = start;
    while end < bytes.len() && bytes[end] != b'\n' {
        end += 1;
    }
    text.split_at(end).0.split_at(start).1
}

codes! {
    /// The request is not of the documented form.
    BadRequest = "bad-request", 400;
    /// The signed envelope is not of the documented form.
    BadEnvelope = "bad-envelope", 400;
    /// The request is signed for another gateway.
    WrongAudience = "wrong-audience", 400;
    /// The request is not yet, or no longer, valid.
    RequestExpired = "request-expired", 400;
    /// The client is too old for this server: update it.
    ClientTooOld = "client-too-old", 400;
    /// A client certificate is needed.
    CertificateRequired = "certificate-required", 401;
    /// A token is needed.
    TokenRequired = "token-required", 401;
    /// The token does not hold.
    TokenInvalid = "token-invalid", 401;
    /// The token has expired.
    TokenExpired = "token-expired", 401;
    /// The signature does not hold, or is by a key that may not sign this.
    SignatureInvalid = "signature-invalid", 401;
    /// Certificate, token and signature do not name the same domain.
    IdentityMismatch = "identity-mismatch", 403;
    /// The domain is not a member in force.
    NotAMember = "not-a-member", 403;
    /// The domain is suspended or revoked.
    DomainSuspended = "domain-suspended", 403;
    /// The provider's policy does not allow this.
    PolicyDenied = "policy-denied", 403;
    /// The module is not approved, or no longer.
    ModuleNotEffective = "module-not-effective", 403;
    /// The provider does not grant what the module needs.
    NotGranted = "not-granted", 403;
    /// The result may not leave.
    ReleaseDenied = "release-denied", 403;
    /// The join token does not hold.
    JoinTokenInvalid = "join-token-invalid", 403;
    /// The demonstration's trust domain is not served here.
    DemoRefused = "demo-refused", 403;
    /// There is nothing at this path.
    NotFound = "not-found", 404;
    /// No such module.
    UnknownModule = "unknown-module", 404;
    /// No such service.
    UnknownService = "unknown-service", 404;
    /// No such domain.
    UnknownDomain = "unknown-domain", 404;
    /// No such run.
    UnknownRun = "unknown-run", 404;
    /// No such function in the module.
    UnknownEntry = "unknown-entry", 404;
    /// The path does not know this method.
    MethodNotAllowed = "method-not-allowed", 405;
    /// The client was too slow.
    RequestTimeout = "request-timeout", 408;
    /// The request id was used for another request.
    RequestIdReused = "request-id-reused", 409;
    /// It exists already.
    AlreadyExists = "already-exists", 409;
    /// Something newer is known.
    StaleSequence = "stale-sequence", 409;
    /// The request is larger than allowed.
    TooLarge = "too-large", 413;
    /// The media type is not the documented one.
    UnsupportedMediaType = "unsupported-media-type", 415;
    /// The parameters do not fit the function.
    BadParams = "bad-params", 422;
    /// The manifest does not hold.
    ManifestInvalid = "manifest-invalid", 422;
    /// The module does not pass inspection.
    InspectionFailed = "inspection-failed", 422;
    /// The statement is against the rules of the registry.
    StatementInvalid = "statement-invalid", 422;
    /// The service descriptor does not hold.
    DescriptorInvalid = "descriptor-invalid", 422;
    /// The certificate request does not hold.
    CertificateRequestInvalid = "certificate-request-invalid", 422;
    /// The quota is used up.
    QuotaExceeded = "quota-exceeded", 429;
    /// Too many requests at once.
    RateLimited = "rate-limited", 429;
    /// The server failed.
    Internal = "internal", 500;
    /// The server is busy.
    Busy = "busy", 503;
    /// The server cannot do this now.
    Unavailable = "unavailable", 503;
    /// The server's copy of the registry is too old to decide.
    RegistryStale = "registry-stale", 503;
    /// The registry has rules that this server does not know.
    RulesTooNew = "rules-too-new", 503;
}

impl ApiErrorCode {
    /// The code of this name; [`Self::Unknown`] for any other.
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        Self::ALL.iter().copied().find(|known| known.code() == code).unwrap_or(Self::Unknown)
    }

    /// Whether the same request may succeed later without a change.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self.status(), 408 | 429 | 503)
    }
}

impl std::fmt::Display for ApiErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}
