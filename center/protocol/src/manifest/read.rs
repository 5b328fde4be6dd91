//! A TOML table that is read key by key and knows its place, so that every error names the full key and what is allowed.
//! Knows nothing of what the keys of a manifest mean.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::{Spanned, Table, Value};

use super::error::ManifestError;

/// Longest part of a found value that an error shows, in characters.
const FOUND_CHARS_MAX: usize = 60;

/// Names of the parameters of each query, in the order of the text.
pub(super) type ParamOrder = BTreeMap<String, Vec<String>>;

/// One table of the manifest: keys are taken out of it, and what is left at the end is unknown.
pub(super) struct Reader {
    path: String,
    table: Table,
    known: Vec<String>,
}

impl Reader {
    /// The whole document.
    pub(super) fn root(text: &str) -> Result<Self, ManifestError> {
        let table = toml::from_str::<Table>(text).map_err(|error| syntax(text, &error))?;
        Ok(Self::new(String::new(), table))
    }

    const fn new(path: String, table: Table) -> Self {
        Self { path, table, known: Vec::new() }
    }

    /// The table's own key, in brackets as in the text.
    pub(super) fn name(&self) -> String {
        self.path.clone()
    }

    /// Full path of a key of this table.
    pub(super) fn path(&self, key: &str) -> String {
        let key: String = key.chars().take(FOUND_CHARS_MAX).flat_map(char::escape_debug).collect();
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    /// Keys that have not been taken.
    pub(super) fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    /// A table that must be there.
    pub(super) fn table(&mut self, key: &str) -> Result<Self, ManifestError> {
        match self.take(key) {
            Some(Value::Table(table)) => Ok(Self::new(self.path(key), table)),
            Some(other) => Err(value_error(&self.path(key), describe(&other), "a table")),
            None => Err(self.missing(key, "a table")),
        }
    }

    /// A table that may be left out.
    pub(super) fn table_or_empty(&mut self, key: &str) -> Result<Self, ManifestError> {
        if self.table.contains_key(key) {
            return self.table(key);
        }
        self.known.push(key.to_owned());
        Ok(Self::new(self.path(key), Table::new()))
    }

    /// A text that must be there.
    pub(super) fn text(&mut self, key: &str, expected: &str) -> Result<String, ManifestError> {
        match self.take(key) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(value_error(&self.path(key), describe(&other), expected)),
            None => Err(self.missing(key, expected)),
        }
    }

    /// A text that a type understands.
    pub(super) fn parsed<T: FromStr>(&mut self, key: &str, expected: &str) -> Result<T, ManifestError> {
        let text = self.text(key, expected)?;
        text.parse().map_err(|_| value_error(&self.path(key), quote(&text), expected))
    }

    /// One line of printable text.
    pub(super) fn line(&mut self, key: &str, chars_max: usize) -> Result<String, ManifestError> {
        let expected = format!("one line of 1 to {chars_max} characters without control characters");
        let text = self.text(key, &expected)?;
        let fits = !text.trim().is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control);
        check(&self.path(key), quote(&text), fits, &expected)?;
        Ok(text)
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str, expected: &str) -> Result<Vec<String>, ManifestError> {
        let list = match self.take(key) {
            Some(Value::Array(list)) => list,
            Some(other) => return Err(value_error(&self.path(key), describe(&other), expected)),
            None => return Err(self.missing(key, expected)),
        };
        let text = |value| match value {
            Value::String(text) => Ok(text),
            other => Err(value_error(&self.path(key), describe(&other), expected)),
        };
        list.into_iter().map(text).collect()
    }

    /// A whole number from 1 to `max`, if it is there.
    pub(super) fn number(&mut self, key: &str, max: u64) -> Result<Option<u64>, ManifestError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        match number.filter(|number| (1..=max).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(value_error(&self.path(key), describe(&value), &format!("a whole number from 1 to {max}"))),
        }
    }

    /// As [`Reader::number`].
    pub(super) fn number_u32(&mut self, key: &str, max: u32) -> Result<Option<u32>, ManifestError> {
        let number = self.number(key, u64::from(max))?;
        Ok(number.map(|number| u32::try_from(number).unwrap_or(max)))
    }

    /// Refuses keys that nobody took.
    pub(super) fn finish(self) -> Result<(), ManifestError> {
        let Some(key) = self.table.keys().next() else { return Ok(()) };
        let allowed: Vec<_> = self.known.iter().map(|key| format!("`{key}`")).collect();
        let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
        Err(ManifestError::UnknownKey { key: self.path(key), allowed })
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.table.remove(key)
    }

    fn missing(&self, key: &str, expected: &str) -> ManifestError {
        ManifestError::Missing { key: self.path(key), expected: expected.to_owned() }
    }
}

/// Reads the order of parameters, which a table does not keep, from the places of their values in the text.
pub(super) fn param_order(text: &str) -> Result<ParamOrder, ManifestError> {
    #[derive(Deserialize)]
    struct Places {
        #[serde(default)]
        query: BTreeMap<String, QueryPlaces>,
    }
    #[derive(Deserialize)]
    struct QueryPlaces {
        #[serde(default)]
        params: BTreeMap<String, Spanned<IgnoredAny>>,
    }
    // A shape that does not fit is reported with its key by the reader, which goes over the same text.
    let Ok(places) = toml::from_str::<Places>(text) else { return Ok(ParamOrder::new()) };
    let order = |query: QueryPlaces| {
        let mut names: Vec<_> = query.params.into_iter().map(|(name, value)| (value.span().start, name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    };
    Ok(places.query.into_iter().map(|(name, query)| (name, order(query))).collect())
}

/// An error unless `fits`.
pub(super) fn check(key: &str, found: String, fits: bool, expected: &str) -> Result<(), ManifestError> {
    if fits { Ok(()) } else { Err(value_error(key, found, expected)) }
}

/// A value that does not fit its key.
pub(super) fn value_error(key: &str, found: String, expected: &str) -> ManifestError {
    ManifestError::Value { key: key.to_owned(), found, expected: expected.to_owned() }
}

fn syntax(text: &str, error: &toml::de::Error) -> ManifestError {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    ManifestError::Syntax { line, message: error.message().chars().take(200).collect() }
}

fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Integer(number) => format!("`{number}`"),
        Value::Float(number) => format!("`{number}`"),
        Value::Boolean(flag) => format!("`{flag}`"),
        Value::Datetime(_) => "a date".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}

fn quote(text: &str) -> String {
    let shown: String = text.chars().take(FOUND_CHARS_MAX).flat_map(char::escape_debug).collect();
    format!("`{shown}`")
}
