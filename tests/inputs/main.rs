//! The hostile inputs of docs/reliability.md, "Bad input", that a single process can try: files at the two doors of intake,
//! and guests in the sandbox. Each is tried alone and held to its memory, its threads, its files and no panic (`alone.rs`).
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod alone;
mod apart;
mod boundary;
mod bytes;
mod files;
mod machine;
#[path = "../../host/sandbox/tests/support/mod.rs"]
mod support;
