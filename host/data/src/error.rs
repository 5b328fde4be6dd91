//! What can go wrong, and whose fault it is: the provider's data (`DataError`), the module's author (`PlanError`), or one
//! run (`QueryError`). Texts name the object; they are for the provider's operators and are never shown to a guest.

use std::path::PathBuf;

use datafusion_common::error::DataFusionError;
use thiserror::Error;

/// Longest excerpt of a foreign value that an error repeats, in characters.
const EXCERPT_CHARS_MAX: usize = 60;

/// A dataset cannot be used: the provider (whose file it is) has to mend it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("cannot read `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file cannot be written: not its content's fault.
    #[error("cannot write `{path}`")]
    Store {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The first row took too long.
    #[error("dataset `{dataset}` gave no row within {ms} ms; an index on the columns of `order_by` makes it quick")]
    Slow {
        /// The dataset.
        dataset: String,
        /// How long it had.
        ms: u64,
    },
    /// The database did not answer in time.
    #[error("the database of dataset `{dataset}` was not opened within {ms} ms: see whether it answers other programs")]
    Silent {
        /// The dataset.
        dataset: String,
        /// How long it had.
        ms: u64,
    },
    /// No file fits the path or pattern.
    #[error("no file fits `{pattern}`")]
    NoFile {
        /// Path or glob as configured.
        pattern: String,
    },
    /// The path or pattern itself cannot be used.
    #[error("path `{pattern}` cannot be used: {reason}")]
    Path {
        /// Path or glob as configured.
        pattern: String,
        /// Why not.
        reason: String,
    },
    /// The content does not fit the schema.
    #[error(transparent)]
    Misfit(#[from] Box<Misfit>),
    /// The file is not what its format says: truncated, corrupt, or another format.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is not the one that was opened: its size or time of change differs. Open the dataset again.
    #[error("`{path}` has changed since the dataset was opened")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A database cannot be reached, refused a statement, or broke off.
    #[error("cannot read {database}")]
    Database {
        /// Kind, place and relation; never a password.
        database: String,
        /// What the database or its driver said.
        source: Box<sqlx::Error>,
    },
    /// The database has given up the state that the run sees, for example because it was started again. Run again.
    #[error("the snapshot of {database} is no longer held")]
    Released {
        /// Kind, place and relation; never a password.
        database: String,
    },
    /// The column map or the schema itself is wrong.
    #[error("dataset `{dataset}` is misconfigured: {reason}")]
    Config {
        /// Name of the dataset.
        dataset: String,
        /// What to mend.
        reason: String,
    },
    /// A bug or a lost worker on our side.
    #[error("reading `{what}` failed: {reason}")]
    Internal {
        /// What was being read.
        what: String,
        /// What happened.
        reason: String,
    },
}

/// One place where data and schema differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The file, or the name of an in-memory dataset.
    pub file: String,
    /// Line of a CSV file, row of a Parquet file or batch; both from 1. `None` for the header or the whole file.
    pub line: Option<u64>,
    /// The schema's column, where one is to blame.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// What would fit.
    pub fits: String,
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.file)?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        write!(f, ": {}; {} would fit", self.reason, self.fits)
    }
}

impl std::error::Error for Misfit {}

/// A declared query cannot be used: the module's author has to mend it, or the provider has to bind other datasets.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// Not SQL.
    #[error("query `{query}` is not valid SQL: {reason}")]
    Syntax {
        /// Name of the query.
        query: String,
        /// The parser's words.
        reason: String,
    },
    /// SQL, but of a kind that is not allowed.
    #[error("query `{query}` uses {what}, which is not allowed")]
    Forbidden {
        /// Name of the query.
        query: String,
        /// The statement, clause, operator or function.
        what: String,
    },
    /// A table, column or function that does not exist, an ambiguous name, or types that do not go together.
    #[error("query `{query}` does not fit its slots: {reason}")]
    Resolve {
        /// Name of the query.
        query: String,
        /// What does not resolve.
        reason: String,
    },
    /// A parameter that is not declared, declared twice, or used where its type has no meaning.
    #[error("query `{query}`, parameter `{param}`: {reason}")]
    Param {
        /// Name of the query.
        query: String,
        /// The parameter.
        param: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A result column that cannot cross into a guest.
    #[error("query `{query}`, result column `{column}`: {reason}")]
    Result {
        /// Name of the query.
        query: String,
        /// The column of the SELECT list.
        column: String,
        /// Why not, and what would do.
        reason: String,
    },
    /// The query is larger than any reviewed query needs to be.
    #[error("query `{query}` is too large: more than {max} {what}")]
    TooLarge {
        /// Name of the query.
        query: String,
        /// What is counted.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// The query is small as it is written, and too large with everything put in its place.
    #[error("query `{query}`: {too_much}")]
    TooMuch {
        /// Name of the query.
        query: String,
        /// What there is too much of.
        too_much: iog_query::TooMuch,
    },
    /// The query is within all bounds and still takes too long to plan.
    #[error(
        "query `{query}` was not planned within {limit_ms} ms: write it with fewer names, subqueries and nested calls"
    )]
    Slow {
        /// Name of the query.
        query: String,
        /// How long its planning may take.
        limit_ms: u64,
    },
    /// Other modules' queries are being planned and did not end in time; try again. Nobody's fault but theirs.
    #[error("no query could be planned within {limit_ms} ms, since others were being planned")]
    Busy {
        /// How long planning may take.
        limit_ms: u64,
    },
    /// Our fault.
    #[error("planning query `{query}` failed: {reason}")]
    Internal {
        /// Name of the query.
        query: String,
        /// What happened.
        reason: String,
    },
}

/// One run of a query failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No query of this name was planned (the module's fault).
    #[error("no query `{query}` is declared")]
    UnknownQuery {
        /// The name asked for.
        query: String,
    },
    /// The wrong number of parameter values (the module's fault).
    #[error("query `{query}` takes {expected} parameters, {found} given")]
    ParamCount {
        /// Name of the query.
        query: String,
        /// How many are declared.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A value that does not fit its parameter (the module's or its caller's fault).
    #[error("parameter `{param}`: {reason}")]
    BadParam {
        /// Name of the parameter.
        param: String,
        /// What would fit.
        reason: String,
    },
    /// The query needs more memory than the run may have.
    #[error("the query needs more than its {limit_bytes} bytes of memory")]
    Memory {
        /// The limit.
        limit_bytes: usize,
    },
    /// A join without an equality would compare too many pairs (the module's fault, or its data are too large for it).
    #[error("a join without an equality has more than {max} rows on its left side, which is the one named first")]
    LoopJoin {
        /// How many rows there may be.
        max: usize,
    },
    /// A text that the query makes is longer than any text may be (the module's fault, or its data are too long for it).
    #[error("the query makes a text of more than {max} bytes")]
    Text {
        /// How many bytes there may be.
        max: usize,
    },
    /// The run's deadline has passed.
    #[error("the query did not end before its deadline")]
    Deadline,
    /// The run was cancelled.
    #[error("the query was cancelled")]
    Cancelled,
    /// The provider's data are at fault.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The computation itself failed: division by zero, overflow, a text that is not an address.
    #[error("the query failed on its data: {reason}")]
    Computation {
        /// What failed.
        reason: String,
    },
    /// Our fault.
    #[error("the query engine failed: {reason}")]
    Internal {
        /// What happened.
        reason: String,
    },
}

/// Why a running query was stopped; travels through the engine as an external error.
#[derive(Debug, Clone, Copy, Error)]
pub(crate) enum Stop {
    #[error("deadline")]
    Deadline,
    #[error("cancelled")]
    Cancelled,
    #[error("loop join too large")]
    LoopJoin { max: usize },
    #[error("text too long")]
    Text { max: usize },
}

impl From<Stop> for QueryError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Deadline => Self::Deadline,
            Stop::Cancelled => Self::Cancelled,
            Stop::LoopJoin { max } => Self::LoopJoin { max },
            Stop::Text { max } => Self::Text { max },
        }
    }
}

impl QueryError {
    /// Finds our own error in what the engine reports, or classifies the engine's.
    pub(crate) fn from_engine(error: DataFusionError, limit_bytes: usize) -> Self {
        if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
            return Self::Memory { limit_bytes };
        }
        match unwrap_external(error) {
            Ok(external) => match external.downcast::<DataError>() {
                Ok(data) => Self::Data(*data),
                Err(other) => match other.downcast::<Stop>() {
                    Ok(stop) => (*stop).into(),
                    Err(other) => Self::Internal { reason: other.to_string() },
                },
            },
            Err(error) => match error.find_root() {
                DataFusionError::ArrowError(reason, _) => Self::Computation { reason: reason.to_string() },
                DataFusionError::Execution(reason) => Self::Computation { reason: reason.clone() },
                other => Self::Internal { reason: other.strip_backtrace() },
            },
        }
    }
}

/// The boxed error inside an external one, through the engine's wrappers that own their cause.
fn unwrap_external(error: DataFusionError) -> Result<Box<dyn std::error::Error + Send + Sync>, DataFusionError> {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<DataFusionError>() {
            Ok(nested) => unwrap_external(*nested),
            Err(inner) => Ok(inner),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => unwrap_external(*inner),
        DataFusionError::ArrowError(arrow, backtrace) => match *arrow {
            arrow_schema::ArrowError::ExternalError(inner) => match inner.downcast::<DataFusionError>() {
                Ok(nested) => unwrap_external(*nested),
                Err(inner) => Ok(inner),
            },
            other => Err(DataFusionError::ArrowError(Box::new(other), backtrace)),
        },
        DataFusionError::Shared(shared) => match shared.find_root() {
            DataFusionError::External(inner) if inner.downcast_ref::<Stop>().is_some() => {
                Ok(Box::new(*inner.downcast_ref::<Stop>().expect("checked just above")))
            }
            _ => Err(DataFusionError::Shared(shared)),
        },
        other => Err(other),
    }
}

impl From<DataError> for DataFusionError {
    fn from(error: DataError) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<Stop> for DataFusionError {
    fn from(stop: Stop) -> Self {
        Self::External(Box::new(stop))
    }
}

/// A foreign value as an error may repeat it: bounded, without control characters.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * EXCERPT_CHARS_MAX)]);
    let mut shown: String =
        text.chars().take(EXCERPT_CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > EXCERPT_CHARS_MAX || bytes.len() > 4 * EXCERPT_CHARS_MAX {
        shown.push('…');
    }
    shown
}
