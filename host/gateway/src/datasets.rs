//! The provider's datasets, opened as the configuration says and opened again when their file has changed. The schemas of
//! the protocol become the table shapes of the data engine here, and nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use iog_data::{
    ColumnSpec, ColumnType, DataError, Dataset, FileStamp, SourceSpec, TableSchema, TimestampUnit, find_files,
};
use iog_protocol::ids::{DatasetName, Digest};
use iog_protocol::manifest::ReleaseClass;
use iog_protocol::schemas::{self, Schema};

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
    /// Every file of it, as it was just before it was opened.
    stamps: Vec<FileStamp>,
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
            let stamps = find_files(&config.path);
            if matches!((self.open.get(name), &stamps), (Some(Ok(bound)), Ok(now)) if bound.stamps == *now) {
                continue;
            }
            let opened = open(name.as_str(), config, stamps).await.map_err(|e| full_text(&e));
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
    open(name, config, find_files(&config.path)).await
}

async fn open(
    name: &str,
    config: &config::DatasetConfig,
    stamps: Result<Vec<FileStamp>, DataError>,
) -> Result<Bound, DataError> {
    let schema = schemas::schema(&config.schema).ok_or_else(|| DataError::Config {
        dataset: name.to_owned(),
        reason: format!("there is no schema `{}`", config.schema),
    })?;
    let data = Dataset::open(name, &table(schema), source(config)).await?;
    Ok(Bound { schema: config.schema.clone(), class: config.class, data: Arc::new(data), stamps: stamps? })
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

fn source(config: &config::DatasetConfig) -> SourceSpec {
    let (path, columns) = (config.path.clone(), config.columns.clone());
    let timestamp = match config.timestamp {
        config::TimestampUnit::Seconds => TimestampUnit::Seconds,
        config::TimestampUnit::Millis => TimestampUnit::Millis,
        config::TimestampUnit::Micros => TimestampUnit::Micros,
    };
    match config.format {
        config::DatasetFormat::Csv => SourceSpec::Csv { path, columns, timestamp },
        config::DatasetFormat::Parquet => SourceSpec::Parquet { path, columns, timestamp },
    }
}

/// An error with its causes, for the operator's log.
pub(crate) fn full_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit;

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
}
