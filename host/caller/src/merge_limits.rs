//! What joining answers may use. It is the caller's own machine that joins them, so the limits are the caller's: what it does
//! not set grows with the answers, from what the author declared for a single run.

use std::time::Duration;

use iog_protocol::manifest::LimitsDecl;
use iog_sandbox::{Limits, VALUE_BYTES_A_BYTE};

/// The most memory that a merge takes unless the caller says more, in bytes.
pub const MEMORY_BYTES_DEFAULT_MAX: u64 = 1 << 30;
/// The longest joint answer that a merge gives unless the caller says more, in bytes of canonical JSON.
pub const RESULT_BYTES_DEFAULT_MAX: u64 = 64 << 20;
/// How long a merge takes at most unless the caller says otherwise.
pub const WALL_DEFAULT: Duration = Duration::from_secs(60);

/// Memory for each byte of the answers: as values on the host, and four copies of a guest's own, each twice the text.
const MEMORY_A_BYTE: u64 = VALUE_BYTES_A_BYTE as u64 + 8;
/// Memory for each part, in bytes: its domain, its reason and what a guest keeps of each.
const MEMORY_A_PART: u64 = 64 << 10;
/// Joint answer for each byte of the answers, in bytes: each fact may stand in it with who said it, in a few lists.
const RESULT_A_BYTE: u64 = 8;
/// Joint answer for each part, in bytes: who did not answer, and why.
const RESULT_A_PART: u64 = 4 << 10;
/// Instructions for each byte of the answers: reading, sorting and writing it, with room for the careless.
const FUEL_A_BYTE: u64 = 20_000;
/// Values for each part beside those of its answer.
const VALUES_A_PART: u64 = 64;

/// What the caller allows; what it does not say grows with the answers up to the defaults of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeLimits {
    /// Memory in bytes, the answers as values included.
    pub memory_bytes: Option<u64>,
    /// Canonical JSON of the joint answer, in bytes.
    pub result_bytes: Option<u64>,
    /// How long it may take.
    pub wall: Duration,
}

impl Default for MergeLimits {
    fn default() -> Self {
        Self { memory_bytes: None, result_bytes: None, wall: WALL_DEFAULT }
    }
}

/// How much is to be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Parts, also those without an answer.
    pub parts: u64,
    /// Bytes of all answers and reasons.
    pub bytes: u64,
}

impl MergeLimits {
    /// The limits of one merge of a module that declares these limits for a run.
    #[must_use]
    pub fn of(&self, declared: &LimitsDecl, size: Size) -> Limits {
        let Size { parts, bytes } = size;
        let grown = |base: u64, a_byte: u64, a_part: u64| {
            base.saturating_add(bytes.saturating_mul(a_byte)).saturating_add(parts.saturating_mul(a_part))
        };
        let memory = grown(declared.memory_bytes(), MEMORY_A_BYTE, MEMORY_A_PART).min(MEMORY_BYTES_DEFAULT_MAX);
        let result = grown(declared.result_bytes(), RESULT_A_BYTE, RESULT_A_PART).min(RESULT_BYTES_DEFAULT_MAX);
        let native = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Limits {
            fuel: grown(declared.fuel, FUEL_A_BYTE, 0),
            memory_bytes: native(self.memory_bytes.unwrap_or(memory)),
            result_bytes: native(self.result_bytes.unwrap_or(result)),
            values: grown(0, 2, VALUES_A_PART),
            wall: self.wall,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_grow_with_the_answers_up_to_their_defaults() {
        let declared = LimitsDecl::default();
        let one = MergeLimits::default().of(&declared, Size { parts: 1, bytes: 1_000 });
        let many = MergeLimits::default().of(&declared, Size { parts: 100, bytes: 1_200_000 });
        assert!(one.memory_bytes as u64 > declared.memory_bytes() && many.memory_bytes > one.memory_bytes);
        assert!(many.result_bytes > 9_000_000 && many.fuel > 10 * declared.fuel);
        let all = MergeLimits::default().of(&declared, Size { parts: u64::MAX, bytes: u64::MAX });
        assert_eq!(all.memory_bytes as u64, MEMORY_BYTES_DEFAULT_MAX);
        assert_eq!(all.result_bytes as u64, RESULT_BYTES_DEFAULT_MAX);
    }

    #[test]
    fn what_the_caller_says_counts_as_it_is() {
        let own = MergeLimits { memory_bytes: Some(2 << 30), result_bytes: Some(10), wall: Duration::from_secs(5) };
        let limits = own.of(&LimitsDecl::default(), Size { parts: 2, bytes: 10 });
        assert_eq!((limits.memory_bytes, limits.result_bytes, limits.wall.as_secs()), (2 << 30, 10, 5));
    }
}
