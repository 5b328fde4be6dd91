//! Turns: of one peer only so many requests are worked on at once, so that a burst of them stands behind itself and not before
//! everybody else's. Who waits holds its place; places bound how many wait.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::peer_key::PeerKey;

/// The turns of all peers.
pub(crate) struct Turns {
    per_peer: usize,
    peers: Mutex<HashMap<PeerKey, Weak<Semaphore>>>,
}

/// A request's turn; over when dropped.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn new(per_peer: usize) -> Self {
        Self { per_peer: per_peer.max(1), peers: Mutex::default() }
    }

    /// Waits for a turn of this peer, in the order of asking.
    pub(crate) async fn turn(&self, peer: &PeerKey) -> Turn {
        let permit = self.of(peer).acquire_owned().await.expect("the semaphore is never closed");
        Turn { _permit: permit }
    }

    fn of(&self, peer: &PeerKey) -> Arc<Semaphore> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = peers.get(peer).and_then(Weak::upgrade) {
            return turns;
        }
        peers.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(self.per_peer));
        peers.insert(peer.clone(), Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_waits_for_itself_and_for_nobody_else() {
        let (turns, one, other) = (Turns::new(2), PeerKey::Named("one".into()), PeerKey::Named("other".into()));
        let (first, _second) = (turns.turn(&one).await, turns.turn(&one).await);
        let third = tokio::time::timeout(std::time::Duration::from_millis(20), turns.turn(&one));
        assert!(third.await.is_err());
        let _of_other = turns.turn(&other).await;
        drop(first);
        drop(turns.turn(&one).await);
        drop(_of_other);
        let _again = turns.turn(&PeerKey::Named("third".into())).await;
        assert_eq!(turns.peers.lock().unwrap().len(), 2, "who is gone is forgotten");
    }
}
