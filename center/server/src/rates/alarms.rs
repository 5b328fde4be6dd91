//! Alarms: an operator hears of a bound long before it is reached. Each is logged when it is raised and when it ends, and
//! shown for as long as it lasts.

use std::collections::BTreeSet;

/// How much of a bound is used up when the alarm is raised: one part in so many.
const ALARM_PART: u64 = 10;

/// What is used of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    what: &'static str,
    used: u64,
    max: u64,
}

impl Usage {
    pub(crate) const fn new(what: &'static str, used: u64, max: u64) -> Self {
        Self { what, used, max }
    }

    /// Whether an operator should look.
    pub(crate) const fn is_alarm(self) -> bool {
        self.used >= self.max / ALARM_PART
    }

    /// The alarm, for people.
    pub(crate) fn text(self) -> String {
        format!("{}: {} of {}", self.what, self.used, self.max)
    }
}

/// The alarms that were logged and last.
#[derive(Debug, Default)]
pub(crate) struct Alarms(BTreeSet<&'static str>);

impl Alarms {
    /// Logs what has changed.
    pub(crate) fn raise(&mut self, usages: Vec<Usage>) {
        for usage in usages {
            if usage.is_alarm() {
                if self.0.insert(usage.what) {
                    tracing::warn!(
                        what = usage.what,
                        used = usage.used,
                        max = usage.max,
                        "a tenth of a bound is used up"
                    );
                }
            } else if self.0.remove(usage.what) {
                tracing::info!(what = usage.what, used = usage.used, max = usage.max, "below a tenth of a bound again");
            }
        }
    }
}
