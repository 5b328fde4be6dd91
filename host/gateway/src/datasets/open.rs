//! Opening one dataset as the configuration says. The schemas of the protocol become the table shapes of the data engine here,
//! and nowhere else.

use std::sync::Arc;

use iog_data::{
    ColumnSpec, ColumnType, DataError, Dataset, Relation, SourceSpec, TableSchema, TableSpec, TimestampUnit,
};
use iog_protocol::schemas::{self, Schema};

use super::bound::Bound;
use crate::config;

/// Opens one dataset as a gateway does.
///
/// # Errors
/// [`DataError`], naming what does not fit.
pub async fn open_one(name: &str, config: &config::DatasetConfig) -> Result<Bound, DataError> {
    let schema = schemas::schema(&config.schema).ok_or_else(|| DataError::Config {
        dataset: name.to_owned(),
        reason: format!("there is no schema `{}`", config.schema),
    })?;
    let data = Dataset::open(name, &table(schema), source(name, config)?).await?;
    Ok(Bound { schema: config.schema.clone(), class: config.class, data: Arc::new(data) })
}

/// A schema of the protocol as the data engine has it.
#[must_use]
pub fn table(schema: &Schema) -> TableSchema {
    let column =
        |c: &schemas::Column| ColumnSpec { name: c.name.to_owned(), ty: column_type(c.ty), required: c.required };
    TableSchema { id: schema.id.to_owned(), columns: schema.columns.iter().map(column).collect() }
}

fn column_type(ty: schemas::ColumnType) -> ColumnType {
    match ty {
        schemas::ColumnType::Timestamp => ColumnType::Timestamp,
        schemas::ColumnType::Address => ColumnType::Address,
        schemas::ColumnType::Uint => ColumnType::Uint,
        schemas::ColumnType::Int => ColumnType::Int,
        schemas::ColumnType::Float => ColumnType::Float,
        schemas::ColumnType::Text => ColumnType::Text,
        schemas::ColumnType::Flag => ColumnType::Flag,
    }
}

fn source(name: &str, config: &config::DatasetConfig) -> Result<SourceSpec, DataError> {
    let (path, columns, timestamp) = (config.path.clone(), config.columns.clone(), unit(config.timestamp));
    Ok(match config.format {
        config::DatasetFormat::Csv => SourceSpec::Csv { path, columns, timestamp },
        config::DatasetFormat::Parquet => SourceSpec::Parquet { path, columns, timestamp },
        config::DatasetFormat::Sqlite => SourceSpec::Sqlite { path, table: relation(name, config)? },
        config::DatasetFormat::Postgres => {
            let url = config.url.clone().ok_or_else(|| misconfigured(name, "it has no `url`"))?;
            SourceSpec::Postgres { url, table: relation(name, config)? }
        }
    })
}

fn relation(name: &str, config: &config::DatasetConfig) -> Result<TableSpec, DataError> {
    let relation = match (&config.table, &config.view) {
        (Some(table), None) => Relation::Table(table.clone()),
        (None, Some(view)) => Relation::View(view.clone()),
        _ => return Err(misconfigured(name, "it needs either `table` or `view`")),
    };
    let (columns, order_by) = (config.columns.clone(), config.order_by.clone());
    Ok(TableSpec { relation, columns, timestamp: unit(config.timestamp), order_by })
}

fn unit(unit: config::TimestampUnit) -> TimestampUnit {
    match unit {
        config::TimestampUnit::Seconds => TimestampUnit::Seconds,
        config::TimestampUnit::Millis => TimestampUnit::Millis,
        config::TimestampUnit::Micros => TimestampUnit::Micros,
        config::TimestampUnit::Rfc3339 => TimestampUnit::Rfc3339,
    }
}

fn misconfigured(name: &str, reason: &str) -> DataError {
    DataError::Config { dataset: name.to_owned(), reason: reason.to_owned() }
}
