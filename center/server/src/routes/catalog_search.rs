//! `GET /v1/catalog`: which services answer a question. Public: descriptors are what domains want to be known.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
};
use iog_protocol::{
    api::{ApiErrorCode, Base64Bytes},
    catalog::CatalogQuery,
};

use super::long::LongList;
use crate::{
    catalog::{Catalog, Listed},
    parts::Lists,
    present::Present,
    refusal::Refusal,
};

pub(crate) async fn get(
    State(catalog): State<Arc<Catalog>>,
    State(present): State<Present>,
    State(lists): State<Lists>,
    query: Result<Query<CatalogQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|error| Refusal::new(ApiErrorCode::BadRequest, error.body_text()))?;
    let turn = lists.turn().await;
    let found = catalog.search(&query, &present.registry(), present.now());
    let envelope = |listed: &Arc<Listed>| Base64Bytes(listed.envelope.clone());
    LongList::default().with("descriptors", found, 0, envelope).answer(turn).await
}
