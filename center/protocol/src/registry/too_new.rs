//! What a registry asks of its readers and this software does not know.

use std::fmt;

/// The version of the rules in this folder. A genesis or keyset that asks for a later one stops this software. Version 2 knows
/// `required_families`; in a registry whose `min_rules_version` is 1 that member means nothing, as it did to version 1.
pub const RULES_VERSION: u32 = 2;

/// Rules that a registry requires and this software is too old for. Whoever meets them stops: nothing is effective any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TooNew {
    /// A later version of the rules.
    Rules {
        /// What the registry asks for.
        needed: u32,
        /// [`RULES_VERSION`].
        ours: u32,
    },
    /// A family of statements, or a later version of one.
    Family {
        /// Its name.
        family: String,
        /// The version that the registry asks for.
        needed: u32,
        /// The version that this software knows, if it knows the family.
        ours: Option<u32>,
    },
}

impl TooNew {
    /// What is needed, without what there is.
    #[must_use]
    pub fn needed(&self) -> String {
        match self {
            Self::Rules { needed, .. } => format!("rules version {needed}"),
            Self::Family { family, needed, .. } => format!("version {needed} of the family `{family}`"),
        }
    }
}

impl fmt::Display for TooNew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.needed())?;
        match self {
            Self::Rules { ours, .. } | Self::Family { ours: Some(ours), .. } => {
                write!(f, ", this software knows {ours}")
            }
            Self::Family { ours: None, .. } => f.write_str(", this software does not know it"),
        }
    }
}
