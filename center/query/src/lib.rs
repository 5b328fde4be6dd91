//! How large a declared query is once every name in it stands for what it names: a table expression is read again wherever it
//! is named, and a computed column is computed again wherever it is used, since that is how an engine plans them. Inspector
//! and data engine ask here both, so that they refuse the same queries. Pure: it reads the parsed text, knows no slots, no
//! columns and no types, and decides nothing about what a query may say.

mod bounds;
mod expression;
mod relation;
mod select;
mod size;

use sqlparser::ast::Query;

pub use bounds::{
    DEPTH_MAX, EXPRESSIONS_MAX, LITERAL_BYTES_MAX, Measure, NODES_MAX, PLAN_DEPTH_MAX, SCANS_MAX, TooMuch, within,
};
pub use size::Size;

/// The size of a query with everything put in its place. It is counted, never built: what a name stands for is measured once,
/// and sums end at the largest number there is.
#[must_use]
pub fn measure(query: &Query) -> Size {
    select::Measurer::default().query(query).size
}

#[cfg(test)]
mod tests;
