//! The states of all families side by side, in the two groups of the table. What a family may look at is what it is given:
//! every judge gets the binding states, and only a free family's own judge gets a free state.

use super::families::families;
use crate::ids::Digest;
use crate::statements::Genesis;

macro_rules! states {
    (
        binding: [$($Binding:ident $binding:ident [$($of_binding:ident),*],)*]
        free: [$($(#[$attr:meta])* $Free:ident $free:ident [$($of_free:ident),*],)*]
    ) => {
        /// The states of the binding families, which every judge may look at.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct States {
            $(pub(crate) $binding: super::$binding::state::State,)*
        }

        /// The states of the free families, each for its own judge alone.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct FreeStates {
            $($(#[$attr])* pub(super) $free: super::$free::state::State,)*
        }

        impl States {
            pub(super) fn founded(genesis: &Genesis, digest: Digest) -> Self {
                Self { $($binding: super::$binding::state::State::founded(genesis, digest),)* }
            }
        }

        impl FreeStates {
            pub(super) fn founded(genesis: &Genesis, digest: Digest) -> Self {
                // Used by none while the group is empty.
                let _ = (genesis, digest);
                Self { $($(#[$attr])* $free: super::$free::state::State::founded(genesis, digest),)* }
            }
        }
    };
}
families!(grouped states);
