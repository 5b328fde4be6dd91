//! Who may hold how much of something that all share: places for requests, bytes of bodies. A pool has a bound in all, a smaller one
//! for everybody who has shown no certificate, and one for each peer, so that nobody can take what others need. Pure bookkeeping:
//! nothing here waits.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::peer::PeerIdentity;

/// Members hold this part of a pool that strangers cannot take.
const UNNAMED_PART: usize = 2;
/// One peer holds at most this part of a pool: eight who ask at once are served.
const PEER_PART: usize = 8;

/// Whose share something is: the name in the certificate where one was shown, so that members who share an address do not pay for each
/// other, else the network the connection comes from. A request extension of every request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PeerKey {
    /// The `spiffe://` name of a verified certificate.
    Named(Arc<str>),
    /// One IPv4 address, or the /64 of an IPv6 address.
    Network(IpAddr),
}

impl PeerKey {
    /// The key of whoever connects from `address` with this certificate.
    #[must_use]
    pub fn of(identity: Option<&PeerIdentity>, address: IpAddr) -> Self {
        match identity.and_then(|identity| identity.spiffe.as_deref()) {
            Some(name) => Self::Named(name.into()),
            None => Self::Network(network_of(address)),
        }
    }

    const fn is_named(&self) -> bool {
        matches!(self, Self::Named(_))
    }
}

/// One IPv4 address, or the /64 of an IPv6 address: what one subscriber holds.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
    }
}

/// The bounds of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareLimits {
    /// What all hold together.
    pub total: usize,
    /// What those without a certificate hold together.
    pub unnamed: usize,
    /// What one peer holds.
    pub per_peer: usize,
}

impl ShareLimits {
    /// The usual parts of `total`: half of it for those without a certificate, an eighth for one peer, and at least one.
    #[must_use]
    pub const fn of(total: usize) -> Self {
        Self { total, unnamed: total.div_ceil(UNNAMED_PART), per_peer: total.div_ceil(PEER_PART) }
    }
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    unnamed: usize,
    peers: HashMap<PeerKey, usize>,
}

/// A pool. Clones share it.
#[derive(Debug, Clone)]
pub struct Shares {
    limits: ShareLimits,
    taken: Arc<Mutex<Taken>>,
}

/// What one peer holds of a pool; given back when dropped.
#[derive(Debug)]
pub struct Share {
    pool: Shares,
    peer: PeerKey,
    amount: usize,
}

impl Shares {
    /// An untouched pool.
    #[must_use]
    pub fn new(limits: ShareLimits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// Takes `amount` for a peer, or nothing where it does not fit. Whoever holds nothing yet may take more than its bound as long as
    /// the whole pool has it, and an untouched pool gives any amount: what is larger than a bound goes one at a time, not never.
    #[must_use]
    pub fn take(&self, peer: &PeerKey, amount: usize) -> Option<Share> {
        self.add(peer, amount).then(|| Share { pool: self.clone(), peer: peer.clone(), amount })
    }

    fn add(&self, peer: &PeerKey, amount: usize) -> bool {
        let fits = |held: usize, max: usize| held == 0 || held.saturating_add(amount) <= max;
        let mut taken = self.lock();
        let of_peer = taken.peers.get(peer).copied().unwrap_or(0);
        let is_stranger = !peer.is_named();
        if !fits(of_peer, self.limits.per_peer)
            || !fits(taken.total, self.limits.total)
            || (is_stranger && !fits(taken.unnamed, self.limits.unnamed))
        {
            return false;
        }
        taken.total += amount;
        taken.unnamed += if is_stranger { amount } else { 0 };
        taken.peers.insert(peer.clone(), of_peer + amount);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes more; `false`, and nothing taken, where it does not fit.
    #[must_use]
    pub fn grow(&mut self, amount: usize) -> bool {
        let grown = self.pool.add(&self.peer, amount);
        self.amount += if grown { amount } else { 0 };
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.pool.lock();
        taken.total -= self.amount;
        if !self.peer.is_named() {
            taken.unnamed -= self.amount;
        }
        let left = taken.peers.get(&self.peer).map_or(0, |held| held - self.amount);
        if left == 0 {
            taken.peers.remove(&self.peer);
        } else {
            taken.peers.insert(self.peer.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> PeerKey {
        PeerKey::of(None, address.parse().unwrap())
    }

    fn member(name: &str) -> PeerKey {
        PeerKey::Named(name.into())
    }

    #[test]
    fn one_peer_leaves_room_for_others_and_strangers_for_members() {
        let pool = Shares::new(ShareLimits { total: 8, unnamed: 4, per_peer: 3 });
        let one: Vec<_> = (0..5).filter_map(|_| pool.take(&from("192.0.2.1"), 1)).collect();
        assert_eq!(one.len(), 3);
        let other: Vec<_> = (0..5).filter_map(|_| pool.take(&from("192.0.2.2"), 1)).collect();
        assert_eq!(other.len(), 1, "four for all who show no certificate");
        assert!(pool.take(&from("192.0.2.3"), 1).is_none());
        let members: Vec<_> = ["a", "a", "b", "c", "d"].iter().filter_map(|name| pool.take(&member(name), 1)).collect();
        assert_eq!(members.len(), 4);
        drop((one, other, members));
        let taken = pool.lock();
        assert_eq!((taken.total, taken.unnamed, taken.peers.len()), (0, 0, 0));
    }

    #[test]
    fn what_is_larger_than_a_bound_goes_one_at_a_time() {
        let pool = Shares::new(ShareLimits { total: 8, unnamed: 4, per_peer: 2 });
        let large = pool.take(&member("a"), 7).unwrap();
        assert!(pool.take(&member("a"), 1).is_none());
        assert!(pool.take(&member("b"), 2).is_none());
        drop(large);
        let mut whole = pool.take(&from("2001:db8::1"), 20).unwrap();
        assert!(!whole.grow(1));
        assert!(pool.take(&member("b"), 1).is_none(), "nothing is left");
    }

    #[test]
    fn a_peer_is_its_certificate_or_its_network() {
        let identity = PeerIdentity {
            spiffe: Some("spiffe://net.example/domain/a".into()),
            leaf_sha256: [0; 32],
            spki_sha256: [0; 32],
            not_before: 0,
            not_after: 0,
        };
        let address = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(PeerKey::of(None, address), from("192.0.2.1"));
        assert_eq!(PeerKey::of(Some(&identity), address), member("spiffe://net.example/domain/a"));
        let nameless = PeerIdentity { spiffe: None, ..identity };
        assert_eq!(PeerKey::of(Some(&nameless), address), from("192.0.2.1"));
        assert_eq!(from("2001:db8::1"), from("2001:db8::ffff"));
        assert_ne!(from("2001:db8::1"), from("2001:db8:0:1::1"));
    }
}
