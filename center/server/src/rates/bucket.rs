//! One bucket of a rate. It is kept as the moment at which it is full again, so that a full one is nothing at all. Pure.

/// Buckets after which those that are full again are forgotten.
pub(crate) const BUCKETS_MIN: usize = 4_096;

/// So many at once, then one more in each span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// How many may come at once.
    pub(crate) burst: u32,
    /// Seconds until one more may come.
    pub(crate) every_s: u32,
}

impl Rate {
    /// Seconds from empty to full.
    pub(crate) fn whole_s(self) -> i64 {
        i64::from(self.burst) * i64::from(self.every_s)
    }

    /// When a bucket that is full again at `full_at` is full again once one more is taken at `now`, POSIX seconds.
    ///
    /// # Errors
    /// The seconds to wait, if there is none left. A clock that was set back makes nobody wait longer than an empty bucket.
    pub(crate) fn take(self, full_at: Option<i64>, now: i64) -> Result<i64, u64> {
        let spent = self.spent_s(full_at, now) + i64::from(self.every_s);
        let over = spent - self.whole_s();
        if over > 0 { Err(over.unsigned_abs()) } else { Ok(now.saturating_add(spent)) }
    }

    /// How many of the burst are used up at `now`.
    pub(crate) fn used(self, full_at: Option<i64>, now: i64) -> u64 {
        let every_s = i64::from(self.every_s.max(1));
        self.spent_s(full_at, now).div_euclid(every_s).unsigned_abs()
    }

    fn spent_s(self, full_at: Option<i64>, now: i64) -> i64 {
        full_at.map_or(0, |full_at| full_at.saturating_sub(now)).clamp(0, self.whole_s())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, every_s: 10 };

    #[test]
    fn a_burst_then_one_each_span() {
        let mut full_at = None;
        for _ in 0..3 {
            full_at = Some(RATE.take(full_at, 100).unwrap());
        }
        assert_eq!((RATE.take(full_at, 100), RATE.used(full_at, 100)), (Err(10), 3));
        assert_eq!(RATE.take(full_at, 104), Err(6));
        full_at = Some(RATE.take(full_at, 110).unwrap());
        assert_eq!(RATE.take(full_at, 110), Err(10));
        assert_eq!(RATE.used(full_at, 1_000), 0);
        assert_eq!(RATE.take(full_at, 1_000), Ok(1_010));
    }

    #[test]
    fn whatever_the_clock_does_no_more_than_the_rate_passes_and_nobody_waits_for_ever() {
        let empty = Some(1_000_000 + RATE.whole_s());
        assert_eq!(RATE.take(empty, 0), Err(10), "the clock was set back");
        assert_eq!(RATE.take(Some(i64::MAX), i64::MIN), Err(10));
        assert_eq!(RATE.take(Some(i64::MIN), i64::MAX), Ok(i64::MAX));
    }
}
