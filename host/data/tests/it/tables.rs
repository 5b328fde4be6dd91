//! Flows in tables: how a test keeps them in SQLite and PostgreSQL, in every form that a provider may have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use iog_data::{Relation, SourceSpec, TableSpec, TimestampUnit, address_text};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

const COLUMNS: &str = "\"start\", \"end\", src, dst, proto, packets, bytes, ingress_as, note";

/// How a test keeps times and addresses.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// Microseconds, addresses as text.
    Text,
    /// Seconds with a fraction as text, addresses as text.
    TextTimes,
    /// Seconds as doubles, addresses as blobs of 16 bytes.
    Doubles,
    /// Microseconds, addresses as numbers (all of these are IPv4).
    Numbers,
    /// PostgreSQL's own types.
    Native,
}

impl Form {
    fn types(self, postgres: bool) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("BIGINT", "TEXT"),
            Self::TextTimes => ("TEXT", "TEXT"),
            Self::Doubles if postgres => ("DOUBLE PRECISION", "BYTEA"),
            Self::Doubles => ("REAL", "BLOB"),
            Self::Numbers => ("BIGINT", "BIGINT"),
            Self::Native => ("TIMESTAMPTZ", "INET"),
        }
    }

    pub(crate) fn unit(self) -> TimestampUnit {
        match self {
            Self::Text | Self::Numbers | Self::Native => TimestampUnit::Micros,
            Self::TextTimes | Self::Doubles => TimestampUnit::Seconds,
        }
    }

    fn time(self, micros: i64) -> String {
        let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        match self {
            Self::Text | Self::Numbers => micros.to_string(),
            Self::TextTimes => format!("'{seconds}'"),
            Self::Doubles => seconds,
            Self::Native => format!("timestamptz 'epoch' + {micros} * interval '1 microsecond'"),
        }
    }

    fn address(self, bytes: [u8; 16], postgres: bool) -> String {
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        match self {
            Self::Text | Self::TextTimes | Self::Native => format!("'{}'", address_text(&bytes)),
            Self::Doubles if postgres => format!("'\\x{hex}'"),
            Self::Doubles => format!("x'{hex}'"),
            Self::Numbers => u32::from_be_bytes(bytes[12..].try_into().unwrap()).to_string(),
        }
    }
}

/// CREATE TABLE and INSERT of flows, with an `id` that keeps their order; the order of insertion is another one.
pub(crate) fn statements(table: &str, batch: &RecordBatch, form: Form, postgres: bool) -> Vec<String> {
    let (time, address) = form.types(postgres);
    let mut all = vec![format!(
        "CREATE TABLE {table} (id BIGINT PRIMARY KEY, \"start\" {time}, \"end\" {time}, src {address}, dst {address}, \
         proto SMALLINT, packets INTEGER, bytes BIGINT, ingress_as BIGINT, note TEXT)"
    )];
    let mut rows: Vec<usize> = (0..batch.num_rows()).collect();
    rows.reverse();
    for chunk in rows.chunks(1000) {
        let values: Vec<String> = chunk.iter().map(|row| values(batch, *row, form, postgres)).collect();
        all.push(format!("INSERT INTO {table} (id, {COLUMNS}) VALUES {}", values.join(", ")));
    }
    all
}

fn values(batch: &RecordBatch, row: usize, form: Form, postgres: bool) -> String {
    let time = |at: usize| form.time(batch.column(at).as_primitive::<Int64Type>().value(row));
    let address =
        |at: usize| form.address(batch.column(at).as_fixed_size_binary().value(row).try_into().unwrap(), postgres);
    let uint = |at: usize| {
        let column = batch.column(at).as_primitive::<UInt64Type>();
        if column.is_null(row) { "NULL".to_owned() } else { column.value(row).to_string() }
    };
    let note = batch.column(8).as_string::<i32>();
    let note = if note.is_null(row) { "NULL".to_owned() } else { format!("'{}'", note.value(row).replace('\'', "''")) };
    format!(
        "({row}, {}, {}, {}, {}, {}, {}, {}, {}, {note})",
        time(0),
        time(1),
        address(2),
        address(3),
        uint(4),
        uint(5),
        uint(6),
        uint(7)
    )
}

pub(crate) async fn sqlite_run(path: &Path, statements: &[String]) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    connection.close().await.unwrap();
}

pub(crate) fn table(name: &str, unit: TimestampUnit) -> TableSpec {
    let (columns, order_by) = (BTreeMap::new(), vec!["id".to_owned()]);
    TableSpec { relation: Relation::Table(name.into()), columns, timestamp: unit, order_by }
}

pub(crate) fn sqlite(path: PathBuf, table: TableSpec) -> SourceSpec {
    SourceSpec::Sqlite { path, table }
}
