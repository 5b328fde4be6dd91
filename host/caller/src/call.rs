//! A call from its question to its merged answer: registry, module, providers, token, everybody at once, merge.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use iog_home::blobs;
use iog_home::{Home, Session};
use iog_machine::Machine;
use iog_module::{AsSigned, Examined, Source, value_type};
use iog_protocol::api::ApiErrorCode;
use iog_protocol::ids::{Digest, DomainId, EntryName};
use iog_protocol::registry::EffectiveModule;
use iog_sandbox::{Provider, Sandbox, WitType};

use crate::ask::{self, Question};
use crate::bundle;
use crate::error::CallError;
use crate::merge::{self, Answers, Joiner};
use crate::params;
use crate::providers;
use crate::report::{CallEvent, CallReport, Events, Part, PartOutcome, Returns, Why};
use crate::spec::CallSpec;

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
    if let Some(export) = module.facts().export(entry.as_str()) {
        params::check(export, &spec.params)?;
    }
    let asked = Asked { digest: effective.digest, module, entry: &entry };
    let parts = ask_all(&session, spec, &asked, events).await?;
    let merged = if module.facts().merge && spec.merge {
        events.event(CallEvent::Merging { answers: parts.iter().filter(|part| part.result().is_some()).count() });
        let answers = Answers { entry: entry.as_str(), parts: &parts };
        let provider = Provider { domain: session.home.domain().to_string(), asn: session.asn.map(|asn| asn.0) };
        let joiner = Joiner { wasm: &wasm, module, provider: &provider, limits: &spec.merge_limits };
        Some(merge::merge(caller.sandbox, joiner, &answers).await)
    } else {
        None
    };
    Ok(CallReport {
        module: effective.digest,
        module_name: effective.submission.name.clone(),
        module_version: effective.submission.version.clone(),
        returns: returns(module, &entry),
        entry,
        log_size,
        offline: session.offline,
        parts,
        merged,
    })
}

fn returns(module: &Examined, entry: &EntryName) -> Returns {
    let of = |name: &str| module.facts().export(name).and_then(|export| export.result.clone());
    Returns { entry: of(entry.as_str()), merge: of(merge::MERGE) }
}

/// The module as this side sees it: inspected again and compared with what was signed, without any data.
pub(crate) async fn as_signed(
    session: &Session,
    wasm: &[u8],
    effective: &EffectiveModule,
) -> Result<AsSigned, CallError> {
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
    let export = asked.module.facts().export(asked.entry.as_str());
    let returns: Option<WitType> = export.and_then(|export| export.result.as_ref()).map(value_type);
    let question = Question {
        module: &asked.digest,
        entry: asked.entry,
        params: &spec.params,
        purpose: &spec.purpose,
        deadline: spec.deadline,
        token: &token,
        folder: &folder,
        returns: returns.as_ref(),
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
