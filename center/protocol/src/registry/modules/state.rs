//! The submitted files, by digest.

use std::sync::Arc;

use super::record::ModuleRecord;
use crate::ids::{Digest, ModuleName, ModuleVersion};
use crate::registry::shared_map::SharedMap;
use crate::statements::Genesis;

/// All submitted files, and the files that names and versions stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    modules: SharedMap<Digest, Arc<ModuleRecord>>,
    versions: SharedMap<(ModuleName, ModuleVersion), Digest>,
}

impl State {
    pub(crate) fn founded(_genesis: &Genesis, _digest: Digest) -> Self {
        Self::default()
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<&ModuleRecord> {
        self.modules.get(digest).map(Arc::as_ref)
    }

    pub(super) fn get_mut(&mut self, digest: &Digest) -> Option<&mut ModuleRecord> {
        self.modules.get_mut(digest).map(Arc::make_mut)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ModuleRecord> {
        self.modules.values().map(Arc::as_ref)
    }

    pub(super) fn len(&self) -> usize {
        self.modules.len()
    }

    pub(super) fn insert(&mut self, record: ModuleRecord) {
        let submission = &record.submission;
        self.versions.insert((submission.name.clone(), submission.version.clone()), submission.module);
        self.modules.insert(record.submission.module, Arc::new(record));
    }

    /// The file that this name and version stand for.
    pub(super) fn version(&self, name: &ModuleName, version: &ModuleVersion) -> Option<&ModuleRecord> {
        self.get(self.versions.get(&(name.clone(), version.clone()))?)
    }

    /// The files of this name, by version.
    pub(crate) fn named(&self, name: &ModuleName) -> Vec<&ModuleRecord> {
        let from = self.versions.iter_from(|(other, _)| other < name);
        let named = from.take_while(|((other, _), _)| other == name);
        named.filter_map(|(_, digest)| self.get(digest)).collect()
    }
}

/// The highest version that is not a pre-release, or the highest pre-release where there is nothing else.
pub(super) fn highest<'a>(records: impl Iterator<Item = &'a ModuleRecord>) -> Option<&'a ModuleRecord> {
    records.max_by_key(|record| {
        let version = &record.submission.version;
        (version.semver().pre.is_empty(), version.clone())
    })
}
