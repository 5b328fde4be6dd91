//! What a receipt states, and who sees it. A field belongs to exactly one of the two structs; its name in the receipt is
//! its name here.

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, DomainId, EntryName, RequestId, ServiceName, SlotName};
use crate::manifest::ReleaseClass;
use crate::run::Outcome;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Names of the fields that both views have, sorted.
pub const CALLER_FIELDS: [&str; 17] = [
    "caller",
    "cost",
    "cost_table",
    "engine",
    "entry",
    "gateway",
    "issued",
    "module",
    "module_log_index",
    "outcome",
    "policy",
    "registry_size",
    "release",
    "request",
    "request_id",
    "result_digest",
    "service",
];

/// Names of the fields that only the provider's view has, sorted.
pub const PROVIDER_FIELDS: [&str; 7] = ["actor", "agreement", "cost_exact", "detail", "logs", "purpose", "snapshots"];

/// What both the caller and the provider see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerFields {
    /// The request's id.
    pub request_id: RequestId,
    /// Digest of the signed request (its envelope's bytes).
    pub request: Digest,
    /// The domain that asked.
    pub caller: DomainId,
    /// The domain that answered.
    pub gateway: DomainId,
    /// The service asked, if one was.
    pub service: Option<ServiceName>,
    /// The module.
    pub module: Digest,
    /// Index of the approval on which the gateway acted, in the registry's log; none if it found none.
    pub module_log_index: Option<u64>,
    /// How many entries of the registry's log the gateway had applied.
    pub registry_size: u64,
    /// The function called.
    pub entry: EntryName,
    /// Digest of the provider's policy in force.
    pub policy: Digest,
    /// Release class applied; none if it was refused before there was one.
    pub release: Option<ReleaseClass>,
    /// How it ended.
    pub outcome: Outcome,
    /// Digest of the result's bytes; there if and only if it succeeded.
    pub result_digest: Option<Digest>,
    /// Engine and exact version, for example `wasmtime 48.0.8`.
    pub engine: String,
    /// Digest of the table by which fuel is charged.
    pub cost_table: Digest,
    /// What it cost: powers of two unless the release class is `open`.
    pub cost: Cost,
    /// When the receipt was made.
    pub issued: Timestamp,
}

/// What only the provider sees. The caller's view holds salted commitments to these, which reveal nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderFields {
    /// What it cost, exactly.
    pub cost_exact: Cost,
    /// State of each dataset read. Its commitment in the leaf is the snapshot commitment that binds the provider.
    pub snapshots: BTreeMap<SlotName, Digest>,
    /// Purpose, as the caller stated it.
    pub purpose: String,
    /// Pseudonym, as the caller stated it.
    pub actor: Option<String>,
    /// Agreement, as the caller stated it.
    pub agreement: Option<Digest>,
    /// What the operators are told about the outcome and the caller is not.
    pub detail: Option<String>,
    /// Digest of what the guest logged.
    pub logs: Option<Digest>,
}

/// What a run used. Times and sizes tell about data, so a caller sees them quantised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Fuel.
    pub fuel: u64,
    /// Peak of linear memory, bytes, summed.
    pub memory_bytes: u64,
    /// Rows read from datasets.
    pub rows: u64,
    /// Bytes of columns handed to the guest.
    pub bytes: u64,
    /// Wall time, milliseconds.
    pub wall_ms: u64,
}

impl Cost {
    /// Every number through [`quantise`].
    #[must_use]
    pub const fn quantised(&self) -> Self {
        Self {
            fuel: quantise(self.fuel),
            memory_bytes: quantise(self.memory_bytes),
            rows: quantise(self.rows),
            bytes: quantise(self.bytes),
            wall_ms: quantise(self.wall_ms),
        }
    }

    /// What a caller may see under a release class.
    #[must_use]
    pub fn for_caller(&self, release: Option<ReleaseClass>) -> Self {
        if release == Some(ReleaseClass::Open) { *self } else { self.quantised() }
    }
}

/// The next power of two, 0 for 0, and 2⁶³ for everything above.
#[must_use]
pub const fn quantise(value: u64) -> u64 {
    match (value, value.checked_next_power_of_two()) {
        (0, _) => 0,
        (_, Some(power)) => power,
        (_, None) => 1 << 63,
    }
}
