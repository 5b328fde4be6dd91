//! Why a query or a column could not be had. The words say whose fault it is; nothing here names data.

use std::fmt;

use crate::data::{Fault, Kind};

/// Why a query or a column could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The provider did not grant this run the dataset behind the query (always so in `merge`).
    NotGranted(String),
    /// The provider's data source failed.
    Unavailable(String),
    /// The module opens a query that its manifest does not declare: its author has to mend it.
    UnknownQuery(String),
    /// The values do not fit the parameters that the manifest declares for the query.
    BadParam {
        /// The query.
        query: String,
        /// What does not fit, in the host's words.
        problem: String,
    },
    /// The query has no such column: the module's author has to mend it.
    NoColumn {
        /// The query.
        query: String,
        /// The column asked for.
        column: String,
    },
    /// The column holds something else: the module's author has to mend it.
    WrongKind {
        /// The query.
        query: String,
        /// The column asked for.
        column: String,
        /// What the module asked for.
        wanted: &'static str,
        /// What the column holds.
        found: &'static str,
    },
    /// Host and module disagree about a batch, for example about its number of rows.
    Host(String),
}

impl Error {
    /// The error that a fault of the host is in `query`.
    pub(crate) fn from_fault(query: &str, fault: Fault) -> Self {
        match fault {
            Fault::NotGranted => Self::NotGranted(query.to_owned()),
            Fault::Unavailable => Self::Unavailable(query.to_owned()),
            Fault::UnknownQuery(name) => Self::UnknownQuery(name),
            Fault::BadParam(problem) => Self::BadParam { query: query.to_owned(), problem },
            Fault::BadColumn(column) => Self::NoColumn { query: query.to_owned(), column },
        }
    }
}

/// The name of a kind in messages; the same as in the contract.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "int",
        Kind::Uint => "uint",
        Kind::Float => "float",
        Kind::Boolean => "boolean",
        Kind::Text => "text",
        Kind::Bytes => "bytes",
        Kind::Address => "address",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted(query) => write!(f, "query `{query}` is not granted to this run"),
            Self::Unavailable(query) => write!(f, "the data behind query `{query}` is unavailable"),
            Self::UnknownQuery(query) => write!(f, "the manifest declares no query `{query}`"),
            Self::BadParam { query, problem } => write!(f, "query `{query}` refused its parameters: {problem}"),
            Self::NoColumn { query, column } => write!(f, "query `{query}` has no column `{column}`"),
            Self::WrongKind { query, column, wanted, found } => {
                write!(f, "column `{column}` of query `{query}` holds {found}, not {wanted}")
            }
            Self::Host(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for Error {}

/// So that `?` works in entries that return `result<_, string>`.
impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_its_words_and_names_the_query() {
        let error = Error::from_fault("by-target", Fault::BadParam("`target`: expected prefix".into()));
        assert_eq!(String::from(error), "query `by-target` refused its parameters: `target`: expected prefix");
        let error = Error::from_fault("by-target", Fault::NotGranted);
        assert_eq!(error.to_string(), "query `by-target` is not granted to this run");
    }
}
