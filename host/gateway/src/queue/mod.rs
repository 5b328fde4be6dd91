//! Who runs next. A fixed number of places, of which neither a caller nor a module has more than its share; a bounded number
//! of waiting requests, a cap for each caller, and turns taken caller by caller (`turns.rs`), so that a caller who asks much
//! delays only itself. It knows nothing of what is run.

mod turns;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iog_protocol::ids::{Digest, DomainId};
use tokio::sync::oneshot;

use turns::{Entered, Ticket, Turns};
pub use turns::{Full, QueueLimits};

/// The queue.
#[derive(Debug)]
pub struct FairQueue {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    turns: Turns,
    /// How those that wait are called.
    calls: HashMap<Ticket, oneshot::Sender<()>>,
}

/// A request's place in the queue, first waiting, then running; given back when dropped.
#[derive(Debug)]
pub struct Place {
    queue: Arc<FairQueue>,
    ticket: Ticket,
    call: Option<oneshot::Receiver<()>>,
}

impl FairQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: QueueLimits) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { turns: Turns::new(limits), calls: HashMap::new() }) })
    }

    /// Takes a request of this caller for this module in, or says that there is no room.
    ///
    /// # Errors
    /// [`Full`]; nothing is kept then.
    pub fn enter(self: &Arc<Self>, caller: &DomainId, module: &Digest) -> Result<Place, Full> {
        let mut state = self.lock();
        let (ticket, entered) = state.turns.enter(caller, module)?;
        let call = match entered {
            Entered::Runs => None,
            Entered::Waits => {
                let (sender, receiver) = oneshot::channel();
                state.calls.insert(ticket, sender);
                Some(receiver)
            }
        };
        Ok(Place { queue: Arc::clone(self), ticket, call })
    }

    /// Requests of one caller, running and waiting together, that there may be.
    #[must_use]
    pub fn per_caller_max(&self) -> u32 {
        self.lock().turns.limits().per_caller_max
    }

    /// Requests that run and requests that wait.
    #[must_use]
    pub fn load(&self) -> (u32, u32) {
        self.lock().turns.load()
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
        state.calls.remove(&self.ticket);
        for called in state.turns.leave(self.ticket) {
            // Who went away meanwhile waits for this lock, and then gives the place on.
            if let Some(call) = state.calls.remove(&called) {
                let _ = call.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: QueueLimits = QueueLimits {
        runs_max: 1,
        runs_per_caller_max: 1,
        runs_per_module_max: 1,
        waiting_max: 10,
        waiting_kept_max: 0,
        per_caller_max: 10,
    };

    fn enter(queue: &Arc<FairQueue>, caller: &str, module: &str) -> Result<Place, Full> {
        queue.enter(&caller.parse().unwrap(), &Digest::of(module.as_bytes()))
    }

    fn places<const N: usize>(queue: &Arc<FairQueue>, caller: &str, module: &str) -> Vec<Place> {
        (0..N).map(|_| enter(queue, caller, module).unwrap()).collect()
    }

    async fn is_called(place: &mut Place) -> bool {
        tokio::select! { biased; () = place.turn() => true, () = tokio::task::yield_now() => false }
    }

    fn assert_empty(queue: &FairQueue) {
        assert_eq!(queue.load(), (0, 0));
        assert!(queue.lock().calls.is_empty());
    }

    #[tokio::test]
    async fn callers_take_turns_whatever_number_each_brought() {
        let queue = FairQueue::new(LIMITS);
        let first = enter(&queue, "a", "m").unwrap();
        let mut a = places::<3>(&queue, "a", "m");
        let mut b = enter(&queue, "b", "m").unwrap();
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
    async fn the_modules_of_one_caller_take_turns_too() {
        let queue = FairQueue::new(LIMITS);
        let first = enter(&queue, "a", "m").unwrap();
        let mut m = places::<2>(&queue, "a", "m");
        let mut n = enter(&queue, "a", "n").unwrap();
        drop(first);
        assert!(is_called(&mut m[0]).await);
        drop(m.remove(0));
        assert!(is_called(&mut n).await && !is_called(&mut m[0]).await);
    }

    #[tokio::test]
    async fn no_caller_has_all_places_even_if_nobody_else_asks() {
        let queue =
            FairQueue::new(QueueLimits { runs_max: 3, runs_per_caller_max: 2, runs_per_module_max: 3, ..LIMITS });
        let mut a = places::<4>(&queue, "a", "m");
        assert_eq!(queue.load(), (2, 2));
        let mut b = places::<2>(&queue, "b", "m");
        assert!(is_called(&mut b[0]).await, "a place was left");
        assert!(!is_called(&mut b[1]).await && !is_called(&mut a[2]).await);
        drop(b.remove(0));
        assert!(is_called(&mut b[0]).await, "not the first caller, who waited longer and has two");
        drop(a.remove(0));
        assert!(is_called(&mut a[1]).await);
        assert!(!is_called(&mut a[2]).await);
        drop((a, b));
        assert_empty(&queue);
    }

    #[tokio::test]
    async fn no_module_has_all_places_whoever_brings_it() {
        let queue = FairQueue::new(QueueLimits {
            runs_max: 8,
            runs_per_caller_max: 6,
            runs_per_module_max: 6,
            waiting_max: 64,
            waiting_kept_max: 4,
            per_caller_max: 16,
        });
        let mut crowds: Vec<_> = ["a", "b", "c", "d"].map(|who| places::<16>(&queue, who, "spin")).into();
        assert_eq!(queue.load(), (6, 58), "two places are left to other modules");
        let more = places::<6>(&queue, "e", "spin");
        assert_eq!(enter(&queue, "e", "spin").unwrap_err(), Full::Gateway, "the queue is full");
        let mut honest = enter(&queue, "f", "hello").unwrap();
        assert!(is_called(&mut honest).await, "a place was left");
        let [mut g, mut h] = ["g", "h"].map(|who| enter(&queue, who, "spin").unwrap());
        assert!(!is_called(&mut g).await && !is_called(&mut h).await, "they wait though the queue was full");
        assert_eq!(queue.load(), (7, 66));
        drop(crowds.remove(0));
        assert!(is_called(&mut g).await && is_called(&mut h).await, "in turn, once places came free");
        drop((crowds, more, honest, g, h));
        assert_empty(&queue);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_and_leaves_no_trace() {
        let queue = FairQueue::new(QueueLimits { waiting_max: 1, waiting_kept_max: 1, per_caller_max: 2, ..LIMITS });
        let one = places::<2>(&queue, "a", "m");
        assert_eq!(enter(&queue, "a", "m").unwrap_err(), Full::Caller { max: 2 });
        let kept = enter(&queue, "b", "m").unwrap();
        assert_eq!(enter(&queue, "b", "m").unwrap_err(), Full::Gateway, "it has something here");
        assert_eq!(enter(&queue, "c", "m").unwrap_err(), Full::Gateway, "what is kept is taken");
        drop((one, kept));
        assert_empty(&queue);
    }

    #[tokio::test]
    async fn who_leaves_while_waiting_gives_his_place_back() {
        let queue = FairQueue::new(QueueLimits { waiting_max: 1, ..LIMITS });
        let running = enter(&queue, "a", "m").unwrap();
        drop(enter(&queue, "b", "m").unwrap());
        let mut waiting = enter(&queue, "c", "m").unwrap();
        drop(running);
        assert!(is_called(&mut waiting).await);
        drop(waiting);
        assert_empty(&queue);
    }

    #[tokio::test]
    async fn who_leaves_after_being_called_passes_the_turn_on() {
        let queue = FairQueue::new(LIMITS);
        let running = enter(&queue, "a", "m").unwrap();
        let called = enter(&queue, "b", "m").unwrap();
        let mut next = enter(&queue, "c", "m").unwrap();
        drop(running);
        drop(called);
        assert!(is_called(&mut next).await);
    }
}
