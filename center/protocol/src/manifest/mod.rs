//! `iog.toml`, the manifest of an analysis: what it is, what it asks for, every question it may put to data. Its digest
//! is signed with the module's. Parsing is the only way to make one; SQL is not understood here (`iog-inspect` does).

mod bounds;
mod error;
mod read;
mod types;

use std::collections::BTreeMap;

use crate::ids::SlotName;
pub use bounds::{
    ENTRIES_MAX, MANIFEST_BYTES_MAX, NAME_BYTES_MAX, PARAMS_MAX, QUERIES_MAX, SLOTS_MAX, SOURCE_CHARS_MAX,
    SQL_BYTES_MAX, SUMMARY_CHARS_MAX,
};
pub use error::ManifestError;
use read::{Reader, check};
pub use types::{
    FUEL_MAX, LimitsDecl, MEMORY_MIB_MAX, ModuleDecl, ParamType, QueryDecl, RESULT_KIB_MAX, ReleaseClass, ReleaseDecl,
    SlotDecl, SourceDecl, WALL_S_MAX,
};

/// A manifest that satisfies every rule that needs no SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// What the analysis is.
    pub module: ModuleDecl,
    /// Dataset slots by name.
    pub data: BTreeMap<SlotName, SlotDecl>,
    /// Queries by name (kebab-case).
    pub query: BTreeMap<String, QueryDecl>,
    /// What it asks for.
    pub limits: LimitsDecl,
    /// How its results are held back.
    pub release: ReleaseDecl,
    /// Where it can be rebuilt from.
    pub source: SourceDecl,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ManifestError`], which names the key and what is allowed there.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        if text.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge { found: text.len() });
        }
        let mut root = Reader::root(text)?;
        let order = read::param_order(text)?;
        let manifest = Self {
            module: module(root.table("module")?)?,
            data: slots(root.table_or_empty("data")?)?,
            query: queries(root.table_or_empty("query")?, &order)?,
            limits: limits(root.table_or_empty("limits")?)?,
            release: release(root.table("release")?)?,
            source: source(root.table("source")?)?,
        };
        root.finish()?;
        Ok(manifest)
    }

    /// Reads a manifest from bytes that are not known to be text.
    ///
    /// # Errors
    /// As [`Manifest::parse`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge { found: bytes.len() });
        }
        Self::parse(std::str::from_utf8(bytes).map_err(|_| ManifestError::NotUtf8)?)
    }
}

fn module(mut table: Reader) -> Result<ModuleDecl, ManifestError> {
    let module = ModuleDecl {
        name: table.parsed("name", "`namespace/name` in lower-case letters, digits and `-`")?,
        version: table.parsed("version", "a semantic version such as `1.0.0`")?,
        summary: table.line("summary", SUMMARY_CHARS_MAX)?,
        entry: entries(&mut table)?,
    };
    table.finish()?;
    Ok(module)
}

fn entries(table: &mut Reader) -> Result<Vec<crate::ids::EntryName>, ManifestError> {
    const EXPECTED: &str = "1 to 64 different kebab-case names of exported functions, `merge` not among them";
    let names = table.texts("entry", EXPECTED)?;
    let key = table.path("entry");
    check(&key, format!("a list of {}", names.len()), (1..=ENTRIES_MAX).contains(&names.len()), EXPECTED)?;
    let mut entries: Vec<crate::ids::EntryName> = Vec::with_capacity(names.len());
    for name in names {
        let entry = name.parse().ok().filter(|entry| name != "merge" && !entries.contains(entry));
        entries.push(entry.ok_or_else(|| read::value_error(&key, format!("`{name}`"), EXPECTED))?);
    }
    Ok(entries)
}

fn slots(mut table: Reader) -> Result<BTreeMap<SlotName, SlotDecl>, ManifestError> {
    const EXPECTED: &str = "at most 16 slots, each named in lower-case letters, digits and `_`, starting with a letter";
    let keys = table.keys();
    check(&table.name(), format!("a table of {}", keys.len()), keys.len() <= SLOTS_MAX, EXPECTED)?;
    let mut slots = BTreeMap::new();
    for key in keys {
        let name = key.parse().map_err(|_| read::value_error(&table.path(&key), "a slot".to_owned(), EXPECTED))?;
        slots.insert(name, slot(table.table(&key)?)?);
    }
    Ok(slots)
}

fn slot(mut table: Reader) -> Result<SlotDecl, ManifestError> {
    let ids: Vec<_> = crate::schemas::SCHEMAS.iter().map(|schema| format!("`{}`", schema.id)).collect();
    let expected = format!("one of {}", ids.join(", "));
    let schema = table.text("schema", &expected)?;
    check(&table.path("schema"), format!("`{schema}`"), crate::schemas::schema(&schema).is_some(), &expected)?;
    table.finish()?;
    Ok(SlotDecl { schema })
}

fn queries(mut table: Reader, order: &read::ParamOrder) -> Result<BTreeMap<String, QueryDecl>, ManifestError> {
    const EXPECTED: &str = "at most 64 queries, each named in kebab-case of at most 63 bytes";
    let keys = table.keys();
    check(&table.name(), format!("a table of {}", keys.len()), keys.len() <= QUERIES_MAX, EXPECTED)?;
    let mut queries = BTreeMap::new();
    for key in keys {
        check(&table.path(&key), "a query".to_owned(), key.parse::<crate::ids::EntryName>().is_ok(), EXPECTED)?;
        let names = order.get(&key).map_or(&[][..], Vec::as_slice);
        let declared = query(table.table(&key)?, names)?;
        queries.insert(key, declared);
    }
    Ok(queries)
}

fn query(mut table: Reader, order: &[String]) -> Result<QueryDecl, ManifestError> {
    let mut params = table.table_or_empty("params")?;
    let declared = param_types(&mut params, order)?;
    params.finish()?;
    let expected = format!("one SELECT statement of at most {SQL_BYTES_MAX} bytes");
    let sql = table.text("sql", &expected)?;
    let fits = !sql.trim().is_empty() && sql.len() <= SQL_BYTES_MAX;
    check(&table.path("sql"), format!("a text of {} bytes", sql.len()), fits, &expected)?;
    table.finish()?;
    Ok(QueryDecl { params: declared, sql })
}

fn param_types(table: &mut Reader, order: &[String]) -> Result<Vec<(String, ParamType)>, ManifestError> {
    const EXPECTED: &str =
        "at most 32 parameters, each named in lower-case letters, digits and `_`, starting with a letter";
    let types: Vec<_> = ParamType::ALL.iter().map(|ty| format!("`{ty}`")).collect();
    let types = format!("one of {}", types.join(", "));
    check(&table.name(), format!("a table of {}", order.len()), order.len() <= PARAMS_MAX, EXPECTED)?;
    let mut params = Vec::with_capacity(order.len());
    for name in order {
        check(&table.path(name), "a parameter".to_owned(), name.parse::<SlotName>().is_ok(), EXPECTED)?;
        let text = table.text(name, &types)?;
        let ty = text.parse().map_err(|()| read::value_error(&table.path(name), format!("`{text}`"), &types))?;
        params.push((name.clone(), ty));
    }
    Ok(params)
}

fn limits(mut table: Reader) -> Result<LimitsDecl, ManifestError> {
    let default = LimitsDecl::default();
    let limits = LimitsDecl {
        fuel: table.number("fuel", FUEL_MAX)?.unwrap_or(default.fuel),
        memory_mib: table.number_u32("memory_mib", MEMORY_MIB_MAX)?.unwrap_or(default.memory_mib),
        wall_s: table.number_u32("wall_s", WALL_S_MAX)?.unwrap_or(default.wall_s),
        result_kib: table.number_u32("result_kib", RESULT_KIB_MAX)?.unwrap_or(default.result_kib),
    };
    table.finish()?;
    Ok(limits)
}

fn release(mut table: Reader) -> Result<ReleaseDecl, ManifestError> {
    let classes: Vec<_> = ReleaseClass::ALL.iter().map(|class| format!("`{class}`")).collect();
    let class = table.parsed("class", &format!("one of {}", classes.join(", ")))?;
    table.finish()?;
    Ok(ReleaseDecl { class })
}

fn source(mut table: Reader) -> Result<SourceDecl, ManifestError> {
    let source = SourceDecl {
        repository: table.line("repository", SOURCE_CHARS_MAX)?,
        commit: table.line("commit", SOURCE_CHARS_MAX)?,
    };
    table.finish()?;
    Ok(source)
}

#[cfg(test)]
mod tests;
