//! What an analysis can touch: computed by inspection from its binary and its declared queries, signed with its
//! submission, shown to reviewers, and compared again by every gateway. Computes nothing from a binary itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::SlotName;
use crate::interfaces::interface;
use crate::manifest::{LimitsDecl, ReleaseClass};
use crate::schemas::schema;

/// Everything an analysis asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Imported interfaces with version, for example `iog:guest/data@0.1.0`, sorted, each once.
    pub imports: Vec<String>,
    /// What it reads of each dataset slot. A slot that no query reads is absent.
    pub datasets: BTreeMap<SlotName, SlotUse>,
    /// How what leaves is held back.
    pub release: ReleaseClass,
    /// The resources it asks for.
    pub limits: LimitsDecl,
}

/// What an analysis reads of one dataset slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotUse {
    /// Schema of the slot, for example `flow/1`.
    pub schema: String,
    /// Columns that any query reads, also if only to filter; sorted, each once.
    pub columns: Vec<String>,
}

impl Capabilities {
    /// Whether only public data are read and nothing reaches outward: then k reviews suffice, else k + 1. A schema this
    /// version does not know counts as not public.
    #[must_use]
    pub fn is_public(&self) -> bool {
        let public_data = self.datasets.values().all(|slot| schema(&slot.schema).is_some_and(|known| known.public));
        public_data && self.imports.iter().all(|import| is_inward(import))
    }

    /// Whether everything asked here was asked in `old` already, so that a review of the difference can suffice.
    #[must_use]
    pub fn superset_of_nothing_new(&self, old: &Self) -> bool {
        self.imports.iter().all(|import| old.imports.contains(import))
            && self.datasets.iter().all(|(name, slot)| old.datasets.get(name).is_some_and(|was| slot.within(was)))
            && self.release <= old.release
            && self.limits.within(&old.limits)
    }
}

impl SlotUse {
    /// Whether this reads no column of which `old` did not.
    fn within(&self, old: &Self) -> bool {
        self.schema == old.schema && self.columns.iter().all(|column| old.columns.contains(column))
    }
}

/// Whether an import is an inward interface, at any version.
fn is_inward(import: &str) -> bool {
    import
        .strip_prefix("iog:guest/")
        .and_then(|rest| rest.split('@').next())
        .and_then(interface)
        .is_some_and(|known| known.inward)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities() -> Capabilities {
        Capabilities {
            imports: vec!["iog:guest/context@0.1.0".into(), "iog:guest/data@0.1.0".into()],
            datasets: [(slot("routes"), uses("route/1", &["origin_as", "prefix"]))].into(),
            release: ReleaseClass::Reviewed,
            limits: LimitsDecl::default(),
        }
    }

    fn slot(name: &str) -> SlotName {
        name.parse().expect("a slot name")
    }

    fn uses(schema: &str, columns: &[&str]) -> SlotUse {
        SlotUse { schema: schema.into(), columns: columns.iter().map(|c| (*c).to_owned()).collect() }
    }

    #[test]
    fn private_schemas_unknown_schemas_and_outward_imports_are_not_public() {
        assert!(capabilities().is_public());
        for schema in ["flow/1", "pdns/1", "flow/9", ""] {
            let mut asked = capabilities();
            asked.datasets.insert(slot("other"), uses(schema, &[]));
            assert!(!asked.is_public(), "{schema}");
        }
        for import in ["iog:guest/probe@0.1.0", "wasi:clocks/wall-clock@0.2.0", "iog:guest/datax@0.1.0", "data"] {
            let mut asked = capabilities();
            asked.imports.push(import.into());
            assert!(!asked.is_public(), "{import}");
        }
    }

    #[test]
    fn anything_added_is_new_and_anything_dropped_is_not() {
        let old = capabilities();
        assert!(old.superset_of_nothing_new(&old));
        let mut less = old.clone();
        less.imports.pop();
        less.datasets.clear();
        less.release = ReleaseClass::SumOnly;
        less.limits.fuel -= 1;
        assert!(less.superset_of_nothing_new(&old));
        assert!(!old.superset_of_nothing_new(&less));

        let changes: [fn(&mut Capabilities); 8] = [
            |c| c.imports.push("iog:guest/log@0.1.0".into()),
            |c| c.datasets.get_mut(&slot("routes")).expect("slot").columns.push("med".into()),
            |c| c.datasets.get_mut(&slot("routes")).expect("slot").schema = "route/2".into(),
            |c| drop(c.datasets.insert(slot("more"), uses("route/1", &[]))),
            |c| c.release = ReleaseClass::Open,
            |c| c.limits.fuel += 1,
            |c| c.limits.memory_mib += 1,
            |c| c.limits.result_kib += 1,
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut new = old.clone();
            change(&mut new);
            assert!(!new.superset_of_nothing_new(&old), "change {index}");
        }
    }

    #[test]
    fn serialised_form_is_stable() {
        let json = serde_json::to_string(&capabilities()).expect("serialises");
        assert_eq!(
            json,
            r#"{"imports":["iog:guest/context@0.1.0","iog:guest/data@0.1.0"],"datasets":{"routes":{"schema":"route/1","columns":["origin_as","prefix"]}},"release":"reviewed","limits":{"fuel":2000000000,"memory_mib":64,"wall_s":10,"result_kib":64}}"#
        );
        assert_eq!(serde_json::from_str::<Capabilities>(&json).expect("parses"), capabilities());
    }
}
