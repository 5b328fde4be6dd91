//! Who runs next. A fixed number of places, of which a caller has no more than its share; a bounded number of waiting requests, a cap for each
//! caller, and turns taken caller by caller, so that a caller who asks much delays only itself. It knows nothing of what is
//! run.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iog_protocol::ids::DomainId;
use tokio::sync::oneshot;

/// How much is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Requests that run at the same time.
    pub runs_max: u32,
    /// Requests of one caller that run at the same time. The rest of the places is left to others, even if nobody asks.
    pub runs_per_caller_max: u32,
    /// Requests that wait.
    pub waiting_max: u32,
    /// Requests of one caller, running and waiting together.
    pub per_caller_max: u32,
}

/// Why a request is not taken in. Nothing was recorded: the caller may come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// As many wait as may.
    #[error("the gateway is at its capacity")]
    Gateway,
    /// This caller has as many as one caller may.
    #[error("the caller already has {max} requests here, as many as one caller may")]
    Caller {
        /// How many one caller may have.
        max: u32,
    },
}

/// The queue.
#[derive(Debug)]
pub struct FairQueue {
    limits: QueueLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: u32,
    waiting: u32,
    present: HashMap<DomainId, Present>,
    lines: HashMap<DomainId, VecDeque<oneshot::Sender<()>>>,
    turns: VecDeque<DomainId>,
}

/// Requests of one caller.
#[derive(Debug, Default, Clone, Copy)]
struct Present {
    /// Running and waiting.
    all: u32,
    running: u32,
}

/// A request's place in the queue, first waiting, then running; given back when dropped.
#[derive(Debug)]
pub struct Place {
    queue: Arc<FairQueue>,
    caller: DomainId,
    call: Option<oneshot::Receiver<()>>,
}

impl FairQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: QueueLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Takes a request in, or says that there is no room.
    ///
    /// # Errors
    /// [`Full`]; nothing is kept then.
    pub fn enter(self: &Arc<Self>, caller: &DomainId) -> Result<Place, Full> {
        let mut state = self.lock();
        let present = state.present.get(caller).copied().unwrap_or_default();
        if present.all >= self.limits.per_caller_max {
            return Err(Full::Caller { max: self.limits.per_caller_max });
        }
        let runs = state.running < self.limits.runs_max && present.running < self.limits.runs_per_caller_max;
        if !runs && state.waiting >= self.limits.waiting_max {
            return Err(Full::Gateway);
        }
        state.present.entry(caller.clone()).or_default().all += 1;
        let call = if runs {
            state.begin(caller);
            None
        } else {
            Some(state.wait(caller))
        };
        Ok(Place { queue: Arc::clone(self), caller: caller.clone(), call })
    }

    /// Requests of one caller, running and waiting together, that there may be.
    #[must_use]
    pub fn per_caller_max(&self) -> u32 {
        self.limits.per_caller_max
    }

    /// Requests that run and requests that wait.
    #[must_use]
    pub fn load(&self) -> (u32, u32) {
        let state = self.lock();
        (state.running, state.waiting)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Returns when it is this request's turn.
    pub async fn turn(&mut self) {
        if let Some(call) = &mut self.call {
            // The sender lives in the queue that this place keeps alive; it is dropped only after sending.
            let _ = call.await;
            self.call = None;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        let called = match &mut self.call {
            None => true,
            Some(call) => {
                call.close();
                call.try_recv().is_ok()
            }
        };
        if called {
            state.end(&self.caller);
            state.leave(&self.caller);
            state.call_next(self.queue.limits.runs_per_caller_max);
        } else {
            state.leave(&self.caller);
            state.forget_closed(&self.caller);
        }
    }
}

impl State {
    fn wait(&mut self, caller: &DomainId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let line = self.lines.entry(caller.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(caller.clone());
        }
        line.push_back(sender);
        self.waiting += 1;
        receiver
    }

    fn begin(&mut self, caller: &DomainId) {
        self.running += 1;
        self.present.entry(caller.clone()).or_default().running += 1;
    }

    fn end(&mut self, caller: &DomainId) {
        self.running -= 1;
        if let Some(present) = self.present.get_mut(caller) {
            present.running -= 1;
        }
    }

    fn leave(&mut self, caller: &DomainId) {
        if let Some(present) = self.present.get_mut(caller) {
            present.all -= 1;
            if present.all == 0 {
                self.present.remove(caller);
            }
        }
    }

    /// Calls the next in turn who may have one more place; who may not keeps its turn.
    fn call_next(&mut self, runs_per_caller_max: u32) {
        let running = |present: Option<&Present>| present.map_or(0, |present| present.running);
        while let Some(at) = self.turns.iter().position(|c| running(self.present.get(c)) < runs_per_caller_max) {
            let Some(caller) = self.turns.remove(at) else { return };
            let Some(line) = self.lines.get_mut(&caller) else { continue };
            let Some(next) = line.pop_front() else { continue };
            self.waiting -= 1;
            if line.is_empty() {
                self.lines.remove(&caller);
            } else {
                self.turns.push_back(caller.clone());
            }
            if next.send(()).is_ok() {
                return self.begin(&caller);
            }
        }
    }

    fn forget_closed(&mut self, caller: &DomainId) {
        let Some(line) = self.lines.get_mut(caller) else { return };
        let before = line.len();
        line.retain(|sender| !sender.is_closed());
        self.waiting -= u32::try_from(before - line.len()).unwrap_or(0);
        if line.is_empty() {
            self.lines.remove(caller);
            self.turns.retain(|turn| turn != caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(runs_max: u32, waiting_max: u32, per_caller_max: u32) -> Arc<FairQueue> {
        FairQueue::new(QueueLimits { runs_max, runs_per_caller_max: runs_max, waiting_max, per_caller_max })
    }

    fn domain(id: &str) -> DomainId {
        id.parse().unwrap()
    }

    async fn is_called(place: &mut Place) -> bool {
        tokio::select! { biased; () = place.turn() => true, () = tokio::task::yield_now() => false }
    }

    #[tokio::test]
    async fn callers_take_turns_whatever_number_each_brought() {
        let queue = queue(1, 10, 10);
        let first = queue.enter(&domain("a")).unwrap();
        let mut a: Vec<_> = (0..3).map(|_| queue.enter(&domain("a")).unwrap()).collect();
        let mut b = queue.enter(&domain("b")).unwrap();
        drop(first);
        assert!(is_called(&mut a[0]).await, "the first who waited");
        assert!(!is_called(&mut b).await);
        drop(a.remove(0));
        assert!(is_called(&mut b).await, "then the other caller, before the rest of the first");
        assert!(!is_called(&mut a[0]).await);
        drop(b);
        assert!(is_called(&mut a[0]).await);
        assert_eq!(queue.load(), (1, 1));
    }

    #[tokio::test]
    async fn no_caller_has_all_places_even_if_nobody_else_asks() {
        let queue =
            FairQueue::new(QueueLimits { runs_max: 3, runs_per_caller_max: 2, waiting_max: 10, per_caller_max: 10 });
        let mut a: Vec<_> = (0..4).map(|_| queue.enter(&domain("a")).unwrap()).collect();
        assert_eq!(queue.load(), (2, 2));
        let mut b: Vec<_> = (0..2).map(|_| queue.enter(&domain("b")).unwrap()).collect();
        assert!(is_called(&mut b[0]).await, "a place was left");
        assert!(!is_called(&mut b[1]).await && !is_called(&mut a[2]).await);
        drop(b.remove(0));
        assert!(is_called(&mut b[0]).await, "not the first caller, who waited longer and has two");
        drop(a.remove(0));
        assert!(is_called(&mut a[1]).await);
        assert!(!is_called(&mut a[2]).await);
        drop((a, b));
        assert_eq!(queue.load(), (0, 0));
        assert!(queue.lock().present.is_empty() && queue.lock().lines.is_empty());
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_and_leaves_no_trace() {
        let queue = queue(1, 1, 2);
        let one = queue.enter(&domain("a")).unwrap();
        let two = queue.enter(&domain("a")).unwrap();
        assert_eq!(queue.enter(&domain("a")).unwrap_err(), Full::Caller { max: 2 });
        assert_eq!(queue.enter(&domain("b")).unwrap_err(), Full::Gateway);
        drop((one, two));
        assert_eq!(queue.load(), (0, 0));
        assert!(queue.lock().present.is_empty() && queue.lock().lines.is_empty());
    }

    #[tokio::test]
    async fn who_leaves_while_waiting_gives_his_place_back() {
        let queue = queue(1, 1, 5);
        let running = queue.enter(&domain("a")).unwrap();
        drop(queue.enter(&domain("b")).unwrap());
        let mut waiting = queue.enter(&domain("c")).unwrap();
        drop(running);
        assert!(is_called(&mut waiting).await);
        drop(waiting);
        assert_eq!(queue.load(), (0, 0));
    }

    #[tokio::test]
    async fn who_leaves_after_being_called_passes_the_turn_on() {
        let queue = queue(1, 5, 5);
        let running = queue.enter(&domain("a")).unwrap();
        let called = queue.enter(&domain("b")).unwrap();
        let mut next = queue.enter(&domain("c")).unwrap();
        drop(running);
        drop(called);
        assert!(is_called(&mut next).await);
    }
}
