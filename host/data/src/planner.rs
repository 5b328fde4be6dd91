//! Where queries are planned: on threads of their own, with a deep stack, since the engine's rules recurse; a few at a time;
//! and for no longer than a query may take. A thread cannot be killed. So bounds on the query make its work small
//! (`iog_query`, `watch`), and what is too slow all the same keeps its place, not its caller.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::run::Deadline;

/// How long the queries of a module may take to be planned, and how long they may wait for it. In a build that is not
/// optimised the largest queries that the bounds allow took at most 0.2 s each, and 2.3 s on a machine at load 15.
pub const PLANNING_MAX: Duration = Duration::from_secs(20);
/// Modules whose queries are planned at once. Planning takes one processor, and a gateway has other work.
const PLANNED_AT_ONCE: usize = 2;
/// Stack of a planning thread, bytes: some hundred levels of rules over the deepest query, in a build that is not optimised.
/// Only what is used of it is memory.
const STACK_BYTES: usize = 64 << 20;

/// Plans on threads of its own.
#[derive(Debug)]
pub(crate) struct Planner {
    places: Arc<Semaphore>,
}

/// Why nothing came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotPlanned {
    /// Others took all places for too long.
    Busy,
    /// It took too long itself.
    Late,
    /// There is no thread, or it ended without an answer.
    Broken(String),
}

impl Planner {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(PLANNED_AT_ONCE)) }
    }

    /// What `work` makes when it has a place. It is given the time at which nobody waits for it any more.
    pub(crate) async fn plan<T: Send + 'static>(
        &self,
        work: impl FnOnce(Deadline) -> T + Send + 'static,
    ) -> Result<T, NotPlanned> {
        let waiting = Arc::clone(&self.places).acquire_owned();
        let place = match Deadline::after(PLANNING_MAX).of(waiting).await {
            Some(place) => place.map_err(|e| NotPlanned::Broken(e.to_string()))?,
            None => return Err(NotPlanned::Busy),
        };
        let ends = Deadline::after(PLANNING_MAX);
        let working = on_thread(move || {
            let made = work(ends);
            drop(place);
            made
        });
        ends.of(working).await.unwrap_or(Err(NotPlanned::Late))
    }
}

/// What `work` makes on a thread with a deep stack.
pub(crate) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, NotPlanned> {
    let (send, receive) = oneshot::channel();
    let thread = std::thread::Builder::new().name("iog-plan".into()).stack_size(STACK_BYTES);
    let spawned = thread.spawn(move || {
        // The receiver is gone only if nobody waits any more.
        let _ = send.send(work());
    });
    spawned.map_err(|e| NotPlanned::Broken(e.to_string()))?;
    receive.await.map_err(|_| NotPlanned::Broken("the planner stopped".into()))
}
