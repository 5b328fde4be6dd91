//! What the catalog offers. A descriptor is in a view only when the signature of its provider holds.

use iog_protocol::catalog::Descriptor;
use iog_protocol::dsse::Verified;
use iog_protocol::ids::ServiceName;
use serde::Serialize;

/// Services, and how many entries of the catalog were left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Services {
    /// By service and domain.
    pub services: Vec<Descriptor>,
    /// Entries whose signature does not hold, that expired, or that do not match.
    pub refused: usize,
}

impl Services {
    /// What a search found.
    #[must_use]
    pub fn of(found: Vec<Verified<Descriptor>>, refused: usize) -> Self {
        let mut services: Vec<Descriptor> = found.into_iter().map(Verified::into_inner).collect();
        services.sort_by(|a, b| (&a.service, &a.domain).cmp(&(&b.service, &b.domain)));
        Self { services, refused }
    }

    /// The services of this name, of one domain or of all.
    #[must_use]
    pub fn named(self, service: &str, domain: Option<&str>) -> ServicePages {
        let wanted = |descriptor: &Descriptor| {
            descriptor.service.as_str() == service && domain.is_none_or(|domain| descriptor.domain.as_str() == domain)
        };
        ServicePages { services: self.services.into_iter().filter(wanted).collect() }
    }
}

/// Services in full.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServicePages {
    /// By domain.
    pub services: Vec<Descriptor>,
}

/// What became of one's own services when they were published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// In the order in which they were published.
    pub services: Vec<PublishedService>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedService {
    /// The service.
    pub service: ServiceName,
    /// `in the catalog`, or why it is not.
    pub state: String,
}
