//! Makes a service ready from bytes: inspect, load, bind, plan, compare. The gateway and `module try` go through the same
//! door, so that what passes there passes here. It fetches nothing and decides nothing about callers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iog_data::{Engine, PlanError, Planned, QuerySpec};
use iog_inspect::{InspectError, InspectLimits};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::ids::{Digest, SlotName};
use iog_protocol::manifest::{Manifest, ManifestError, ParamType, QueryDecl, ReleaseClass};
use iog_sandbox::{LoadError, Module, Sandbox};

use crate::config::LimitsConfig;
use crate::datasets::Bound;
use crate::release::{self, NotEnforceable};
use crate::services::{BoundSlot, NotReady, Prepared};

/// What prepares modules: shared by all services.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Loads and runs modules.
    pub sandbox: Sandbox,
    /// Plans and runs queries.
    pub engine: Engine,
}

/// A module as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The component.
    pub wasm: &'a [u8],
    /// The text of its manifest.
    pub manifest: &'a str,
}

/// Why a module cannot be made ready: the author's fault or the provider's binding, as the variant says.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The manifest is none; the author's.
    #[error("the manifest cannot be used")]
    Manifest(#[from] ManifestError),
    /// The file is no component that may run; the author's.
    #[error("the module cannot be inspected")]
    Inspect(#[from] InspectError),
    /// File and manifest do not fit each other or the rules; the author's.
    #[error("the module does not fit its manifest: {}", .0.join("; "))]
    Findings(Vec<String>),
    /// The engine refuses it; the author's.
    #[error("the module cannot be loaded")]
    Load(#[from] LoadError),
    /// A slot without a dataset, or with one of another schema; the provider's.
    #[error("slot `{slot}`: {problem}")]
    Slot {
        /// The slot.
        slot: SlotName,
        /// What is wrong.
        problem: String,
    },
    /// A dataset bound to a slot that the manifest does not have; the provider's.
    #[error("the manifest has no slot `{slot}`; its slots are {known}")]
    NoSlot {
        /// The slot.
        slot: SlotName,
        /// The slots there are.
        known: String,
    },
    /// A class that cannot be enforced; the provider's or the author's.
    #[error(transparent)]
    Class(#[from] NotEnforceable),
    /// A query that cannot be planned; the author's.
    #[error("the queries cannot be planned")]
    Plan(#[from] PlanError),
    /// The plans read other columns than inspection says; nobody may run it until that is understood.
    #[error("the plans read other columns of slot `{slot}` than inspection found: {engine:?} instead of {inspected:?}")]
    Columns {
        /// The slot.
        slot: String,
        /// What the engine's plans read.
        engine: BTreeSet<String>,
        /// What inspection found.
        inspected: BTreeSet<String>,
    },
}

impl PrepareError {
    /// The reason in words that callers may read.
    #[must_use]
    pub fn public(&self) -> NotReady {
        match self {
            Self::Manifest(_) | Self::Inspect(_) | Self::Findings(_) => NotReady::NotInspected,
            Self::Load(_) => NotReady::NotLoaded,
            Self::Slot { slot, .. } | Self::NoSlot { slot, .. } => NotReady::NoData { slot: slot.clone() },
            Self::Class(class) => NotReady::Class { reason: class.to_string() },
            Self::Plan(_) | Self::Columns { .. } => NotReady::NotPlanned,
        }
    }
}

/// Makes a module ready to run on these datasets.
///
/// # Errors
/// [`PrepareError`].
pub async fn prepare(
    tools: &Tools,
    source: Source<'_>,
    bound: &BTreeMap<SlotName, Bound>,
    limits: &LimitsConfig,
) -> Result<Prepared, PrepareError> {
    let mut prepared = without_data(tools, source, limits).await?;
    check_slots(&prepared.manifest, bound)?;
    prepared.class = release::effective_class(prepared.manifest.release.class, bound.values().map(|b| b.class))?;
    prepared.planned = plan(tools, &prepared.manifest, bound).await?;
    if let Some(planned) = &prepared.planned {
        compare_columns(planned, &prepared.capabilities)?;
    }
    prepared.datasets = bound.iter().map(|(slot, bound)| (slot.clone(), slot_facts(bound))).collect();
    Ok(prepared)
}

/// Inspects and loads a module and grants it nothing: what `merge` needs.
///
/// # Errors
/// [`PrepareError`].
pub async fn without_data(tools: &Tools, source: Source<'_>, limits: &LimitsConfig) -> Result<Prepared, PrepareError> {
    let manifest = Manifest::parse(source.manifest)?;
    let facts = iog_inspect::inspect(source.wasm, &InspectLimits::default())?;
    let capabilities = iog_inspect::check(&facts, &manifest)
        .map_err(|findings| PrepareError::Findings(findings.iter().map(ToString::to_string).collect()))?;
    let loaded: Arc<Module> = tools.sandbox.load(source.wasm).await?;
    Ok(Prepared {
        module: facts.digest,
        manifest_digest: Digest::of(source.manifest.as_bytes()),
        limits: limits.narrow(&manifest.limits),
        class: ReleaseClass::Open,
        planned: None,
        datasets: BTreeMap::new(),
        manifest,
        facts,
        capabilities,
        loaded,
    })
}

fn slot_facts(bound: &Bound) -> BoundSlot {
    BoundSlot {
        schema: bound.schema.clone(),
        class: bound.class,
        snapshot: bound.snapshot(),
        rows: bound.data.snapshot().rows,
        data: Arc::clone(&bound.data),
    }
}

fn check_slots(manifest: &Manifest, bound: &BTreeMap<SlotName, Bound>) -> Result<(), PrepareError> {
    for (slot, declared) in &manifest.data {
        let problem = match bound.get(slot) {
            None => format!("no dataset is bound; bind one of schema `{}`", declared.schema),
            Some(b) if b.schema != declared.schema => {
                format!("the dataset has schema `{}`, the module asks for `{}`", b.schema, declared.schema)
            }
            Some(_) => continue,
        };
        return Err(PrepareError::Slot { slot: slot.clone(), problem });
    }
    match bound.keys().find(|slot| !manifest.data.contains_key(slot)) {
        None => Ok(()),
        Some(slot) => {
            let known: Vec<_> = manifest.data.keys().map(|s| format!("`{s}`")).collect();
            Err(PrepareError::NoSlot { slot: slot.clone(), known: known.join(", ") })
        }
    }
}

async fn plan(
    tools: &Tools,
    manifest: &Manifest,
    bound: &BTreeMap<SlotName, Bound>,
) -> Result<Option<Arc<Planned>>, PrepareError> {
    if manifest.query.is_empty() {
        return Ok(None);
    }
    let slots = bound.iter().map(|(slot, bound)| (slot.to_string(), Arc::clone(&bound.data))).collect();
    let queries: Vec<_> = manifest.query.iter().map(|(name, declared)| query(name, declared)).collect();
    Ok(Some(Arc::new(tools.engine.plan(slots, &queries).await?)))
}

fn query(name: &str, declared: &QueryDecl) -> QuerySpec {
    let params = declared.params.iter().map(|(name, ty)| (name.clone(), param_type(*ty))).collect();
    QuerySpec { name: name.to_owned(), sql: declared.sql.clone(), params }
}

fn param_type(ty: ParamType) -> iog_data::ParamType {
    match ty {
        ParamType::Text => iog_data::ParamType::Text,
        ParamType::Int => iog_data::ParamType::Int,
        ParamType::Uint => iog_data::ParamType::Uint,
        ParamType::Float => iog_data::ParamType::Float,
        ParamType::Flag => iog_data::ParamType::Flag,
        ParamType::Timestamp => iog_data::ParamType::Timestamp,
        ParamType::Address => iog_data::ParamType::Address,
        ParamType::Prefix => iog_data::ParamType::Prefix,
    }
}

/// Two readers of the same SQL, the inspector's and the engine's, must agree on what a module sees.
fn compare_columns(planned: &Planned, capabilities: &Capabilities) -> Result<(), PrepareError> {
    let engine = planned.columns_read();
    let inspected: BTreeMap<String, BTreeSet<String>> = capabilities
        .datasets
        .iter()
        .map(|(slot, used)| (slot.to_string(), used.columns.iter().cloned().collect()))
        .collect();
    let slots: BTreeSet<&String> = engine.keys().chain(inspected.keys()).collect();
    for slot in slots {
        let (engine, inspected) = (columns_of(&engine, slot), columns_of(&inspected, slot));
        if engine != inspected {
            return Err(PrepareError::Columns { slot: slot.clone(), engine, inspected });
        }
    }
    Ok(())
}

fn columns_of(all: &BTreeMap<String, BTreeSet<String>>, slot: &String) -> BTreeSet<String> {
    all.get(slot).cloned().unwrap_or_default()
}
