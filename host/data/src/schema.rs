//! Schemas as data: what a table's columns are called and hold. This crate knows no schema by name; the gateway turns
//! the protocol's schemas into these.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

/// Bytes of an address: IPv6, or IPv4 mapped into `::ffff:0:0/96` (RFC 4291 §2.5.5.2).
pub(crate) const ADDRESS_BYTES: i32 = 16;
/// Key of the field metadata that tells timestamps from other integers.
pub(crate) const TYPE_KEY: &str = "iog.type";

/// What a column holds. Guests see timestamps as signed integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Microseconds since 1970-01-01T00:00:00Z, `Int64`.
    Timestamp,
    /// 16 bytes, IPv4 mapped, `FixedSizeBinary(16)`.
    Address,
    /// `UInt64`.
    Uint,
    /// `Int64`.
    Int,
    /// `Float64`.
    Float,
    /// `Utf8`.
    Text,
    /// `Boolean`.
    Flag,
    /// `Binary`; only in results, never in a schema bound to a source.
    Bytes,
}

impl ColumnType {
    /// The Arrow type in which the column is kept and crosses to a guest.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Timestamp | Self::Int => DataType::Int64,
            Self::Address => DataType::FixedSizeBinary(ADDRESS_BYTES),
            Self::Uint => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Flag => DataType::Boolean,
            Self::Bytes => DataType::Binary,
        }
    }

    /// What a person may write for a value of this type, for errors.
    pub(crate) fn fits(self) -> &'static str {
        match self {
            Self::Timestamp => "a point in time in the dataset's declared unit",
            Self::Address => "an IPv4 or IPv6 address in text form",
            Self::Uint => "a whole number from 0 to 18446744073709551615",
            Self::Int => "a whole number from -9223372036854775808 to 9223372036854775807",
            Self::Float => "a decimal number",
            Self::Text => "text in UTF-8",
            Self::Flag => "`true` or `false` (or 1 or 0)",
            Self::Bytes => "bytes",
        }
    }
}

/// One column of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// Name in SQL, lower-case.
    pub name: String,
    /// What it holds.
    pub ty: ColumnType,
    /// Whether a source must have it, without nulls. An optional column that a source lacks reads as null.
    pub required: bool,
}

/// A table's shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// Identifier, for example `flow/1`; only used in errors.
    pub id: String,
    /// The columns in order.
    pub columns: Vec<ColumnSpec>,
}

impl TableSchema {
    /// The Arrow schema of every batch of a dataset of this schema.
    pub fn arrow(&self) -> SchemaRef {
        let fields: Vec<Field> = self.columns.iter().map(|c| field(&c.name, c.ty, !c.required)).collect();
        Arc::new(Schema::new(fields))
    }

    /// Index of the column of this name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }
}

/// An Arrow field that remembers which column type it is.
pub(crate) fn field(name: &str, ty: ColumnType, nullable: bool) -> Field {
    let field = Field::new(name, ty.arrow(), nullable);
    match ty {
        ColumnType::Timestamp => field.with_metadata(HashMap::from([(TYPE_KEY.to_owned(), "timestamp".to_owned())])),
        _ => field,
    }
}

/// The column type of a result field, `None` where no guest can read it.
pub(crate) fn column_type(field: &Field) -> Option<ColumnType> {
    Some(match field.data_type() {
        DataType::Int64 if field.metadata().get(TYPE_KEY).is_some_and(|t| t == "timestamp") => ColumnType::Timestamp,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => ColumnType::Int,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => ColumnType::Uint,
        DataType::Float32 | DataType::Float64 => ColumnType::Float,
        DataType::Boolean => ColumnType::Flag,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => ColumnType::Bytes,
        DataType::FixedSizeBinary(ADDRESS_BYTES) => ColumnType::Address,
        _ => return None,
    })
}
