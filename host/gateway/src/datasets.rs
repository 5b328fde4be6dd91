//! The provider's datasets, opened as the configuration says and opened again when they cannot be used as they are: a file
//! that is another one, files that came or went, a database that cannot be reached or has other columns. The schemas of the
//! protocol become the table shapes of the data engine here, and nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use iog_data::{
    ColumnSpec, ColumnType, DataError, Dataset, Relation, SourceSpec, TableSchema, TableSpec, TimestampUnit,
};
use iog_protocol::ids::{DatasetName, Digest};
use iog_protocol::manifest::ReleaseClass;
use iog_protocol::schemas::{self, Schema};

use iog_machine::error::chain;

use crate::config;

/// One dataset that can be read.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The schema's id.
    pub schema: String,
    /// What may leave.
    pub class: ReleaseClass,
    /// The engine's handle.
    pub data: Arc<Dataset>,
}

/// All datasets of a gateway: each open, or the reason why not.
#[derive(Debug, Default)]
pub struct Datasets {
    open: BTreeMap<DatasetName, Result<Bound, String>>,
}

impl Datasets {
    /// Opens what is not open and what has changed; the rest stays as it is. What cannot be opened keeps its reason for
    /// the operator's log and is tried again next time.
    pub async fn refresh(&mut self, configured: &BTreeMap<DatasetName, config::DatasetConfig>) {
        for (name, config) in configured {
            if let Some(Ok(bound)) = self.open.get(name)
                && bound.data.is_current().await
            {
                continue;
            }
            let opened = open_one(name.as_str(), config).await.map_err(|e| chain(&e));
            match &opened {
                Ok(bound) => tracing::info!(dataset = %name, schema = bound.schema, "dataset is open"),
                Err(problem) => tracing::warn!(dataset = %name, problem, "dataset cannot be used"),
            }
            self.open.insert(name.clone(), opened);
        }
    }

    /// A dataset that is open.
    #[must_use]
    pub fn get(&self, name: &DatasetName) -> Option<&Bound> {
        self.open.get(name)?.as_ref().ok()
    }

    /// Why datasets cannot be used, for the operator.
    pub fn problems(&self) -> impl Iterator<Item = (&DatasetName, &str)> {
        self.open.iter().filter_map(|(name, state)| Some((name, state.as_ref().err()?.as_str())))
    }
}

impl Bound {
    /// Identifies the data this handle reads. Not salted: it must not leave the gateway as it is.
    #[must_use]
    pub fn snapshot(&self) -> Digest {
        Digest::from_bytes(self.data.snapshot().digest)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DatasetConfig, DatasetFormat};
    use crate::testkit;
    use iog_data::parse_address;

    #[tokio::test]
    async fn every_file_of_a_pattern_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let name: DatasetName = "border".parse().unwrap();
        let config = config::DatasetConfig { path: folder.path().join("*.csv"), ..testkit::dataset(folder.path()) };
        let configured = BTreeMap::from([(name.clone(), config)]);
        let mut datasets = Datasets::default();
        datasets.refresh(&configured).await;
        let first = Arc::clone(&datasets.get(&name).unwrap().data);
        datasets.refresh(&configured).await;
        assert!(Arc::ptr_eq(&first, &datasets.get(&name).unwrap().data), "nothing has changed");
        let longer = testkit::FLOWS.to_owned() + "1800000006,1800000007,198.51.100.4,192.0.2.1,17,9,900,64504\n";
        std::fs::write(folder.path().join("flows.csv"), longer).unwrap();
        datasets.refresh(&configured).await;
        let second = Arc::clone(&datasets.get(&name).unwrap().data);
        assert!(!Arc::ptr_eq(&first, &second), "a file was changed in place, which its folder does not show");
        std::fs::write(folder.path().join("more.csv"), testkit::FLOWS).unwrap();
        datasets.refresh(&configured).await;
        assert!(!Arc::ptr_eq(&second, &datasets.get(&name).unwrap().data), "a file came");
    }

    /// Writes `rows` flows of `flow/1` to a Parquet file.
    fn write(path: &std::path::Path, rows: usize) {
        use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, UInt64Array};
        let schema = table(schemas::schema("flow/1").unwrap());
        let one = |column: &ColumnSpec| -> ArrayRef {
            match column.ty {
                ColumnType::Timestamp => Arc::new(Int64Array::from(vec![1_800_000_000_000_000; rows])),
                ColumnType::Address => {
                    let address = parse_address("192.0.2.1").unwrap();
                    Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::repeat_n(address, rows)).unwrap())
                }
                _ => Arc::new(UInt64Array::from(vec![1; rows])),
            }
        };
        let batch = RecordBatch::try_new(schema.arrow(), schema.columns.iter().map(one).collect()).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        iog_data::write_parquet(path, schema.arrow(), &[batch]).unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_grows_is_opened_again_and_else_kept() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("flows/day=1/a.parquet"), 3);
        let folder = dir.path().join("flows");
        let config = DatasetConfig::file("flow/1", folder, DatasetFormat::Parquet, config::TimestampUnit::Micros);
        let name: DatasetName = "border".parse().unwrap();
        let configured = BTreeMap::from([(name.clone(), config)]);
        let mut datasets = Datasets::default();
        datasets.refresh(&configured).await;
        let first = datasets.get(&name).unwrap().clone();
        assert_eq!(first.data.snapshot().rows, Some(3));
        datasets.refresh(&configured).await;
        assert!(Arc::ptr_eq(&first.data, &datasets.get(&name).unwrap().data));
        write(&dir.path().join("flows/day=2/deeper/b.parquet"), 4);
        datasets.refresh(&configured).await;
        let grown = datasets.get(&name).unwrap();
        assert_eq!(grown.data.snapshot().rows, Some(7));
        assert_ne!(grown.snapshot(), first.snapshot());
        std::fs::remove_dir_all(dir.path().join("flows")).unwrap();
        datasets.refresh(&configured).await;
        assert!(datasets.get(&name).is_none());
    }
}
