//! When the first and the last packet of a flow were seen, in each of the ways that exporters tell it. A time of 0 is
//! none: exporters write it where they know none, and 1970 is before all of them.

use super::options::WhenUnknown;
use super::raw::Values;
use super::scope::{Clock, Scope};
use super::slot::Slot;
use super::tally::Reason;
use crate::columns::FlowRow;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_EPOCH: i64 = 2_208_988_800;

/// First and last packet, microseconds since the epoch. `boot_ms` is when the exporter started, since the epoch.
pub(super) fn of(values: &Values, clock: Clock, boot_ms: Option<u64>, scope: &Scope<'_>) -> Result<(i64, i64), Reason> {
    match said(values, clock, boot_ms) {
        (Some(start), Some(end)) => Ok((start, end)),
        (Some(start), None) => Ok((start, start.saturating_add(lasted(values)))),
        (None, Some(end)) => Ok((end.saturating_sub(lasted(values)), end)),
        (None, None) => {
            let approximate = scope.options.unknown_times == WhenUnknown::Approximate;
            let exported = clock.export_us.filter(|_| approximate);
            let at = time(values, &SEEN, clock, None).or(exported).ok_or(Reason::NoTimes)?;
            Ok((at, at))
        }
    }
}

/// The same of the reverse direction of a biflow, which has the times of the `forward` one where its own are not said.
pub(super) fn of_reverse(values: &Values, clock: Clock, boot_ms: Option<u64>, forward: &FlowRow) -> (i64, i64) {
    match said(values, clock, boot_ms) {
        (Some(start), Some(end)) => (start, end),
        (Some(start), None) => (start, start.saturating_add(lasted(values)).max(forward.end)),
        (None, Some(end)) => (end.saturating_sub(lasted(values)).min(forward.start), end),
        (None, None) => (forward.start, forward.end),
    }
}

fn said(values: &Values, clock: Clock, boot_ms: Option<u64>) -> (Option<i64>, Option<i64>) {
    (time(values, &STARTS, clock, boot_ms), time(values, &ENDS, clock, boot_ms))
}

/// How long the flow lasted, microseconds; 0 when it is not said.
fn lasted(values: &Values) -> i64 {
    let lasted = values.get(Slot::DurationMicros).or_else(|| values.get(Slot::DurationMillis)?.checked_mul(1000));
    lasted.and_then(|lasted| i64::try_from(lasted).ok()).unwrap_or(0)
}

/// The slots that tell one time.
struct Times {
    ntp: Slot,
    millis: Slot,
    seconds: Slot,
    /// Uptime, and microseconds before the export.
    relative: Option<(Slot, Slot)>,
}

const STARTS: Times = Times {
    ntp: Slot::StartNtp,
    millis: Slot::StartMillis,
    seconds: Slot::StartSeconds,
    relative: Some((Slot::StartUptime, Slot::StartDelta)),
};
const ENDS: Times = Times {
    ntp: Slot::EndNtp,
    millis: Slot::EndMillis,
    seconds: Slot::EndSeconds,
    relative: Some((Slot::EndUptime, Slot::EndDelta)),
};
const SEEN: Times = Times { ntp: Slot::SeenNtp, millis: Slot::SeenMillis, seconds: Slot::SeenSeconds, relative: None };

#[inline]
fn time(values: &Values, slots: &Times, clock: Clock, boot: Option<u64>) -> Option<i64> {
    let absolute = |slot| values.get(slot).filter(|time| *time > 0);
    if let Some(time) = absolute(slots.millis) {
        return i64::try_from(time).ok()?.checked_mul(1000);
    }
    if let Some(time) = absolute(slots.ntp) {
        return Some(ntp(time));
    }
    if let Some(time) = absolute(slots.seconds) {
        return i64::try_from(time).ok()?.checked_mul(1_000_000);
    }
    let (uptime, delta) = slots.relative?;
    let by_uptime = values.get(uptime).and_then(|time| clock.at_uptime(time, boot));
    by_uptime.or_else(|| clock.export_us?.checked_sub(i64::try_from(values.get(delta)?).ok()?))
}

/// An NTP timestamp (RFC 5905 §6) as microseconds since the epoch; era 1 begins in 2036, where the first bit is 0 again.
fn ntp(time: u64) -> i64 {
    let seconds = (time >> 32).cast_signed();
    let era = if seconds < 0x8000_0000 { 1 << 32 } else { 0 };
    let micros = ((time & 0xffff_ffff) * 1_000_000) >> 32;
    (seconds + era - NTP_EPOCH) * 1_000_000 + micros.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_time_is_read_in_both_eras() {
        let at = |unix: i64| (u64::try_from(unix + NTP_EPOCH).unwrap() & 0xffff_ffff) << 32;
        assert_eq!(ntp(at(1_500_000_000) | 1 << 31), 1_500_000_000_500_000);
        assert_eq!(ntp(at(2_200_000_000)), 2_200_000_000_000_000);
    }
}
