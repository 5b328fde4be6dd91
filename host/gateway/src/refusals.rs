//! How often a caller was refused lately. A refused request costs no quota, but it costs a row and a receipt, for ever; past the rate a
//! caller is turned away before the journal. Counted in memory: it starts anew with the gateway. It knows no policy.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use iog_protocol::ids::DomainId;
use iog_protocol::time::Timestamp;

/// Seconds in which refusals are counted, from the first of them.
const WINDOW_S: i64 = 3_600;

/// Refusals of each caller. Callers are members of the registry, so the list is bounded by theirs.
#[derive(Debug)]
pub struct Refusals {
    per_hour_max: u32,
    seen: Mutex<HashMap<DomainId, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    from: Timestamp,
    count: u32,
}

/// The caller was refused too often; nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{per_hour_max} requests of this caller were refused within an hour; mend them before asking again")]
pub struct TooMany {
    /// How many may be.
    pub per_hour_max: u32,
}

impl Refusals {
    /// Allows `per_hour_max` refusals of one caller in an hour.
    #[must_use]
    pub fn new(per_hour_max: u32) -> Self {
        Self { per_hour_max, seen: Mutex::default() }
    }

    /// Whether the caller may ask.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn check(&self, caller: &DomainId, now: Timestamp) -> Result<(), TooMany> {
        match self.lock().get(caller) {
            Some(window) if window.covers(now) && window.count >= self.per_hour_max => {
                Err(TooMany { per_hour_max: self.per_hour_max })
            }
            _ => Ok(()),
        }
    }

    /// Counts a refusal.
    pub fn count(&self, caller: &DomainId, now: Timestamp) {
        let mut seen = self.lock();
        let window = seen.entry(caller.clone()).or_insert(Window { from: now, count: 0 });
        if !window.covers(now) {
            *window = Window { from: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DomainId, Window>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// A clock that was set back does not lengthen it.
    fn covers(&self, now: Timestamp) -> bool {
        (0..WINDOW_S).contains(&now.seconds_since(self.from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{id, now};

    #[test]
    fn refusals_are_counted_by_caller_and_hour() {
        let refusals = Refusals::new(2);
        for _ in 0..2 {
            assert_eq!(refusals.check(&id("caller"), now()), Ok(()));
            refusals.count(&id("caller"), now());
        }
        assert_eq!(refusals.check(&id("caller"), now().plus_seconds(3_599)), Err(TooMany { per_hour_max: 2 }));
        assert_eq!(refusals.check(&id("other"), now()), Ok(()));
        assert_eq!(refusals.check(&id("caller"), now().plus_seconds(3_600)), Ok(()));
        refusals.count(&id("caller"), now().plus_seconds(3_600));
        assert_eq!(refusals.check(&id("caller"), now().plus_seconds(3_601)), Ok(()));
    }
}
