//! A relation bound to a schema: which of its columns gives which of the schema's, and whether its types fit.

use arrow_schema::SchemaRef;

use super::spec::TableSpec;
use super::statement::{Bound, Dialect, Shape, Stored};
use crate::error::{DataError, Misfit};
use crate::schema::{ColumnType, TableSchema};

/// A column as a database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: String,
    /// The type's name, for errors.
    pub(super) ty: String,
    pub(super) stored: Stored,
}

/// A relation bound to a schema, for readers.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Kind, place and relation, for errors.
    pub(super) shown: String,
    pub(super) table: TableSchema,
    pub(super) arrow: SchemaRef,
    pub(super) shape: Shape,
}

impl Binding {
    /// `firm` where every value of a column has the column's type.
    pub(super) fn new(
        dataset: &str,
        shown: String,
        table: &TableSchema,
        spec: &TableSpec,
        dialect: Dialect,
        firm: bool,
        found: &[Described],
    ) -> Result<Self, DataError> {
        let misfit = |column: &str, reason: String, fits: &str| {
            let (file, column, fits) = (shown.clone(), Some(column.to_owned()), fits.to_owned());
            DataError::Misfit(Box::new(Misfit { file, line: None, column, reason, fits }))
        };
        let mut columns = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let source = spec.columns.get(&column.name).unwrap_or(&column.name);
            let mut same = found.iter().filter(|d| &d.name == source);
            let (first, second) = (same.next(), same.next());
            if second.is_some() {
                return Err(misfit(&column.name, format!("there are two columns `{source}`"), "one of that name"));
            }
            match first {
                Some(described)
                    if dialect == Dialect::Postgres && !fits(described.stored, &described.ty, column.ty) =>
                {
                    let reason = format!("`{source}` is of type {}", described.ty);
                    return Err(misfit(&column.name, reason, accepted(column.ty)));
                }
                None if column.required || spec.columns.contains_key(&column.name) => {
                    let reason = format!("there is no column `{source}`");
                    return Err(misfit(&column.name, reason, "a column of that name, a column map or a view"));
                }
                _ => {}
            }
            let time = column.ty == ColumnType::Timestamp;
            columns.push(first.map(|d| Bound { name: d.name.clone(), stored: d.stored, time }));
        }
        let mut key = Vec::with_capacity(spec.order_by.len());
        for name in &spec.order_by {
            let described = found.iter().find(|d| &d.name == name).ok_or_else(|| {
                let reason = format!("`order_by` names `{name}`, which {} does not have", spec.relation.shown());
                DataError::Config { dataset: dataset.to_owned(), reason }
            })?;
            key.push(Bound { name: name.clone(), stored: described.stored, time: false });
        }
        let from = spec.relation.clause(dataset)?;
        let shape = Shape { dialect, firm, from, columns, key, unit: spec.timestamp };
        Ok(Self { shown, table: table.clone(), arrow: table.arrow(), shape })
    }

    pub(super) fn failed(&self, source: sqlx::Error) -> DataError {
        database_error(&self.shown, source)
    }
}

pub(super) fn database_error(shown: &str, source: sqlx::Error) -> DataError {
    DataError::Database { database: shown.to_owned(), source: Box::new(source) }
}

/// Whether a PostgreSQL column can be read as a schema's type at all.
fn fits(stored: Stored, name: &str, ty: ColumnType) -> bool {
    match ty {
        ColumnType::Timestamp => matches!(stored, Stored::Time | Stored::Int | Stored::Float | Stored::Text),
        ColumnType::Address => matches!(stored, Stored::Inet | Stored::Text | Stored::Bytes | Stored::Int),
        ColumnType::Uint => matches!(stored, Stored::Int | Stored::Numeric),
        ColumnType::Int => stored == Stored::Int,
        ColumnType::Float => stored == Stored::Float,
        ColumnType::Text => stored == Stored::Text,
        ColumnType::Flag => name == "BOOL",
        ColumnType::Bytes => false,
    }
}

/// PostgreSQL types that can be read as a schema's type, for errors.
fn accepted(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Timestamp => "timestamptz, or bigint, double precision or text in the declared unit,",
        ColumnType::Address => "inet, text, bytea of 16 or 4 bytes, or bigint (IPv4)",
        ColumnType::Uint => "smallint, integer, bigint or numeric without negative values",
        ColumnType::Int => "smallint, integer or bigint",
        ColumnType::Float => "real or double precision",
        ColumnType::Text => "text",
        ColumnType::Flag => "boolean",
        ColumnType::Bytes => "bytes",
    }
}
