//! The bodies of the fuzz targets. `host/import/tests/hostile.rs` runs the same bodies on stable Rust.

pub mod targets;
