//! `GET /v1/catalog`: which services answer a question. Public: descriptors are what domains want to be known.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
};
use http::StatusCode;
use iog_protocol::{
    api::{ApiErrorCode, CatalogAnswer},
    catalog::CatalogQuery,
};

use super::{App, json};
use crate::refusal::Refusal;

pub(crate) async fn get(
    State(shared): App,
    query: Result<Query<CatalogQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|error| Refusal::new(ApiErrorCode::BadRequest, error.body_text()))?;
    let found = shared.catalog.search(&query, &shared.published.registry(), shared.clock.now());
    let descriptors = found.into_iter().map(Into::into).collect();
    Ok(json(StatusCode::OK, &CatalogAnswer { descriptors }))
}
