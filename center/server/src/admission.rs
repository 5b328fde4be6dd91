//! How a domain becomes a member: whether its statement may be appended, may wait for co-signatures, or is refused. Who admits whom is
//! the registry's rule; here is only what happens to a statement that does not suffice yet. Pure.

use iog_protocol::{
    api::{ApiErrorCode, PendingDomain},
    dsse::Envelope,
    ids::DomainId,
    registry::{Flaw, Invalid, Registry},
    statements::{Domain, Predicate, parse_payload},
    time::Timestamp,
};

use crate::{db::members::Invitation, refusal::Refusal};

/// A domain statement with its envelope.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(crate) domain: Domain,
    pub(crate) envelope: Envelope,
}

/// What to do with an offered statement.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Enough have signed: append it.
    Append(Offered),
    /// Its own key and perhaps others have signed: keep it. The text says what lacks.
    Keep(Offered, String),
}

/// Takes an envelope for a domain statement.
pub(crate) fn read(bytes: &[u8]) -> Result<Offered, Refusal> {
    let envelope = Envelope::parse(bytes).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    let statement =
        parse_payload(envelope.payload()).map_err(|error| Refusal::because(ApiErrorCode::BadEnvelope, &error))?;
    match statement.predicate {
        Predicate::Domain(domain) => Ok(Offered { domain: *domain, envelope }),
        _ => Err(Refusal::new(ApiErrorCode::BadEnvelope, "the statement is not about a domain")),
    }
}

/// Whether the statement says what the join token says.
pub(crate) fn fits_invitation(offered: &Offered, invitation: &Invitation) -> Result<(), Refusal> {
    let domain = &offered.domain;
    let member = if domain.id != invitation.domain {
        "id"
    } else if domain.organisation != invitation.organisation {
        "organisation"
    } else if !domain.asns.iter().all(|asn| invitation.asns.contains(asn)) {
        "asns"
    } else {
        return Ok(());
    };
    let detail = format!("`{member}` of the domain statement is not what the join token says");
    Err(Refusal::new(ApiErrorCode::StatementInvalid, detail))
}

/// What becomes of `offered`, given the statement of the same domain that waits already.
///
/// Signatures for the waiting statement are added to it. Another statement takes its place only if `may_replace`.
pub(crate) fn judge(
    registry: &Registry,
    offered: Offered,
    waiting: Option<Offered>,
    may_replace: bool,
) -> Result<Verdict, Refusal> {
    let same = waiting.filter(|waiting| waiting.envelope.payload() == offered.envelope.payload());
    let is_known = same.is_some();
    let (candidate, outcome) = match same {
        None => (offered.clone(), rule(registry, &offered)),
        Some(mut joined) => {
            joined.envelope.join(&offered.envelope).map_err(|e| Refusal::because(ApiErrorCode::BadEnvelope, &e))?;
            match rule(registry, &joined) {
                // A co-signer who has left since must not spoil the others' signatures.
                Err(invalid) if matches!(invalid.flaw(), Some(Flaw::Signature(_))) => {
                    (offered.clone(), rule(registry, &offered))
                }
                outcome => (joined, outcome),
            }
        }
    };
    match outcome {
        Ok(()) => Ok(Verdict::Append(candidate)),
        Err(invalid) => {
            let lacking = matches!(invalid.flaw(), Some(Flaw::TooFewSigners { .. }));
            if lacking && (is_known || may_replace) && signed_by_itself(&candidate) {
                Ok(Verdict::Keep(candidate, invalid.to_string()))
            } else {
                Err(Refusal::from(&invalid))
            }
        }
    }
}

fn rule(registry: &Registry, offered: &Offered) -> Result<(), Invalid> {
    registry.check(&offered.envelope.to_json()).map(drop)
}

fn signed_by_itself(offered: &Offered) -> bool {
    !offered.envelope.signers_among(&[offered.domain.caller_key]).is_empty()
}

/// A waiting statement as it is shown to those who may co-sign it.
pub(crate) fn shown(envelope: &str, since: i64) -> Option<PendingDomain> {
    let offered = read(envelope.as_bytes()).ok()?;
    Some(PendingDomain {
        id: offered.domain.id,
        organisation: offered.domain.organisation,
        statement: envelope.as_bytes().to_vec().into(),
        since: Timestamp::from_unix(since),
    })
}

/// Whether `offered`, from somebody who connects as `peer`, may take the place of the statement that waits. While the registry does not
/// know the domain, the caller key of the one that waits renews its certificate, so its successor has that key too: a certificate alone
/// does not change who renews it. Whoever wants another key enrolls again.
pub(crate) fn may_replace(
    registry: &Registry,
    peer: Option<&DomainId>,
    offered: &Offered,
    waiting: Option<&Offered>,
) -> bool {
    let known = registry.domain_history(&offered.domain.id).is_some();
    let same_key = |before: &Offered| offered.domain.caller_key == before.domain.caller_key;
    peer == Some(&offered.domain.id) && (known || waiting.is_none_or(same_key))
}
