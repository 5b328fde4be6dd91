//! From bytes to a module: limits first, then one compilation for each digest, bounded in number, time and memory kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::config::{LoadError, SandboxConfig, at_most};
use crate::link::Linkers;
use crate::module::Module;
use crate::structure;

type Loaded = Result<Arc<Module>, LoadError>;
type Flight = Shared<BoxFuture<'static, Loaded>>;

/// The compile cache, by digest. What a module was refused for is kept as well where it follows from its bytes.
pub(crate) struct Loader {
    engine: Engine,
    linkers: Arc<Linkers>,
    config: SandboxConfig,
    compiles: Arc<Semaphore>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    flights: HashMap<[u8; 32], Place>,
    clock: u64,
}

struct Place {
    flight: Flight,
    used: u64,
    state: State,
}

/// How far a module is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Refused,
    Compiled { code_bytes: usize },
    Compiling,
}

impl Loader {
    pub(crate) fn new(engine: Engine, linkers: Arc<Linkers>, config: SandboxConfig) -> Self {
        let compiles = Arc::new(Semaphore::new(config.compiles_max as usize));
        Self { engine, linkers, config, compiles, kept: Arc::default() }
    }

    /// The module with these bytes; compiled now, by another call at the same moment, or before.
    pub(crate) async fn load(&self, wasm: &[u8]) -> Loaded {
        at_most("component_bytes", wasm.len() as u64, self.config.structure.component_bytes)?;
        let digest: [u8; 32] = Sha256::digest(wasm).into();
        let flight = self.flight(digest, wasm);
        flight.await
    }

    /// The module with this digest, if it is compiled and kept.
    pub(crate) fn cached(&self, digest: &[u8; 32]) -> Option<Arc<Module>> {
        let mut kept = lock(&self.kept);
        kept.touch(digest)?.peek()?.as_ref().ok().cloned()
    }

    fn flight(&self, digest: [u8; 32], wasm: &[u8]) -> Flight {
        let mut kept = lock(&self.kept);
        if let Some(flight) = kept.touch(&digest) {
            return flight;
        }
        let work = self.compile(digest, wasm.into());
        let (cache, config) = (Arc::downgrade(&self.kept), self.config.clone());
        let land = move |loaded: Loaded| {
            if let Some(cache) = cache.upgrade() {
                lock(&cache).landed(&digest, &loaded, &config);
            }
            loaded
        };
        // A task of its own: callers may go away, the others still get their module.
        let task = tokio::spawn(work.map(land.clone()));
        let flight = task.map(move |ended| ended.unwrap_or_else(|e| land(Err(LoadError::Internal(e.to_string())))));
        let flight = flight.boxed().shared();
        let used = kept.tick();
        kept.flights.insert(digest, Place { flight: flight.clone(), used, state: State::Compiling });
        flight
    }

    fn compile(&self, digest: [u8; 32], wasm: Arc<[u8]>) -> impl Future<Output = Loaded> + use<> {
        let (engine, linkers) = (self.engine.clone(), self.linkers.clone());
        let (config, compiles) = (self.config.clone(), self.compiles.clone());
        async move {
            let permit = compiles.acquire_owned().await.map_err(|e| LoadError::Internal(e.to_string()))?;
            let compiling = tokio::task::spawn_blocking(move || {
                let checked = structure::check(&wasm, &config.structure);
                let loaded = checked.and_then(|()| Module::compile(&engine, &linkers, digest, &wasm));
                // A compilation cannot be stopped: it holds its permit until it ends, also when nobody waits for it.
                drop(permit);
                loaded
            });
            match tokio::time::timeout(config.compile_wall, compiling).await {
                Ok(Ok(loaded)) => loaded.map(Arc::new),
                Ok(Err(panicked)) => Err(LoadError::Internal(panicked.to_string())),
                Err(_) => Err(LoadError::CompileTime {
                    wall_ms: u64::try_from(config.compile_wall.as_millis()).unwrap_or(u64::MAX),
                }),
            }
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // Nothing that holds the lock can leave the map half changed.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn touch(&mut self, digest: &[u8; 32]) -> Option<Flight> {
        let used = self.tick();
        let place = self.flights.get_mut(digest)?;
        place.used = used;
        Some(place.flight.clone())
    }

    /// Notes what a finished module holds and lets others go: refused ones first, then the longest unused.
    fn landed(&mut self, digest: &[u8; 32], loaded: &Loaded, config: &SandboxConfig) {
        let state = match loaded {
            Ok(module) => State::Compiled { code_bytes: module.code_bytes() },
            // Neither follows from the bytes: another try may succeed.
            Err(LoadError::Internal(_) | LoadError::CompileTime { .. }) => {
                self.flights.remove(digest);
                return;
            }
            Err(_) => State::Refused,
        };
        if let Some(place) = self.flights.get_mut(digest) {
            place.state = state;
        }
        while self.flights.len() > config.modules_max || self.code_bytes() > config.code_bytes_max {
            let others = self.flights.iter().filter(|(d, p)| *d != digest && p.state != State::Compiling);
            let oldest = others.min_by_key(|(_, p)| (p.state != State::Refused, p.used)).map(|(d, _)| *d);
            let Some(oldest) = oldest else { return };
            self.flights.remove(&oldest);
        }
    }

    fn code_bytes(&self) -> usize {
        let bytes = |p: &Place| if let State::Compiled { code_bytes } = p.state { code_bytes } else { 0 };
        self.flights.values().map(bytes).sum()
    }
}
