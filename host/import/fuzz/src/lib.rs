//! The bodies of the fuzz targets. `host/import/tests/hostile/main.rs` runs the same bodies on stable Rust.

pub mod targets;
