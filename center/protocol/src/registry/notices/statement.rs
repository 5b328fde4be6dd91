//! What a notice says: a line of text from a member. No rule is in here.

use serde::{Deserialize, Serialize};

use crate::statements::kind::Kind;

/// The version of this family's rules: which statement types it has and what they do.
pub(crate) const VERSION: u32 = 1;

/// A line of text for all members, signed by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The text.
    pub text: String,
}

impl Kind for Notice {
    const TYPE: &'static str = "https://iog.example/statement/notice/v1";
}
