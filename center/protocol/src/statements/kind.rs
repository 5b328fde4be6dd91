//! What makes a struct the predicate of a statement: its type.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The predicate of one type. It only says what was signed; what counts is decided by its family in `registry`.
pub trait Kind: Serialize + DeserializeOwned {
    /// The predicate type, a URI that need not resolve. It belongs to one family and one struct for ever.
    const TYPE: &'static str;
}
