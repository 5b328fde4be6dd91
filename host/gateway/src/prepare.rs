//! A module's last moment before it runs: compiled, its slots bound to datasets, its queries planned, the columns that the
//! plans read held to those that inspection found. A gateway and `module try` go through the same door, so that what
//! passes there passes here; only a module that is as signed becomes [`Prepared`]. It fetches nothing and decides nothing
//! about callers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iog_data::{Dataset, Engine, PlanError, Planned, QuerySpec};
use iog_module::{AsSigned, ExamineError, Examined, NotLoaded};
use iog_protocol::capabilities::Capabilities;
use iog_protocol::ids::{Digest, SlotName};
use iog_protocol::manifest::{LimitsDecl, Manifest, ParamType, QueryDecl, ReleaseClass};
use iog_sandbox::{Grants, Module, Sandbox};

use crate::config::Allowance;
use crate::datasets::Bound;
use crate::not_ready::NotReady;
use crate::release::{self, NotEnforceable};

/// What prepares modules: shared by all services.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Loads and runs modules.
    pub sandbox: Sandbox,
    /// Plans and runs queries.
    pub engine: Engine,
}

/// Everything a run needs: the module compiled, its data bound, its queries planned.
#[derive(Debug)]
pub struct Runnable {
    /// What was found in the module.
    pub module: Examined,
    /// The compiled module.
    pub loaded: Arc<Module>,
    /// The planned queries; `None` where the manifest declares none.
    pub planned: Option<Arc<Planned>>,
    /// The bound datasets.
    pub datasets: BTreeMap<SlotName, BoundSlot>,
    /// The class of the bound datasets.
    pub class: ReleaseClass,
    /// The lesser of what the manifest asks and the provider allows.
    pub limits: LimitsDecl,
    /// The interfaces that the module imports and the provider gives.
    pub grants: Grants,
}

/// A slot with what is bound to it.
#[derive(Debug, Clone)]
pub struct BoundSlot {
    /// The schema's id.
    pub schema: String,
    /// What may leave.
    pub class: ReleaseClass,
    /// Identifies the data as of opening; must be salted before it leaves. A run has its own word for databases.
    pub snapshot: Digest,
    /// Rows, where known.
    pub rows: Option<u64>,
    /// The handle that the plans read; another one means that the file has changed.
    pub data: Arc<Dataset>,
}

/// A runnable module that is what the registry says. Only these serve callers.
#[derive(Debug)]
pub struct Prepared(Runnable);

/// Why a module cannot be made ready: the author's fault or the provider's binding, as the variant says.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// File and manifest do not fit; the author's.
    #[error(transparent)]
    Examine(#[from] ExamineError),
    /// The engine refuses it; the author's. Or it is not the file that was examined.
    #[error(transparent)]
    Load(#[from] NotLoaded),
    /// An interface that the module imports and the provider does not give; the provider's.
    #[error("the module imports `{interface}`, which the service is not given; name it under `interfaces`")]
    NotGiven {
        /// The interface.
        interface: String,
    },
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
    /// The plans read columns that inspection did not find; nobody may run it until that is understood.
    #[error(
        "the plans read columns of slot `{slot}` that inspection did not find: {engine:?}, found were {inspected:?}"
    )]
    Columns {
        /// The slot.
        slot: String,
        /// What the engine's plans read.
        engine: BTreeSet<String>,
        /// What inspection found.
        inspected: BTreeSet<String>,
    },
}

impl From<&PrepareError> for NotReady {
    /// The reason in words that callers may read.
    fn from(error: &PrepareError) -> Self {
        match error {
            PrepareError::Examine(_) => Self::NotInspected,
            PrepareError::Load(_) => Self::NotLoaded,
            PrepareError::NotGiven { interface } => Self::NotGiven { interface: interface.clone() },
            PrepareError::Slot { slot, .. } | PrepareError::NoSlot { slot, .. } => Self::NoData { slot: slot.clone() },
            PrepareError::Class(class) => Self::Class { reason: class.to_string() },
            PrepareError::Plan(_) | PrepareError::Columns { .. } => Self::NotPlanned,
        }
    }
}

impl Runnable {
    /// Compiles a module and binds it to these datasets. `wasm` is the file that was examined.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub async fn new(
        tools: &Tools,
        module: Examined,
        wasm: &[u8],
        bound: &BTreeMap<SlotName, Bound>,
        allowance: &Allowance,
    ) -> Result<Self, PrepareError> {
        let manifest = module.manifest();
        if let Some(interface) = allowance.given.lacking(module.capabilities()) {
            return Err(PrepareError::NotGiven { interface: interface.to_owned() });
        }
        let loaded = module.load(&tools.sandbox, wasm).await?;
        check_slots(manifest, bound)?;
        let class = release::effective_class(manifest.release.class, bound.values().map(|b| b.class))?;
        let planned = plan(tools, manifest, bound).await?;
        if let Some(planned) = &planned {
            compare_columns(&planned.columns_read(), module.capabilities())?;
        }
        let datasets = bound.iter().map(|(slot, bound)| (slot.clone(), slot_facts(bound))).collect();
        let limits = allowance.limits.narrow(&manifest.limits);
        let grants = allowance.given.granted(module.capabilities());
        Ok(Self { module, loaded, planned, datasets, class, limits, grants })
    }

    /// What the data of each slot were when they were opened.
    #[must_use]
    pub fn snapshots(&self) -> BTreeMap<SlotName, Digest> {
        self.datasets.iter().map(|(slot, bound)| (slot.clone(), bound.snapshot)).collect()
    }
}

impl Prepared {
    /// As [`Runnable::new`], for a module that is as signed.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub async fn new(
        tools: &Tools,
        module: AsSigned,
        wasm: &[u8],
        bound: &BTreeMap<SlotName, Bound>,
        allowance: &Allowance,
    ) -> Result<Self, PrepareError> {
        Runnable::new(tools, module.into_examined(), wasm, bound, allowance).await.map(Self)
    }
}

impl std::ops::Deref for Prepared {
    type Target = Runnable;

    fn deref(&self) -> &Runnable {
        &self.0
    }
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

/// A declared query in the engine's terms.
pub(crate) fn query(name: &str, declared: &QueryDecl) -> QuerySpec {
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

/// Two readers of the same SQL, the inspector's and the engine's: the engine's plan reads nothing that the inspector did not
/// find, which is what was signed and reviewed. It may read less. The inspector says what a query names; the engine leaves
/// out what cannot change the answer, such as a column of a table expression that nobody takes, or all of them under
/// `WHERE false`. How much it leaves out is its own matter and changes with its version; a module that was reviewed must not
/// stop being prepared for it.
fn compare_columns(
    engine: &BTreeMap<String, BTreeSet<String>>,
    capabilities: &Capabilities,
) -> Result<(), PrepareError> {
    for (slot, engine) in engine {
        let signed = slot.parse().ok().and_then(|slot: SlotName| capabilities.datasets.get(&slot));
        let inspected: BTreeSet<String> = signed.map(|used| used.columns.iter().cloned().collect()).unwrap_or_default();
        if !engine.is_subset(&inspected) {
            return Err(PrepareError::Columns { slot: slot.clone(), engine: engine.clone(), inspected });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use iog_protocol::capabilities::SlotUse;

    #[test]
    fn plans_that_read_what_was_not_inspected_run_for_nobody() {
        const WASM: &[u8] = include_bytes!("../../../modules/prebuilt/ip-traceback.wasm");
        const MANIFEST: &str = include_str!("../../../modules/ip-traceback/iog.toml");
        let found = Examined::examine(iog_module::Source { wasm: WASM, manifest: MANIFEST }).unwrap();
        let signed = found.capabilities();
        let read = |slot: &SlotUse| slot.columns.iter().cloned().collect::<BTreeSet<_>>();
        let honest: BTreeMap<_, _> =
            signed.datasets.iter().map(|(name, slot)| (name.to_string(), read(slot))).collect();
        let flows = honest["flows"].clone();
        let of = |columns: BTreeSet<String>| BTreeMap::from([("flows".to_owned(), columns)]);
        // What the engine leaves out nobody reads.
        let less = of(flows.iter().skip(1).cloned().collect());
        for engine in [honest.clone(), less, BTreeMap::new()] {
            assert!(compare_columns(&engine, signed).is_ok(), "{engine:?}");
        }
        let more = of(flows.iter().cloned().chain(["dst_port".to_owned()]).collect());
        let instead = of(flows.into_iter().skip(1).chain(["dst_port".to_owned()]).collect());
        let mut another = honest;
        another.insert("dns".to_owned(), BTreeSet::from(["name".to_owned()]));
        for engine in [more, instead, another] {
            let read = compare_columns(&engine, signed);
            assert!(matches!(read, Err(PrepareError::Columns { .. })), "{read:?}");
        }
    }
}
