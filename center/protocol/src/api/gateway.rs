//! Bodies of a gateway. Requests are signed (`run::RunRequest`), answers carry receipts (`run::RunAnswer`).

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, DomainId, EntryName, ModuleName, ModuleVersion, RequestId, ServiceName};
use crate::manifest::LimitsDecl;
use crate::run::{Outcome, RunState};

/// 202 of `POST /v1/runs` and 200 of `GET /v1/runs/{request_id}` for a run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStatus {
    /// The request.
    pub request_id: RequestId,
    /// Where it is.
    pub state: RunState,
    /// How far, in steps of ten percent.
    pub progress_percent: u8,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// `GET /v1/limits`: what this provider allows this caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsAnswer {
    /// The gateway's domain.
    pub domain: DomainId,
    /// What a run gets at most.
    pub limits: LimitsDecl,
    /// Runs of this caller at once.
    pub concurrent_runs: u32,
    /// What may be used in a time, and what is left of it.
    pub quotas: Vec<Quota>,
}

/// What may be used in a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// What is counted, for example `runs`.
    pub name: String,
    /// In how many seconds.
    pub per_s: u64,
    /// How much of it.
    pub limit: u64,
    /// How much is left.
    pub remaining: u64,
}

/// `GET /v1/services`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceList {
    /// The gateway's domain.
    pub domain: DomainId,
    /// Its services.
    pub services: Vec<ServiceSummary>,
}

/// A service in a list. The signed descriptor in the catalog says more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSummary {
    /// Its name.
    pub name: ServiceName,
    /// Its module.
    pub module: Digest,
    /// The module's name.
    pub module_name: ModuleName,
    /// The module's version.
    pub module_version: ModuleVersion,
    /// What can be called.
    pub entries: Vec<EntryName>,
    /// One line for people.
    pub summary: String,
}
