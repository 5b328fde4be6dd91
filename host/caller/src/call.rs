//! A call from its question to its merged answer: registry, module, providers, token, everybody at once, merge.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use iog_client::ClientError;
use iog_home::blobs::{self, BlobError};
use iog_home::{Home, HomeError, Session, SessionError, TokenError};
use iog_machine::Machine;
use iog_machine::entropy::NoEntropy;
use iog_module::{AsSigned, ExamineError, Examined, ModuleNamed, ModuleRef, NotAsSigned, Source};
use iog_protocol::api::ApiErrorCode;
use iog_protocol::ids::{Asn, Digest, DomainId, EntryName, ModuleName, ServiceName};
use iog_protocol::registry::EffectiveModule;
use iog_sandbox::Sandbox;

use crate::ask::{self, Question};
use crate::bundle;
use crate::merge::{self, Answers};
use crate::providers;
use crate::report::{CallEvent, CallReport, Events, Part, PartOutcome, Why};

/// A domain that calls, and what it calls with.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Its home.
    pub home: &'a Home,
    /// Time and random numbers.
    pub machine: &'a Machine,
    /// Where answers are merged.
    pub sandbox: &'a Sandbox,
}

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
        match text.parse() {
            Ok(ModuleNamed::Exactly(module)) => return Ok(Self::Module(module)),
            Ok(ModuleNamed::Newest(name)) => return Ok(Self::Name(name)),
            Err(_) => {}
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
    /// The module cannot be used.
    #[error("the module cannot be used")]
    Examine(#[from] ExamineError),
    /// The module is not what its submission says.
    #[error(transparent)]
    NotAsSigned(#[from] NotAsSigned),
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
}

impl From<NoEntropy> for CallError {
    fn from(error: NoEntropy) -> Self {
        Self::Session(error.into())
    }
}

impl From<TokenError> for CallError {
    fn from(error: TokenError) -> Self {
        Self::Session(error.into())
    }
}

/// Asks, verifies, merges. Partial answers are answers: the report has a reason for every domain without one.
///
/// # Errors
/// [`CallError`], when there is nobody or nothing to ask.
pub async fn call(caller: Caller<'_>, spec: &CallSpec, events: &dyn Events) -> Result<CallReport, CallError> {
    let session = Session::open(caller.home, caller.machine).await?;
    let log_size = session.registry.size();
    events.event(CallEvent::Synced { log_size, offline: session.offline.clone() });
    let effective = providers::module(&session, &spec.what).await?;
    let wasm = blobs::module(&session.home, &session.center, &effective.digest).await?;
    let module = as_signed(&session, &wasm, &effective).await?;
    let module = module.examined();
    let entry = entry(module, spec.entry.as_ref())?;
    let asked = Asked { digest: effective.digest, module, entry: &entry };
    let parts = ask_all(&session, spec, &asked, events).await?;
    let merged = if module.facts().merge && spec.merge {
        events.event(CallEvent::Merging { answers: parts.iter().filter(|part| part.result().is_some()).count() });
        let answers = Answers { entry: entry.as_str(), parts: &parts };
        Some(merge::merge(&session, caller.sandbox, merge::Joiner { wasm: &wasm, module }, &answers).await)
    } else {
        None
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

/// The module as this side sees it: inspected again and compared with what was signed, without any data.
async fn as_signed(session: &Session, wasm: &[u8], effective: &EffectiveModule) -> Result<AsSigned, CallError> {
    let manifest = blobs::manifest(&session.home, &session.center, &effective.manifest).await?;
    let found = Examined::examine(Source { wasm, manifest: &manifest })?;
    Ok(AsSigned::compare(found, &effective.submission)?)
}

/// What every provider is asked.
struct Asked<'a> {
    digest: Digest,
    module: &'a Examined,
    entry: &'a EntryName,
}

fn entry(module: &Examined, asked: Option<&EntryName>) -> Result<EntryName, CallError> {
    let entries = &module.manifest().module.entry;
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
    asked: &Asked<'_>,
    events: &dyn Events,
) -> Result<Vec<Part>, CallError> {
    let providers = providers::providers(session, &asked.digest, &spec.whom).await?;
    events.event(CallEvent::Found { domains: providers.iter().map(|p| p.domain.clone()).collect() });
    let token = session.tokens.token(session.now).await?;
    let random = session.entropy.bytes16()?;
    let folder = bundle::folder(&session.home, session.now, &random)?;
    let question = Question {
        module: &asked.digest,
        entry: asked.entry,
        params: &spec.params,
        purpose: &spec.purpose,
        deadline: spec.deadline,
        token: &token,
        folder: &folder,
        result_bytes_max: asked.module.manifest().limits.result_bytes(),
    };
    let asking = providers.iter().map(|provider| ask::ask(session, &question, provider, events));
    let parts: Vec<Part> = futures::stream::iter(asking).buffer_unordered(spec.parallel_max.max(1)).collect().await;
    if parts.iter().any(token_refused) {
        session.tokens.forget();
    }
    // Whoever answers first, the report and `merge` see the domains in one order.
    let sorted: BTreeMap<DomainId, Part> = parts.into_iter().map(|part| (part.domain.clone(), part)).collect();
    Ok(sorted.into_values().collect())
}

fn token_refused(part: &Part) -> bool {
    let codes = [ApiErrorCode::TokenInvalid.code(), ApiErrorCode::TokenExpired.code()];
    matches!(&part.outcome, PartOutcome::Missing(Why::NotAccepted { code, .. }) if codes.contains(&code.as_str()))
}
