//! Tables and views of databases as typed batches: bound to a schema when the dataset is opened, read in one order and, by
//! all scans of a run, in one state; streamed with bounded memory. A condition is pushed down as ranges of single columns;
//! the scan tests the whole of it again. Never writes; never shows a password.

mod assembly;
mod binding;
pub(crate) mod bounds;
pub(crate) mod cell;
mod place;
mod postgres;
mod postgres_value;
mod spec;
mod sqlite;
mod statement;
mod states;

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::DataError;
use crate::schema::TableSchema;
use crate::snapshot::Snapshot;

pub(crate) use assembly::{Batches, Request};
use place::Place;
use postgres::PostgresSource;
pub use spec::{DatabaseUrl, Relation, TableSpec};
use sqlite::SqliteSource;
pub use states::SharedStates;

/// One state of a database.
#[derive(Debug, Clone)]
pub(crate) enum State {
    Sqlite(Arc<sqlite::State>),
    Postgres(Arc<postgres::State>),
}

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

fn other_kind() -> DataError {
    DataError::Internal { what: "a database".into(), reason: "its state is of another kind of database".into() }
}
