//! The fold itself: open an entry, let its family judge it, commit what that gives. An entry is judged on the state as it is
//! and committed only then, so a refused one leaves no trace; committing cannot fail.

use std::sync::Arc;

use super::anomalies::Anomalies;
use super::change::Change;
use super::entry::Entry;
use super::error::{Anomaly, Invalid};
use super::families::{Family, families};
use super::keysets;
use super::said::Said;
use super::states::{FreeStates, States};
use super::too_new::{RULES_VERSION, TooNew};
use crate::ids::Digest;
use crate::statements::{Genesis, Keyset, Predicate, Root};

/// The state of a registry after some number of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    pub(super) size: u64,
    pub(super) stopped: Option<TooNew>,
    pub(super) states: States,
    pub(super) free: FreeStates,
    pub(super) anomalies: Anomalies,
}

macro_rules! effects {
    (
        binding: [$($Binding:ident $binding:ident [$($of_binding:ident),*],)*]
        free: [$($(#[$attr:meta])* $Free:ident $free:ident [$($of_free:ident),*],)*]
    ) => {
        /// What a judged entry does to the states.
        enum Effect {
            Nothing,
            $($Binding(super::$binding::judge::Effect),)*
            $($(#[$attr])* $Free(super::$free::judge::Effect),)*
        }

        impl Effect {
            fn change(&self) -> Change {
                match self {
                    Self::Nothing => Change::Nothing,
                    $(Self::$Binding(effect) => Change::$Binding(effect.change()),)*
                    $($(#[$attr])* Self::$Free(effect) => Change::$Free(effect.change()),)*
                }
            }
        }

        impl Registry {
            fn judge_in(&self, family: Family, entry: &Entry) -> Result<Effect, Invalid> {
                Ok(match family {
                    $(Family::$Binding => {
                        Effect::$Binding(super::$binding::judge::judge(&self.states, entry)?)
                    })*
                    $($(#[$attr])* Family::$Free => {
                        Effect::$Free(super::$free::judge::judge(&self.states, &self.free.$free, entry)?)
                    })*
                })
            }

            fn commit(&mut self, effect: Effect) {
                let index = self.size;
                match effect {
                    Effect::Nothing => {}
                    $(Effect::$Binding(effect) => super::$binding::judge::commit(&mut self.states, index, effect),)*
                    $($(#[$attr])* Effect::$Free(effect) => {
                        super::$free::judge::commit(&mut self.free.$free, index, effect);
                    })*
                }
                self.size += 1;
            }
        }

        /// True for a family whose statements count only where the registry requires it.
        fn is_binding(family: Family) -> bool {
            match family {
                $(Family::$Binding => true,)*
                $($(#[$attr])* Family::$Free => false,)*
            }
        }
    };
}
families!(grouped effects);

impl Registry {
    /// The registry of entry 0, which must have the digest that the reader pinned.
    ///
    /// # Errors
    /// [`Invalid`] if it is another genesis, is not signed by its own root threshold, or needs later rules.
    pub fn genesis(entry: &[u8], pinned: &Digest) -> Result<Self, Invalid> {
        let found = Digest::of(entry);
        if found != *pinned {
            return Err(Invalid::OtherGenesis { found, pinned: *pinned });
        }
        let entry = Entry::open(0, entry)?;
        let Predicate::Genesis(genesis) = &entry.statement.predicate else { return Err(Invalid::GenesisPlace) };
        keysets::judge::check_founding(&entry, genesis)?;
        Ok(Self {
            size: 1,
            stopped: None,
            states: States::founded(genesis, found),
            free: FreeStates::founded(genesis, found),
            anomalies: Anomalies::default(),
        })
    }

    /// What the entry with index [`Self::size`] would change, were it this one. Nothing is changed or copied.
    ///
    /// # Errors
    /// [`Invalid`] if it would have no effect.
    pub fn check(&self, entry: &[u8]) -> Result<Change, Invalid> {
        self.judge(entry).map(|(effect, _)| effect.change())
    }

    /// Takes the entry with index [`Self::size`] and says what it changed.
    ///
    /// # Errors
    /// [`Invalid`] with the reason; the registry is as it was before. The center refuses such an entry; a reader of the log
    /// uses [`Self::absorb`].
    pub fn apply(&mut self, entry: &[u8]) -> Result<Change, Invalid> {
        let (effect, _) = self.judge(entry)?;
        let change = effect.change();
        self.commit(effect);
        Ok(change)
    }

    /// As [`Self::apply`] for a registry that others may be reading: it is copied once the entry is known to be valid, and
    /// only if it is shared.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_shared(this: &mut Arc<Self>, entry: &[u8]) -> Result<Change, Invalid> {
        Self::apply_if(this, entry, |_, _| Ok(()))
    }

    /// As [`Self::apply_shared`], but only where `admit` has nothing against it: it is shown the registry without the entry,
    /// and what is said in the entry and by whom. It is asked about valid entries alone. Of an entry that nobody judged, because
    /// its family is not known or not in force, nobody is named: its signatures were not looked at.
    ///
    /// # Errors
    /// [`Invalid`], and what `admit` says.
    pub fn apply_if<E: From<Invalid>>(
        this: &mut Arc<Self>,
        entry: &[u8],
        admit: impl FnOnce(&Self, &Said) -> Result<(), E>,
    ) -> Result<Change, E> {
        let (effect, entry) = this.judge(entry)?;
        let is_judged = !matches!(effect, Effect::Nothing);
        admit(this, &if is_judged { entry.said() } else { entry.said_by_nobody() })?;
        let change = effect.change();
        Arc::make_mut(this).commit(effect);
        Ok(change)
    }

    /// As [`Self::apply`] for an entry that is in the log already: one without effect is kept as an [`Anomaly`], takes its
    /// index and changes nothing. An entry that asks for later rules stops the registry: see [`Self::stopped`].
    pub fn absorb(&mut self, entry: &[u8]) -> Change {
        match self.apply(entry) {
            Ok(change) => change,
            Err(reason) => {
                if let Some(needed) = reason.too_new() {
                    self.stopped.get_or_insert(needed.clone());
                }
                self.anomalies.add(Anomaly { index: self.size, entry: Digest::of(entry), reason });
                self.size += 1;
                Change::Nothing
            }
        }
    }

    fn judge(&self, bytes: &[u8]) -> Result<(Effect, Entry), Invalid> {
        if let Some(needed) = &self.stopped {
            return Err(Invalid::Stopped(needed.clone()));
        }
        let entry = Entry::open(self.size, bytes)?;
        let Some(family) = entry.statement.predicate.family() else { return Ok((Effect::Nothing, entry)) };
        if is_binding(family) && self.states.keysets.in_force(family.name()).is_none() {
            return Ok((Effect::Nothing, entry));
        }
        if matches!(entry.statement.predicate, Predicate::Genesis(_)) {
            return Err(Invalid::GenesisPlace);
        }
        if entry.statement.registry().as_ref() != Some(self.genesis_digest()) {
            return Err(Invalid::OtherRegistry);
        }
        Ok((self.judge_in(family, &entry)?, entry))
    }

    /// What entry 0 says. Keys in it may have been replaced since: see [`Self::keyset`] and [`Self::root`].
    #[must_use]
    pub fn founding(&self) -> &Genesis {
        &self.states.keysets.genesis
    }

    /// The digest of entry 0, which names this registry in every statement.
    #[must_use]
    pub fn genesis_digest(&self) -> &Digest {
        &self.states.keysets.digest
    }

    /// The keyset in force.
    #[must_use]
    pub fn keyset(&self) -> &Keyset {
        &self.states.keysets.keyset
    }

    /// The root in force.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.states.keysets.root
    }

    /// The version of the rules in force: the oldest that may judge this registry, and never a later one than
    /// [`RULES_VERSION`].
    #[must_use]
    pub fn rules_version(&self) -> u32 {
        self.states.keysets.min_rules_version.min(RULES_VERSION)
    }

    /// The version of a family's rules that the registry requires of its readers; `None` where it does not require the family.
    #[must_use]
    pub fn required(&self, family: &str) -> Option<u32> {
        self.states.keysets.in_force(family)
    }

    /// How many entries were folded, which is the index of the next one.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The entries without effect, in the order of the log.
    #[must_use]
    pub const fn anomalies(&self) -> &Anomalies {
        &self.anomalies
    }

    /// What an entry asked for and this software does not know. From then on nothing is effective and no domain is in force,
    /// until the software is updated and the log folded again.
    #[must_use]
    pub fn stopped(&self) -> Option<&TooNew> {
        self.stopped.as_ref()
    }
}
