//! How large a query may be with everything put in its place.

use std::fmt;

use crate::Size;

/// Most slots that a query reads, each as often as it is read. Every slot of a manifest (16 at most) twice, as in a comparison
/// of all of them with themselves. The queries of the platform's analyses read 1.
pub const SCANS_MAX: u64 = 32;
/// Most operators: eight for each slot that may be read, which is a join, a filter, a projection, groups, an order, a limit
/// and two names. The queries of the platform's analyses have up to 4.
pub const NODES_MAX: u64 = 8 * SCANS_MAX;
/// Deepest nesting of operators. Rows pass through all of them in one call, on stacks of 2 MiB. The queries of the platform's
/// analyses have up to 4 levels.
pub const PLAN_DEPTH_MAX: u64 = 64;
/// Most parts of expressions: names, literals, operators, calls, as often as they are computed or an engine looks at them. A
/// text of 2,000 tokens has fewer than 2,000; twice that leaves room for names that stand for something. The queries of the
/// platform's analyses have up to 24.
pub const EXPRESSIONS_MAX: u64 = 4_096;
/// Most bytes of literals, as often as they are used: four times the longest text of a query. The queries of the platform's
/// analyses have none.
pub const LITERAL_BYTES_MAX: u64 = 64 * 1024;
/// Deepest nesting of an expression, which is also the deepest that a text may write. The queries of the platform's analyses
/// have up to 5 levels.
pub const DEPTH_MAX: u64 = 64;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Slots read.
    Scans,
    /// Operators.
    Nodes,
    /// Levels of operators.
    PlanDepth,
    /// Parts of expressions.
    Expressions,
    /// Bytes of literals.
    LiteralBytes,
    /// Levels of expressions.
    Depth,
}

impl Measure {
    /// What its author can do about it.
    fn advice(self) -> &'static str {
        match self {
            Self::Scans => "read a slot in fewer places: each use of a WITH name reads its slots again",
            Self::Nodes | Self::PlanDepth => "use fewer WITH names, subqueries and joins, or split the query",
            Self::Expressions | Self::Depth => {
                "use computed columns in fewer places: each use computes what is behind it again"
            }
            Self::LiteralBytes => "use long literals in fewer places",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scans => "reads of slots",
            Self::Nodes => "operators",
            Self::PlanDepth => "levels of operators",
            Self::Expressions => "parts of expressions",
            Self::LiteralBytes => "bytes of literals",
            Self::Depth => "levels of expressions",
        })
    }
}

/// A query that is too large with everything put in its place: its author's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("with every name replaced by what it stands for it has {} {what}, and {max} are allowed: {}", self.said(), what.advice())]
pub struct TooMuch {
    /// What there is too much of.
    pub what: Measure,
    /// How much; `u64::MAX` where it was not counted to the end.
    pub found: u64,
    /// How much there may be.
    pub max: u64,
}

impl TooMuch {
    fn said(&self) -> String {
        /// Above this a number says no more than that it is large.
        const SAID_MAX: u64 = 1_000_000_000;
        if self.found > SAID_MAX { format!("more than {SAID_MAX}") } else { self.found.to_string() }
    }
}

/// Refuses a size that is above any bound times `factor`.
///
/// # Errors
/// [`TooMuch`], the first bound that does not hold.
pub fn within(size: &Size, factor: u64) -> Result<(), TooMuch> {
    let bounds = [
        (Measure::Scans, size.scans, SCANS_MAX),
        (Measure::Nodes, size.nodes, NODES_MAX),
        (Measure::PlanDepth, size.plan_depth, PLAN_DEPTH_MAX),
        (Measure::Expressions, size.expressions, EXPRESSIONS_MAX),
        (Measure::LiteralBytes, size.literal_bytes, LITERAL_BYTES_MAX),
        (Measure::Depth, size.depth, DEPTH_MAX),
    ];
    match bounds.into_iter().find(|(_, found, max)| *found > max.saturating_mul(factor)) {
        Some((what, found, max)) => Err(TooMuch { what, found, max: max.saturating_mul(factor) }),
        None => Ok(()),
    }
}
