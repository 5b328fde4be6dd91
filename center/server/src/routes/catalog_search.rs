//! `GET /v1/catalog`: which services answer a question. Public: descriptors are what domains want to be known.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
};
use http::StatusCode;
use iog_protocol::{
    api::{ApiErrorCode, CatalogAnswer},
    catalog::CatalogQuery,
};

use super::json;
use crate::{catalog::Catalog, present::Present, refusal::Refusal};

pub(crate) async fn get(
    State(catalog): State<Arc<Catalog>>,
    State(present): State<Present>,
    query: Result<Query<CatalogQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|error| Refusal::new(ApiErrorCode::BadRequest, error.body_text()))?;
    let found = catalog.search(&query, &present.registry(), present.now());
    let descriptors = found.into_iter().map(Into::into).collect();
    Ok(json(StatusCode::OK, &CatalogAnswer { descriptors }))
}
