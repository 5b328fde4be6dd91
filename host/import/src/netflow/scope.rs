//! What the records of one message have in common.

use super::options::ExportOptions;

/// What the rows of a message share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) exporter: Option<[u8; 16]>,
    pub(crate) options: &'a ExportOptions,
}

/// The clock of a message: when it was exported and, except in IPFIX, how long the exporter had been up then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) export_us: i64,
    uptime_ms: Option<u32>,
}

impl Clock {
    pub(super) fn uptime(seconds: u32, nanos: u32, uptime_ms: u32) -> Self {
        let export_us = i64::from(seconds) * 1_000_000 + i64::from(nanos / 1000);
        Self { export_us, uptime_ms: Some(uptime_ms) }
    }

    /// The clock of an IPFIX message.
    pub(super) fn without_uptime(seconds: u32) -> Self {
        Self { export_us: i64::from(seconds) * 1_000_000, uptime_ms: None }
    }

    /// The time when the exporter had been up so long, in milliseconds. The counter wraps after 49.7 days: the
    /// difference to the export is taken modulo 2³² and may be half of that to either side.
    pub(super) fn at_uptime(self, uptime_ms: u64) -> Option<i64> {
        let then = u32::try_from(uptime_ms).ok()?;
        let ago = self.uptime_ms?.wrapping_sub(then).cast_signed();
        Some(self.export_us - i64::from(ago) * 1000)
    }
}
