//! Names in sight at one place of a query: relations with their columns, and around them those of the enclosing query.

use std::collections::BTreeSet;

use iog_protocol::ids::SlotName;
use sqlparser::ast::Ident;

use super::finding::QueryFinding;

/// Most column names that an error lists.
const COLUMNS_SHOWN_MAX: usize = 24;

/// A column of a relation.
#[derive(Debug, Clone)]
pub(super) struct ColumnInfo {
    /// Its name; an expression without an alias has none and cannot be referred to.
    pub(super) name: Option<String>,
    /// Whether it is a float.
    pub(super) float: bool,
    /// The slot's column that it is; none for a computed one, whose columns are counted where it is computed.
    pub(super) base: Option<(SlotName, String)>,
}

/// A table in a FROM list, or a common table expression.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// Alias, or the table's name.
    pub(super) name: Option<String>,
    /// Its columns.
    pub(super) columns: Vec<ColumnInfo>,
}

/// What one SELECT sees.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) relations: Vec<Relation>,
    /// Columns joined by USING: they mean the same on both sides.
    pub(super) joined: BTreeSet<String>,
}

impl Scope {
    /// Adds a relation under a name that is not taken.
    pub(super) fn add(&mut self, relation: Relation) -> Result<(), QueryFinding> {
        let taken = relation.name.is_some() && self.relations.iter().any(|other| other.name == relation.name);
        if taken {
            let name = relation.name.unwrap_or_default();
            return Err(QueryFinding::Ambiguous { name, reason: "two tables have it; give one an alias".to_owned() });
        }
        self.relations.push(relation);
        Ok(())
    }

    /// The columns that an unqualified name means here; several only where USING made them one.
    pub(super) fn find(&self, name: &str) -> Result<Vec<&ColumnInfo>, QueryFinding> {
        let columns = self.relations.iter().flat_map(|relation| &relation.columns);
        let found: Vec<_> = columns.filter(|column| column.name.as_deref() == Some(name)).collect();
        if found.len() > 1 && !self.joined.contains(name) {
            let reason = format!("{} tables have it; qualify it", found.len());
            return Err(QueryFinding::Ambiguous { name: name.to_owned(), reason });
        }
        Ok(found)
    }

    /// The column of one relation, if there is that relation.
    pub(super) fn find_in(&self, relation: &str, name: &str) -> Option<Result<&ColumnInfo, QueryFinding>> {
        let relation = self.relations.iter().find(|known| known.name.as_deref() == Some(relation))?;
        Some(relation.find(name))
    }

    /// Names in sight, for an error.
    pub(super) fn names(&self) -> String {
        names(self.relations.iter().flat_map(|relation| &relation.columns))
    }
}

impl Relation {
    /// Whether it has a column of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name.as_deref() == Some(name))
    }

    fn find(&self, name: &str) -> Result<&ColumnInfo, QueryFinding> {
        let mut found = self.columns.iter().filter(|column| column.name.as_deref() == Some(name));
        match (found.next(), found.next()) {
            (Some(column), None) => Ok(column),
            (Some(_), Some(_)) => {
                let reason = "the table has two columns of it".to_owned();
                Err(QueryFinding::Ambiguous { name: name.to_owned(), reason })
            }
            (None, _) => Err(QueryFinding::UnknownColumn { name: name.to_owned(), columns: names(&self.columns) }),
        }
    }
}

fn names<'a>(columns: impl IntoIterator<Item = &'a ColumnInfo>) -> String {
    let all: Vec<_> = columns.into_iter().filter_map(|column| column.name.as_deref()).collect();
    match all.as_slice() {
        [] => "none".to_owned(),
        [..] if all.len() > COLUMNS_SHOWN_MAX => format!("{} …", all[..COLUMNS_SHOWN_MAX].join(", ")),
        [..] => all.join(", "),
    }
}

/// A name as the engine compares it: lower case unless it is quoted.
pub(super) fn normal(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}
