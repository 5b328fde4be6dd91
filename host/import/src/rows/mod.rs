//! Rows of the schemas other than `flow/1` as columns: a builder a schema, which hands a batch to its sink when it is
//! full. It decodes nothing.

mod asinfo;
mod fill;
mod geo;
mod pdns;
mod route;

pub use asinfo::{AsinfoBuilder, AsinfoRow, asinfo_schema};
pub use fill::TEXT_BYTES_MAX;
pub use geo::{GeoBuilder, GeoRow, geo_schema};
pub use pdns::{PdnsBuilder, PdnsRow, pdns_schema};
pub use route::{RouteBuilder, RouteKind, RouteRow, Said, route_schema};

#[cfg(test)]
mod tests;
