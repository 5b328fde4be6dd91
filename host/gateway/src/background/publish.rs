//! The services of a gateway as signed descriptors in the center's catalog: published when ready or changed, renewed at
//! half of their life, withdrawn when the gateway drains. The center only indexes them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use iog_client::ClientError;
use iog_protocol::catalog::{Coverage, DatasetDescription, Descriptor, EntryDescription, ServiceState};
use iog_protocol::dsse::{EnvelopeError, Signed};
use iog_protocol::ids::{Digest, ServiceName};
use iog_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Background;
use crate::describe::public;
use crate::prepare::Prepared;
use crate::services::Service;
use iog_home::HomeError;
use iog_machine::error::chain;

/// Why a service was not published; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The center did not take it.
    #[error("the center did not take the descriptor")]
    Center(#[from] ClientError),
    /// It could not be signed.
    #[error("the descriptor could not be signed")]
    Sign(#[from] EnvelopeError),
    /// The key, or the note of what was published.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// What was published last, by service.
type Published = BTreeMap<ServiceName, Last>;

/// The last descriptor of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    sequence: u64,
    state: ServiceState,
    content: Digest,
    issued: Timestamp,
    expires: Timestamp,
}

/// What came of a service that should be in the catalog: nothing more to say, or why it is not there.
pub type Offered = (ServiceName, Result<(), String>);

/// Publishes every service that is effective and says what came of each; failures are logged as well.
pub async fn publish(work: &Background) -> Vec<Offered> {
    let now = work.clock.now();
    let mut published = Vec::new();
    for service in work.services.snapshot().values() {
        let outcome = match &service.prepared {
            Ok(prepared) => publish_one(work, service, prepared, now).await.map_err(|error| told(service, &error)),
            Err(not_ready) => Err(not_ready.to_string()),
        };
        published.push((service.name.clone(), outcome));
    }
    published
}

fn told(service: &Service, error: &PublishError) -> String {
    let problem = chain(error);
    if matches!(error, PublishError::Center(error) if error.is_away()) {
        tracing::debug!(service = %service.name, problem, "the catalog is away");
    } else {
        tracing::warn!(service = %service.name, problem, "a service was not published");
    }
    problem
}

/// Withdraws everything that is published. Failures are logged: the descriptors then end by themselves.
pub async fn withdraw(work: &Background) {
    let now = work.clock.now();
    for service in work.services.snapshot().values() {
        let Ok(prepared) = &service.prepared else { continue };
        let mut descriptor = describe(work, service, prepared, now);
        descriptor.state = ServiceState::Withdrawn;
        if let Err(error) = send(work, descriptor, now).await {
            tracing::warn!(service = %service.name, problem = chain(&error), "a service was not withdrawn");
        }
    }
}

async fn publish_one(
    work: &Background,
    service: &Service,
    prepared: &Prepared,
    now: Timestamp,
) -> Result<(), PublishError> {
    let descriptor = describe(work, service, prepared, now);
    if let Some(last) = published(work).get(&service.name)
        && last.state == ServiceState::Published
        && last.content == content(&descriptor)
        && !half_spent(last, now)
    {
        return Ok(());
    }
    send(work, descriptor, now).await
}

async fn send(work: &Background, mut descriptor: Descriptor, now: Timestamp) -> Result<(), PublishError> {
    let mut all = published(work);
    let content = content(&descriptor);
    let last = all.get(&descriptor.service).map_or(0, |last| last.sequence);
    // The time keeps the sequence rising even if the note of what was published is lost.
    descriptor.sequence = (last + 1).max(u64::try_from(now.unix()).unwrap_or(0));
    let signed = Signed::sign(&descriptor, &[&work.home.caller_key()?])?;
    work.center.publish(&signed).await?;
    let (sequence, state) = (descriptor.sequence, descriptor.state);
    let last = Last { sequence, state, content, issued: now, expires: descriptor.expires };
    tracing::info!(service = %descriptor.service, sequence, ?state, "the catalog has the service");
    all.insert(descriptor.service, last);
    iog_home::files::write_json(&note(work), &all)?;
    Ok(())
}

fn half_spent(last: &Last, now: Timestamp) -> bool {
    2 * now.seconds_since(last.issued) >= last.expires.seconds_since(last.issued)
}

/// What a descriptor says, its times and sequence left out.
fn content(descriptor: &Descriptor) -> Digest {
    let timeless = Descriptor {
        sequence: 0,
        issued: Timestamp::from_unix(0),
        expires: Timestamp::from_unix(0),
        ..descriptor.clone()
    };
    Digest::of(&serde_json::to_vec(&timeless).expect("a descriptor holds texts and numbers only"))
}

fn published(work: &Background) -> Published {
    iog_home::files::read_json(&note(work)).unwrap_or_default()
}

fn note(work: &Background) -> PathBuf {
    work.home.catalog_folder().join("published.json")
}

/// The descriptor of a service; its sequence is set when it is sent.
#[must_use]
pub fn describe(work: &Background, service: &Service, prepared: &Prepared, now: Timestamp) -> Descriptor {
    let module = &prepared.module.manifest().module;
    Descriptor {
        domain: work.home.domain().clone(),
        service: service.name.clone(),
        sequence: 0,
        state: ServiceState::Published,
        module: prepared.module.digest(),
        module_name: module.name.clone(),
        module_version: module.version.clone(),
        summary: module.summary.clone(),
        entries: entries(prepared),
        datasets: datasets(prepared),
        coverage: coverage(work, service),
        access: access(service),
        limits: prepared.limits,
        issued: now,
        expires: now.plus_hours(work.config.sync.descriptor_hours.into()),
    }
}

fn entries(prepared: &Prepared) -> Vec<EntryDescription> {
    let describe = |name: &iog_protocol::ids::EntryName| {
        let export = prepared.module.facts().export(name.as_str())?;
        Some(EntryDescription {
            name: name.clone(),
            params: export.params_schema(),
            result: export.result_schema(),
            wit: export.wit.clone(),
        })
    };
    prepared.module.manifest().module.entry.iter().filter_map(describe).collect()
}

fn datasets(prepared: &Prepared) -> Vec<DatasetDescription> {
    let bound = prepared.datasets.iter();
    bound.map(|(slot, bound)| public(slot.clone(), &bound.schema, bound.class, bound.rows)).collect()
}

/// As configured; AS numbers that are not stated are the domain's own.
fn coverage(work: &Background, service: &Service) -> Coverage {
    let mut coverage = service.config.coverage.clone();
    if coverage.asns.is_empty() {
        coverage.asns.clone_from(&work.home.domain_file().asns);
    }
    coverage
}

fn access(service: &Service) -> String {
    let callers: Vec<_> = service.policy.callers.iter().map(ToString::to_string).collect();
    let text = if callers.is_empty() { "nobody".to_owned() } else { callers.join(", ") };
    format!("callers: {text}").chars().take(400).collect()
}
