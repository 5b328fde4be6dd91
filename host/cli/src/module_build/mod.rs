//! Builds an analysis module: `build.rs` makes a component of its crate, `record.rs` says whether one that is there still
//! belongs to its sources, `command.rs` is `iog module build`. It signs nothing and judges nothing; `iog-inspect` does
//! that with the result.

mod asking;
mod build;
pub(crate) mod command;
mod confined;
mod crates;
mod docs;
mod files;
mod host_side;
mod lock;
mod manifest;
mod metadata;
mod record;
mod source;
mod strangers;
mod toolchain;
