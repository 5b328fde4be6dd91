//! A call from its question to its merged answer: registry, module, providers, token, everybody at once, merge.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use iog_client::ClientError;
use iog_data::Engine;
use iog_protocol::api::ApiErrorCode;
use iog_protocol::ids::{Asn, Digest, DomainId, EntryName, ModuleName, ServiceName};
use iog_protocol::registry::EffectiveModule;

use super::ask::{self, Question};
use super::bundle;
use super::merge::{self, Answers};
use super::providers;
use super::report::{CallEvent, CallReport, Events, Merged, Part, PartOutcome, Why};
use super::session::{Session, SessionError};
use crate::blobs::{self, BlobError};
use crate::config::{LimitsConfig, ModuleRef};
use crate::gateway::Deps;
use crate::home::{Home, HomeError};
use crate::prepare::{self, PrepareError, Source, Tools};
use crate::services::Prepared;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The module behind a service of the catalog.
    Service(ServiceName),
    /// One module.
    Module(ModuleRef),
    /// The newest effective version of a module.
    Name(ModuleName),
}

impl std::str::FromStr for What {
    type Err = String;

    /// `service`, `namespace/name`, `namespace/name@version` or `sha256:…`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(module) = text.parse() {
            return Ok(Self::Module(module));
        }
        if let Ok(name) = text.parse() {
            return Ok(Self::Name(name));
        }
        text.parse().map(Self::Service).map_err(|_| {
            format!("`{text}` names neither a service nor a module; write `service`, `namespace/name[@version]` or `sha256:…`")
        })
    }
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Every provider of the catalog, or those that cover an AS.
    Relevant {
        /// The AS.
        asn: Option<Asn>,
    },
    /// These domains.
    Domains(Vec<DomainId>),
}

/// One question.
#[derive(Debug, Clone)]
pub struct CallSpec {
    /// What is asked.
    pub what: What,
    /// The entry; `None`: the manifest's first.
    pub entry: Option<EntryName>,
    /// Parameters by name.
    pub params: serde_json::Value,
    /// Why, for the providers' policies.
    pub purpose: String,
    /// Who is asked.
    pub whom: Whom,
    /// How long a provider may take.
    pub deadline: Duration,
    /// Providers asked at the same time, at least 1.
    pub parallel_max: usize,
    /// Whether the answers are merged, where the module can.
    pub merge: bool,
}

/// Why a call did not come to be. A domain that does not answer is no error: it is in the report.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// This domain cannot call.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The registry has no such module that may run.
    #[error("the registry has no module `{what}`")]
    NoModule {
        /// What was asked for.
        what: String,
    },
    /// The module may not run.
    #[error("module `{module}` may not run: {reason}")]
    NotEffective {
        /// The module.
        module: Digest,
        /// Why.
        reason: String,
    },
    /// Providers offer different modules under one service name.
    #[error("service `{service}` stands for several modules: {modules}; name one of them")]
    Ambiguous {
        /// The service.
        service: ServiceName,
        /// The modules.
        modules: String,
    },
    /// Nobody offers it.
    #[error("no provider in the catalog offers {what}")]
    NoProviders {
        /// What was asked for.
        what: String,
    },
    /// The catalog is away and was never seen.
    #[error("the catalog cannot be reached and none is kept; name domains instead")]
    NoCatalog {
        /// Why it was not reached.
        #[source]
        source: Box<ClientError>,
    },
    /// The catalog's answer is no catalog.
    #[error("the catalog's answer cannot be read")]
    BadCatalog,
    /// The module or its manifest cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The module is not what was signed.
    #[error("the module cannot be used")]
    Prepare(#[from] PrepareError),
    /// The module is not what its submission says.
    #[error("module `{module}` has other capabilities than were signed")]
    OtherCapabilities {
        /// The module.
        module: Digest,
    },
    /// The manifest has no such entry.
    #[error("the module has no entry `{entry}`; its entries are {known}")]
    NoEntry {
        /// The entry.
        entry: EntryName,
        /// What there is.
        known: String,
    },
    /// The bundles cannot be stored.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The query engine does not start.
    #[error("the query engine does not start")]
    Engine(#[from] iog_data::QueryError),
}

impl From<crate::entropy::NoEntropy> for CallError {
    fn from(error: crate::entropy::NoEntropy) -> Self {
        Self::Session(error.into())
    }
}

/// Asks, verifies, merges. Partial answers are answers: the report has a reason for every domain without one.
///
/// # Errors
/// [`CallError`], when there is nobody or nothing to ask.
pub async fn call(home: &Home, deps: &Deps, spec: &CallSpec, events: &dyn Events) -> Result<CallReport, CallError> {
    let session = Session::open(home, deps).await?;
    let log_size = session.registry.size();
    events.event(CallEvent::Synced { log_size, offline: session.offline.clone() });
    let effective = providers::module(&session, &spec.what).await?;
    let module = module(&session, deps, &effective).await?;
    let entry = entry(&module, spec.entry.as_ref())?;
    let parts = ask_all(&session, spec, (&effective.digest, &module, &entry), events).await?;
    let merged = match module.facts.merge && spec.merge {
        true => Some(merged(&session, deps, (&module, &entry), (&parts, events)).await),
        false => None,
    };
    Ok(CallReport {
        module: effective.digest,
        module_name: effective.submission.name.clone(),
        module_version: effective.submission.version.clone(),
        entry,
        log_size,
        offline: session.offline,
        parts,
        merged,
    })
}

async fn merged(
    session: &Session,
    deps: &Deps,
    (module, entry): (&Prepared, &EntryName),
    (parts, events): (&[Part], &dyn Events),
) -> Merged {
    events.event(CallEvent::Merging { answers: parts.iter().filter(|part| part.result().is_some()).count() });
    merge::merge(session, &deps.sandbox, module, &Answers { entry: entry.as_str(), parts }).await
}

/// The module as this side sees it: fetched, inspected again, compared with what was signed, without any data.
async fn module(session: &Session, deps: &Deps, effective: &EffectiveModule) -> Result<Prepared, CallError> {
    let wasm = blobs::module(&session.home, &session.center, &effective.digest).await?;
    let manifest = blobs::manifest(&session.home, &session.center, &effective.manifest).await?;
    let tools = Tools { sandbox: deps.sandbox.clone(), engine: Engine::new()? };
    let source = Source { wasm: &wasm, manifest: &manifest };
    let module = prepare::without_data(&tools, source, &LimitsConfig::default()).await?;
    if module.capabilities == *effective.capabilities() {
        return Ok(module);
    }
    Err(CallError::OtherCapabilities { module: effective.digest })
}

fn entry(module: &Prepared, asked: Option<&EntryName>) -> Result<EntryName, CallError> {
    let entries = &module.manifest.module.entry;
    match asked {
        None => Ok(entries[0].clone()),
        Some(entry) if entries.contains(entry) => Ok(entry.clone()),
        Some(entry) => {
            let known: Vec<_> = entries.iter().map(|e| format!("`{e}`")).collect();
            Err(CallError::NoEntry { entry: entry.clone(), known: known.join(", ") })
        }
    }
}

async fn ask_all(
    session: &Session,
    spec: &CallSpec,
    (digest, module, entry): (&Digest, &Prepared, &EntryName),
    events: &dyn Events,
) -> Result<Vec<Part>, CallError> {
    let providers = providers::providers(session, digest, &spec.whom).await?;
    events.event(CallEvent::Found { domains: providers.iter().map(|p| p.domain.clone()).collect() });
    let token = session.token().await?;
    let random = session.entropy.bytes16()?;
    let folder = bundle::folder(&session.home, session.now, &random)?;
    let question = Question {
        module: digest,
        entry,
        params: &spec.params,
        purpose: &spec.purpose,
        deadline: spec.deadline,
        token: &token,
        folder: &folder,
        result_bytes_max: module.manifest.limits.result_bytes(),
    };
    let asking = providers.iter().map(|provider| ask::ask(session, &question, provider, events));
    let parts: Vec<Part> = futures::stream::iter(asking).buffer_unordered(spec.parallel_max.max(1)).collect().await;
    if parts.iter().any(token_refused) {
        session.forget_token();
    }
    // Whoever answers first, the report and `merge` see the domains in one order.
    let sorted: BTreeMap<DomainId, Part> = parts.into_iter().map(|part| (part.domain.clone(), part)).collect();
    Ok(sorted.into_values().collect())
}

fn token_refused(part: &Part) -> bool {
    let codes = [ApiErrorCode::TokenInvalid.code(), ApiErrorCode::TokenExpired.code()];
    matches!(&part.outcome, PartOutcome::Missing(Why::NotAccepted { code, .. }) if codes.contains(&code.as_str()))
}
