//! The answers that a connection has begun and not yet got rid of: how many bytes they hold, and whether the peer takes them. Who reads
//! too slowly is told from who is only far away by a least amount in each stretch of time. Pure: the time is passed in.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::limits::{Pace, ServeLimits, ms};

/// The unsent answers of one connection.
pub(crate) struct Outflow {
    pace: Pace,
    stretch: Duration,
    bytes_max: usize,
    state: Mutex<State>,
}

struct State {
    open: Vec<Open>,
    next: u64,
    /// Bytes that the open answers hold.
    held: usize,
    /// The stretch of time that is being looked at, and what the peer took in it.
    since: Instant,
    taken: u64,
    /// Whether an answer found no room, and nothing was taken since.
    withheld: bool,
}

struct Open {
    id: u64,
    /// Since when the peer could take of it.
    began: Instant,
    /// When its last byte must be gone.
    end: Instant,
    held: usize,
    /// Bytes that the peer has not taken.
    left: u64,
    /// Since when nothing of it is there to be taken, because we have not made it yet.
    unmade: Option<Instant>,
    is_refusal: bool,
}

/// What an answer is, for the one who counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Bytes of its body, from first to last.
    pub(crate) sent: u64,
    /// Bytes of it in memory at once.
    pub(crate) held: usize,
    /// Whether it says only that there is no room.
    pub(crate) is_refusal: bool,
}

impl Outflow {
    pub(crate) fn new(limits: &ServeLimits, now: Instant) -> Self {
        let state = State { open: Vec::new(), next: 0, held: 0, since: now, taken: 0, withheld: false };
        Self {
            pace: limits.answer_pace(),
            stretch: ms(limits.answer_stretch_ms),
            bytes_max: limits.unsent_of_connection(),
            state: Mutex::new(state),
        }
    }

    /// Whether one more answer fits that holds `bytes`. One alone always does: larger ones go one at a time.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        let held = self.lock().held;
        held == 0 || held.saturating_add(bytes) <= self.bytes_max
    }

    /// How many of the open answers say only that there is no room.
    pub(crate) fn refusals(&self) -> usize {
        self.lock().open.iter().filter(|open| open.is_refusal).count()
    }

    /// An answer found no room.
    pub(crate) fn withhold(&self) {
        self.lock().withheld = true;
    }

    /// Whether the peer takes nothing although answers are there, be it refusals, so that another would only be made to be withheld.
    pub(crate) fn is_stuck(&self) -> bool {
        let state = self.lock();
        state.withheld && !state.open.is_empty()
    }

    /// An answer begins.
    pub(crate) fn open(&self, size: Size, now: Instant) -> u64 {
        let mut state = self.lock();
        if state.open.is_empty() {
            (state.since, state.taken) = (now, 0);
        }
        let id = state.next;
        state.next += 1;
        state.held += size.held;
        // Those before it share the connection.
        let before: u64 = state.open.iter().map(|open| open.left).sum();
        let end = now + self.pace.longest(before.saturating_add(size.sent));
        let (held, left, is_refusal) = (size.held, size.sent, size.is_refusal);
        state.open.push(Open { id, began: now, end, held, left, unmade: None, is_refusal });
        id
    }

    /// The peer took bytes of an answer.
    pub(crate) fn took(&self, id: u64, bytes: usize) {
        let mut state = self.lock();
        state.taken += bytes as u64;
        state.withheld = false;
        if let Some(open) = state.open.iter_mut().find(|open| open.id == id) {
            open.left = open.left.saturating_sub(bytes as u64);
        }
    }

    /// The next bytes of an answer are not made yet: until they are, it is not its peer that is slow.
    pub(crate) fn waits(&self, id: u64, now: Instant) {
        let mut state = self.lock();
        if let Some(open) = state.open.iter_mut().find(|open| open.id == id) {
            open.unmade = Some(now);
        }
    }

    /// They are made.
    pub(crate) fn made(&self, id: u64, now: Instant) {
        let mut state = self.lock();
        if let Some(open) = state.open.iter_mut().find(|open| open.id == id)
            && let Some(since) = open.unmade.take()
        {
            (open.began, open.end) = (now, open.end + now.saturating_duration_since(since));
        }
    }

    /// An answer has ended, or was given up.
    pub(crate) fn close(&self, id: u64) {
        let mut state = self.lock();
        if let Some(at) = state.open.iter().position(|open| open.id == id) {
            let open = state.open.swap_remove(at);
            state.held -= open.held;
        }
    }

    /// When to ask again whether the peer keeps up; `None` while nothing is unsent.
    pub(crate) fn look_at(&self) -> Option<Instant> {
        let state = self.lock();
        if state.open.is_empty() {
            return None;
        }
        let ends = state.open.iter().filter(|open| open.unmade.is_none()).map(|open| open.end);
        // Also while nothing is made, so that what is made later is looked at.
        ends.chain([state.since + self.stretch]).min()
    }

    /// Whether the peer takes what is sent to it: no answer is older than it may become, and since the last look an answer that was there
    /// all the time has not stood still.
    pub(crate) fn keeps_up(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let mut made = state.open.iter().filter(|open| open.unmade.is_none());
        if made.any(|open| open.end <= now) {
            return false;
        }
        if state.since + self.stretch > now {
            return true;
        }
        let was_there = state.open.iter().any(|open| open.unmade.is_none() && open.began <= state.since);
        let keeps_up = !was_there || state.taken >= self.pace.bytes_in(self.stretch);
        (state.since, state.taken) = (now, 0);
        keeps_up
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds a stretch, 1,000 bytes a second, 60 s besides; at most 10,000 bytes.
    fn outflow(now: Instant) -> Outflow {
        let limits = ServeLimits {
            answer_stretch_ms: 10_000,
            answer_grace_ms: 60_000,
            answer_bytes_per_s: 1_000,
            unsent_bytes_max: 160_000,
            ..ServeLimits::default()
        };
        Outflow::new(&limits, now)
    }

    fn size(sent: u64) -> Size {
        Size { sent, held: usize::try_from(sent).unwrap(), is_refusal: false }
    }

    #[test]
    fn who_takes_nothing_is_found_and_who_takes_enough_is_not() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let outflow = outflow(now);
        assert_eq!(outflow.look_at(), None);
        outflow.open(size(100_000), at(5));
        assert_eq!(outflow.look_at(), Some(at(15)));
        outflow.took(0, 10_000);
        assert!(outflow.keeps_up(at(15)));
        outflow.took(0, 9_999);
        assert!(outflow.keeps_up(at(24)), "not yet");
        assert!(!outflow.keeps_up(at(25)));
    }

    #[test]
    fn answers_that_come_and_go_are_not_slow() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let outflow = outflow(now);
        for second in 0..100 {
            let id = outflow.open(size(10), at(second));
            assert!(outflow.keeps_up(at(second)));
            let next = outflow.open(size(10), at(second));
            outflow.close(id);
            outflow.close(next);
        }
        assert_eq!(outflow.look_at(), None);
    }

    #[test]
    fn a_drop_now_and_then_does_not_keep_an_answer_for_ever() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let outflow = outflow(now);
        outflow.open(size(10_000), now);
        for second in 1..70 {
            outflow.took(7, 1_000_000);
            assert!(outflow.keeps_up(at(second)), "{second}");
        }
        assert!(!outflow.keeps_up(at(70)), "60 s and 10 s for its bytes are over, whatever else was taken");
    }

    #[test]
    fn an_answer_is_given_the_time_of_those_before_it() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let outflow = outflow(now);
        let first = outflow.open(size(100_000), now);
        outflow.took(first, 40_000);
        outflow.open(size(10_000), now);
        for second in 1..=130 {
            outflow.took(first, 1_000);
            assert_eq!(outflow.keeps_up(at(second)), second < 130, "{second}");
            if second == 60 {
                outflow.close(first);
            }
        }
    }

    #[test]
    fn what_we_have_not_made_is_not_the_peers_to_take() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let outflow = outflow(now);
        let id = outflow.open(size(1_000), now);
        outflow.waits(id, at(1));
        assert!(outflow.keeps_up(at(10)) && outflow.keeps_up(at(300)), "a cold disk");
        outflow.made(id, at(301));
        assert_eq!(outflow.look_at(), Some(at(310)));
        assert!(outflow.keeps_up(at(310)), "it was not there all the time");
        assert!(!outflow.keeps_up(at(320)));
    }

    #[test]
    fn who_takes_nothing_gets_no_more_until_it_takes_something() {
        let now = Instant::now();
        let outflow = outflow(now);
        outflow.withhold();
        assert!(!outflow.is_stuck(), "others filled the room");
        let id = outflow.open(size(10_000), now);
        assert!(outflow.is_stuck());
        outflow.took(0, 1);
        assert!(!outflow.is_stuck());
        outflow.withhold();
        outflow.close(id);
        assert!(!outflow.is_stuck());
    }

    #[test]
    fn bytes_of_a_connection_are_bounded_and_given_back() {
        let now = Instant::now();
        let outflow = outflow(now);
        assert!(outflow.fits(1 << 30), "one alone always fits");
        let first = outflow.open(size(6_000), now);
        assert!(outflow.fits(4_000) && !outflow.fits(4_001));
        outflow.close(first);
        outflow.close(first);
        assert!(outflow.fits(1 << 30));
    }
}
