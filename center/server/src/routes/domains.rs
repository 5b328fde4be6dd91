//! `GET /v1/domains`: members in force, and those that wait for co-signatures. Public: it is all in the log, or is meant to be.

use axum::{extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::{DomainList, DomainSummary};

use super::json;
use crate::{admission, db::Database, parts::Lists, present::Present, refusal::Refusal};

pub(crate) async fn get(
    State(database): State<Database>,
    State(present): State<Present>,
    State(lists): State<Lists>,
) -> Result<Response, Refusal> {
    let _turn = lists.turn().await;
    // Asked first: the long list is made and handed on in one go, so that few of them are in memory uncounted.
    let stored = database.all_pending().await?;
    let (registry, now) = (present.registry(), present.now());
    let in_force = registry
        .domains(now)
        .map(|record| DomainSummary {
            id: record.id.clone(),
            organisation: record.organisation.clone(),
            asns: record.asns.clone(),
            endpoints: record.endpoints.iter().map(|endpoint| endpoint.address.clone()).collect(),
            index: record.index,
        })
        .collect();
    let pending = stored.into_iter().filter_map(|(envelope, since)| admission::shown(&envelope, since)).collect();
    Ok(json(StatusCode::OK, &DomainList { in_force, pending }))
}
