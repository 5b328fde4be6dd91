//! Whom to ask: the module is found in the registry, its providers in the catalog or by name. Descriptors count only where
//! the registry's key of their domain signed them; addresses come from the registry, never from a descriptor.

use std::collections::BTreeMap;

use iog_client::center::{BLOB_BYTES_MAX, verify_descriptor};
use iog_protocol::api::{CatalogAnswer, paths};
use iog_protocol::catalog::{Descriptor, ServiceState};
use iog_protocol::ids::{Asn, Digest, DomainId, ServiceName};
use iog_protocol::registry::EffectiveModule;

use crate::error::CallError;
use crate::report::Why;
use crate::spec::{What, Whom};
use iog_home::Session;
use iog_home::files::Readers;
use iog_machine::error::chain;

/// A domain to ask, or why it cannot be asked.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The domain.
    pub domain: DomainId,
    /// Its first AS number in the registry.
    pub asn: Option<Asn>,
    /// The service, where the catalog names one.
    pub service: Option<ServiceName>,
    /// Where its gateway answers.
    pub address: Result<String, Why>,
}

/// The module of a call.
///
/// # Errors
/// [`CallError`]: unknown, not effective, or offered with different modules.
pub async fn module(session: &Session, what: &What) -> Result<EffectiveModule, CallError> {
    let digest = match what {
        What::Module(module) => {
            module.resolve(&session.registry).ok_or_else(|| CallError::NoModule { what: module.to_string() })?
        }
        What::Name(name) => session
            .registry
            .find_effective(name, session.now)
            .map(|record| record.submission.module)
            .ok_or_else(|| CallError::NoModule { what: name.to_string() })?,
        What::Service(service) => module_of_service(session, service).await?,
    };
    session
        .registry
        .effective(&digest, session.now)
        .map_err(|reason| CallError::NotEffective { module: digest, reason: reason.to_string() })
}

/// The one module that all providers of a service name offer; the newest version where they differ.
async fn module_of_service(session: &Session, service: &ServiceName) -> Result<Digest, CallError> {
    let found = search(session, &format!("q={service}"), service.as_str()).await?;
    let offered = found.into_iter().filter(|d| d.service == *service);
    let effective = offered.filter(|d| session.registry.effective(&d.module, session.now).is_ok());
    let mut names: BTreeMap<_, _> = BTreeMap::new();
    for descriptor in effective {
        let newest = names.entry(descriptor.module_name.clone()).or_insert_with(|| descriptor.clone());
        if descriptor.module_version > newest.module_version {
            *newest = descriptor;
        }
    }
    let mut modules = names.into_values();
    match (modules.next(), modules.next()) {
        (Some(one), None) => Ok(one.module),
        (None, _) => Err(CallError::NoProviders { what: format!("service `{service}`") }),
        (Some(one), Some(other)) => Err(CallError::Ambiguous {
            service: service.clone(),
            modules: format!("`{}`, `{}`", one.module_name, other.module_name),
        }),
    }
}

/// The domains to ask, sorted; a domain that was named and cannot be asked is there with its reason.
///
/// # Errors
/// [`CallError::NoProviders`] where nobody offers the module.
pub async fn providers(session: &Session, module: &Digest, whom: &Whom) -> Result<Vec<Provider>, CallError> {
    let offered = search(session, &format!("module={module}"), &module.hex()).await;
    match whom {
        Whom::Relevant { asn } => {
            let relevant = |d: &Descriptor| asn.is_none_or(|asn| d.coverage.asns.contains(&asn));
            let by_domain = by_domain(offered?.into_iter().filter(relevant));
            if by_domain.is_empty() {
                return Err(CallError::NoProviders { what: format!("module `{module}`") });
            }
            Ok(by_domain.into_iter().map(|(domain, service)| provider(session, domain, Some(service))).collect())
        }
        Whom::Domains(domains) => {
            // Who is named is asked, also while the catalog is away.
            let services = by_domain(offered.unwrap_or_default());
            let named: std::collections::BTreeSet<_> = domains.iter().cloned().collect();
            Ok(named.into_iter().map(|d| provider(session, d.clone(), services.get(&d).cloned())).collect())
        }
    }
}

fn by_domain(descriptors: impl IntoIterator<Item = Descriptor>) -> BTreeMap<DomainId, ServiceName> {
    let mut services = BTreeMap::new();
    for descriptor in descriptors {
        services.entry(descriptor.domain).or_insert(descriptor.service);
    }
    services
}

fn provider(session: &Session, domain: DomainId, service: Option<ServiceName>) -> Provider {
    let record = session.registry.domain(&domain, session.now);
    let missing = |problem: String| Why::NotInRegistry { problem };
    let address = match record {
        None => Err(missing(format!("domain `{domain}` is not in force in the registry"))),
        Some(record) => record
            .endpoints
            .iter()
            .find(|endpoint| endpoint.transport == "https")
            .map(|endpoint| endpoint.address.clone())
            .ok_or_else(|| missing(format!("the registry has no address of domain `{domain}`"))),
    };
    Provider { asn: record.and_then(|r| r.asns.first().copied()), domain, service, address }
}

/// Searches the catalog; while the center is away, what it said last counts, verified again.
async fn search(session: &Session, query: &str, key: &str) -> Result<Vec<Descriptor>, CallError> {
    let cache = session.home.catalog_folder().join(format!("{key}.json"));
    let path = format!("{}?{query}", paths::CATALOG);
    let bytes = match session.center.remote().get(&path, BLOB_BYTES_MAX).await {
        Ok(bytes) => {
            iog_home::files::write(&cache, &bytes, Readers::All).map_err(|e| CallError::Session(e.into()))?;
            bytes
        }
        Err(source) => iog_home::files::read(&cache).map_err(|_| CallError::NoCatalog { source: Box::new(source) })?,
    };
    let answer: CatalogAnswer = serde_json::from_slice(&bytes).map_err(|e| {
        tracing::warn!(problem = chain(&e), "the catalog's answer cannot be read");
        CallError::BadCatalog
    })?;
    let verified = answer.descriptors.iter().filter_map(|d| verify_descriptor(&d.0, &session.registry, session.now));
    let published = verified.filter(|d| d.state == ServiceState::Published);
    Ok(published.map(iog_protocol::dsse::Verified::into_inner).collect())
}
