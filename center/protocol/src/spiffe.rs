//! The identities in certificates and tokens: SPIFFE ids of the center and of domains. This is the one place that writes and
//! reads them. Whether a named domain is a member is the registry's to say.

use std::fmt;
use std::str::FromStr;

use crate::ids::{DomainId, IdError, TrustDomain};

const SCHEME: &str = "spiffe://";

/// Who a certificate or token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpiffeId {
    /// `spiffe://<trust domain>/center`
    Center(TrustDomain),
    /// `spiffe://<trust domain>/domain/<id>`
    Domain(TrustDomain, DomainId),
}

impl SpiffeId {
    /// The domain that is named, if it is one of this trust domain.
    #[must_use]
    pub fn domain_in(self, trust_domain: &TrustDomain) -> Option<DomainId> {
        match self {
            Self::Domain(of, domain) if of == *trust_domain => Some(domain),
            Self::Domain(..) | Self::Center(_) => None,
        }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Center(trust_domain) => write!(f, "{SCHEME}{trust_domain}/center"),
            Self::Domain(trust_domain, domain) => write!(f, "{SCHEME}{trust_domain}/domain/{domain}"),
        }
    }
}

impl FromStr for SpiffeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let rule = "`spiffe://`, a trust domain, and `/center` or `/domain/` with a domain id";
        let error = || IdError::new("SPIFFE id", text, rule);
        let (trust_domain, path) = text.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/')).ok_or_else(error)?;
        let trust_domain: TrustDomain = trust_domain.parse().map_err(|_| error())?;
        match path.strip_prefix("domain/") {
            Some(domain) => Ok(Self::Domain(trust_domain, domain.parse().map_err(|_| error())?)),
            None if path == "center" => Ok(Self::Center(trust_domain)),
            None => Err(error()),
        }
    }
}

impl TrustDomain {
    /// The identity of `domain` as it stands in certificates and tokens: `spiffe://<trust domain>/domain/<id>`.
    #[must_use]
    pub fn spiffe(&self, domain: &DomainId) -> String {
        SpiffeId::Domain(self.clone(), domain.clone()).to_string()
    }

    /// The identity of the center as it stands in certificates, tokens and approvals: `spiffe://<trust domain>/center`.
    #[must_use]
    pub fn center_spiffe(&self) -> String {
        SpiffeId::Center(self.clone()).to_string()
    }

    /// The domain of this trust domain that a SPIFFE id names, if it names one.
    #[must_use]
    pub fn domain_named(&self, spiffe: &str) -> Option<DomainId> {
        spiffe.parse::<SpiffeId>().ok()?.domain_in(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let trust_domain: TrustDomain = "iog.example".parse().unwrap();
        let domain: DomainId = "as64500".parse().unwrap();
        assert_eq!(trust_domain.spiffe(&domain), "spiffe://iog.example/domain/as64500");
        assert_eq!(trust_domain.center_spiffe(), "spiffe://iog.example/center");
        assert_eq!(trust_domain.spiffe(&domain).parse(), Ok(SpiffeId::Domain(trust_domain.clone(), domain.clone())));
        assert_eq!(trust_domain.center_spiffe().parse(), Ok(SpiffeId::Center(trust_domain.clone())));
        assert_eq!(trust_domain.domain_named("spiffe://iog.example/domain/as64500"), Some(domain));
    }

    #[test]
    fn nothing_else_is_an_identity() {
        let trust_domain: TrustDomain = "iog.example".parse().unwrap();
        for bad in [
            "",
            "spiffe://iog.example",
            "spiffe://iog.example/",
            "spiffe://iog.example/domain/",
            "spiffe://iog.example/domain/AS1",
            "spiffe://iog.example/domain/as1/x",
            "spiffe://iog.example/domain/as1 ",
            "spiffe://iog.example/center/x",
            "spiffe:///domain/as1",
            "SPIFFE://iog.example/domain/as1",
            "https://iog.example/domain/as1",
        ] {
            assert!(bad.parse::<SpiffeId>().is_err(), "{bad}");
            assert_eq!(trust_domain.domain_named(bad), None, "{bad}");
        }
        assert_eq!(trust_domain.domain_named("spiffe://other.example/domain/as1"), None, "of another network");
        assert_eq!(trust_domain.domain_named("spiffe://iog.example/center"), None);
    }
}
