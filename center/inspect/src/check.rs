//! Whether a component and its manifest fit each other, and what both together can touch. All findings are gathered, so
//! that an author mends them in one go.

use std::collections::BTreeMap;

use iog_protocol::capabilities::{Capabilities, SlotUse};
use iog_protocol::ids::SlotName;
use iog_protocol::manifest::Manifest;
use iog_protocol::schemas::{Schema, schema};

use crate::facts::Facts;
use crate::sql::{QueryFinding, columns_of};

/// Something that does not fit: the author's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// An entry that the component does not export.
    #[error("entry `{entry}` is not exported: exported are {exported}")]
    Entry {
        /// The entry of the manifest.
        entry: String,
        /// What is exported.
        exported: String,
    },
    /// A function exported and not declared: callers could not reach it, reviewers might miss it.
    #[error("function `{function}` is exported but is not an entry of the manifest")]
    Undeclared {
        /// The function.
        function: String,
    },
    /// A `merge` of another shape.
    #[error("`merge` does not fit entry `{entry}`: {reason}")]
    Merge {
        /// The first entry.
        entry: String,
        /// What does not fit.
        reason: String,
    },
    /// A query that may not be asked.
    #[error("query `{query}`: {finding}")]
    Query {
        /// Its name.
        query: String,
        /// What is wrong with it.
        finding: QueryFinding,
    },
    /// A slot that no query reads.
    #[error("slot `{slot}` is read by no query")]
    Slot {
        /// Its name.
        slot: SlotName,
    },
    /// Queries without the interface through which they are asked.
    #[error("{0}")]
    Data(&'static str),
}

/// The capabilities of a component with its manifest.
///
/// # Errors
/// Every [`Finding`], in the order of the manifest.
pub fn check(facts: &Facts, manifest: &Manifest) -> Result<Capabilities, Vec<Finding>> {
    let mut findings = entries(facts, manifest);
    let datasets = datasets(manifest, &mut findings);
    findings.extend(data_import(facts, manifest));
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(Capabilities {
        imports: facts.imports.clone(),
        datasets,
        release: manifest.release.class,
        limits: manifest.limits,
    })
}

fn entries(facts: &Facts, manifest: &Manifest) -> Vec<Finding> {
    let declared: Vec<_> = manifest.module.entry.iter().map(|entry| entry.as_str()).collect();
    let exported: Vec<_> = facts.exports.iter().map(|export| format!("`{}`", export.name)).collect();
    let exported = if exported.is_empty() { "none".to_owned() } else { exported.join(", ") };
    let missing = declared.iter().filter(|entry| facts.export(entry).is_none());
    let mut findings: Vec<_> =
        missing.map(|entry| Finding::Entry { entry: (*entry).to_owned(), exported: exported.clone() }).collect();
    for export in &facts.exports {
        if export.name != "merge" && !declared.contains(&export.name.as_str()) {
            findings.push(Finding::Undeclared { function: export.name.clone() });
        }
    }
    findings.extend(merge(facts, declared.first().copied().unwrap_or_default()));
    findings
}

fn merge(facts: &Facts, entry: &str) -> Option<Finding> {
    let (merge, first) = (facts.export("merge")?, facts.export(entry)?);
    let reason = merge.merges(first).err()?;
    Some(Finding::Merge { entry: entry.to_owned(), reason })
}

fn datasets(manifest: &Manifest, findings: &mut Vec<Finding>) -> BTreeMap<SlotName, SlotUse> {
    let slots: BTreeMap<SlotName, &'static Schema> =
        manifest.data.iter().filter_map(|(name, slot)| Some((name.clone(), schema(&slot.schema)?))).collect();
    let mut used: BTreeMap<SlotName, SlotUse> = BTreeMap::new();
    for (name, query) in &manifest.query {
        match columns_of(&query.sql, &query.params, &slots) {
            Ok(columns) => {
                for (slot, columns) in columns {
                    let Some(schema) = slots.get(&slot) else { continue };
                    let empty = || SlotUse { schema: schema.id.to_owned(), columns: Vec::new() };
                    let all = &mut used.entry(slot).or_insert_with(empty).columns;
                    all.extend(columns);
                    all.sort_unstable();
                    all.dedup();
                }
            }
            Err(finding) => findings.push(Finding::Query { query: name.clone(), finding }),
        }
    }
    if findings.is_empty() {
        let unused = manifest.data.keys().filter(|slot| !used.contains_key(*slot));
        findings.extend(unused.map(|slot| Finding::Slot { slot: slot.clone() }));
    }
    used
}

fn data_import(facts: &Facts, manifest: &Manifest) -> Option<Finding> {
    let imports_data = facts.imports.iter().any(|import| import.starts_with("iog:guest/data@"));
    let asks = imports_data || manifest.query.is_empty();
    (!asks).then_some(Finding::Data("queries are declared but `iog:guest/data` is not imported"))
}
