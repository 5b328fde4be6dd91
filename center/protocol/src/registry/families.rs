//! The table of families: everything that has to know all of them is made from it. A family is one folder beside this file,
//! with `statement.rs` (what is signed), `state.rs` (what became of it), `error.rs` (why it is refused) and `judge.rs`.

/// Calls `$then!` with the families: `all` gives them in one list, `grouped` in their two groups, `kinds` a line for each
/// predicate with its family.
///
/// A line names the family, its folder, and the predicates of `statement.rs`. Which group it stands in is its contract:
///
/// - **binding**: other families may look at its state. Its statements count only from the entry that requires it, so every
///   reader who goes on knows it. The four that every registry has are required from the genesis on.
/// - **free**: it may look at the binding ones, nobody may look at it. Its statements count for whoever knows it; who does not
///   ignores them and folds everything else to the same state.
macro_rules! families {
    (@table $($go:tt)*) => {
        families! {
            $($go)*
            binding: [
                Keysets keysets [Genesis, Keyset],
                Members members [Domain],
                Modules modules [Submission, Review, Approval],
                Halts halts [Revocation],
            ]
            free: [
                #[cfg(test)] Notices notices [Notice],
            ]
        }
    };
    (kinds $then:ident) => { families! { @table @kinds $then } };
    (all $then:ident) => { families! { @table @all $then } };
    (grouped $then:ident) => { families! { @table @grouped $then } };
    (@all $then:ident binding: [$($binding:tt)*] free: [$($free:tt)*]) => { $then! { $($binding)* $($free)* } };
    (@grouped $then:ident $($table:tt)*) => { $then! { $($table)* } };
    (@kinds $then:ident binding: [$($binding:tt)*] free: [$($free:tt)*]) => {
        families! { @each $then [] $($binding)* $($free)* }
    };
    (@each $then:ident [$($done:tt)*]) => { $then! { $($done)* } };
    (@each $then:ident $done:tt $(#[$attr:meta])* $Family:ident $family:ident [], $($rest:tt)*) => {
        families! { @each $then $done $($rest)* }
    };
    (
        @each $then:ident [$($done:tt)*]
        $(#[$attr:meta])* $Family:ident $family:ident [$Kind:ident $(, $more:ident)*], $($rest:tt)*
    ) => {
        families! {
            @each $then [$($done)* $(#[$attr])* $Family $family $Kind,]
            $(#[$attr])* $Family $family [$($more),*], $($rest)*
        }
    };
}
pub(crate) use families;

macro_rules! family {
    ($($(#[$attr:meta])* $Family:ident $family:ident [$($Kind:ident),*],)*) => {
        /// A family of statements: types, state, rules and reasons of their own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Family {
            $($(#[$attr])*
            #[doc = concat!("`", stringify!($family), "`")]
            $Family,)*
        }

        impl Family {
            /// All families that this software knows.
            pub const ALL: &[Self] = &[$($(#[$attr])* Self::$Family,)*];

            /// Its name, as keysets spell it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $($(#[$attr])* Self::$Family => stringify!($family),)*
                }
            }

            /// The latest version of its rules that this software knows.
            #[must_use]
            pub fn version(self) -> u32 {
                match self {
                    $($(#[$attr])* Self::$Family => super::$family::statement::VERSION,)*
                }
            }
        }
    };
}
families!(all family);

impl Family {
    /// The families that every registry requires, at version 1, from its genesis on.
    pub const FOUNDING: &[Self] = &[Self::Keysets, Self::Members, Self::Modules, Self::Halts];

    /// The family of this name, if this software knows it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|family| family.name() == name)
    }
}
