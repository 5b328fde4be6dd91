//! Who compiles next: a few places, of which one requester never has all where there are more than one, and turns taken
//! requester by requester, so that whose modules compile long delays only its own.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::config::LoadError;

/// Compilations that wait at most. Each keeps its component in memory.
const WAITING_MAX: usize = 64;

/// The places and who waits for them.
#[derive(Debug)]
pub(crate) struct CompileTurns {
    /// Places of one requester.
    share: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: u32,
    holding: HashMap<Arc<str>, u32>,
    /// One line a requester, in the order in which they are served.
    lines: VecDeque<(Arc<str>, VecDeque<oneshot::Sender<()>>)>,
}

/// A place, waited for or had; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<CompileTurns>,
    requester: Arc<str>,
    called: Option<oneshot::Receiver<()>>,
}

impl CompileTurns {
    /// So many places.
    pub(crate) fn new(places: u32) -> Arc<Self> {
        let state = State { free: places, holding: HashMap::new(), lines: VecDeque::new() };
        Arc::new(Self { share: places.saturating_sub(1).max(1), state: Mutex::new(state) })
    }

    /// A place for `requester`, when it is its turn.
    ///
    /// # Errors
    /// [`LoadError::Busy`] where as many wait as may.
    pub(crate) async fn turn(self: &Arc<Self>, requester: &Arc<str>) -> Result<Turn, LoadError> {
        let mut turn = {
            let mut state = self.lock();
            if state.lines.iter().map(|(_, line)| line.len()).sum::<usize>() >= WAITING_MAX {
                return Err(LoadError::Busy { waiting: WAITING_MAX });
            }
            let (call, called) = oneshot::channel();
            state.wait(requester, call);
            state.call(self.share);
            Turn { turns: Arc::clone(self), requester: Arc::clone(requester), called: Some(called) }
        };
        if let Some(called) = &mut turn.called {
            // The caller is in a line that this turn keeps alive; it is dropped only after calling.
            let _ = called.await;
        }
        turn.called = None;
        Ok(turn)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, requester: &Arc<str>, call: oneshot::Sender<()>) {
        match self.lines.iter_mut().find(|(whose, _)| whose == requester) {
            Some((_, line)) => line.push_back(call),
            None => self.lines.push_back((Arc::clone(requester), VecDeque::from([call]))),
        }
    }

    /// Gives the free places to the first requesters that may have one.
    fn call(&mut self, share: u32) {
        while self.free > 0 {
            let may = |(whose, _): &(Arc<str>, _)| self.holding.get(whose).is_none_or(|held| *held < share);
            let Some(at) = self.lines.iter().position(may) else { return };
            let Some((whose, mut line)) = self.lines.remove(at) else { return };
            let call = line.pop_front();
            if !line.is_empty() {
                self.lines.push_back((Arc::clone(&whose), line));
            }
            // Who does not wait any more leaves the place to the next.
            if call.is_some_and(|call| call.send(()).is_ok()) {
                self.free -= 1;
                *self.holding.entry(whose).or_default() += 1;
            }
        }
    }

    fn leave(&mut self, requester: &Arc<str>) {
        self.free += 1;
        if let Some(held) = self.holding.get_mut(requester) {
            *held -= 1;
            if *held == 0 {
                self.holding.remove(requester);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        let had = match &mut self.called {
            None => true,
            Some(called) => {
                called.close();
                called.try_recv().is_ok()
            }
        };
        if had {
            state.leave(&self.requester);
        } else {
            for (_, line) in &mut state.lines {
                line.retain(|call| !call.is_closed());
            }
            state.lines.retain(|(_, line)| !line.is_empty());
        }
        state.call(self.turns.share);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn waits(turn: impl Future<Output = Result<Turn, LoadError>>) -> bool {
        tokio::time::timeout(Duration::from_millis(20), turn).await.is_err()
    }

    #[tokio::test]
    async fn one_requester_never_has_all_places() {
        let turns = CompileTurns::new(2);
        let (greedy, other): (Arc<str>, Arc<str>) = ("greedy".into(), "other".into());
        let first = turns.turn(&greedy).await.unwrap();
        assert!(waits(turns.turn(&greedy)).await, "its second waits, and gives up here");
        let _honest = turns.turn(&other).await.unwrap();
        drop(first);
        let _second = turns.turn(&greedy).await.unwrap();
        assert!(waits(turns.turn(&"third".into())).await, "both places are taken");
    }

    #[tokio::test]
    async fn with_one_place_requesters_take_turns() {
        let turns = CompileTurns::new(1);
        let first = turns.turn(&"a".into()).await.unwrap();
        let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
        for whose in ["a", "a", "a", "b"] {
            let (turns, said) = (Arc::clone(&turns), said.clone());
            tokio::spawn(async move {
                let _turn = turns.turn(&whose.into()).await.unwrap();
                said.send(whose).unwrap();
                tokio::task::yield_now().await;
            });
            tokio::task::yield_now().await;
        }
        drop((first, said));
        let mut order = Vec::new();
        while let Some(whose) = heard.recv().await {
            order.push(whose);
        }
        assert_eq!(order, ["a", "b", "a", "a"]);
        assert_eq!(turns.lock().free, 1);
        assert!(turns.lock().holding.is_empty());
    }

    #[tokio::test]
    async fn as_many_wait_as_may_and_no_more() {
        let turns = CompileTurns::new(1);
        let _first = turns.turn(&"a".into()).await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(async { turns.turn(&"a".into()).await })).collect();
        for turn in &mut waiting {
            assert!(futures::poll!(turn.as_mut()).is_pending());
        }
        let error = turns.turn(&"b".into()).await.unwrap_err();
        assert_eq!(error, LoadError::Busy { waiting: WAITING_MAX });
        waiting.clear();
        assert!(turns.lock().lines.is_empty(), "who goes leaves no trace");
    }
}
