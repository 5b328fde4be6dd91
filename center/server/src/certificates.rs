//! Certificates for members and for the center itself. Names come from the records of the enrollment or from the configuration.

use std::net::IpAddr;

use iog_protocol::{
    api::{ApiErrorCode, CertificateAnswer},
    ids::{Digest, TrustDomain},
    statements::Keyset,
    time::Timestamp,
};
use iog_transport::{
    Identity, TransportError,
    ca::{Ca, SubjectNames, Validity},
};

use crate::{db::members::Member, error::CenterError, home::authority_digest, present::Present, refusal::Refusal};

/// Certificates are valid from a little before they are made, so that clocks may differ. Seconds.
const BACKDATE_S: i64 = 300;

/// Makes the certificates of one trust domain.
pub(crate) struct Issuer {
    /// Those whose keys the center holds.
    pub(crate) authorities: Vec<Ca>,
    pub(crate) trust_domain: TrustDomain,
    /// DNS names and IP addresses of the center.
    pub(crate) own_names: Vec<String>,
    /// Life of a certificate.
    pub(crate) hours: u32,
}

impl Issuer {
    /// Issues a member's certificate for the key of its signing request.
    pub(crate) fn issue(
        &self,
        member: &Member,
        csr_pem: &str,
        present: &Present,
    ) -> Result<CertificateAnswer, Refusal> {
        let (now, ca) = (present.now(), self.issuing(present.registry().keyset()));
        let names = subject(self.trust_domain.spiffe(&member.domain), &member.names);
        let validity = self.validity(now);
        match ca.issue(csr_pem, &names, validity) {
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
    pub(crate) fn own_identity(&self, present: &Present) -> Result<Identity, CenterError> {
        let names = subject(self.trust_domain.center_spiffe(), &self.own_names);
        let (now, ca) = (present.now(), self.issuing(present.registry().keyset()));
        let issued = ca.issue_with_new_key(&names, self.validity(now))?;
        Ok(Identity::from_pem(&issued.chain_pem, &issued.key_pem)?)
    }

    /// The first authority of the keyset whose key is here. One of them is: the center does not start otherwise.
    pub(crate) fn issuing(&self, keyset: &Keyset) -> &Ca {
        let held = |named: &Digest| self.authorities.iter().find(|ca| authority_digest(ca) == *named);
        keyset.ca_spki_sha256.iter().find_map(held).unwrap_or(&self.authorities[0])
    }

    /// The digests of the authorities held here that the keyset names, the one that issues first, a line each.
    pub(crate) fn note(&self, keyset: &Keyset) -> String {
        let issuing = authority_digest(self.issuing(keyset));
        let held = |named: &&Digest| self.authorities.iter().any(|ca| authority_digest(ca) == **named);
        let others = keyset.ca_spki_sha256.iter().filter(held).filter(|named| **named != issuing);
        std::iter::once(&issuing).chain(others).map(|digest| format!("{digest}\n")).collect()
    }

    /// The certificates of all authorities held here that the keyset names, the one that issues first.
    pub(crate) fn authorities_pem(&self, keyset: &Keyset) -> String {
        let held = |named: &Digest| self.authorities.iter().find(|ca| authority_digest(ca) == *named);
        let named: Vec<&str> = keyset.ca_spki_sha256.iter().filter_map(held).map(Ca::certificate_pem).collect();
        if named.is_empty() { self.authorities[0].certificate_pem().to_owned() } else { named.concat() }
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
