//! The services of a gateway as signed descriptors in the center's catalog: published when ready or changed, renewed at
//! half of their life, withdrawn when the gateway drains. The center only indexes them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use iog_client::{CenterClient, ClientError};
use iog_home::{Home, HomeError};
use iog_machine::Clock;
use iog_machine::error::chain;
use iog_protocol::catalog::{Coverage, DatasetDescription, Descriptor, EntryDescription, ServiceState};
use iog_protocol::dsse::{EnvelopeError, Signed};
use iog_protocol::ids::{Digest, ServiceName, SlotName};
use iog_protocol::manifest::ReleaseClass;
use iog_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::prepare::Prepared;
use crate::services::{Service, Services};

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

/// Publishes services.
pub(crate) struct Publisher {
    /// Whose they are; it signs, and notes what was published.
    pub(crate) home: Home,
    /// Indexes them.
    pub(crate) center: CenterClient,
    /// The services.
    pub(crate) services: Arc<Services>,
    /// Hours a descriptor is good for.
    pub(crate) descriptor_hours: u32,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Publisher {
    /// Publishes every service that is ready and says what came of each; failures are logged as well.
    pub(super) async fn publish(&self) -> Vec<Offered> {
        let now = self.clock.now();
        let mut published = Vec::new();
        for service in self.services.snapshot().values() {
            let outcome = match &service.prepared {
                Ok(prepared) => self.publish_one(service, prepared, now).await.map_err(|error| told(service, &error)),
                Err(not_ready) => Err(not_ready.to_string()),
            };
            published.push((service.name.clone(), outcome));
        }
        published
    }

    /// Withdraws everything that is published. Failures are logged: the descriptors then end by themselves.
    pub(super) async fn withdraw(&self) {
        let now = self.clock.now();
        for service in self.services.snapshot().values() {
            let Ok(prepared) = &service.prepared else { continue };
            let mut descriptor = self.describe(service, prepared, now);
            descriptor.state = ServiceState::Withdrawn;
            if let Err(error) = self.send(descriptor, now).await {
                tracing::warn!(service = %service.name, problem = chain(&error), "a service was not withdrawn");
            }
        }
    }

    async fn publish_one(&self, service: &Service, prepared: &Prepared, now: Timestamp) -> Result<(), PublishError> {
        let descriptor = self.describe(service, prepared, now);
        if let Some(last) = self.published().get(&service.name)
            && last.state == ServiceState::Published
            && last.content == content(&descriptor)
            && !half_spent(last, now)
        {
            return Ok(());
        }
        self.send(descriptor, now).await
    }

    async fn send(&self, mut descriptor: Descriptor, now: Timestamp) -> Result<(), PublishError> {
        let mut all = self.published();
        let content = content(&descriptor);
        let last = all.get(&descriptor.service).map_or(0, |last| last.sequence);
        // The time keeps the sequence rising even if the note of what was published is lost.
        descriptor.sequence = (last + 1).max(u64::try_from(now.unix()).unwrap_or(0));
        let signed = Signed::sign(&descriptor, &[&self.home.caller_key()?])?;
        self.center.publish(&signed).await?;
        let (sequence, state) = (descriptor.sequence, descriptor.state);
        let last = Last { sequence, state, content, issued: now, expires: descriptor.expires };
        tracing::info!(service = %descriptor.service, sequence, ?state, "the catalog has the service");
        all.insert(descriptor.service, last);
        iog_home::files::write_json(&self.note(), &all)?;
        Ok(())
    }

    fn published(&self) -> Published {
        iog_home::files::read_json(&self.note()).unwrap_or_default()
    }

    fn note(&self) -> PathBuf {
        self.home.catalog_folder().join("published.json")
    }

    /// The descriptor of a service; its sequence is set when it is sent.
    fn describe(&self, service: &Service, prepared: &Prepared, now: Timestamp) -> Descriptor {
        let module = &prepared.module.manifest().module;
        Descriptor {
            domain: self.home.domain().clone(),
            service: service.name.clone(),
            sequence: 0,
            state: ServiceState::Published,
            module: prepared.module.digest(),
            module_name: module.name.clone(),
            module_version: module.version.clone(),
            summary: module.summary.clone(),
            entries: entries(prepared),
            datasets: datasets(prepared),
            coverage: self.coverage(service),
            access: access(service),
            limits: prepared.limits,
            issued: now,
            expires: now.plus_hours(self.descriptor_hours.into()),
        }
    }

    /// As configured; AS numbers that are not stated are the domain's own.
    fn coverage(&self, service: &Service) -> Coverage {
        let mut coverage = service.config.coverage.clone();
        if coverage.asns.is_empty() {
            coverage.asns.clone_from(&self.home.domain_file().asns);
        }
        coverage
    }
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

/// What the catalog says of a dataset: how many rows there are is said of open data only.
#[must_use]
pub fn public(slot: SlotName, schema: &str, class: ReleaseClass, rows: Option<u64>) -> DatasetDescription {
    let rows = rows.filter(|_| class == ReleaseClass::Open);
    DatasetDescription { slot, schema: schema.to_owned(), class, rows, span: None }
}

fn access(service: &Service) -> String {
    let callers: Vec<_> = service.policy.callers.iter().map(ToString::to_string).collect();
    let text = if callers.is_empty() { "nobody".to_owned() } else { callers.join(", ") };
    format!("callers: {text}").chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_said_of_open_data_only() {
        let slot: SlotName = "flows".parse().unwrap();
        assert_eq!(public(slot.clone(), "flow/1", ReleaseClass::Reviewed, Some(7)).rows, None);
        assert_eq!(public(slot, "route/1", ReleaseClass::Open, Some(7)).rows, Some(7));
    }
}
