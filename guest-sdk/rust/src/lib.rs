//! What an analysis module written in Rust uses: its declared queries as typed columns, addresses and prefixes, errors
//! that go with `?`, messages and progress.
//!
//! It adds no capability: everything here goes through the interfaces of `guest-sdk/wit`, and a module imports only
//! those that it uses. It must hold no state between runs and read nothing but what the host gives.
//!
//! ```ignore
//! iog_guest::analysis!("hello"); // the world `hello` of the module's own folder `wit/`
//!
//! struct Hello;
//! impl Guest for Hello {
//!     fn packets_to(target: String) -> Result<u64, String> {
//!         let mut rows = iog_guest::query("to-target").bind(target).open()?;
//!         let mut packets = 0u64;
//!         while let Some(batch) = rows.next()? {
//!             packets += batch.u64s("packets")?.values().iter().sum::<u64>();
//!         }
//!         Ok(packets)
//!     }
//! }
//! export!(Hello);
//! ```

mod address;
mod bindings;
pub mod bounded;
mod column;
mod error;
pub mod log;
mod query;

pub use address::{Address, Prefix, PrefixError};
pub use bindings::iog::guest::{context, data};
pub use column::{Column, Nulls, Texts};
pub use error::Error;
pub use query::{Batch, Query, Rows, query};
pub use wit_bindgen;

/// Where the analysis runs: domain id and AS number of the provider, as the registry states them.
#[must_use]
pub fn provider() -> context::Identity {
    context::provider()
}

/// The entry that the caller asked for, for example `trace`.
#[must_use]
pub fn entry() -> String {
    context::entry()
}

/// Tells how much of the work is done, in percent (more than 100 counts as 100). The provider's operators
/// see it in steps of ten.
pub fn progress(percent: u8) {
    bindings::iog::guest::progress::report(percent);
}

/// Makes the types, the trait `Guest` and the macro `export!` of a world in the module's folder `wit/`.
///
/// The world needs to name the module's exports only: the imports come with the functions of this crate that are used.
#[macro_export]
macro_rules! analysis {
    ($world:literal) => {
        $crate::wit_bindgen::generate!({
            path: "wit",
            world: $world,
            runtime_path: "::iog_guest::wit_bindgen::rt",
        });
    };
}
