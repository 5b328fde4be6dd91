//! What a schema is made of: a table, its columns, what each holds and means. It knows none of the schemas.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Microseconds since the epoch, UTC, `s64`.
    Timestamp,
    /// An IP address, 16 bytes, IPv4 mapped.
    Address,
    /// Unsigned 64-bit integer.
    Uint,
    /// Signed 64-bit integer.
    Int,
    /// IEEE 754 double.
    Float,
    /// UTF-8 text.
    Text,
    /// True or false.
    Flag,
}

impl ColumnType {
    /// The name used in documentation and in serialised form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::Address => "address",
            Self::Uint => "uint",
            Self::Int => "int",
            Self::Float => "float",
            Self::Text => "text",
            Self::Flag => "flag",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One column of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name as queries write it: lower-case letters, digits and `_`.
    pub name: &'static str,
    /// What it holds.
    pub ty: ColumnType,
    /// Whether a dataset must have it (and must have a value in every row).
    pub required: bool,
    /// Unit, or `""` for a name, code or count without one.
    pub unit: &'static str,
    /// What a value says.
    pub meaning: &'static str,
    /// Where the meaning is defined: IPFIX information element, MRT or BGP attribute, COF key, RFC field.
    pub source: &'static str,
}

/// A table that analyses can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// Name and version, for example `flow/1`.
    pub id: &'static str,
    /// What one row is.
    pub summary: &'static str,
    /// Whether the data are public by nature. A module that reads any other schema needs one review more.
    pub public: bool,
    /// Columns in their documented order.
    pub columns: &'static [Column],
}

impl Schema {
    /// The column of this name, if the schema has it. Names are matched exactly.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// A column every dataset must have.
pub(super) const fn required(name: &'static str, ty: ColumnType, unit: &'static str, about: About) -> Column {
    Column { name, ty, required: true, unit, meaning: about.0, source: about.1 }
}

/// A column a dataset may have.
pub(super) const fn optional(name: &'static str, ty: ColumnType, unit: &'static str, about: About) -> Column {
    Column { name, ty, required: false, unit, meaning: about.0, source: about.1 }
}

/// Meaning and source of a column.
pub(super) struct About(pub(super) &'static str, pub(super) &'static str);
