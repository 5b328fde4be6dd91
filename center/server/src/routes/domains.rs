//! `GET /v1/domains`: members in force, and those that wait for co-signatures. Public: it is all in the log, or is meant to be.

use axum::{extract::State, response::Response};
use iog_protocol::{
    api::DomainSummary,
    ids::DomainId,
    registry::{DomainRecord, Registry},
};

use super::long::LongList;
use crate::{admission, db::Database, parts::Lists, present::Present, refusal::Refusal};

pub(crate) async fn get(
    State(database): State<Database>,
    State(present): State<Present>,
    State(lists): State<Lists>,
) -> Result<Response, Refusal> {
    let turn = lists.turn().await;
    let stored = database.all_pending().await?;
    let (registry, now) = (present.registry(), present.now());
    let in_force: Vec<DomainId> = registry.domains(now).map(|record| record.id.clone()).collect();
    let kept_bytes = in_force.iter().map(|id| size_of::<DomainId>() + id.as_str().len()).sum();
    let of_one = move |id: &DomainId| Registry::domain(&registry, id, now).map(summary);
    // Those that cannot be shown are left out before they are counted.
    let pending: Vec<_> =
        stored.into_iter().filter(|(envelope, since)| admission::shown(envelope, *since).is_some()).collect();
    let pending_bytes = pending.iter().map(|(envelope, _)| envelope.len()).sum();
    let shown = |(envelope, since): &(String, i64)| admission::shown(envelope, *since);
    let list = LongList::default().with("in_force", in_force, kept_bytes, of_one);
    list.with("pending", pending, pending_bytes, shown).answer(turn).await
}

fn summary(record: &DomainRecord) -> DomainSummary {
    DomainSummary {
        id: record.id.clone(),
        organisation: record.organisation.clone(),
        asns: record.asns.clone(),
        endpoints: record.endpoints.iter().map(|endpoint| endpoint.address.clone()).collect(),
        index: record.index,
    }
}
