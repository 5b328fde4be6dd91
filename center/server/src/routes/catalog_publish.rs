//! `POST /v1/catalog`: a domain publishes, changes or withdraws one of its services. The certificate and the descriptor's signature must
//! name the same domain.

use axum::{body::Body, extract::State, response::Response};
use http::StatusCode;
use iog_protocol::{
    api::{ApiErrorCode, CatalogPublished},
    catalog::Descriptor,
    dsse::Content,
};

use super::{App, Peer, json, read};
use crate::{catalog, db::catalog::Published, refusal::Refusal};

pub(crate) async fn post(State(shared): App, peer: Peer, body: Body) -> Result<Response, Refusal> {
    let domain = peer.domain(&shared)?;
    let bytes = read(body, Descriptor::ENVELOPE_BYTES_MAX).await?;
    let listed = catalog::accept(&bytes, &domain, &shared.published.registry(), shared.clock.now())?;
    let (service, sequence) = (listed.descriptor.service.clone(), listed.descriptor.sequence);
    let envelope = String::from_utf8_lossy(&listed.envelope).into_owned();
    let services_max = shared.config.limits.services_per_domain;
    match shared.database.publish((&domain, &service), sequence, &envelope, services_max).await? {
        Published::Stored => {
            shared.catalog.insert(listed);
            Ok(json(StatusCode::CREATED, &CatalogPublished { service, sequence }))
        }
        Published::Stale { stored } => {
            let detail = format!("service `{service}` has sequence {stored}; {sequence} is not later");
            Err(Refusal::new(ApiErrorCode::StaleSequence, detail))
        }
        Published::Full => {
            let detail = format!("domain `{domain}` has {services_max} services, or the catalog is full");
            Err(Refusal::new(ApiErrorCode::QuotaExceeded, detail))
        }
    }
}
