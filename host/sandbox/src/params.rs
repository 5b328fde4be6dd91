//! The parameters of a run, before they are values.

use std::sync::Arc;

use serde_json::Value;

/// An object with one member for each parameter of the entry, by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Params {
    /// As JSON that somebody has already.
    Read(Value),
    /// As the text of the JSON, which the run reads in its slot and is charged for.
    Text(Arc<str>),
}

impl From<Value> for Params {
    fn from(value: Value) -> Self {
        Self::Read(value)
    }
}
