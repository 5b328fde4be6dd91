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
mod table;

pub use table::{Column, ColumnType, Schema};

/// Every schema of this version of the protocol.
pub const SCHEMAS: &[&Schema] = &[&flow::FLOW, &route::ROUTE, &names::PDNS, &geo::ASINFO, &geo::GEO];

/// The schema of this id (`flow/1`), or none.
#[must_use]
pub fn schema(id: &str) -> Option<&'static Schema> {
    SCHEMAS.iter().copied().find(|schema| schema.id == id)
}

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
