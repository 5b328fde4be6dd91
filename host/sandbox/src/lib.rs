//! Runs untrusted WebAssembly components: one fresh store a run, only the granted interfaces of `iog:guest`, everything
//! limited and metered. Knows no people, keys or network; data comes through a message-shaped port.
//!
//! ```text
//! Sandbox::load(bytes)  structural limits → one compilation for each digest, in a confined child → Arc<Module>
//! Sandbox::run(spec, host)  slot → parameters (JSON → WIT, charged) → store, meter, call → result (WIT → canonical JSON) → RunReport
//! ```

mod allowance;
mod cancel;
mod child;
mod compile;
mod config;
pub mod costs;
mod engine;
mod fits;
mod grants;
mod guests;
mod handed;
mod interfaces;
mod json_in;
mod json_out;
mod lifted;
mod limits;
mod link;
mod load;
mod meter;
mod module;
mod outcome;
mod params;
mod parsed;
mod provider;
mod roles;
mod run;
mod sizes;
mod slots;
mod spec;
mod state;
mod structure;
mod task;
mod text;
mod typedepth;
mod wit_type;

use std::fmt;
use std::sync::Arc;

use wasmtime::Engine;

pub use crate::cancel::CancelFlag;
pub use crate::child::{Confined, Program, Reach};
pub use crate::compile::Compiling;
pub use crate::config::{CompileLimit, Compiler, Guests, LoadError, SandboxConfig, SandboxError, StructureLimits};
pub use crate::engine::EngineInfo;
pub use crate::fits::{Misfit, VALUE_BYTES_A_BYTE, fits, params_fit};
pub use crate::grants::{Grants, UnknownInterface};
pub use crate::interfaces::*;
pub use crate::limits::Limits;
pub use crate::module::{EntryType, Module};
pub use crate::params::Params;
pub use crate::provider::Provider;
pub use crate::roles::child_main;
pub use crate::spec::{
    Blame, LimitKind, RunOutcome, RunReport, RunSpec, Runner, TooLarge, TooMuchOf, TrapKind, Usage, ValueError,
};
pub use crate::wit_type::WitType;

/// An engine, its slots for runs and its compiled modules. Clones share them; make one for a process.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    config: SandboxConfig,
    engine: Engine,
    info: EngineInfo,
    linkers: Arc<link::Linkers>,
    loader: load::Loader,
    slots: slots::Slots,
    guests: guests::GuestThreads,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("config", &self.0.config).field("engine", &self.0.info).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts the engine and reserves its slots.
    ///
    /// # Errors
    /// A value of `config` out of range, or an engine that does not start on this machine.
    pub fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        check(config)?;
        let (engine, info) = engine::build(config)?;
        let linkers = Arc::new(link::Linkers::default());
        let compiles = compile::Compiles { engine: engine.clone(), pooled: info.pooled, config: config.clone() };
        Ok(Self(Arc::new(Inner {
            config: config.clone(),
            loader: load::Loader::new(compiles, linkers.clone()),
            linkers,
            slots: slots::Slots::new(config.runs_max, slots::totals(config.runs_max)),
            guests: guests::GuestThreads::start(config.guests)?,
            engine,
            info,
        })))
    }

    /// Which engine runs, for receipts.
    pub fn engine_info(&self) -> &EngineInfo {
        &self.0.info
    }

    /// The module with these bytes: checked, compiled once and kept. Needs a tokio runtime.
    ///
    /// # Errors
    /// What is wrong with the module; see [`LoadError`].
    pub async fn load(&self, wasm: &[u8]) -> Result<Arc<Module>, LoadError> {
        self.load_for("", wasm).await
    }

    /// As [`Self::load`], on behalf of somebody: requesters take turns, so that whose modules compile long delays only its
    /// own.
    ///
    /// # Errors
    /// As there.
    pub async fn load_for(&self, requester: &str, wasm: &[u8]) -> Result<Arc<Module>, LoadError> {
        self.0.loader.load(requester, wasm).await
    }

    /// Where modules are compiled and what holds it, found out by trying. Needs a tokio runtime.
    pub async fn compiling(&self) -> Compiling {
        self.0.loader.compiles().probe().await
    }

    /// The module with this SHA-256, if it is kept: no hashing, no waiting.
    pub fn cached(&self, digest: &[u8; 32]) -> Option<Arc<Module>> {
        self.0.loader.cached(digest)
    }

    /// Memory that a run may ever have here, in bytes, whatever its limits say.
    pub fn memory_bytes_max(&self) -> usize {
        self.0.config.memory_bytes_max
    }

    fn config(&self) -> &SandboxConfig {
        &self.0.config
    }

    fn engine(&self) -> &Engine {
        &self.0.engine
    }

    fn linkers(&self) -> &link::Linkers {
        &self.0.linkers
    }

    fn guests(&self) -> &guests::GuestThreads {
        &self.0.guests
    }

    fn slots(&self) -> &slots::Slots {
        &self.0.slots
    }
}

fn check(config: &SandboxConfig) -> Result<(), SandboxError> {
    let range = |key, found: u64, ok: bool, expected| {
        if ok { Ok(()) } else { Err(SandboxError::Config { key, found, expected }) }
    };
    let (runs, memory) = (config.runs_max, config.memory_bytes_max as u64);
    range("runs_max", runs.into(), (1..=10_000).contains(&runs), "1 to 10,000")?;
    range("memory_bytes_max", memory, (65_536..=1 << 32).contains(&memory), "64 KiB to 4 GiB")?;
    let compiles = config.compiles_max;
    range("compiles_max", compiles.into(), (1..=1_024).contains(&compiles), "1 to 1,024")?;
    if let Guests::Apart(threads) = config.guests {
        range("guests", threads.into(), (1..=config::THREADS_MAX).contains(&threads), "1 to 1,024 threads")?;
    }
    range("modules_max", config.modules_max as u64, config.modules_max > 0, "at least 1")
}
