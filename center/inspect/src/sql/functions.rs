//! The functions a query may call. All are deterministic and see only their arguments. The data engine registers
//! exactly these; a test of the gateway compares the lists.

use super::finding::QueryFinding;

/// One function that may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowedFunction {
    /// Its name, lower case.
    pub name: &'static str,
    /// Fewest arguments.
    pub args_min: usize,
    /// Most arguments.
    pub args_max: usize,
    /// Whether it aggregates rows.
    pub aggregate: bool,
}

const fn scalar(name: &'static str, args_min: usize, args_max: usize) -> AllowedFunction {
    AllowedFunction { name, args_min, args_max, aggregate: false }
}

const fn aggregate(name: &'static str) -> AllowedFunction {
    AllowedFunction { name, args_min: 1, args_max: 1, aggregate: true }
}

/// Everything a query may call, sorted by name. CAST, CASE, LIKE, BETWEEN, IN and EXISTS are syntax, not functions.
///
/// `avg` is not here: it yields a float, and sums of floats depend on the order of rows.
pub const ALLOWED_FUNCTIONS: &[AllowedFunction] = &[
    scalar("abs", 1, 1),
    scalar("coalesce", 1, 32),
    aggregate("count"),
    scalar("ip_in", 2, 2),
    scalar("ip_prefix", 2, 2),
    scalar("ip_text", 1, 1),
    scalar("length", 1, 1),
    scalar("lower", 1, 1),
    aggregate("max"),
    aggregate("min"),
    scalar("nullif", 2, 2),
    scalar("starts_with", 2, 2),
    scalar("substr", 2, 3),
    aggregate("sum"),
    scalar("to_address", 1, 1),
    scalar("upper", 1, 1),
];

/// The function, if it may be called with so many arguments.
pub(super) fn allowed(name: &str, args: usize) -> Result<&'static AllowedFunction, QueryFinding> {
    let refused = |expected| QueryFinding::Function { name: crate::text::clean(name, 60), expected };
    let Some(function) = ALLOWED_FUNCTIONS.iter().find(|function| function.name == name) else {
        let names: Vec<_> = ALLOWED_FUNCTIONS.iter().map(|function| function.name).collect();
        return Err(refused(format!("allowed are {}", names.join(", "))));
    };
    if (function.args_min..=function.args_max).contains(&args) {
        return Ok(function);
    }
    Err(refused(format!("it takes {} to {} arguments, not {args}", function.args_min, function.args_max)))
}
