//! Static facts of an analysis: what its component imports and exports, in which types, how large it is, and what its
//! declared queries read. The center inspects at submission, every gateway again before it runs anything, the command
//! line for authors and reviewers. Never executes or compiles the component, and bounds everything before reading it.

mod check;
mod docs;
mod error;
mod facts;
mod features;
pub mod limits;
mod merge;
mod schema;
pub mod sql;
mod structure;
mod text;
mod types;
mod wit;
mod world;

pub use check::{Finding, check};
pub use error::InspectError;
pub use facts::{CoreFacts, ExportFact, Facts};
pub use limits::InspectLimits;
pub use sql::{QueryFinding, columns_of};
pub use types::WitTypeFact;

use iog_protocol::ids::Digest;

/// Facts of a component.
///
/// In this order, so that nothing expensive is done for what something cheap refuses: size and magic, counts of
/// everything, validation with the features that are on, types, text.
///
/// # Errors
/// [`InspectError`], always the fault of whoever built the file.
pub fn inspect(wasm: &[u8], limits: &InspectLimits) -> Result<Facts, InspectError> {
    let core = structure::scan(wasm, limits)?;
    features::validate(wasm)?;
    let world = world::read(wasm, limits)?;
    Ok(Facts {
        digest: Digest::of(wasm),
        size: wasm.len() as u64,
        imports: world.imports,
        merge: world.exports.iter().any(|export| export.name == "merge"),
        exports: world.exports,
        wit: world.wit,
        core,
    })
}

#[cfg(test)]
mod tests;
