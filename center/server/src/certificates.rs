//! Certificates for members and for the center itself. Names come from the records of the enrollment or from the configuration.

use std::net::IpAddr;

use iog_protocol::{
    api::{ApiErrorCode, CertificateAnswer},
    ids::TrustDomain,
    time::Timestamp,
};
use iog_transport::{
    Identity, TransportError,
    ca::{Ca, SubjectNames, Validity},
};

use crate::{db::members::Member, error::CenterError, refusal::Refusal};

/// Certificates are valid from a little before they are made, so that clocks may differ. Seconds.
const BACKDATE_S: i64 = 300;

/// Makes the certificates of one trust domain.
pub(crate) struct Issuer {
    pub(crate) ca: Ca,
    pub(crate) trust_domain: TrustDomain,
    /// DNS names and IP addresses of the center.
    pub(crate) own_names: Vec<String>,
    /// Life of a certificate.
    pub(crate) hours: u32,
}

impl Issuer {
    /// Issues a member's certificate for the key of its signing request.
    pub(crate) fn issue(&self, member: &Member, csr_pem: &str, now: Timestamp) -> Result<CertificateAnswer, Refusal> {
        let names = subject(self.trust_domain.spiffe(&member.domain), &member.names);
        let validity = self.validity(now);
        match self.ca.issue(csr_pem, &names, validity) {
            Ok(certificate_chain) => {
                Ok(CertificateAnswer { certificate_chain, expires: Timestamp::from_unix(validity.not_after) })
            }
            Err(error @ TransportError::Csr { .. }) => {
                Err(Refusal::because(ApiErrorCode::CertificateRequestInvalid, &error))
            }
            Err(error) => Err(CenterError::from(error).into()),
        }
    }

    /// A new key and certificate for the center's own listener.
    pub(crate) fn own_identity(&self, now: Timestamp) -> Result<Identity, CenterError> {
        let names = subject(self.trust_domain.center_spiffe(), &self.own_names);
        let issued = self.ca.issue_with_new_key(&names, self.validity(now))?;
        Ok(Identity::from_pem(&issued.chain_pem, &issued.key_pem)?)
    }

    fn validity(&self, now: Timestamp) -> Validity {
        let now = now.unix();
        Validity { not_before: now - BACKDATE_S, not_after: now + i64::from(self.hours) * 3600 }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_names() {
        let subject = subject("spiffe://x/center".into(), &["localhost".into(), "::1".into()]);
        assert_eq!((subject.dns.len(), subject.ips.len()), (1, 1));
    }
}
