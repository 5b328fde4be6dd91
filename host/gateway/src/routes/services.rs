//! The services that are ready, for members.

use axum::extract::State;
use axum::{Extension, Json};
use http::HeaderMap;
use iog_protocol::api::{ServiceList, ServiceSummary};
use iog_transport::PeerIdentity;

use super::{Api, Refused, runs};

pub(super) async fn list(
    State(api): State<Api>,
    peer: Option<Extension<PeerIdentity>>,
    headers: HeaderMap,
) -> Result<Json<ServiceList>, Refused> {
    runs::who(&api, peer.as_ref(), &headers)?;
    let summary = |service: &std::sync::Arc<crate::services::Service>| {
        let prepared = service.prepared.as_ref().ok()?;
        let module = &prepared.module.manifest().module;
        Some(ServiceSummary {
            name: service.name.clone(),
            module: prepared.module.digest(),
            module_name: module.name.clone(),
            module_version: module.version.clone(),
            entries: module.entry.clone(),
            summary: module.summary.clone(),
        })
    };
    let services = api.runs.services.snapshot().values().filter_map(summary).collect();
    Ok(Json(ServiceList { domain: api.runs.domain.clone(), services }))
}
