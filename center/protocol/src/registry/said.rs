//! What an entry says and whose signatures it has, for whoever counts entries and does not judge them.

use crate::ids::KeyId;
use crate::statements::Statement;

/// The content of an entry that the registry took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What is said.
    pub statement: Statement,
    /// The ids of the keys that signed. In an entry that the registry judged and took, each of them did; one that it took without
    /// judging names none.
    pub signers: Vec<KeyId>,
}
