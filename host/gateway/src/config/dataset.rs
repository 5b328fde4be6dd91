//! The `[dataset.<name>]` tables: where a dataset lies, how its columns map onto a schema and how secret it is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use iog_protocol::manifest::ReleaseClass;
use iog_protocol::schemas;
use serde::Deserialize;

use super::ConfigError;

/// One dataset.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// The schema it is bound to, for example `flow/1`.
    pub schema: String,
    /// The file, relative to the configuration's folder.
    pub path: PathBuf,
    /// The file's format.
    pub format: DatasetFormat,
    /// What may leave: `reviewed` or `open`. The stricter classes are known and refused until there is a way to run them.
    pub class: ReleaseClass,
    /// Schema column → column of the file, where the names differ.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// The unit of timestamps that are numbers.
    #[serde(default)]
    pub timestamp: TimestampUnit,
}

/// File formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatasetFormat {
    /// Comma-separated with a header line; gzip is recognised.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Units of timestamps since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimestampUnit {
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Millis,
    /// Millionths of a second, as the schemas have them.
    #[default]
    Micros,
}

impl DatasetConfig {
    pub(super) fn check(&self, key: &str) -> Result<(), ConfigError> {
        let Some(schema) = schemas::schema(&self.schema) else {
            return Err(ConfigError::value(
                format!("{key}.schema"),
                format!("there is no schema `{}`", self.schema),
                "write one of the platform's schemas, for example `flow/1`",
            ));
        };
        for column in self.columns.keys() {
            if !schema.columns.iter().any(|c| c.name == column) {
                let known: Vec<_> = schema.columns.iter().map(|c| format!("`{}`", c.name)).collect();
                return Err(ConfigError::value(
                    format!("{key}.columns.{column}"),
                    format!("the schema `{}` has no such column", self.schema),
                    format!("its columns are {}", known.join(", ")),
                ));
            }
        }
        Ok(())
    }
}
