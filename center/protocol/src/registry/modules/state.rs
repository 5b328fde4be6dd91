//! The submitted files, by digest.

use std::collections::BTreeMap;

use super::record::ModuleRecord;
use crate::ids::{Digest, ModuleName, ModuleVersion};
use crate::statements::Genesis;

/// All submitted files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    modules: BTreeMap<Digest, ModuleRecord>,
}

impl State {
    pub(crate) fn founded(_genesis: &Genesis, _digest: Digest) -> Self {
        Self::default()
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<&ModuleRecord> {
        self.modules.get(digest)
    }

    pub(super) fn get_mut(&mut self, digest: &Digest) -> Option<&mut ModuleRecord> {
        self.modules.get_mut(digest)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ModuleRecord> {
        self.modules.values()
    }

    pub(super) fn insert(&mut self, record: ModuleRecord) {
        self.modules.insert(record.submission.module, record);
    }

    /// The file that this name and version stand for.
    pub(super) fn version(&self, name: &ModuleName, version: &ModuleVersion) -> Option<&ModuleRecord> {
        self.iter().find(|record| record.submission.name == *name && record.submission.version == *version)
    }
}

/// The highest version that is not a pre-release, or the highest pre-release where there is nothing else.
pub(super) fn highest<'a>(records: impl Iterator<Item = &'a ModuleRecord>) -> Option<&'a ModuleRecord> {
    records.max_by_key(|record| {
        let version = &record.submission.version;
        (version.semver().pre.is_empty(), version.clone())
    })
}
