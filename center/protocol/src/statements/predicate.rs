//! A statement's predicate as one enum, made from the table of families, so that nobody has to list the types again.

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use crate::registry::families::{Family, families};

/// The predicate alone, read straight into its type and never through a map, so a repeated member is an error.
#[derive(Deserialize)]
struct Body<P> {
    predicate: P,
}

macro_rules! predicates {
    ($($(#[$attr:meta])* $Family:ident $family:ident $Kind:ident,)*) => {
        /// What a statement says. `Unknown` holds the predicate type of a statement that this software has no rule for.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Predicate {
            $($(#[$attr])*
            #[doc = concat!("A `", stringify!($Kind), "` of the family `", stringify!($family), "`.")]
            $Kind(Box<crate::registry::$family::statement::$Kind>),)*
            /// Any other type.
            Unknown(String),
        }

        $($(#[$attr])*
        impl From<crate::registry::$family::statement::$Kind> for Predicate {
            fn from(value: crate::registry::$family::statement::$Kind) -> Self {
                Self::$Kind(Box::new(value))
            }
        })*

        impl Predicate {
            /// The predicate type, a URI.
            #[must_use]
            pub fn type_uri(&self) -> &str {
                match self {
                    $($(#[$attr])* Self::$Kind(_) => crate::registry::$family::statement::$Kind::TYPE,)*
                    Self::Unknown(uri) => uri,
                }
            }

            /// The family whose rules judge it; `None` where this software knows none.
            #[must_use]
            pub fn family(&self) -> Option<Family> {
                match self {
                    $($(#[$attr])* Self::$Kind(_) => Some(Family::$Family),)*
                    Self::Unknown(_) => None,
                }
            }

            /// Reads the predicate of a payload whose predicate type is `uri`.
            pub(super) fn read(uri: String, payload: &[u8]) -> Result<Self, serde_json::Error> {
                fn body<P: Kind + Into<Predicate>>(payload: &[u8]) -> Result<Predicate, serde_json::Error> {
                    Ok(serde_json::from_slice::<Body<P>>(payload)?.predicate.into())
                }
                match uri.as_str() {
                    $($(#[$attr])* crate::registry::$family::statement::$Kind::TYPE => {
                        body::<crate::registry::$family::statement::$Kind>(payload)
                    })*
                    _ => Ok(Self::Unknown(uri)),
                }
            }

            /// Gives the predicate to `writer`; `None` for an unknown one, whose content was not kept.
            pub(super) fn write<W: Write>(&self, writer: W) -> Option<W::Done> {
                match self {
                    $($(#[$attr])* Self::$Kind(predicate) => Some(writer.write(predicate.as_ref())),)*
                    Self::Unknown(_) => None,
                }
            }
        }
    };
}
families!(kinds predicates);

/// What a predicate can be given to without naming its type.
pub(super) trait Write {
    type Done;

    fn write<P: Serialize>(self, predicate: &P) -> Self::Done;
}
