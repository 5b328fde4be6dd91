//! The parts of a manifest: plain data with their bounds. Reads no TOML.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{EntryName, ModuleName, ModuleVersion};

/// Largest fuel a manifest may ask for. At the measured 331 fuel a row, 10¹² pay for three billion rows, more than
/// 300 s of wall time can use on a fast machine; more would only hide a loop.
pub const FUEL_MAX: u64 = 1_000_000_000_000;
/// Largest linear memory a manifest may ask for, in MiB, summed over all memories: the platform's ceiling for one run.
pub const MEMORY_MIB_MAX: u32 = 256;
/// Longest run a manifest may ask for, in seconds: beyond that a caller's connection and a provider's slot are held for
/// too long.
pub const WALL_S_MAX: u32 = 300;
/// Largest result a manifest may ask for, in KiB of canonical JSON. One MiB is what one reply can carry to people and
/// is far less than the data of a provider, so that a result cannot be a copy.
pub const RESULT_KIB_MAX: u32 = 1024;

/// `[module]`: what the analysis is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleDecl {
    /// `namespace/name`.
    pub name: ModuleName,
    /// Semantic version.
    pub version: ModuleVersion,
    /// One line for people, 1 to 200 characters.
    pub summary: String,
    /// Exported functions that may be called, in declared order. `merge` takes what the first one returns.
    pub entry: Vec<EntryName>,
}

/// `[data.<slot>]`: a dataset the analysis reads, to be bound by the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotDecl {
    /// Id of a schema that exists, for example `flow/1`.
    pub schema: String,
}

/// `[query.<name>]`: a question the analysis may ask of its slots.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryDecl {
    /// Parameters in the order of the manifest, which is the order in which the guest gives their values. Written `$name`
    /// in `sql`.
    pub params: Vec<(String, ParamType)>,
    /// One SELECT statement.
    pub sql: String,
}

/// Type of a query parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamType {
    /// UTF-8 text.
    Text,
    /// Signed 64-bit integer.
    Int,
    /// Unsigned 64-bit integer.
    Uint,
    /// IEEE 754 double.
    Float,
    /// True or false.
    Flag,
    /// Microseconds since the epoch, UTC.
    Timestamp,
    /// An IP address in text form.
    Address,
    /// An IP prefix in text form; a bare address is a host prefix.
    Prefix,
}

impl ParamType {
    /// Every type, in documented order.
    pub const ALL: [Self; 8] =
        [Self::Text, Self::Int, Self::Uint, Self::Float, Self::Flag, Self::Timestamp, Self::Address, Self::Prefix];

    /// The name used in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Float => "float",
            Self::Flag => "flag",
            Self::Timestamp => "timestamp",
            Self::Address => "address",
            Self::Prefix => "prefix",
        }
    }
}

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ParamType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|ty| ty.name() == text).ok_or(())
    }
}

/// `[limits]`: what the analysis asks for; a provider may give less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsDecl {
    /// Fuel for instructions, host calls, rows and bytes: 1 to [`FUEL_MAX`].
    pub fuel: u64,
    /// Linear memory, MiB: 1 to [`MEMORY_MIB_MAX`].
    pub memory_mib: u32,
    /// Wall time, seconds: 1 to [`WALL_S_MAX`].
    pub wall_s: u32,
    /// Result as canonical JSON, KiB: 1 to [`RESULT_KIB_MAX`].
    pub result_kib: u32,
}

impl Default for LimitsDecl {
    /// What a manifest asks for when it does not say: the default limits of a run.
    fn default() -> Self {
        Self { fuel: 2_000_000_000, memory_mib: 64, wall_s: 10, result_kib: 64 }
    }
}

impl LimitsDecl {
    /// Whether nothing is asked beyond `other`.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        self.fuel <= other.fuel
            && self.memory_mib <= other.memory_mib
            && self.wall_s <= other.wall_s
            && self.result_kib <= other.result_kib
    }

    /// The lesser of both, limit by limit.
    #[must_use]
    pub fn min(&self, other: &Self) -> Self {
        Self {
            fuel: self.fuel.min(other.fuel),
            memory_mib: self.memory_mib.min(other.memory_mib),
            wall_s: self.wall_s.min(other.wall_s),
            result_kib: self.result_kib.min(other.result_kib),
        }
    }

    /// Linear memory in bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> u64 {
        self.memory_mib as u64 * 1024 * 1024
    }

    /// Result in bytes of canonical JSON.
    #[must_use]
    pub const fn result_bytes(&self) -> u64 {
        self.result_kib as u64 * 1024
    }
}

/// How what leaves is held back, strictest first: `a < b` says that `a` lets less out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseClass {
    /// Only sums over many providers may be seen.
    SumOnly,
    /// Differentially private answers.
    Dp,
    /// Aggregates over many records, small cells suppressed.
    Aggregate,
    /// Size, type and quotas are enforced; that the result discloses nothing is the auditors' judgement.
    Reviewed,
    /// The data may be public.
    Open,
}

impl ReleaseClass {
    /// Every class, strictest first.
    pub const ALL: [Self; 5] = [Self::SumOnly, Self::Dp, Self::Aggregate, Self::Reviewed, Self::Open];

    /// The name used in manifests and policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SumOnly => "sum-only",
            Self::Dp => "dp",
            Self::Aggregate => "aggregate",
            Self::Reviewed => "reviewed",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for ReleaseClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ReleaseClass {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|class| class.name() == text).ok_or(())
    }
}

/// `[release]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReleaseDecl {
    /// The class the module was written for.
    pub class: ReleaseClass,
}

/// `[source]`: where the module can be rebuilt from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceDecl {
    /// URL or name of the repository.
    pub repository: String,
    /// Commit in that repository.
    pub commit: String,
}
