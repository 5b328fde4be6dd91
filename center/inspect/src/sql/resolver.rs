//! What is known while a query is resolved: names in sight, what was read so far, how deep the query is nested. Which parts of
//! a query put it there, `select.rs` and `expr.rs` say.

use std::collections::{BTreeMap, BTreeSet};

use iog_protocol::ids::SlotName;
use iog_protocol::manifest::ParamType;
use iog_protocol::schemas::Schema;

use super::finding::QueryFinding;
use super::scope::{Relation, Scope};

/// Deepest nesting of expressions and subqueries; a chain of ANDs counts one level each.
pub const DEPTH_MAX: usize = 64;

/// Columns read, by slot. A slot that is read without any column (`count(*)`) is there with none.
pub type ColumnsRead = BTreeMap<SlotName, BTreeSet<String>>;

/// Resolves one query and gathers what it reads.
pub(super) struct Resolver<'a> {
    pub(super) params: &'a [(String, ParamType)],
    pub(super) slots: &'a BTreeMap<SlotName, &'static Schema>,
    pub(super) read: ColumnsRead,
    pub(super) params_used: BTreeSet<String>,
    /// Common table expressions in sight, innermost last.
    pub(super) tables: Vec<Relation>,
    /// Scopes of the enclosing SELECTs, innermost last.
    pub(super) scopes: Vec<Scope>,
    depth: usize,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(params: &'a [(String, ParamType)], slots: &'a BTreeMap<SlotName, &'static Schema>) -> Self {
        Self {
            params,
            slots,
            read: ColumnsRead::new(),
            params_used: BTreeSet::new(),
            tables: Vec::new(),
            scopes: Vec::new(),
            depth: 0,
        }
    }

    /// What was read, if every declared parameter was used.
    pub(super) fn finish(self) -> Result<ColumnsRead, QueryFinding> {
        match self.params.iter().find(|(name, _)| !self.params_used.contains(name)) {
            Some((name, _)) => Err(QueryFinding::UnusedParam { name: name.clone() }),
            None => Ok(self.read),
        }
    }

    /// One level deeper, for as long as `inside` takes.
    pub(super) fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, QueryFinding>,
    ) -> Result<T, QueryFinding> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(QueryFinding::TooLarge { what: "levels of nesting", max: DEPTH_MAX });
        }
        let result = inside(self);
        self.depth -= 1;
        result
    }
}
