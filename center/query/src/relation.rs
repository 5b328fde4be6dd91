//! What names stand for at one place of a query. Where several things may be meant the largest is taken, so that nothing has
//! to be known about the columns of slots.

use std::rc::Rc;

use sqlparser::ast::{Ident, TableAlias};

use crate::size::{Size, Value};

/// An output column: its name, and what is behind it.
pub(crate) type Column = (Option<String>, Value);

/// A table expression, a subquery or a slot.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    pub(crate) name: Option<String>,
    /// Columns that are computed or handed on; those of a slot are not known.
    pub(crate) columns: Rc<[Column]>,
    /// Everything that is done for its rows.
    pub(crate) size: Size,
    /// Inputs of unions below it: a condition on its rows is tested in each.
    pub(crate) branches: u64,
}

impl Relation {
    /// A slot under its own name.
    pub(crate) fn slot(name: String) -> Self {
        let size = Size { scans: 1, nodes: 1, plan_depth: 1, ..Size::default() };
        Self { name: Some(name), columns: Rc::new([]), size, branches: 1 }
    }

    /// The same under an alias, which may rename its columns.
    pub(crate) fn renamed(mut self, alias: &TableAlias) -> Self {
        self.name = Some(normal(&alias.name));
        if !alias.columns.is_empty() {
            let renamed = |(at, (name, value)): (usize, &Column)| {
                let name = alias.columns.get(at).map(|new| normal(&new.name)).or_else(|| name.clone());
                (name, *value)
            };
            self.columns = self.columns.iter().enumerate().map(renamed).collect();
        }
        self
    }
}

/// What a column's name stands for among these relations; `table` where it is qualified.
pub(crate) fn find<'a>(
    relations: impl IntoIterator<Item = &'a Relation>,
    table: Option<&str>,
    name: &str,
) -> Option<Value> {
    let fitting = relations.into_iter().filter(|relation| table.is_none() || relation.name.as_deref() == table);
    let columns = fitting.flat_map(|relation| relation.columns.iter());
    largest(columns.filter(|(known, _)| known.as_deref() == Some(name)).map(|(_, value)| *value))
}

/// The largest of several values.
pub(crate) fn largest(values: impl IntoIterator<Item = Value>) -> Option<Value> {
    values.into_iter().reduce(Value::or)
}

/// A name as an engine compares it: lower case unless it is quoted.
pub(crate) fn normal(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}
