//! What an entry changed, for those who act on it: the sequencer, monitors, pages.

use super::families::{Family, families};

macro_rules! change {
    ($($(#[$attr:meta])* $Family:ident $family:ident [$($Kind:ident),*],)*) => {
        /// What an entry changes.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Change {
            /// Nothing: it is of a type that has no meaning here.
            Nothing,
            $(
            $(#[$attr])*
            #[doc = concat!("Something in the family `", stringify!($family), "`.")]
            $Family(super::$family::judge::Change),)*
        }

        impl Change {
            /// The family whose state changes.
            #[must_use]
            pub fn family(&self) -> Option<Family> {
                match self {
                    Self::Nothing => None,
                    $($(#[$attr])* Self::$Family(_) => Some(Family::$Family),)*
                }
            }
        }
    };
}
families!(all change);
