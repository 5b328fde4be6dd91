//! Queries, FROM lists and set operations: builds the scopes in which expressions are resolved.

use std::collections::BTreeSet;

use iog_protocol::ids::SlotName;
use iog_protocol::schemas::{ColumnType, Schema};
use sqlparser::ast::{
    Cte, Distinct, GroupByExpr, JoinConstraint, JoinOperator, LimitClause, ObjectName, OrderBy, OrderByKind, Query,
    Select, SelectFlavor, SelectItem, SetExpr, SetOperator, SetQuantifier, TableAlias, TableFactor, TableWithJoins,
};

use super::finding::{QueryFinding, forbidden, refuse_any};
use super::resolver::Resolver;
use super::scope::{ColumnInfo, Relation, Scope, normal};

impl Resolver<'_> {
    /// The whole query; its output columns must have names, by which a guest reads them.
    pub(super) fn top(&mut self, query: &Query) -> Result<(), QueryFinding> {
        self.query(query).map(drop)
    }

    /// Resolves a query or subquery and returns its output columns.
    pub(super) fn query(&mut self, query: &Query) -> Result<Vec<ColumnInfo>, QueryFinding> {
        refuse_any(&[
            (query.with.as_ref().is_some_and(|with| with.recursive), "WITH RECURSIVE"),
            (query.fetch.is_some(), "FETCH"),
            (!query.locks.is_empty(), "FOR UPDATE or FOR SHARE"),
            (query.for_clause.is_some(), "FOR"),
            (query.settings.is_some() || query.format_clause.is_some(), "SETTINGS or FORMAT"),
            (!query.pipe_operators.is_empty(), "a pipe operator"),
        ])?;
        self.deeper(|resolver| {
            let tables = resolver.tables.len();
            for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
                resolver.cte(cte)?;
            }
            let columns = resolver.body(&query.body, query.order_by.as_ref())?;
            resolver.limit(query.limit_clause.as_ref())?;
            resolver.tables.truncate(tables);
            Ok(columns)
        })
    }

    fn cte(&mut self, cte: &Cte) -> Result<(), QueryFinding> {
        refuse_any(&[(cte.from.is_some(), "FROM in WITH"), (cte.materialized.is_some(), "MATERIALIZED")])?;
        let name = normal(&cte.alias.name);
        if self.tables.iter().any(|table| table.name.as_ref() == Some(&name)) || self.slot(&name).is_some() {
            return Err(QueryFinding::Ambiguous { name, reason: "another table has it".to_owned() });
        }
        let columns = self.query(&cte.query)?;
        let relation = renamed(columns, &cte.alias)?;
        self.tables.push(relation);
        Ok(())
    }

    fn body(&mut self, body: &SetExpr, order_by: Option<&OrderBy>) -> Result<Vec<ColumnInfo>, QueryFinding> {
        match body {
            SetExpr::Select(select) => self.select(select, order_by),
            SetExpr::Query(query) => {
                let columns = self.query(query)?;
                self.order_output(order_by, &columns)?;
                Ok(columns)
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let columns = self.deeper(|resolver| resolver.union(left, *op, *set_quantifier, right))?;
                self.order_output(order_by, &columns)?;
                Ok(columns)
            }
            SetExpr::Values(_) => Err(forbidden("VALUES")),
            SetExpr::Table(_) => Err(forbidden("TABLE")),
            _ => Err(forbidden("a statement that writes")),
        }
    }

    fn union(
        &mut self,
        left: &SetExpr,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: &SetExpr,
    ) -> Result<Vec<ColumnInfo>, QueryFinding> {
        if op != SetOperator::Union {
            return Err(forbidden(op.to_string()));
        }
        if !matches!(quantifier, SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None) {
            return Err(forbidden("UNION BY NAME"));
        }
        let (mut columns, others) = (self.body(left, None)?, self.body(right, None)?);
        if columns.len() != others.len() {
            return Err(forbidden(format!("a UNION of {} and {} columns", columns.len(), others.len())));
        }
        for (column, other) in columns.iter_mut().zip(others) {
            column.float |= other.float;
            column.base = None;
        }
        Ok(columns)
    }

    fn select(&mut self, select: &Select, order_by: Option<&OrderBy>) -> Result<Vec<ColumnInfo>, QueryFinding> {
        check_clauses(select)?;
        let scope = self.from(&select.from)?;
        self.scopes.push(scope);
        let columns = self.select_in_scope(select, order_by);
        self.scopes.pop();
        columns
    }

    fn select_in_scope(
        &mut self,
        select: &Select,
        order_by: Option<&OrderBy>,
    ) -> Result<Vec<ColumnInfo>, QueryFinding> {
        let mut columns = Vec::with_capacity(select.projection.len());
        for item in &select.projection {
            columns.push(self.item(item)?);
        }
        if let Some(filter) = &select.selection {
            self.expr(filter)?;
        }
        match &select.group_by {
            GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => {
                exprs.iter().try_for_each(|expr| self.expr_or_output(expr, &columns))?;
            }
            _ => return Err(forbidden("GROUP BY ALL or with a modifier")),
        }
        if let Some(having) = &select.having {
            self.expr_or_output(having, &columns)?;
        }
        self.order_select(order_by, &columns)?;
        Ok(columns)
    }

    fn item(&mut self, item: &SelectItem) -> Result<ColumnInfo, QueryFinding> {
        match item {
            SelectItem::UnnamedExpr(expr) => self.expr(expr),
            SelectItem::ExprWithAlias { expr, alias } => {
                Ok(ColumnInfo { name: Some(normal(alias)), ..self.expr(expr)? })
            }
            SelectItem::ExprWithAliases { .. } => Err(forbidden("several aliases for one expression")),
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => Err(QueryFinding::Wildcard),
        }
    }

    fn from(&mut self, from: &[TableWithJoins]) -> Result<Scope, QueryFinding> {
        if from.is_empty() {
            return Err(forbidden("SELECT without FROM"));
        }
        let mut scope = Scope::default();
        from.iter().try_for_each(|table| self.joins(table, &mut scope))?;
        Ok(scope)
    }

    fn joins(&mut self, table: &TableWithJoins, scope: &mut Scope) -> Result<(), QueryFinding> {
        self.factor(&table.relation, scope)?;
        for join in &table.joins {
            if join.global {
                return Err(forbidden("GLOBAL JOIN"));
            }
            self.factor(&join.relation, scope)?;
            self.constraint(constraint(&join.join_operator)?, scope)?;
        }
        Ok(())
    }

    fn constraint(&mut self, constraint: &JoinConstraint, scope: &mut Scope) -> Result<(), QueryFinding> {
        match constraint {
            JoinConstraint::None => Ok(()),
            JoinConstraint::Natural => Err(forbidden("NATURAL JOIN (name the columns)")),
            JoinConstraint::On(expr) => {
                self.scopes.push(std::mem::take(scope));
                let result = self.expr(expr);
                *scope = self.scopes.pop().unwrap_or_default();
                result.map(drop)
            }
            JoinConstraint::Using(names) => names.iter().try_for_each(|name| {
                let name = single(name)?;
                scope.joined.insert(name.clone());
                let found: Vec<ColumnInfo> = scope.find(&name)?.into_iter().cloned().collect();
                if found.len() < 2 {
                    return Err(QueryFinding::UnknownColumn { name, columns: scope.names() });
                }
                found.iter().for_each(|column| self.note(column));
                Ok(())
            }),
        }
    }

    fn factor(&mut self, factor: &TableFactor, scope: &mut Scope) -> Result<(), QueryFinding> {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                check_table(factor)?;
                let relation = self.table(&single(name)?, alias.as_ref())?;
                scope.add(relation)
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let columns = self.query(subquery)?;
                match alias {
                    Some(alias) => scope.add(renamed(columns, alias)?),
                    None => scope.add(Relation { name: None, columns }),
                }
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.deeper(|resolver| resolver.joins(table_with_joins, scope))
            }
            other => Err(forbidden(source_name(other))),
        }
    }

    /// A common table expression or a slot, under its alias.
    fn table(&mut self, name: &str, alias: Option<&TableAlias>) -> Result<Relation, QueryFinding> {
        let known = self.tables.iter().rev().find(|table| table.name.as_deref() == Some(name)).cloned();
        let relation = match known {
            Some(relation) => relation,
            None => self.slot_relation(name)?,
        };
        match alias {
            Some(alias) => renamed(relation.columns, alias),
            None => Ok(relation),
        }
    }

    fn slot_relation(&mut self, name: &str) -> Result<Relation, QueryFinding> {
        let Some((slot, schema)) = self.slot(name) else {
            let slots: Vec<_> = self.slots.keys().map(ToString::to_string).collect();
            let slots = if slots.is_empty() { "none".to_owned() } else { slots.join(", ") };
            return Err(QueryFinding::UnknownSlot { name: crate::text::clean(name, 60), slots });
        };
        self.read.entry(slot.clone()).or_default();
        let column = |column: &iog_protocol::schemas::Column| ColumnInfo {
            name: Some(column.name.to_owned()),
            float: column.ty == ColumnType::Float,
            base: Some((slot.clone(), column.name.to_owned())),
        };
        Ok(Relation { name: Some(name.to_owned()), columns: schema.columns.iter().map(column).collect() })
    }

    fn slot(&self, name: &str) -> Option<(SlotName, &'static Schema)> {
        let (slot, schema) = self.slots.get_key_value(&name.parse::<SlotName>().ok()?)?;
        Some((slot.clone(), schema))
    }

    /// Notes that a column is read.
    pub(super) fn note(&mut self, column: &ColumnInfo) {
        if let Some((slot, name)) = &column.base {
            self.read.entry(slot.clone()).or_default().insert(name.clone());
        }
    }

    fn limit(&mut self, limit: Option<&LimitClause>) -> Result<(), QueryFinding> {
        let exprs = match limit {
            None => return Ok(()),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                [limit.as_ref(), offset.as_ref().map(|offset| &offset.value)]
            }
            Some(LimitClause::LimitOffset { .. }) => return Err(forbidden("LIMIT BY")),
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => [Some(limit), Some(offset)],
        };
        // A limit sees no columns.
        let scopes = std::mem::take(&mut self.scopes);
        let result = exprs.into_iter().flatten().try_for_each(|expr| self.expr(expr).map(drop));
        self.scopes = scopes;
        result
    }

    fn order_select(&mut self, order_by: Option<&OrderBy>, columns: &[ColumnInfo]) -> Result<(), QueryFinding> {
        for expr in order_exprs(order_by)? {
            self.expr_or_output(expr, columns)?;
        }
        Ok(())
    }

    /// After a set operation only the output's own names are in sight.
    fn order_output(&mut self, order_by: Option<&OrderBy>, columns: &[ColumnInfo]) -> Result<(), QueryFinding> {
        let computed = |column: &ColumnInfo| ColumnInfo { base: None, ..column.clone() };
        let relation = Relation { name: None, columns: columns.iter().map(computed).collect() };
        self.scopes.push(Scope { relations: vec![relation], joined: BTreeSet::new() });
        let result = order_exprs(order_by)?.into_iter().try_for_each(|expr| self.expr(expr).map(drop));
        self.scopes.pop();
        result
    }
}

fn order_exprs(order_by: Option<&OrderBy>) -> Result<Vec<&sqlparser::ast::Expr>, QueryFinding> {
    let Some(order_by) = order_by else { return Ok(Vec::new()) };
    let OrderByKind::Expressions(exprs) = &order_by.kind else { return Err(forbidden("ORDER BY ALL")) };
    refuse_any(&[
        (order_by.interpolate.is_some(), "INTERPOLATE"),
        (exprs.iter().any(|e| e.with_fill.is_some()), "WITH FILL"),
    ])?;
    Ok(exprs.iter().map(|order| &order.expr).collect())
}

fn check_clauses(select: &Select) -> Result<(), QueryFinding> {
    refuse_any(&[
        (matches!(select.distinct, Some(Distinct::On(_))), "DISTINCT ON"),
        (!select.optimizer_hints.is_empty(), "a hint"),
        (select.select_modifiers.is_some(), "a modifier of SELECT"),
        (select.top.is_some(), "TOP"),
        (select.exclude.is_some(), "EXCLUDE"),
        (select.into.is_some(), "SELECT INTO"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (!select.cluster_by.is_empty() || !select.distribute_by.is_empty(), "CLUSTER BY or DISTRIBUTE BY"),
        (!select.sort_by.is_empty(), "SORT BY"),
        (!select.named_window.is_empty(), "WINDOW"),
        (select.qualify.is_some(), "QUALIFY"),
        (select.value_table_mode.is_some(), "SELECT AS VALUE or STRUCT"),
        (select.flavor != SelectFlavor::Standard, "FROM before SELECT"),
    ])
}

fn check_table(factor: &TableFactor) -> Result<(), QueryFinding> {
    let TableFactor::Table {
        args: None,
        with_hints,
        version: None,
        with_ordinality: false,
        partitions,
        json_path: None,
        sample: None,
        index_hints,
        ..
    } = factor
    else {
        return Err(forbidden(source_name(factor)));
    };
    refuse_any(&[(!with_hints.is_empty() || !index_hints.is_empty() || !partitions.is_empty(), "a hint to a table")])
}

/// What a source is. It is not printed, since it may nest as deep as the text is long.
fn source_name(factor: &TableFactor) -> String {
    match factor {
        TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
            format!("the table function `{}`", crate::text::clean(&name.to_string(), 60))
        }
        TableFactor::Table { name, .. } => {
            format!("an option of table `{}`", crate::text::clean(&name.to_string(), 60))
        }
        TableFactor::Derived { lateral: true, .. } => "LATERAL".to_owned(),
        TableFactor::UNNEST { .. } => "UNNEST".to_owned(),
        _ => "this kind of source".to_owned(),
    }
}

fn constraint(operator: &JoinOperator) -> Result<&JoinConstraint, QueryFinding> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint) => Ok(constraint),
        _ => Err(forbidden("this kind of JOIN")),
    }
}

/// The one part of a name; slots and columns have no schema before them.
fn single(name: &ObjectName) -> Result<String, QueryFinding> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(normal).ok_or_else(|| forbidden(format!("the name `{name}`"))),
        _ => Err(forbidden(format!("the qualified name `{}`", crate::text::clean(&name.to_string(), 60)))),
    }
}

/// A relation under an alias, which may rename its columns.
fn renamed(mut columns: Vec<ColumnInfo>, alias: &TableAlias) -> Result<Relation, QueryFinding> {
    refuse_any(&[
        (alias.at.is_some(), "AT after an alias"),
        (alias.columns.iter().any(|column| column.data_type.is_some()), "a type in an alias"),
        (!alias.columns.is_empty() && alias.columns.len() != columns.len(), "an alias with another number of columns"),
    ])?;
    for (column, name) in columns.iter_mut().zip(&alias.columns) {
        column.name = Some(normal(&name.name));
    }
    Ok(Relation { name: Some(normal(&alias.name)), columns })
}
