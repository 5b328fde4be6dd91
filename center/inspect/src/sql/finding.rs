//! Why a query may not be asked.

/// Why a query may not be asked: its author's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryFinding {
    /// Not SQL.
    #[error("it is not SQL: {0}")]
    Syntax(String),
    /// Larger than a limit.
    #[error("it has more than {max} {what}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// How much there may be.
        max: usize,
    },
    /// Larger than a limit with everything put in its place.
    #[error("{0}")]
    TooMuch(iog_query::TooMuch),
    /// SQL, but of a kind that is not allowed.
    #[error("{0} is not allowed")]
    Forbidden(String),
    /// A wildcard, which hides what is read.
    #[error("a wildcard is not allowed: name the columns")]
    Wildcard,
    /// A function that is not on the list, or with another number of arguments.
    #[error("function `{name}` is not allowed here: {expected}")]
    Function {
        /// The function.
        name: String,
        /// What is allowed.
        expected: String,
    },
    /// A table that is not a slot of the manifest.
    #[error("table `{name}` is not a slot of the manifest: the slots are {slots}")]
    UnknownSlot {
        /// The table.
        name: String,
        /// The slots there are.
        slots: String,
    },
    /// A column that does not exist.
    #[error("column `{name}` does not exist: there are {columns}")]
    UnknownColumn {
        /// As written.
        name: String,
        /// The columns in sight, shortened.
        columns: String,
    },
    /// A name with two meanings.
    #[error("name `{name}` is ambiguous: {reason}")]
    Ambiguous {
        /// As written.
        name: String,
        /// Between what.
        reason: String,
    },
    /// A parameter that is not declared.
    #[error("parameter `{name}` is not declared")]
    UndeclaredParam {
        /// As written.
        name: String,
    },
    /// A declared parameter that the query does not use.
    #[error("parameter `{name}` is declared and not used")]
    UnusedParam {
        /// Its name.
        name: String,
    },
    /// A parameter of type `prefix` elsewhere than as second argument of `ip_in`.
    #[error("parameter `{name}` is a prefix: it can only be the second argument of `ip_in`")]
    MisplacedPrefix {
        /// Its name.
        name: String,
    },
}

pub(super) fn forbidden(what: impl Into<String>) -> QueryFinding {
    QueryFinding::Forbidden(what.into())
}

/// Refuses the first thing of a list that was found.
pub(super) fn refuse_any(found: &[(bool, &str)]) -> Result<(), QueryFinding> {
    match found.iter().find(|(found, _)| *found) {
        Some((_, what)) => Err(forbidden(*what)),
        None => Ok(()),
    }
}
