//! The `[service.<name>]` tables: which module, bound to which datasets, for whom and how much.

use std::collections::{BTreeMap, BTreeSet};

use iog_module::ModuleRef;
use iog_protocol::catalog::Coverage;
use iog_protocol::ids::{DatasetName, EntryName, SlotName};
use iog_protocol::manifest::{FUEL_MAX, LimitsDecl, MEMORY_MIB_MAX, RESULT_KIB_MAX, WALL_S_MAX};
use serde::Deserialize;

use super::dataset::DatasetConfig;
use super::error::{ConfigError, within};
use crate::grants::Given;
use crate::policy::{Policy, Principal, Quotas, TargetQuota};

/// One service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// The module: `name@version`, or `sha256:…` to pin the file.
    pub module: ModuleRef,
    /// Slot of the manifest → dataset of this gateway.
    #[serde(default)]
    pub bind: BTreeMap<SlotName, DatasetName>,
    /// The interfaces that the module gets of those it imports; absent: all of them.
    #[serde(default)]
    pub interfaces: Given,
    /// Who may call; without this table nobody may.
    #[serde(default)]
    pub allow: AllowConfig,
    /// The most a run may use; what the manifest asks counts where it is less.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How often a caller may ask.
    #[serde(default)]
    pub quota: QuotaConfig,
    /// What the data cover, for the catalog.
    #[serde(default)]
    pub coverage: CoverageConfig,
}

impl LimitsConfig {
    /// What a run may use: the lesser of what the manifest asks and what this table allows.
    #[must_use]
    pub fn narrow(&self, asked: &LimitsDecl) -> LimitsDecl {
        let all =
            LimitsDecl { fuel: FUEL_MAX, memory_mib: MEMORY_MIB_MAX, wall_s: WALL_S_MAX, result_kib: RESULT_KIB_MAX };
        asked.min(&LimitsDecl {
            fuel: self.fuel.unwrap_or(all.fuel),
            memory_mib: self.memory_mib.unwrap_or(all.memory_mib),
            wall_s: self.wall_s.unwrap_or(all.wall_s),
            result_kib: self.result_kib.unwrap_or(all.result_kib),
        })
    }
}

/// What a run gets from a provider, who it is for apart.
#[derive(Debug, Clone, Default)]
pub struct Allowance {
    /// The most it may use.
    pub limits: LimitsConfig,
    /// The interfaces it may touch.
    pub given: Given,
}

/// Who may call what for which purpose.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AllowConfig {
    /// `members`, `domain:<id>` or `organisation:<id>`.
    pub callers: BTreeSet<Principal>,
    /// Entries; absent: every entry of the manifest.
    pub entries: Option<BTreeSet<EntryName>>,
    /// Purposes; absent: any.
    pub purposes: Option<BTreeSet<String>>,
}

/// The provider's limits of one run; absent: what the manifest asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Fuel, at least 1.
    pub fuel: Option<u64>,
    /// Linear memory in MiB, at least 1.
    pub memory_mib: Option<u32>,
    /// Wall-clock time in seconds, at least 1.
    pub wall_s: Option<u32>,
    /// Canonical JSON of the result in KiB, at least 1.
    pub result_kib: Option<u32>,
}

/// How often a caller may ask; absent: without limit.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaConfig {
    /// Runs of one caller in any hour.
    pub runs_per_hour_max: Option<u64>,
    /// Runs of one caller in any 24 hours.
    pub runs_per_day_max: Option<u64>,
    /// Distinct values of one parameter.
    pub targets: Option<TargetsConfig>,
}

/// A cap on distinct values of one parameter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetsConfig {
    /// The parameter's name.
    pub parameter: String,
    /// Distinct values of one caller in any 24 hours.
    pub distinct_per_day_max: u64,
    /// Length in bits, 0 to 32, that an IPv4 prefix must have at least; absent: any.
    #[serde(default)]
    pub min_prefix_v4: Option<u8>,
    /// Length in bits, 0 to 128, that an IPv6 prefix must have at least; absent: any.
    #[serde(default)]
    pub min_prefix_v6: Option<u8>,
}

/// What the data cover, as the catalog shows it.
pub type CoverageConfig = Coverage;

impl ServiceConfig {
    /// What a run of the module gets from this provider.
    #[must_use]
    pub fn allowance(&self) -> Allowance {
        Allowance { limits: self.limits.clone(), given: self.interfaces }
    }

    /// The policy these tables say.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            callers: self.allow.callers.clone(),
            entries: self.allow.entries.clone(),
            purposes: self.allow.purposes.clone(),
            quotas: Quotas {
                runs_per_hour_max: self.quota.runs_per_hour_max,
                runs_per_day_max: self.quota.runs_per_day_max,
                targets: self.quota.targets.as_ref().map(|t| TargetQuota {
                    parameter: t.parameter.clone(),
                    distinct_per_day_max: t.distinct_per_day_max,
                    min_prefix_v4: t.min_prefix_v4,
                    min_prefix_v6: t.min_prefix_v6,
                }),
            },
        }
    }

    pub(super) fn check(&self, key: &str, datasets: &BTreeMap<DatasetName, DatasetConfig>) -> Result<(), ConfigError> {
        for (slot, name) in &self.bind {
            if !datasets.contains_key(name) {
                let known: Vec<_> = datasets.keys().map(|d| format!("`{d}`")).collect();
                return Err(ConfigError::value(
                    format!("{key}.bind.{slot}"),
                    format!("there is no dataset `{name}`"),
                    format!("the datasets are {}", known.join(", ")),
                ));
            }
        }
        if let Some(targets) = &self.quota.targets {
            for (name, min, max) in [("v4", targets.min_prefix_v4, 32), ("v6", targets.min_prefix_v6, 128)] {
                within(&format!("{key}.quota.targets.min_prefix_{name}"), min.unwrap_or(0).into(), 0, max)?;
            }
        }
        for (name, limit, max) in [
            ("fuel", self.limits.fuel, FUEL_MAX),
            ("memory_mib", self.limits.memory_mib.map(u64::from), MEMORY_MIB_MAX.into()),
            ("wall_s", self.limits.wall_s.map(u64::from), WALL_S_MAX.into()),
            ("result_kib", self.limits.result_kib.map(u64::from), RESULT_KIB_MAX.into()),
        ] {
            if let Some(found) = limit {
                within(&format!("{key}.limits.{name}"), found, 1, max)?;
            }
        }
        Ok(())
    }
}
