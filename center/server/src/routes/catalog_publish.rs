//! `POST /v1/catalog`: a domain publishes, changes or withdraws one of its services. The certificate and the descriptor's signature must
//! name the same domain.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::{api::CatalogPublished, catalog::Descriptor, dsse::Content};

use super::{Connected, json, read};
use crate::{
    catalog::{self, Catalog},
    present::Present,
    rates::{Asking, Askings},
    refusal::Refusal,
};

pub(crate) async fn post(
    Connected(domain): Connected,
    State(catalog): State<Arc<Catalog>>,
    State(present): State<Present>,
    State(askings): State<Askings>,
    body: Body,
) -> Result<Response, Refusal> {
    let bytes = read(body, Descriptor::ENVELOPE_BYTES_MAX).await?;
    let listed = catalog::accept(&bytes, &domain, &present.registry(), present.now())?;
    catalog.check_newer(&listed)?;
    askings.take(Asking::Catalog(domain), present.now())?;
    let (service, sequence) = (listed.descriptor.service.clone(), listed.descriptor.sequence);
    catalog.publish(listed).await?;
    Ok(json(StatusCode::CREATED, &CatalogPublished { service, sequence }))
}
