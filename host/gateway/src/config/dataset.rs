//! The `[dataset.<name>]` tables: where a dataset lies, how its columns map onto a schema and how secret it is. A key that
//! has no meaning for a format is refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use iog_data::DatabaseUrl;
use iog_protocol::manifest::ReleaseClass;
use iog_protocol::schemas;
use serde::Deserialize;

use super::error::ConfigError;

/// One dataset.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// The schema it is bound to, for example `flow/1`.
    pub schema: String,
    /// Of all formats but `postgres`: the file (of `csv` and `parquet` also a glob, of `parquet` also a folder), relative to
    /// the configuration's folder.
    #[serde(default)]
    pub path: PathBuf,
    /// Of `postgres`: where the database is, `postgres://user@localhost/name`.
    #[serde(default)]
    pub url: Option<DatabaseUrl>,
    /// The format.
    pub format: DatasetFormat,
    /// Of databases: the table to read, `name` or `schema.name`.
    #[serde(default)]
    pub table: Option<String>,
    /// Of databases: a SELECT to read instead of a table.
    #[serde(default)]
    pub view: Option<String>,
    /// Of databases: columns of the table or view that order its rows; all mapped columns follow.
    #[serde(default)]
    pub order_by: Vec<String>,
    /// What may leave: `reviewed` or `open`. The stricter classes are known and refused until there is a way to run them.
    pub class: ReleaseClass,
    /// Schema column → column of the file, table or view, where the names differ.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// The unit of timestamps that are numbers or text.
    #[serde(default)]
    pub timestamp: TimestampUnit,
}

/// Formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatasetFormat {
    /// Comma-separated with a header line; gzip is recognised.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// A table or view of a SQLite file.
    Sqlite,
    /// A table or view of a PostgreSQL database.
    Postgres,
}

impl DatasetFormat {
    /// As the configuration writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    fn is_database(self) -> bool {
        matches!(self, Self::Sqlite | Self::Postgres)
    }
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
    /// RFC 3339 text with an offset.
    Rfc3339,
}

impl DatasetConfig {
    /// A file whose columns have the schema's names.
    #[must_use]
    pub fn file(schema: &str, path: PathBuf, format: DatasetFormat, timestamp: TimestampUnit) -> Self {
        Self {
            schema: schema.to_owned(),
            path,
            url: None,
            format,
            table: None,
            view: None,
            order_by: Vec::new(),
            class: ReleaseClass::Reviewed,
            columns: BTreeMap::new(),
            timestamp,
        }
    }

    /// Which keys there must and must not be.
    fn check_keys(&self, key: &str) -> Result<(), ConfigError> {
        let format = self.format.name();
        let wants_path = self.format != DatasetFormat::Postgres;
        let database = self.format.is_database();
        let stray = [
            ("path", !wants_path && !self.path.as_os_str().is_empty()),
            ("url", wants_path && self.url.is_some()),
            ("table", !database && self.table.is_some()),
            ("view", !database && self.view.is_some()),
            ("order_by", !database && !self.order_by.is_empty()),
        ];
        if let Some((stray, _)) = stray.into_iter().find(|(_, is)| *is) {
            let found = format!("format `{format}` has no such key");
            return Err(ConfigError::value(format!("{key}.{stray}"), found, "leave it out"));
        }
        let missing = |what: &str, remedy: &str| {
            let found = format!("format `{format}` needs it");
            Err(ConfigError::value(format!("{key}.{what}"), found, remedy))
        };
        if wants_path && self.path.as_os_str().is_empty() {
            return missing("path", "write the path of the file");
        }
        if !wants_path && self.url.is_none() {
            return missing("url", "write where the database is, `postgres://user@localhost/name`");
        }
        match (database, &self.table, &self.view) {
            (true, None, None) => missing("table", "name the table, or write a SELECT as `view`"),
            (true, Some(_), Some(_)) => {
                let found = "there is a `table` too".to_owned();
                Err(ConfigError::value(format!("{key}.view"), found, "write one of the two"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check(&self, key: &str) -> Result<(), ConfigError> {
        self.check_keys(key)?;
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
