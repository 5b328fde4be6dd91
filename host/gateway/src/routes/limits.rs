//! What this provider allows the caller who asks, and how old the registry is that decides.

use axum::extract::State;
use axum::{Extension, Json};
use http::HeaderMap;
use iog_protocol::api::{LimitsAnswer, Quota};
use iog_protocol::manifest::{FUEL_MAX, LimitsDecl, MEMORY_MIB_MAX, RESULT_KIB_MAX, WALL_S_MAX};
use iog_transport::PeerIdentity;
use serde::Serialize;

use super::{Api, Refused, runs};
use crate::policy::Policy;
use crate::quotas;

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
    State(api): State<Api>,
    peer: Option<Extension<PeerIdentity>>,
    headers: HeaderMap,
) -> Result<Json<Limits>, Refused> {
    let caller = runs::who(&api, peer.as_ref(), &headers)?;
    let now = api.runs.clock.now();
    let mut quotas = Vec::new();
    for service in api.runs.services.snapshot().values().filter(|s| s.policy.allows(&caller)) {
        let used = quotas::runs_used(&api.runs.store, &caller.domain, &service.name, now).await?;
        quotas.extend(service_quotas(service.name.as_str(), &service.policy, used));
    }
    let answer = LimitsAnswer {
        domain: api.runs.domain.clone(),
        limits: largest(&api),
        concurrent_runs: api.config.capacity.per_caller_max,
        quotas,
    };
    let registry_age_s = api.runs.registry.age_s(now);
    let registry_age_max_s = api.runs.registry_age_max_h.saturating_mul(3_600);
    Ok(Json(Limits { answer, registry_size: api.runs.registry.current().size(), registry_age_s, registry_age_max_s }))
}

fn service_quotas(service: &str, policy: &Policy, (hour, day): (u64, u64)) -> impl Iterator<Item = Quota> {
    let quotas = [(policy.quotas.runs_per_hour_max, 3_600, hour), (policy.quotas.runs_per_day_max, 86_400, day)];
    let name = format!("{service} runs");
    quotas.into_iter().filter_map(move |(limit, per_s, used)| {
        let limit = limit?;
        Some(Quota { name: name.clone(), per_s, limit, remaining: limit.saturating_sub(used) })
    })
}

/// The most that any service here gives.
fn largest(api: &Api) -> LimitsDecl {
    let none = LimitsDecl { fuel: 0, memory_mib: 0, wall_s: 0, result_kib: 0 };
    let all = LimitsDecl { fuel: FUEL_MAX, memory_mib: MEMORY_MIB_MAX, wall_s: WALL_S_MAX, result_kib: RESULT_KIB_MAX };
    api.runs.services.snapshot().values().fold(none, |most, service| {
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
