//! Whether a domain may have a new certificate: it is not stopped, and its caller key signed for this very request. The certificate it
//! shows says who it claims to be and does not suffice. Pure.

use iog_protocol::{
    api::{ApiErrorCode, CertificateRequest},
    dsse::Signed,
    ids::{DomainId, TrustDomain},
    keys::PublicKey,
    registry::Registry,
    renewal::CertificateOrder,
    time::Timestamp,
};

use crate::{admission, refusal::Refusal};

/// What a client that sends no order is told.
const TOO_OLD: &str =
    "a renewal needs an order signed with the domain's caller key: update `iog`, the home stays as it is";

/// The caller key that must sign for `domain`: the registry's, else that of the statement that waits, since a domain that is not a member
/// yet must be able to ask. A suspended or revoked domain gets no certificate.
pub(crate) fn signing_key(
    domain: &DomainId,
    registry: &Registry,
    waiting: Option<&str>,
    now: Timestamp,
) -> Result<PublicKey, Refusal> {
    if let Some((record, halts)) = registry.domain_history(domain) {
        let stopped = |state: &str| {
            let detail = format!("domain `{domain}` is {state}: its certificate is not renewed");
            Err(Refusal::new(ApiErrorCode::DomainSuspended, detail))
        };
        return match (halts.revoked(), halts.suspension(now)) {
            (Some(_), _) => stopped("revoked"),
            (None, Some(_)) => stopped("suspended"),
            (None, None) => Ok(record.caller_key),
        };
    }
    let unknown = || Refusal::new(ApiErrorCode::NotAMember, format!("domain `{domain}` is not known: enroll it again"));
    let waiting = waiting.and_then(|envelope| admission::read(envelope.as_bytes()).ok()).ok_or_else(unknown)?;
    Ok(waiting.domain.caller_key)
}

/// Checks the order of a request, which the domain's `key` must have signed for this center.
pub(crate) fn check_order(
    request: &CertificateRequest,
    domain: &DomainId,
    center: &TrustDomain,
    key: &PublicKey,
    now: Timestamp,
) -> Result<(), Refusal> {
    let order = request.order.as_ref().ok_or_else(|| Refusal::new(ApiErrorCode::ClientTooOld, TOO_OLD))?;
    let order = Signed::<CertificateOrder>::parse(order.as_ref())
        .map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    let order = order.verify(&[*key]).map_err(|error| Refusal::because(ApiErrorCode::SignatureInvalid, &error))?;
    order
        .check(center, domain, &request.csr, now)
        .map_err(|error| Refusal::because(ApiErrorCode::CertificateRequestInvalid, &error))
}
