//! Why answers were not joined, and whose fault that is. The answers themselves stay in the report.

use iog_protocol::ids::DomainId;
use iog_sandbox::LimitKind;

/// Why there is no joint answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmerged {
    /// The module has no `merge` that fits; its author's.
    #[error("the module's `merge` cannot be used: {problem}")]
    Shape {
        /// What does not fit.
        problem: String,
    },
    /// The module's `merge` broke off on answers that are of its type, and not for one of them alone; its author's.
    #[error("the module's `merge` trapped ({kind})")]
    Trapped {
        /// What it was.
        kind: String,
    },
    /// A limit of the caller's own was reached: it may allow more, or ask fewer domains.
    #[error("joining {parts} parts of {bytes} bytes takes more than {}{}", allowed(*which, *max), largest_words(largest.as_ref()))]
    Limit {
        /// Which.
        which: LimitKind,
        /// How much was allowed: bytes, seconds or fuel.
        max: u64,
        /// Parts to be joined.
        parts: u64,
        /// Bytes of all of them.
        bytes: u64,
        /// Whose answer is the largest.
        largest: Option<DomainId>,
    },
    /// This side failed.
    #[error("failed here: {problem}")]
    Here {
        /// What.
        problem: String,
    },
}

impl Unmerged {
    /// Whose fault it is: `module`, `caller` or `here`.
    #[must_use]
    pub fn whose(&self) -> &'static str {
        match self {
            Self::Shape { .. } | Self::Trapped { .. } => "module",
            Self::Limit { .. } => "caller",
            Self::Here { .. } => "here",
        }
    }
}

fn allowed(which: LimitKind, max: u64) -> String {
    match which {
        LimitKind::Fuel => format!("the {max} units of fuel that it has"),
        LimitKind::Memory => format!("the {max} bytes of memory that it has"),
        LimitKind::Time => format!("the {max} s that it has"),
        LimitKind::Output => format!("the {max} bytes that the joint answer may have"),
        LimitKind::HostCalls => format!("the {max} host calls that it has"),
    }
}

fn largest_words(largest: Option<&DomainId>) -> String {
    largest.map(|domain| format!("; the largest answer is that of `{domain}`")).unwrap_or_default()
}
