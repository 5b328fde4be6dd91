//! What this provider allows the caller who asks, and how old the registry is that decides.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use iog_protocol::api::{LimitsAnswer, Quota};
use iog_protocol::manifest::{FUEL_MAX, LimitsDecl, MEMORY_MIB_MAX, RESULT_KIB_MAX, WALL_S_MAX};
use serde::Serialize;

use super::identified::Identified;
use super::problem::Refused;
use crate::db::Store;
use crate::policy::Policy;
use crate::queue::FairQueue;
use crate::quotas::{self, RunsUsed};
use crate::services::{Service, Services};
use crate::vantage::Vantage;

/// The documented answer and the age of what it rests on.
#[derive(Debug, Serialize)]
pub(super) struct Limits {
    #[serde(flatten)]
    answer: LimitsAnswer,
    registry_size: u64,
    registry_age_s: Option<u64>,
    registry_age_max_s: u64,
}

pub(super) async fn show(
    State(vantage): State<Arc<Vantage>>,
    State(services): State<Arc<Services>>,
    State(queue): State<Arc<FairQueue>>,
    State(store): State<Arc<Store>>,
    Identified { caller, .. }: Identified,
) -> Result<Json<Limits>, Refused> {
    let here = vantage.here();
    let services = services.snapshot();
    let mut allowed = Vec::new();
    for service in services.values().filter(|s| s.policy.allows(&caller)) {
        let used = quotas::runs_used(&store, &caller.domain, &service.name, here.now).await?;
        allowed.extend(service_quotas(service.name.as_str(), &service.policy, used));
    }
    let answer = LimitsAnswer {
        domain: here.domain,
        limits: largest(services.values().map(Arc::as_ref)),
        concurrent_runs: queue.per_caller_max(),
        quotas: allowed,
    };
    Ok(Json(Limits {
        answer,
        registry_size: here.registry.size(),
        registry_age_s: vantage.registry.age_s(here.now),
        registry_age_max_s: vantage.registry_age_max_s(),
    }))
}

fn service_quotas(service: &str, policy: &Policy, used: RunsUsed) -> impl Iterator<Item = Quota> {
    let quotas = [
        (policy.quotas.runs_per_hour_max, 3_600, used.last_hour),
        (policy.quotas.runs_per_day_max, 86_400, used.last_day),
    ];
    let name = format!("{service} runs");
    quotas.into_iter().filter_map(move |(limit, per_s, used)| {
        let limit = limit?;
        Some(Quota { name: name.clone(), per_s, limit, remaining: limit.saturating_sub(used) })
    })
}

/// The most that any service here gives.
fn largest<'a>(services: impl Iterator<Item = &'a Service>) -> LimitsDecl {
    let none = LimitsDecl { fuel: 0, memory_mib: 0, wall_s: 0, result_kib: 0 };
    let all = LimitsDecl { fuel: FUEL_MAX, memory_mib: MEMORY_MIB_MAX, wall_s: WALL_S_MAX, result_kib: RESULT_KIB_MAX };
    services.fold(none, |most, service| {
        let given = match &service.prepared {
            Ok(prepared) => prepared.limits,
            Err(_) => service.config.limits.narrow(&all),
        };
        LimitsDecl {
            fuel: most.fuel.max(given.fuel),
            memory_mib: most.memory_mib.max(given.memory_mib),
            wall_s: most.wall_s.max(given.wall_s),
            result_kib: most.result_kib.max(given.result_kib),
        }
    })
}
