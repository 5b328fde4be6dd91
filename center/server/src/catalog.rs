//! The service catalog in memory: what domains offer, in their own signed words. The center indexes and forgets nothing by itself; a
//! descriptor is shown only while its signer is the domain's key in the registry.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use iog_protocol::{
    api::ApiErrorCode,
    catalog::{CatalogQuery, Descriptor},
    dsse::Signed,
    ids::{DomainId, ServiceName},
    keys::PublicKey,
    registry::Registry,
    time::Timestamp,
};

use crate::{
    db::{Database, catalog::Published},
    error::CenterError,
    present::Present,
    refusal::Refusal,
};

/// Descriptors in one answer at most; a narrower question gives the rest.
const RESULTS_MAX: usize = 1_000;
/// Bytes of descriptors in one answer at most.
const RESULT_BYTES_MAX: usize = 5 * 1024 * 1024;

/// A descriptor whose signature was verified.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) descriptor: Descriptor,
    pub(crate) envelope: Vec<u8>,
    signer: PublicKey,
}

/// Reads a descriptor that the domain `peer` sends, and decides whether it may be listed.
pub(crate) fn accept(bytes: &[u8], peer: &DomainId, registry: &Registry, now: Timestamp) -> Result<Listed, Refusal> {
    let signed = Signed::<Descriptor>::parse(bytes).map_err(|e| Refusal::because(ApiErrorCode::BadEnvelope, &e))?;
    let Some(domain) = registry.domain(peer, now) else {
        return Err(Refusal::new(ApiErrorCode::NotAMember, format!("domain `{peer}` is not a member in force")));
    };
    let signer = domain.caller_key;
    let verified = signed.verify(&[signer]).map_err(|e| Refusal::because(ApiErrorCode::SignatureInvalid, &e))?;
    let descriptor = verified.into_inner();
    if descriptor.domain != *peer {
        let detail = format!("domain `{peer}` cannot publish for `{}`", descriptor.domain);
        return Err(Refusal::new(ApiErrorCode::IdentityMismatch, detail));
    }
    descriptor.check(now).map_err(|e| Refusal::because(ApiErrorCode::DescriptorInvalid, &e))?;
    let Some(module) = registry.module(&descriptor.module) else {
        let detail = format!("module `{}` is not in the registry", descriptor.module);
        return Err(Refusal::new(ApiErrorCode::UnknownModule, detail));
    };
    let (name, version) = (&module.submission.name, &module.submission.version);
    if (name, version) != (&descriptor.module_name, &descriptor.module_version) {
        let detail = format!("module `{}` is `{name}@{version}` in the registry", descriptor.module);
        return Err(Refusal::new(ApiErrorCode::DescriptorInvalid, detail));
    }
    Ok(Listed { descriptor, envelope: bytes.to_vec(), signer })
}

/// The newest descriptor of every service, in memory and in the database.
pub(crate) struct Catalog {
    database: Database,
    services_per_domain: usize,
    listed: RwLock<BTreeMap<(DomainId, ServiceName), Arc<Listed>>>,
}

impl Catalog {
    /// Fills the catalog from the database; descriptors whose signer is no longer the domain's key are left out.
    pub(crate) async fn load(
        database: Database,
        services_per_domain: usize,
        present: &Present,
    ) -> Result<Self, CenterError> {
        let (registry, now) = (present.registry(), present.now());
        let stored = database.descriptors().await?;
        let catalog = Self { database, services_per_domain, listed: RwLock::default() };
        for (domain, envelope) in stored {
            let Some(signer) = registry.domain(&domain, now).map(|record| record.caller_key) else { continue };
            let signed = Signed::<Descriptor>::parse(envelope.as_bytes());
            let Some(verified) = signed.ok().and_then(|signed| signed.verify(&[signer]).ok()) else {
                tracing::warn!(%domain, "a stored descriptor is not signed by its domain's key in force");
                continue;
            };
            catalog.insert(Listed { descriptor: verified.into_inner(), envelope: envelope.into_bytes(), signer });
        }
        Ok(catalog)
    }

    /// Whether a descriptor is later than what is listed, without asking the database: anybody can send a domain's old ones.
    pub(crate) fn check_newer(&self, listed: &Listed) -> Result<(), Refusal> {
        let Descriptor { domain, service, sequence, .. } = &listed.descriptor;
        let all = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        match all.get(&(domain.clone(), service.clone())) {
            Some(old) if old.descriptor.sequence >= *sequence => {
                Err(stale(&listed.descriptor, old.descriptor.sequence))
            }
            _ => Ok(()),
        }
    }

    /// Keeps a descriptor and lists it, if its sequence is new and there is room.
    pub(crate) async fn publish(&self, listed: Listed) -> Result<(), Refusal> {
        let Descriptor { domain, service, sequence, .. } = &listed.descriptor;
        let envelope = String::from_utf8_lossy(&listed.envelope);
        let services_max = self.services_per_domain;
        match self.database.publish(domain, service, *sequence, &envelope, services_max).await? {
            Published::Stored => {
                self.insert(listed);
                Ok(())
            }
            Published::Stale { stored } => Err(stale(&listed.descriptor, stored)),
            Published::Full => {
                let detail = format!("domain `{domain}` has {services_max} services, or the catalog is full");
                Err(Refusal::new(ApiErrorCode::QuotaExceeded, detail))
            }
        }
    }

    /// Lists a descriptor unless a later one is listed.
    fn insert(&self, listed: Listed) {
        let key = (listed.descriptor.domain.clone(), listed.descriptor.service.clone());
        let mut all = self.listed.write().unwrap_or_else(PoisonError::into_inner);
        if all.get(&key).is_none_or(|old| listed.descriptor.sequence > old.descriptor.sequence) {
            all.insert(key, Arc::new(listed));
        }
    }

    /// What answers a question, by domain and service.
    pub(crate) fn search(&self, query: &CatalogQuery, registry: &Registry, now: Timestamp) -> Vec<Arc<Listed>> {
        let holds = |listed: &&Arc<Listed>| {
            let domain = registry.domain(&listed.descriptor.domain, now);
            query.matches(&listed.descriptor)
                && listed.descriptor.check(now).is_ok()
                && domain.is_some_and(|domain| domain.caller_key == listed.signer)
        };
        let all = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        let found: Vec<_> = all.values().filter(holds).collect();
        let sizes: Vec<_> = found.iter().map(|listed| (&listed.descriptor.domain, listed.envelope.len())).collect();
        shares(&sizes).into_iter().map(|index| Arc::clone(found[index])).collect()
    }
}

fn stale(descriptor: &Descriptor, stored: u64) -> Refusal {
    let Descriptor { service, sequence, .. } = descriptor;
    let detail = format!("service `{service}` has sequence {stored}; {sequence} is not later");
    Refusal::new(ApiErrorCode::StaleSequence, detail)
}

/// Which of the descriptors found (domain and bytes of each) go into one answer: every domain's first before anybody's second, small
/// ones before large ones, so that nobody can leave out the others with many or large descriptors. Their indexes, in order.
fn shares(found: &[(&DomainId, usize)]) -> BTreeSet<usize> {
    let mut ranks: BTreeMap<&DomainId, usize> = BTreeMap::new();
    let mut order = Vec::with_capacity(found.len());
    for (index, (domain, bytes)) in found.iter().enumerate() {
        let rank = ranks.entry(domain).or_default();
        order.push((*rank, *bytes, index));
        *rank += 1;
    }
    order.sort_unstable();
    let mut total = 0;
    let fits = |(_, bytes, _): &(usize, usize, usize)| {
        total += bytes;
        total <= RESULT_BYTES_MAX
    };
    order.into_iter().take(RESULTS_MAX).take_while(fits).map(|(.., index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_domain_leaves_out_another_with_many_or_large_descriptors() {
        let domains: Vec<DomainId> = (0..100).map(|number| format!("as{number:03}").parse().unwrap()).collect();
        let many = std::iter::repeat_n((&domains[0], 500), 2 * RESULTS_MAX);
        let large = domains[1..20].iter().map(|domain| (domain, 512 * 1024));
        let found: Vec<_> = many.chain(large).chain(domains[20..].iter().map(|domain| (domain, 3_000))).collect();
        let chosen = shares(&found);
        let honest = chosen.iter().filter(|index| found[**index].1 == 3_000).count();
        assert_eq!(honest, 80);
        assert!(chosen.iter().map(|index| found[*index].1).sum::<usize>() <= RESULT_BYTES_MAX);
        assert_eq!(shares(&found[..3]), [0, 1, 2].into(), "what fits is there");
    }
}
