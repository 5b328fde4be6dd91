//! What a provider's configuration says of a table: where the database is, which relation is read and how it is mapped.
//! Never shows a password.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::statement::quoted;
use crate::error::{DataError, excerpt};
use crate::timestamp::TimestampUnit;

/// Longest table name or view that is taken from a configuration, in bytes.
const RELATION_BYTES_MAX: usize = 64 << 10;

/// Where a PostgreSQL database is: `postgres://user@host/name`. It may hold a password, so it is never shown whole.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(pub(super) String);

impl DatabaseUrl {
    /// Takes the text as it is; `Dataset::open` parses it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

/// What of a database is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// A table or view by name, `name` or `schema.name`; matched exactly, as if quoted.
    Table(String),
    /// A SELECT of the provider's own, which maps whatever there is onto the schema.
    View(String),
}

impl Relation {
    /// What stands behind FROM, before its alias.
    pub(super) fn clause(&self, dataset: &str) -> Result<String, DataError> {
        let config = |reason: String| DataError::Config { dataset: dataset.to_owned(), reason };
        let (Self::Table(text) | Self::View(text)) = self;
        if text.len() > RELATION_BYTES_MAX || text.contains('\0') {
            return Err(config("its table or view is too long or holds a zero byte".into()));
        }
        match self {
            Self::Table(name) => {
                let parts: Vec<&str> = name.split('.').collect();
                if parts.len() > 2 || parts.iter().any(|part| part.is_empty()) {
                    return Err(config(format!("`{}` is not a table name", excerpt(name.as_bytes()))));
                }
                Ok(parts.into_iter().map(quoted).collect::<Vec<_>>().join("."))
            }
            Self::View(sql) => {
                let sql = sql.trim().trim_end_matches(';').trim_end();
                let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
                if !matches!(first.as_str(), "select" | "with" | "values") {
                    return Err(config("its view is not a SELECT".into()));
                }
                // The line end closes a comment that the view may end with.
                Ok(format!("({sql}\n)"))
            }
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Self::Table(name) => format!("table `{}`", excerpt(name.as_bytes())),
            Self::View(_) => "its view".into(),
        }
    }
}

/// How a relation becomes rows of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    /// The table or view.
    pub relation: Relation,
    /// Schema column → column of the relation; what is not mapped has the same name in both.
    pub columns: BTreeMap<String, String>,
    /// Unit of timestamps that are numbers or text.
    pub timestamp: TimestampUnit,
    /// Columns of the relation that order the rows; all mapped columns follow, so that the order is total. Empty: the
    /// mapped columns alone, in the schema's order. An index on these columns spares the database a sort.
    pub order_by: Vec<String>,
}
