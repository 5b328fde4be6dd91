//! Who may hold how much of something that all share: connections, places for requests, bytes of bodies. A pool has a bound in all, a
//! smaller one for all strangers, and one for each peer and the networks around it, so that nobody can take what others need. Where a
//! bound of all is reached, whoever holds more gives way to whoever holds less: the oldest share of the network that holds most, of those
//! who rest first, and then of those who can be cut off at their work. Pure bookkeeping: nothing here waits.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    activity::Activity,
    peer_key::{Circle, PeerKey},
};

/// Members hold this part of a pool that strangers cannot take.
const UNNAMED_PART: usize = 2;
/// One peer holds at most this part of a pool: eight who ask at once are served.
const PEER_PART: usize = 8;

/// The bounds of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareLimits {
    /// What all hold together.
    pub total: usize,
    /// What those without a certificate of a member hold together.
    pub unnamed: usize,
    /// What one peer holds. An IPv4 /24 and an IPv6 /48 hold twice as much, a /56 one and a half times.
    pub per_peer: usize,
}

impl ShareLimits {
    /// The usual parts of `total`: half of it for those without a certificate, an eighth for one peer, and at least one.
    #[must_use]
    pub const fn of(total: usize) -> Self {
        Self { total, unnamed: total.div_ceil(UNNAMED_PART), per_peer: total.div_ceil(PEER_PART) }
    }
}

/// How the holder of a share is asked to leave.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    /// Notified when the share is taken away; whatever it stood for is to be closed.
    pub(crate) leave: Arc<Notify>,
    /// Where it is given, the holder is asked only while it rests.
    pub(crate) activity: Option<Arc<Activity>>,
    /// Notified instead where it is at work and nobody rests: it ends in the middle of it.
    pub(crate) cut: Option<Arc<Notify>>,
}

impl Holder {
    fn rests(&self) -> bool {
        self.activity.as_ref().is_none_or(|activity| activity.is_idle())
    }

    fn may_be_cut(&self) -> bool {
        self.cut.is_some()
    }

    fn tell(&self) {
        match &self.cut {
            Some(cut) if !self.rests() => cut.notify_one(),
            _ => self.leave.notify_one(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    peer: PeerKey,
    amount: usize,
    holder: Option<Holder>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    unnamed: usize,
    circles: HashMap<Circle, usize>,
    /// All shares by the widest circle of their peers, the oldest first.
    entries: HashMap<Circle, BTreeMap<u64, Entry>>,
    next: u64,
}

/// What there is too little of.
enum Lack {
    /// Of the peer's own, or of a network's around it.
    OfPeer,
    /// Of what strangers have, or of the whole.
    OfAll,
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
    id: u64,
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
        self.take_as(peer, amount, None)
    }

    /// The same for a holder who can be asked to leave for others. It may ask others itself where what all have does not suffice.
    #[must_use]
    pub(crate) fn take_as(&self, peer: &PeerKey, amount: usize, holder: Option<Holder>) -> Option<Share> {
        let mut taken = self.lock();
        taken.make_room(&self.limits, peer, amount).then(|| {
            taken.count(peer, amount);
            let id = taken.next;
            taken.next += 1;
            let entry = Entry { peer: peer.clone(), amount, holder };
            taken.entries.entry(peer.widest()).or_default().insert(id, entry);
            Share { pool: self.clone(), peer: peer.clone(), id }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Whether `amount` fits, perhaps after others were asked to leave.
    fn make_room(&mut self, limits: &ShareLimits, peer: &PeerKey, amount: usize) -> bool {
        loop {
            match self.lacks(limits, peer, amount) {
                None => return true,
                Some(Lack::OfPeer) => return false,
                Some(Lack::OfAll) => {
                    if !self.displace_for(peer, amount) {
                        return false;
                    }
                }
            }
        }
    }

    fn lacks(&self, limits: &ShareLimits, peer: &PeerKey, amount: usize) -> Option<Lack> {
        let fits = |held: usize, max: usize| held == 0 || held.saturating_add(amount) <= max;
        let fits_in = |(circle, halves): (Circle, usize)| {
            fits(self.circles.get(&circle).copied().unwrap_or(0), limits.per_peer.saturating_mul(halves) / 2)
        };
        if !peer.circles().into_iter().all(fits_in) {
            return Some(Lack::OfPeer);
        }
        let fits_all = fits(self.total, limits.total) && (peer.is_named() || fits(self.unnamed, limits.unnamed));
        (!fits_all).then_some(Lack::OfAll)
    }

    /// Takes one share away from whoever holds most, and as much as the asker would or more, so that who comes first does not stay for ever;
    /// `false` where there is no such. Strangers take nothing away from members.
    fn displace_for(&mut self, peer: &PeerKey, amount: usize) -> bool {
        let least = self.circles.get(&peer.widest()).copied().unwrap_or(0).saturating_add(amount);
        let mut groups: Vec<_> = self
            .entries
            .iter()
            .filter(|(circle, _)| peer.is_named() || !circle.is_named())
            .filter_map(|(circle, entries)| {
                let held = self.circles.get(circle).copied().unwrap_or(0);
                let oldest = *entries.first_key_value()?.0;
                (held >= least).then_some((held, std::cmp::Reverse(oldest), circle))
            })
            .collect();
        groups.sort_unstable_by_key(|(held, oldest, _)| std::cmp::Reverse((*held, *oldest)));
        let first_who = |may: fn(&Holder) -> bool| {
            groups.iter().find_map(|(_, _, circle)| {
                let mut entries = self.entries.get(circle)?.iter();
                let (id, _) = entries.find(|(_, entry)| entry.holder.as_ref().is_some_and(may))?;
                Some((Circle::clone(circle), *id))
            })
        };
        let found = first_who(Holder::rests).or_else(|| first_who(Holder::may_be_cut));
        let Some(entry) = found.and_then(|(circle, id)| self.remove(&circle, id)) else { return false };
        if let Some(holder) = entry.holder {
            holder.tell();
        }
        true
    }

    fn count(&mut self, peer: &PeerKey, amount: usize) {
        self.total += amount;
        self.unnamed += if peer.is_named() { 0 } else { amount };
        for (circle, _) in peer.circles() {
            *self.circles.entry(circle).or_default() += amount;
        }
    }

    /// Forgets a share and gives back what it held; `None` if it was taken away before.
    fn remove(&mut self, widest: &Circle, id: u64) -> Option<Entry> {
        let entries = self.entries.get_mut(widest)?;
        let entry = entries.remove(&id)?;
        if entries.is_empty() {
            self.entries.remove(widest);
        }
        self.total -= entry.amount;
        self.unnamed -= if entry.peer.is_named() { 0 } else { entry.amount };
        for (circle, _) in entry.peer.circles() {
            let left = self.circles.get(&circle).map_or(0, |held| held - entry.amount);
            if left == 0 {
                self.circles.remove(&circle);
            } else {
                self.circles.insert(circle, left);
            }
        }
        Some(entry)
    }
}

impl Share {
    /// Takes more; `false`, and nothing taken, where it does not fit or the share was taken away.
    #[must_use]
    pub fn grow(&mut self, amount: usize) -> bool {
        let mut taken = self.pool.lock();
        let widest = self.peer.widest();
        let is_there = |taken: &Taken| taken.entries.get(&widest).is_some_and(|entries| entries.contains_key(&self.id));
        // Asking others to leave never reaches this one: its own circle does not hold more than it would.
        if !is_there(&taken) || !taken.make_room(&self.pool.limits, &self.peer, amount) {
            return false;
        }
        taken.count(&self.peer, amount);
        let entry = taken.entries.get_mut(&widest).and_then(|entries| entries.get_mut(&self.id));
        entry.map(|entry| entry.amount += amount).is_some()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.pool.lock().remove(&self.peer.widest(), self.id);
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

    fn holder() -> Option<Holder> {
        Some(Holder { leave: Arc::default(), activity: None, cut: None })
    }

    #[test]
    fn one_peer_leaves_room_for_others_and_strangers_for_members() {
        let pool = Shares::new(ShareLimits { total: 8, unnamed: 4, per_peer: 3 });
        let one: Vec<_> = (0..5).filter_map(|_| pool.take(&from("192.0.2.1"), 1)).collect();
        assert_eq!(one.len(), 3);
        let other: Vec<_> = (0..5).filter_map(|_| pool.take(&from("198.51.100.2"), 1)).collect();
        assert_eq!(other.len(), 1, "four for all who show no certificate");
        assert!(pool.take(&from("203.0.113.3"), 1).is_none());
        let members: Vec<_> = ["a", "a", "b", "c", "d"].iter().filter_map(|name| pool.take(&member(name), 1)).collect();
        assert_eq!(members.len(), 4);
        drop((one, other, members));
        let taken = pool.lock();
        assert_eq!((taken.total, taken.unnamed, taken.circles.len(), taken.entries.len()), (0, 0, 0, 0));
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
    fn many_addresses_of_one_network_are_not_many_peers() {
        let pool = Shares::new(ShareLimits { total: 800, unnamed: 400, per_peer: 100 });
        let take = |address: String| pool.take(&from(&address), 1);
        let of_net: Vec<_> = (0..=255).cycle().take(1_000).filter_map(|last| take(format!("192.0.2.{last}"))).collect();
        assert_eq!(of_net.len(), 200);
        let of_home: Vec<_> = (0..1_000).filter_map(|at| take(format!("2001:db8:0:{:x}::1", at % 256))).collect();
        assert_eq!(of_home.len(), 150, "a /56");
        let of_site: Vec<_> = (0..1_000).filter_map(|at| take(format!("2001:db8:0:{:x}::1", 256 + at))).collect();
        assert_eq!(of_site.len(), 50, "its /48 has 200 in all");
        assert!(take("2001:db8:1::1".into()).is_none(), "400 for all strangers");
    }

    #[test]
    fn who_holds_most_gives_way_and_members_never_to_strangers() {
        let pool = Shares::new(ShareLimits { total: 8, unnamed: 6, per_peer: 4 });
        let take = |peer: PeerKey| pool.take_as(&peer, 1, holder());
        let first: Vec<_> = (0..4).filter_map(|_| take(from("192.0.2.1"))).collect();
        let second: Vec<_> = (0..2).filter_map(|_| take(from("198.51.100.1"))).collect();
        assert_eq!((first.len(), second.len()), (4, 2));
        let third: Vec<_> = (0..4).filter_map(|_| take(from("203.0.113.1"))).collect();
        assert_eq!(third.len(), 2, "until nobody holds more than it would");
        assert_eq!(pool.lock().circles[&from("192.0.2.1").widest()], 2, "the one that held most gave both");
        let members: Vec<_> = (0..8).filter_map(|_| take(member("a"))).collect();
        assert_eq!(members.len(), 2, "two that were left; nobody holds more than it would");
        assert!(take(from("2001:db8::1")).is_some(), "a stranger takes of strangers");
        drop((first, second, third, members));
        assert_eq!(pool.lock().entries.len(), 0);
    }

    #[test]
    fn who_is_at_work_is_not_asked() {
        let pool = Shares::new(ShareLimits { total: 2, unnamed: 2, per_peer: 2 });
        let activities = [Arc::new(Activity::default()), Arc::new(Activity::default())];
        let at_work = activities[0].start();
        let holders: Vec<Arc<Notify>> = (0..2).map(|_| Arc::default()).collect();
        let shares: Vec<_> = (0..2)
            .map(|at| {
                let (leave, activity) = (Arc::clone(&holders[at]), Some(Arc::clone(&activities[at])));
                let holder = Holder { leave, activity, cut: None };
                pool.take_as(&from("192.0.2.1"), 1, Some(holder)).unwrap()
            })
            .collect();
        let _other = pool.take(&from("198.51.100.1"), 1).unwrap();
        let asked = |at: usize| {
            let mut waiting = std::pin::pin!(holders[at].notified());
            waiting.as_mut().enable()
        };
        assert_eq!((asked(0), asked(1)), (false, true));
        assert!(pool.take(&from("203.0.113.1"), 1).is_none());
        drop((at_work, shares));
    }

    #[test]
    fn who_is_at_work_is_cut_off_where_nobody_rests() {
        let pool = Shares::new(ShareLimits { total: 4, unnamed: 2, per_peer: 2 });
        let (rests, works) = (Arc::new(Activity::default()), Arc::new(Activity::default()));
        let _at_work = works.start();
        let take = |peer: PeerKey, activity: &Arc<Activity>| {
            let cut: Arc<Notify> = Arc::default();
            let holder =
                Holder { leave: Arc::default(), activity: Some(Arc::clone(activity)), cut: Some(Arc::clone(&cut)) };
            (pool.take_as(&peer, 1, Some(holder)), cut)
        };
        let was_cut = |cut: &Arc<Notify>| std::pin::pin!(cut.notified()).as_mut().enable();
        let (older, cut_older) = take(from("192.0.2.1"), &works);
        let (resting, cut_resting) = take(from("192.0.2.1"), &rests);
        let (first, cut_first) = take(from("198.51.100.1"), &works);
        assert!(first.is_some() && !was_cut(&cut_older) && !was_cut(&cut_resting), "who rests leaves first");
        let (second, _) = take(from("203.0.113.1"), &works);
        assert!(second.is_some() && was_cut(&cut_older) && !was_cut(&cut_first), "then the oldest is cut off");
        assert!(take(from("203.0.113.1"), &works).0.is_none(), "nobody holds more than it would");
        drop((older, resting, first, second));
        assert_eq!(pool.lock().total, 0);
    }

    #[test]
    fn a_share_that_was_taken_away_does_not_grow() {
        let pool = Shares::new(ShareLimits { total: 10, unnamed: 10, per_peer: 10 });
        let mut large = pool.take_as(&from("192.0.2.1"), 6, holder()).unwrap();
        assert!(large.grow(3));
        let mut small = pool.take_as(&from("198.51.100.1"), 2, holder()).unwrap();
        assert!(!large.grow(1));
        assert!(small.grow(3));
        drop(large);
        assert_eq!(pool.lock().total, 5);
    }
}
