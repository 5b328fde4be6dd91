//! What can be asked about submitted modules whatever the time.

use super::count::needed;
use super::record::ModuleRecord;
use super::state::highest;
use crate::ids::{Digest, ModuleName, ModuleVersion};
use crate::registry::fold::Registry;

impl Registry {
    /// The file with this digest, approved or not.
    #[must_use]
    pub fn module(&self, digest: &Digest) -> Option<&ModuleRecord> {
        self.states.modules.get(digest)
    }

    /// All submitted files, in the order of their digests.
    pub fn modules(&self) -> impl Iterator<Item = &ModuleRecord> {
        self.states.modules.iter()
    }

    /// How many files were submitted.
    #[must_use]
    pub fn module_count(&self) -> usize {
        self.states.modules.len()
    }

    /// The file that a name and version stand for, approved or not; without a version the highest that is not a pre-release,
    /// or the highest pre-release where there is nothing else.
    #[must_use]
    pub fn find(&self, name: &ModuleName, version: Option<&ModuleVersion>) -> Option<&ModuleRecord> {
        match version {
            Some(version) => self.states.modules.version(name, version),
            None => highest(self.states.modules.named(name).into_iter()),
        }
    }

    /// Organisations that must approve: k, and one more for anything but public data.
    #[must_use]
    pub fn needed_reviews(&self, record: &ModuleRecord) -> u32 {
        needed(&self.states, record)
    }
}
