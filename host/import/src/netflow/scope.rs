//! What the records of one message have in common.

use super::options::ExportOptions;

/// What the rows of a message share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) exporter: Option<[u8; 16]>,
    pub(crate) options: &'a ExportOptions,
}

/// Milliseconds after which an uptime of 32 bits begins again.
const WRAP_MS: i64 = 1 << 32;
/// Milliseconds that the clock of an exporter may be behind its own uptime: an hour. A time later than that after the
/// export is one of a round before.
const AHEAD_MS: i64 = 3_600_000;

/// The clock of a message: when it was exported and, except in IPFIX, how long the exporter had been up then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// Microseconds since the epoch; none when the exporter does not know and nobody noted when the message came.
    pub(super) export_us: Option<i64>,
    uptime_ms: Option<u32>,
}

impl Clock {
    /// The clock of a message whose header says this time. 0 is that of an exporter without a clock: then the message
    /// was exported when it was received.
    pub(super) fn new(seconds: u32, nanos: u32, received_us: Option<i64>) -> Self {
        let said = i64::from(seconds) * 1_000_000 + i64::from(nanos / 1000);
        Self { export_us: if seconds == 0 { received_us } else { Some(said) }, uptime_ms: None }
    }

    /// The same clock of an exporter that had been up so long.
    pub(super) fn with_uptime(self, uptime_ms: u32) -> Self {
        Self { uptime_ms: Some(uptime_ms), ..self }
    }

    /// The time when the exporter had been up so long, in milliseconds. The counter wraps after 49.7 days: the
    /// difference to the export is taken modulo 2³² and may be half of that to either side. Where the header has no
    /// uptime, the time of boot tells it, in milliseconds since the epoch, and how often the counter has wrapped.
    pub(super) fn at_uptime(self, uptime_ms: u64, boot_ms: Option<u64>) -> Option<i64> {
        if let Some(uptime_at_export) = self.uptime_ms {
            let then = u32::try_from(uptime_ms).ok()?;
            let ago = uptime_at_export.wrapping_sub(then).cast_signed();
            return self.export_us?.checked_sub(i64::from(ago) * 1000);
        }
        let first = i64::try_from(boot_ms?.checked_add(uptime_ms)?).ok()?;
        let passed = self.export_us.map_or(0, |export_us| export_us / 1000 + AHEAD_MS - first);
        let wrapped = if uptime_ms < WRAP_MS.cast_unsigned() { passed.max(0) / WRAP_MS * WRAP_MS } else { 0 };
        first.checked_add(wrapped)?.checked_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    #[test]
    fn an_uptime_that_has_wrapped_is_found_by_the_time_of_boot() {
        let boot = 1_700_000_000_000;
        let clock = |days: u64| Clock::new(u32::try_from((boot + days * DAY_MS) / 1000).unwrap(), 0, None);
        for days in [1, 40, 49, 50, 60, 99, 100, 500, 4000] {
            for ago in [0, 1, 600_000, 3 * DAY_MS.min(days * DAY_MS / 4)] {
                let then = days * DAY_MS - ago;
                let time = clock(days).at_uptime(then & 0xffff_ffff, Some(boot));
                assert_eq!(time, Some(i64::try_from(boot + then).unwrap() * 1000), "{days} days, {ago} ms ago");
            }
        }
        let ahead = clock(1).at_uptime(DAY_MS + 2000, Some(boot));
        assert_eq!(ahead, Some(i64::try_from(boot + DAY_MS + 2000).unwrap() * 1000), "two seconds after its export");
        let wide = clock(60).at_uptime(60 * DAY_MS, Some(boot));
        assert_eq!(wide, Some(i64::try_from(boot + 60 * DAY_MS).unwrap() * 1000), "not every exporter wraps");
        assert_eq!(clock(1).at_uptime(7, None), None);
    }

    #[test]
    fn an_uptime_in_the_header_is_enough_and_may_wrap_between_flow_and_export() {
        let clock = Clock::new(1000, 500_000_000, None).with_uptime(999);
        assert_eq!(clock.at_uptime(u64::from(u32::MAX), None), Some(999_500_000));
        assert_eq!(clock.at_uptime(1999, None), Some(1_001_500_000));
        assert_eq!(clock.at_uptime(1 << 32, None), None);
    }

    #[test]
    fn an_exporter_without_a_clock_has_the_time_of_reception_or_none() {
        assert_eq!(Clock::new(0, 7_000_000, Some(5)).export_us, Some(5));
        assert_eq!(Clock::new(0, 0, None).with_uptime(9).at_uptime(3, None), None);
    }
}
