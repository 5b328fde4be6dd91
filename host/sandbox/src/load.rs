//! From bytes to a module: limits first, then one compilation for each digest, bounded in number, time and memory kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use sha2::{Digest as _, Sha256};

use crate::compile::{CompileTurns, Compiles, Source, blocking};
use crate::config::{CompileLimit, LoadError, SandboxConfig, at_most};
use crate::link::Linkers;
use crate::module::Module;
use crate::state::now;
use crate::structure;
use crate::task::AbortOnDropHandle;

/// How long a module is not tried again whose compiling ended in a way that need not be the module's doing.
const ENDED_FOR: Duration = Duration::from_secs(60);
/// The same where it took too long by the clock: with less to do besides, the machine may be fast enough.
const LATE_FOR: Duration = Duration::from_secs(600);

type Loaded = Result<Arc<Module>, LoadError>;
type Flight = Shared<BoxFuture<'static, Loaded>>;

/// The compile cache, by digest. What a module was refused for is kept as well where it follows from its bytes.
pub(crate) struct Loader {
    compiles: Compiles,
    linkers: Arc<Linkers>,
    turns: Arc<CompileTurns>,
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
    /// As the former, but until then only: what it was refused for need not be so for ever.
    RefusedUntil(Instant),
    Compiled {
        code_bytes: usize,
    },
    Compiling,
}

impl Loader {
    pub(crate) fn new(compiles: Compiles, linkers: Arc<Linkers>) -> Self {
        let turns = CompileTurns::new(compiles.config.compiles_max);
        Self { compiles, linkers, turns, kept: Arc::default() }
    }

    /// The module with these bytes; compiled now, by another call at the same moment, or before. `requester` is who waits
    /// in the line where many are to be compiled.
    pub(crate) async fn load(&self, requester: &str, wasm: &[u8]) -> Loaded {
        at_most("component_bytes", wasm.len() as u64, self.compiles.config.structure.component_bytes)?;
        let digest: [u8; 32] = Sha256::digest(wasm).into();
        let flight = self.flight(digest, requester, wasm);
        flight.await
    }

    /// Where modules are compiled.
    pub(crate) fn compiles(&self) -> &Compiles {
        &self.compiles
    }

    /// The module with this digest, if it is compiled and kept.
    pub(crate) fn cached(&self, digest: &[u8; 32]) -> Option<Arc<Module>> {
        let mut kept = lock(&self.kept);
        kept.touch(digest)?.peek()?.as_ref().ok().cloned()
    }

    fn flight(&self, digest: [u8; 32], requester: &str, wasm: &[u8]) -> Flight {
        let mut kept = lock(&self.kept);
        if let Some(flight) = kept.touch(&digest) {
            return flight;
        }
        let work = self.work(requester.into(), Source { digest, wasm: wasm.into() });
        let (cache, config) = (Arc::downgrade(&self.kept), self.compiles.config.clone());
        let land = move |loaded: Loaded| {
            if let Some(cache) = cache.upgrade() {
                lock(&cache).landed(&digest, &loaded, &config);
            }
            loaded
        };
        // A task of its own: callers may go away, the others still get their module. With the cache it ends too, and a child
        // that compiles for it.
        let task = AbortOnDropHandle(tokio::spawn(work.map(land.clone())));
        let flight = task.map(move |ended| ended.unwrap_or_else(|e| land(Err(LoadError::Internal(e.to_string())))));
        let flight = flight.boxed().shared();
        let used = kept.tick();
        kept.flights.insert(digest, Place { flight: flight.clone(), used, state: State::Compiling });
        flight
    }

    fn work(&self, requester: Arc<str>, source: Source) -> impl Future<Output = Loaded> + use<> {
        let (compiles, linkers, turns) = (self.compiles.clone(), Arc::clone(&self.linkers), Arc::clone(&self.turns));
        async move {
            // What is refused by counting waits for nobody.
            let (wasm, limits) = (Arc::clone(&source.wasm), compiles.config.structure.clone());
            blocking(move || structure::check(&wasm, &limits)).await?;
            let turn = turns.turn(&requester).await?;
            let component = compiles.compile(source.clone(), turn).await?;
            blocking(move || Module::of(&compiles.engine, &linkers, source.digest, &source.wasm, component))
                .await
                .map(Arc::new)
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
        if matches!(place.state, State::RefusedUntil(end) if end <= now()) {
            self.flights.remove(digest);
            return None;
        }
        place.used = used;
        Some(place.flight.clone())
    }

    /// Notes what a finished module holds and lets others go: refused ones first, then the longest unused.
    fn landed(&mut self, digest: &[u8; 32], loaded: &Loaded, config: &SandboxConfig) {
        // Each try costs as much as one may cost.
        let until = |most: Duration| State::RefusedUntil(now() + most.min(config.uncompilable_for));
        let state = match loaded {
            Ok(module) => State::Compiled { code_bytes: module.code_bytes() },
            // Neither follows from the bytes: another try may succeed.
            Err(LoadError::Internal(_) | LoadError::Busy { .. }) => {
                self.flights.remove(digest);
                return;
            }
            Err(LoadError::Uncompilable { limit: CompileLimit::Wall { .. } }) => until(LATE_FOR),
            Err(LoadError::CompilerEnded { .. }) => until(ENDED_FOR),
            Err(LoadError::Uncompilable { .. }) => until(Duration::MAX),
            Err(_) => State::Refused,
        };
        if let Some(place) = self.flights.get_mut(digest) {
            place.state = state;
        }
        while self.flights.len() > config.modules_max || self.code_bytes() > config.code_bytes_max {
            let others = self.flights.iter().filter(|(d, p)| *d != digest && p.state != State::Compiling);
            let oldest =
                others.min_by_key(|(_, p)| (matches!(p.state, State::Compiled { .. }), p.used)).map(|(d, _)| *d);
            let Some(oldest) = oldest else { return };
            self.flights.remove(&oldest);
        }
    }

    fn code_bytes(&self) -> usize {
        let bytes = |p: &Place| if let State::Compiled { code_bytes } = p.state { code_bytes } else { 0 };
        self.flights.values().map(bytes).sum()
    }
}
