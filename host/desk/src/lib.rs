//! What an auditor, root holder, publisher, provider or caller looks at and decides, as plain data: the command line shows
//! it, and so will a page and an API. A view is made from what this machine verified, never from what a server claims. A
//! decision becomes a statement without signatures; the key stays with the signer. It prints nothing, signs nothing, and
//! runs no module; it touches network and disk in `reach` and `archive` alone.

pub mod archive;
pub mod decide;
pub mod numbers;
pub mod reach;
pub mod text;
pub mod views;

pub use archive::Archive;
pub use reach::{Link, Network, ReachError};
