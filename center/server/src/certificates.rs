//! Certificates for members and for the center itself. Names come from the records of the enrolment or from the configuration.

use std::net::IpAddr;

use iog_protocol::{
    api::{ApiErrorCode, CertificateAnswer},
    ids::DomainId,
    registry::Registry,
};
use iog_transport::{
    Identity, TransportError,
    ca::{SubjectNames, Validity},
};

use crate::{center::Shared, db::members::Member, error::CenterError, refusal::Refusal};

/// Certificates are valid from a little before they are made, so that clocks may differ. Seconds.
const BACKDATE_S: i64 = 300;

/// A revoked domain gets no certificate; one that is not a member yet does, since it must be able to ask.
pub(crate) fn may_renew(domain: &DomainId, registry: &Registry) -> Result<(), Refusal> {
    match registry.domain_history(domain) {
        Some((_, halts)) if halts.revoked().is_some() => {
            Err(Refusal::new(ApiErrorCode::DomainSuspended, format!("domain `{domain}` is revoked")))
        }
        _ => Ok(()),
    }
}

/// Issues a member's certificate for the key of its signing request.
pub(crate) fn issue(shared: &Shared, member: &Member, csr_pem: &str) -> Result<CertificateAnswer, Refusal> {
    let names = subject(shared.config.trust_domain.spiffe(&member.domain), &member.names);
    let validity = validity(shared);
    match shared.keys.ca.issue(csr_pem, &names, validity) {
        Ok(certificate_chain) => {
            let expires = shared.clock.now().plus_seconds(validity.not_after - shared.clock.now().unix());
            Ok(CertificateAnswer { certificate_chain, expires })
        }
        Err(error @ TransportError::Csr { .. }) => {
            Err(Refusal::because(ApiErrorCode::CertificateRequestInvalid, &error))
        }
        Err(error) => Err(CenterError::from(error).into()),
    }
}

/// A new key and certificate for the center's own listener.
pub(crate) fn own_identity(shared: &Shared) -> Result<Identity, CenterError> {
    let names = subject(shared.config.trust_domain.center_spiffe(), &shared.config.names);
    let issued = shared.keys.ca.issue_with_new_key(&names, validity(shared))?;
    Ok(Identity::from_pem(&issued.chain_pem, &issued.key_pem)?)
}

fn validity(shared: &Shared) -> Validity {
    let now = shared.clock.now().unix();
    let life = i64::from(shared.config.limits.certificate_hours) * 3600;
    Validity { not_before: now - BACKDATE_S, not_after: now + life }
}

/// DNS names and IP addresses told apart.
fn subject(spiffe_uri: String, names: &[String]) -> SubjectNames {
    let mut subject = SubjectNames { spiffe_uri, ..SubjectNames::default() };
    for name in names {
        match name.parse::<IpAddr>() {
            Ok(address) => subject.ips.push(address),
            Err(_) => subject.dns.push(name.clone()),
        }
    }
    subject
}

/// Why a text cannot be a name in a certificate, if it cannot.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let fits = name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(label));
    if fits { Ok(()) } else { Err(format!("`{name}` is neither a DNS name nor an IP address")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_or_addresses() {
        for good in ["localhost", "gw.isp-a.example", "127.0.0.1", "::1"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "*.example", "-a.example", "a..b", "http://x", "a_b", &"a".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        let subject = subject("spiffe://x/center".into(), &["localhost".into(), "::1".into()]);
        assert_eq!((subject.dns.len(), subject.ips.len()), (1, 1));
    }
}
