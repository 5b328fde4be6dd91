//! What can be asked about what stops modules and domains.

use super::state::Halts;
use super::statement::Target;
use crate::registry::fold::Registry;

impl Registry {
    /// What stops a module or a domain, or stopped it once; nothing for one that nobody knows.
    #[must_use]
    pub fn halts(&self, target: &Target) -> &Halts {
        match target {
            Target::Module(digest) => self.states.halts.of_module(digest),
            Target::Domain(id) => self.states.halts.of_domain(id),
        }
    }
}
