//! The services that are ready, for members.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use iog_protocol::api::{ServiceList, ServiceSummary};

use super::identified::Identified;
use crate::services::{Service, Services};
use crate::vantage::Vantage;

pub(super) async fn list(
    State(services): State<Arc<Services>>,
    State(vantage): State<Arc<Vantage>>,
    _: Identified,
) -> Json<ServiceList> {
    let summary = |service: &Arc<Service>| {
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
    let services = services.snapshot().values().filter_map(summary).collect();
    Json(ServiceList { domain: vantage.domain.clone(), services })
}
