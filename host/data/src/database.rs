//! Tables and views of databases as typed batches: bound to a schema when the dataset is opened, read in one order and, by
//! all scans of a run, in one state; streamed with bounded memory. A condition is pushed down as ranges of single columns;
//! the scan tests the whole of it again. Never writes; never shows a password.

pub(crate) mod bounds;
pub(crate) mod cell;
mod postgres;
mod postgres_value;
mod sqlite;
mod statement;
mod states;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::SchemaRef;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::BATCH_ROWS;
use crate::columns::TextColumn;
use crate::dataset::Snapshot;
use crate::error::{DataError, Misfit, excerpt};
use crate::reader::project;
use crate::schema::{ColumnType, TableSchema};
use crate::timestamp::TimestampUnit;

use bounds::Range;
use cell::Cell;
pub(crate) use postgres::PostgresSource;
pub(crate) use sqlite::SqliteSource;
use statement::{Bound, Dialect, Shape, Stored, quoted};
pub use states::SharedStates;
pub(crate) use states::State;

/// A batch ends early when its values reach this many bytes, as in CSV files.
const BATCH_BYTES: usize = 8 << 20;
/// Longest table name or view that is taken from a configuration, in bytes.
const RELATION_BYTES_MAX: usize = 64 << 10;

/// Where a PostgreSQL database is: `postgres://user@host/name`. It may hold a password, so it is never shown whole.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

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
    fn clause(&self, dataset: &str) -> Result<String, DataError> {
        let config = |reason: String| DataError::Config { dataset: dataset.to_owned(), reason };
        let (Self::Table(text) | Self::View(text)) = self;
        if text.len() > RELATION_BYTES_MAX || text.contains('\0') {
            return Err(config("its table or view is too long or holds a zero byte".into()));
        }
        match self {
            Self::Table(name) => {
                let parts: Vec<&str> = name.split('.').collect();
                if parts.len() > 2 || parts.iter().any(|part| part.is_empty()) {
                    return Err(config(format!("`{}` is no table name", excerpt(name.as_bytes()))));
                }
                Ok(parts.into_iter().map(quoted).collect::<Vec<_>>().join("."))
            }
            Self::View(sql) => {
                let sql = sql.trim().trim_end_matches(';').trim_end();
                let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
                if !matches!(first.as_str(), "select" | "with" | "values") {
                    return Err(config("its view is no SELECT".into()));
                }
                // The line end closes a comment that the view may end with.
                Ok(format!("({sql}\n)"))
            }
        }
    }

    fn shown(&self) -> String {
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

/// A column as a database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Described {
    name: String,
    /// The type's name, for errors.
    ty: String,
    stored: Stored,
}

/// A relation bound to a schema, for readers.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Kind, place and relation, for errors.
    shown: String,
    table: TableSchema,
    arrow: SchemaRef,
    shape: Shape,
}

impl Binding {
    fn new(
        (dataset, shown): (&str, String),
        table: &TableSchema,
        spec: &TableSpec,
        (dialect, firm): (Dialect, bool),
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

    fn failed(&self, source: sqlx::Error) -> DataError {
        database_error(&self.shown, source)
    }
}

fn database_error(shown: &str, source: sqlx::Error) -> DataError {
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

/// What one scan wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Columns of the schema.
    pub(crate) columns: Vec<usize>,
    /// Ranges of columns; rows outside of them may be left out.
    pub(crate) ranges: BTreeMap<usize, Range>,
    /// Most rows, where no condition is left to test.
    pub(crate) limit: Option<usize>,
    /// Milliseconds that a statement may take; `None`: the default of the source.
    pub(crate) timeout_ms: Option<u64>,
}

/// The batches of a scan in progress. Dropping it stops the scan.
pub(crate) type Batches = mpsc::Receiver<Result<RecordBatch, DataError>>;

/// A database that was opened.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(SqliteSource),
    Postgres(PostgresSource),
}

impl Database {
    pub(crate) async fn sqlite(
        dataset: &str,
        table: &TableSchema,
        path: PathBuf,
        spec: &TableSpec,
    ) -> Result<Self, DataError> {
        SqliteSource::open(dataset, table, path, spec).await.map(Self::Sqlite)
    }

    pub(crate) async fn postgres(
        dataset: &str,
        table: &TableSchema,
        url: &DatabaseUrl,
        spec: &TableSpec,
    ) -> Result<Self, DataError> {
        PostgresSource::open(dataset, table, &url.0, spec).await.map(Self::Postgres)
    }

    /// Where the database is.
    fn place(&self) -> Place {
        match self {
            Self::Sqlite(source) => source.place(),
            Self::Postgres(source) => source.place(),
        }
    }

    /// Takes the database's state as it is now, for all of these, which are of one place.
    async fn state(&self, together: &[&Self]) -> Result<State, DataError> {
        match self {
            Self::Sqlite(source) => source.state().await.map(|state| State::Sqlite(Arc::new(state))),
            Self::Postgres(source) => {
                let others = together.iter().filter_map(|other| match other {
                    Self::Postgres(other) => Some(other),
                    Self::Sqlite(_) => None,
                });
                source.state(&others.collect::<Vec<_>>()).await.map(|state| State::Postgres(Arc::new(state)))
            }
        }
    }

    /// The identity of the rows in a state.
    pub(crate) fn snapshot(&self, state: &State) -> Result<Snapshot, DataError> {
        match (self, state) {
            (Self::Sqlite(source), State::Sqlite(state)) => Ok(source.snapshot(state)),
            (Self::Postgres(source), State::Postgres(state)) => Ok(source.snapshot(state)),
            _ => Err(other_kind()),
        }
    }

    /// Starts reading a state in a task of its own.
    pub(crate) fn start(&self, state: &State, request: Request) -> Result<Batches, DataError> {
        match (self, state) {
            (Self::Sqlite(source), State::Sqlite(state)) => Ok(source.start(state, request)),
            (Self::Postgres(source), State::Postgres(state)) => Ok(source.start(state, request)),
            _ => Err(other_kind()),
        }
    }

    /// Whether it can be reached and still has the columns that it was opened with.
    pub(crate) async fn is_current(&self) -> bool {
        match self {
            Self::Sqlite(source) => source.is_current().await,
            Self::Postgres(source) => source.is_current().await,
        }
    }
}

/// Tells databases apart without saying where they are: the SHA-256 of kind and place.
type Place = [u8; 32];

fn place(kind: &str, at: &[u8]) -> Place {
    Sha256::new().chain_update(kind).chain_update([0]).chain_update(at).finalize().into()
}

fn other_kind() -> DataError {
    DataError::Internal { what: "a database".into(), reason: "its state is of another kind of database".into() }
}

/// A row as it comes from a driver.
trait Row {
    /// The value of the at-th selected column; the reason where it cannot be taken.
    fn cell(&self, at: usize) -> Result<Cell<'_>, String>;
}

/// Rows on their way into batches.
struct Assembly {
    binding: Arc<Binding>,
    schema: SchemaRef,
    columns: Vec<usize>,
    builders: Vec<TextColumn>,
    rows: usize,
    bytes: usize,
    /// Rows that were given out, where no condition has hidden rows.
    before: Option<u64>,
}

impl Assembly {
    fn new(binding: &Arc<Binding>, request: &Request) -> Self {
        let present = |at: &&usize| binding.shape.columns[**at].is_some();
        let builder = |at: &usize| TextColumn::new(&binding.table.columns[*at], binding.shape.unit, BATCH_ROWS);
        Self {
            binding: Arc::clone(binding),
            schema: project(&binding.arrow, &request.columns),
            builders: request.columns.iter().filter(present).map(builder).collect(),
            columns: request.columns.clone(),
            rows: 0,
            bytes: 0,
            before: request.ranges.is_empty().then_some(0),
        }
    }

    /// Takes a row; a batch when it is full.
    fn push(&mut self, row: &impl Row) -> Result<Option<RecordBatch>, DataError> {
        for at in 0..self.builders.len() {
            let pushed = row.cell(at).and_then(|cell| {
                self.bytes += size(&cell);
                self.builders[at].push_cell(cell)
            });
            pushed.map_err(|reason| self.misfit(at, reason))?;
        }
        self.rows += 1;
        if self.rows < BATCH_ROWS && self.bytes < BATCH_BYTES { Ok(None) } else { self.finish() }
    }

    /// The rows that are left.
    fn finish(&mut self) -> Result<Option<RecordBatch>, DataError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let mut built = self.builders.iter_mut();
        let mut arrays = Vec::with_capacity(self.columns.len());
        for at in &self.columns {
            let absent = self.binding.shape.columns[*at].is_none();
            let builder = if absent { None } else { built.next() };
            let ty = self.binding.table.columns[*at].ty;
            arrays.push(builder.map_or_else(|| new_null_array(&ty.arrow(), self.rows), TextColumn::finish));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|e| DataError::Internal { what: self.binding.shown.clone(), reason: e.to_string() })?;
        self.before = self.before.map(|before| before + self.rows as u64);
        (self.rows, self.bytes) = (0, 0);
        Ok(Some(batch))
    }

    fn misfit(&self, built: usize, reason: String) -> DataError {
        let mut present = self.columns.iter().filter(|at| self.binding.shape.columns[**at].is_some());
        let spec = present.nth(built).map(|at| &self.binding.table.columns[*at]);
        let fits = spec.map_or("another value", |spec| self.builders[built].fits(spec)).to_owned();
        let line = self.before.map(|before| before + self.rows as u64 + 1);
        let column = spec.map(|spec| spec.name.clone());
        DataError::Misfit(Box::new(Misfit { file: self.binding.shown.clone(), line, column, reason, fits }))
    }
}

fn size(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Text(text) => text.len(),
        Cell::Bytes(bytes) => bytes.len(),
        _ => 8,
    }
}

/// Binds the values of a statement in either dialect.
macro_rules! query {
    ($statement:expr) => {{
        let statement: $crate::database::statement::Statement = $statement;
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement.sql)).persistent(false);
        for value in statement.binds {
            query = match value {
                $crate::database::statement::Bind::Int(value) => query.bind(value),
                $crate::database::statement::Bind::Text(value) => query.bind(value),
                $crate::database::statement::Bind::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}
use query;
