//! The information model: the tables an analysis may ask for, as data. Every provider maps what it has onto these, so
//! that one query means the same everywhere. Holds no rows and knows no file format.
//!
//! Conventions of all schemas: a `timestamp` is microseconds since 1970-01-01T00:00:00Z (POSIX, UTC) as a signed 64-bit
//! integer; an `address` is 16 bytes, IPv4 mapped into `::ffff:0:0/96`; a prefix is two columns, its network address and
//! its length counted in its own family (0 to 32 for IPv4, 0 to 128 for IPv6). A column that is not required may be
//! absent from a dataset; it then reads as null.

mod flow;
mod geo;
mod names;
mod route;

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

/// Every schema of this version of the protocol.
pub const SCHEMAS: &[&Schema] = &[&flow::FLOW, &route::ROUTE, &names::PDNS, &geo::ASINFO, &geo::GEO];

/// The schema of this id (`flow/1`), or none.
#[must_use]
pub fn schema(id: &str) -> Option<&'static Schema> {
    SCHEMAS.iter().copied().find(|schema| schema.id == id)
}

/// A column every dataset must have.
const fn required(name: &'static str, ty: ColumnType, unit: &'static str, about: About) -> Column {
    Column { name, ty, required: true, unit, meaning: about.0, source: about.1 }
}

/// A column a dataset may have.
const fn optional(name: &'static str, ty: ColumnType, unit: &'static str, about: About) -> Column {
    Column { name, ty, required: false, unit, meaning: about.0, source: about.1 }
}

/// Meaning and source of a column.
struct About(&'static str, &'static str);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_schema_is_found_by_its_id_and_nothing_else_is() {
        for wanted in SCHEMAS {
            assert_eq!(schema(wanted.id), Some(*wanted));
        }
        let ids: Vec<_> = SCHEMAS.iter().map(|s| s.id).collect();
        assert_eq!(ids, ["flow/1", "route/1", "pdns/1", "asinfo/1", "geo/1"]);
        assert!(schema("flow/2").is_none() && schema("flow").is_none() && schema("").is_none());
    }

    #[test]
    fn column_names_are_unique_plain_and_explained() {
        for schema in SCHEMAS {
            let mut seen = BTreeSet::new();
            for column in schema.columns {
                assert!(seen.insert(column.name), "{} has `{}` twice", schema.id, column.name);
                assert!(column.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
                assert!(!column.meaning.is_empty() && !column.source.is_empty(), "{}.{}", schema.id, column.name);
            }
            assert!(schema.columns.iter().any(|c| c.required));
        }
    }

    #[test]
    fn only_data_about_people_and_traffic_are_not_public() {
        let closed: Vec<_> = SCHEMAS.iter().filter(|s| !s.public).map(|s| s.id).collect();
        assert_eq!(closed, ["flow/1", "pdns/1"]);
    }

    #[test]
    fn flow_fits_the_columns_of_common_logs() {
        let flow = schema("flow/1").expect("flow/1 exists");
        for name in ["start", "end", "src", "dst", "proto", "packets", "bytes", "ingress_as"] {
            assert!(flow.column(name).expect(name).required, "{name}");
        }
        for name in ["src_port", "dst_port", "tcp_flags", "egress_as", "sampling"] {
            assert!(!flow.column(name).expect(name).required, "{name}");
        }
        assert!(flow.column("SRC").is_none());
    }
}
