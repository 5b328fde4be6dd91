//! Why a center does not do now what it would do later, or for others.

use iog_protocol::time::Timestamp;

use super::table::AHEAD_MAX_S;

/// Why a valid statement does not become an entry now: its sender's fault, or nobody's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Declined {
    /// Its sender's clock is wrong.
    #[error("`issued` is {issued}; the center's clock says {now}, and at most {AHEAD_MAX_S} seconds more are taken")]
    Early { issued: Timestamp, now: Timestamp },
    /// It was under way for too long: it has to be signed again.
    #[error("`issued` is {issued}; the center's clock says {now}, and at most {behind_max_s} seconds less are taken")]
    Late { issued: Timestamp, now: Timestamp, behind_max_s: i64 },
    /// Too much was said lately.
    #[error("{who} said as much as may be said for now: come back in {retry_after_s} seconds")]
    Rate { who: &'static str, retry_after_s: u64 },
    /// There is no room, whoever asks and whenever.
    #[error("there is no room for more {what}; at most {max} are allowed")]
    Full { what: &'static str, max: u64 },
}
