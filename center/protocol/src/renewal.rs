//! The order for a new transport certificate, signed with the domain's caller key: whoever holds a TLS key alone cannot
//! have its successor. It names the center, the domain and the very signing request, and ages fast.

use serde::{Deserialize, Serialize};

use crate::dsse::Content;
use crate::ids::{Digest, DomainId, TrustDomain};
use crate::run::CLOCK_LEEWAY_S;
use crate::time::Timestamp;

/// How long an order can be used, in seconds: it is signed, sent and answered at once.
pub const ORDER_LIFETIME_S: i64 = 300;

/// "Give my domain a certificate for the key of this signing request."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateOrder {
    /// The center it is for, as its certificate names it.
    pub audience: String,
    /// The domain that orders and signs.
    pub domain: DomainId,
    /// SHA-256 of the signing request's PEM, exactly as sent.
    pub csr_sha256: Digest,
    /// When it was signed.
    pub issued: Timestamp,
}

impl Content for CertificateOrder {
    const PAYLOAD_TYPE: &'static str = "application/vnd.iog.certificate-order+json";
    /// Four short members and the signature of one key.
    const ENVELOPE_BYTES_MAX: usize = 4 * 1024;
}

/// Why an order does not count: the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// It was made for something else.
    #[error("the order's `{member}` is not that of this request")]
    Member {
        /// Which.
        member: &'static str,
    },
    /// Signed too long ago, or in the future.
    #[error("the order was signed at {issued} and now is {now}; it counts for {ORDER_LIFETIME_S} s: set the clock")]
    Age {
        /// When it says it was signed.
        issued: Timestamp,
        /// The receiver's time.
        now: Timestamp,
    },
}

impl CertificateOrder {
    /// An order of `domain` for the key of a signing request.
    #[must_use]
    pub fn new(center: &TrustDomain, domain: &DomainId, csr_pem: &str, now: Timestamp) -> Self {
        Self {
            audience: center.center_spiffe(),
            domain: domain.clone(),
            csr_sha256: Digest::of(csr_pem.as_bytes()),
            issued: now,
        }
    }

    /// Whether it is for this center, domain and signing request, and signed just now.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn check(
        &self,
        center: &TrustDomain,
        domain: &DomainId,
        csr_pem: &str,
        now: Timestamp,
    ) -> Result<(), OrderError> {
        let wanted = Self::new(center, domain, csr_pem, now);
        let members = [
            ("audience", self.audience == wanted.audience),
            ("domain", self.domain == wanted.domain),
            ("csr_sha256", self.csr_sha256 == wanted.csr_sha256),
        ];
        if let Some((member, _)) = members.into_iter().find(|(_, fits)| !fits) {
            return Err(OrderError::Member { member });
        }
        let age_s = now.unix().saturating_sub(self.issued.unix());
        if (-CLOCK_LEEWAY_S..=ORDER_LIFETIME_S).contains(&age_s) {
            Ok(())
        } else {
            Err(OrderError::Age { issued: self.issued, now })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_counts_for_one_request_of_one_domain_at_one_center_and_not_for_long() {
        let at = |seconds: i64| Timestamp::from_unix(1_900_000_000 + seconds);
        let (center, domain) = ("net.example".parse().unwrap(), "as1".parse().unwrap());
        let order = CertificateOrder::new(&center, &domain, "csr", at(0));
        for seconds in [-CLOCK_LEEWAY_S, 0, ORDER_LIFETIME_S] {
            order.check(&center, &domain, "csr", at(seconds)).unwrap();
        }
        for seconds in [-CLOCK_LEEWAY_S - 1, ORDER_LIFETIME_S + 1] {
            assert!(matches!(order.check(&center, &domain, "csr", at(seconds)), Err(OrderError::Age { .. })));
        }
        let member = |result: Result<(), OrderError>| match result {
            Err(OrderError::Member { member }) => member,
            other => panic!("{other:?}"),
        };
        assert_eq!(member(order.check(&"other.example".parse().unwrap(), &domain, "csr", at(0))), "audience");
        assert_eq!(member(order.check(&center, &"as2".parse().unwrap(), "csr", at(0))), "domain");
        assert_eq!(member(order.check(&center, &domain, "csr2", at(0))), "csr_sha256");
    }
}
