//! A flow as nfdump stored it, in either layout, on its way into rows: one for each direction that carried something.

use crate::columns::FlowRow;
use crate::netflow::{ExportOptions, WhenUnknown, reversed};
use crate::tally::Why;

/// A flow while it is read. What is 0 was not stored: nfdump has no other word for it.
#[derive(Default)]
pub(super) struct Flow {
    /// The way there.
    pub(super) row: FlowRow,
    /// Packets and bytes of the way back.
    pub(super) back: (u64, u64),
    /// When a firewall or a translator of addresses noticed it, microseconds since the epoch.
    pub(super) event: i64,
    /// When nfdump received it, microseconds since the epoch.
    pub(super) received: i64,
    /// Whether it is an event of a firewall or of address translation.
    pub(super) is_event: bool,
}

/// What a direction gives: nothing to say, a row, or why it has none.
pub(super) type Way = Option<Result<FlowRow, Why>>;

impl Flow {
    /// The rows of both directions.
    #[inline]
    pub(super) fn rows(mut self, options: &ExportOptions) -> [Way; 2] {
        if let Err(why) = self.set_times(options) {
            return [Some(Err(why)), None];
        }
        if self.back == (0, 0) {
            return [Some(counted(self.row, self.is_event, options)), None];
        }
        let (packets, bytes) = self.back;
        let back = counted(FlowRow { packets, bytes, ..reversed(&self.row) }, self.is_event, options);
        let there = self.row.packets != 0 || self.row.bytes != 0;
        [there.then(|| counted(self.row, self.is_event, options)), Some(back)]
    }

    /// Takes what is known for a time that was not stored: one end for the other, then the event, then the reception.
    fn set_times(&mut self, options: &ExportOptions) -> Result<(), Why> {
        let (start, end) = (self.row.start, self.row.end);
        if start != 0 && end != 0 {
            return Ok(());
        }
        let received = if options.unknown_times == WhenUnknown::Approximate { self.received } else { 0 };
        let known = [start, end, self.event, received].into_iter().find(|time| *time != 0);
        let known = known.ok_or(Why::Incomplete("start"))?;
        self.row.start = if start == 0 { known } else { start };
        self.row.end = if end == 0 { known } else { end };
        Ok(())
    }
}

#[inline]
fn counted(mut row: FlowRow, is_event: bool, options: &ExportOptions) -> Result<FlowRow, Why> {
    if row.packets == 0 {
        return Err(match (row.bytes, is_event) {
            (1.., _) => Why::Incomplete("packets"),
            (0, true) => Why::NotApplicable("event of a firewall or of address translation without counters"),
            (0, false) => Why::NotApplicable("record that counts no packets"),
        });
    }
    if options.complete(&mut row) { Ok(row) } else { Err(Why::Incomplete("ingress_as")) }
}

/// Milliseconds as µs, up to the year 294,247.
#[inline]
pub(super) fn micros(milliseconds: u64) -> Option<i64> {
    i64::try_from(milliseconds).ok()?.checked_mul(1000)
}
