//! Queries: what the tables of a FROM list cost, and what is put on top of them.

use sqlparser::ast::{
    Expr, GroupByExpr, Join, JoinConstraint, JoinOperator, LimitClause, ObjectName, OrderBy, OrderByKind, Query,
    Select, SelectItem, SetExpr, SetOperator, SetQuantifier, TableFactor, TableWithJoins, Value as Literal,
};

use crate::relation::{Column, Relation, largest, normal};
use crate::size::{Size, Value};

/// Columns that a NATURAL JOIN may compare where those of a slot are not known: more than any schema has.
const NATURAL_COLUMNS: u64 = 64;

/// Measures one query; knows the names in sight.
#[derive(Debug, Default)]
pub(crate) struct Measurer {
    /// Common table expressions in sight, innermost last.
    tables: Vec<Relation>,
    /// What the SELECTs around a place see, innermost last.
    pub(crate) scopes: Vec<Vec<Relation>>,
}

impl Measurer {
    /// A query or subquery as a relation without a name.
    pub(crate) fn query(&mut self, query: &Query) -> Relation {
        let known = self.tables.len();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let relation = self.query(&cte.query).renamed(&cte.alias);
            self.tables.push(relation);
        }
        let mut relation = self.body(&query.body, query.order_by.as_ref());
        for limit in limits(query.limit_clause.as_ref()) {
            relation.size = relation.size.and(self.value(limit).size);
        }
        if query.limit_clause.is_some() || query.fetch.is_some() {
            relation.size = relation.size.under(1);
        }
        self.tables.truncate(known);
        relation
    }

    fn body(&mut self, body: &SetExpr, order_by: Option<&OrderBy>) -> Relation {
        match body {
            SetExpr::Select(select) => self.select(select, order_by),
            SetExpr::Query(query) => {
                let relation = self.query(query);
                self.ordered(relation, order_by)
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let (left, right) = (self.body(left, None), self.body(right, None));
                let relation =
                    both(&left, &right, matches!((op, set_quantifier), (SetOperator::Union, SetQuantifier::All)));
                self.ordered(relation, order_by)
            }
            // Nothing else is a query over slots; whoever lets one through has nothing to expand.
            _ => Relation { name: None, columns: [].into(), size: Size::default().under(1), branches: 1 },
        }
    }

    /// A relation whose rows are put in order by its own columns.
    fn ordered(&mut self, mut relation: Relation, order_by: Option<&OrderBy>) -> Relation {
        let keys = order_keys(order_by);
        if !keys.is_empty() {
            let columns = relation.columns.to_vec();
            self.scopes.push(vec![relation.clone()]);
            let sizes: Vec<Size> = keys.iter().map(|key| self.output(key, &columns).size).collect();
            self.scopes.pop();
            relation.size = sizes.into_iter().fold(relation.size.under(1), Size::and);
        }
        relation
    }

    fn select(&mut self, select: &Select, order_by: Option<&OrderBy>) -> Relation {
        let (size, scope) = self.from(&select.from);
        let branches = scope.iter().fold(0_u64, |all, relation| all.saturating_add(relation.branches)).max(1);
        self.scopes.push(scope);
        let mut on_top = Vec::new();
        let columns: Vec<Column> = select.projection.iter().map(|item| self.item(item)).collect();
        let aggregates = columns.iter().any(|(_, value)| value.behind != value.size);
        let mut operators = 1 + u64::from(select.distinct.is_some()) + u64::from(aggregates);
        on_top.extend(columns.iter().map(|(_, value)| value.size));
        for condition in select.selection.iter().chain(&select.having).chain(&select.qualify) {
            operators += 1;
            on_top.push(self.output(condition, &columns).size.times(branches));
        }
        if let GroupByExpr::Expressions(keys, _) = &select.group_by
            && !keys.is_empty()
        {
            operators += 1;
            on_top.extend(keys.iter().map(|key| self.output(key, &columns).size));
        }
        let keys = order_keys(order_by);
        operators += u64::from(!keys.is_empty());
        on_top.extend(keys.iter().map(|key| self.output(key, &columns).size));
        self.scopes.pop();
        // Operators of subqueries in expressions come into the plan as joins above the tables.
        let size = on_top
            .into_iter()
            .fold(size, |all, one| all.and(Size { plan_depth: all.plan_depth.saturating_add(one.plan_depth), ..one }));
        let columns = columns.into_iter().map(|(name, value)| (name, Value { size: value.behind, ..value })).collect();
        Relation { name: None, columns, size: size.under(operators), branches }
    }

    fn item(&mut self, item: &SelectItem) -> Column {
        match item {
            SelectItem::UnnamedExpr(expr) => (name_of(expr), self.value(expr)),
            SelectItem::ExprWithAlias { expr, alias } => (Some(normal(alias)), self.value(expr)),
            SelectItem::ExprWithAliases { expr, .. } => (None, self.value(expr)),
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => (None, Value::COLUMN),
        }
    }

    /// The tables of a FROM list, joined, and what the query above sees.
    fn from(&mut self, from: &[TableWithJoins]) -> (Size, Vec<Relation>) {
        let (mut size, mut scope) = (Size::default(), Vec::new());
        for table in from {
            let one = self.joined(table, &mut scope);
            size = size.and(one);
        }
        let crossed = u64::try_from(from.len().saturating_sub(1)).unwrap_or(u64::MAX);
        (size.under(crossed), scope)
    }

    fn joined(&mut self, table: &TableWithJoins, scope: &mut Vec<Relation>) -> Size {
        let mut size = self.factor(&table.relation, scope);
        for join in &table.joins {
            size = size.and(self.factor(&join.relation, scope)).under(1);
            // A condition may be moved to either side, into each input of a union there.
            let branches = scope.iter().fold(1_u64, |all, relation| all.saturating_add(relation.branches));
            size = size.and(self.condition(join, scope).times(branches));
        }
        size
    }

    fn condition(&mut self, join: &Join, scope: &mut Vec<Relation>) -> Size {
        match constraint(&join.join_operator) {
            Some(JoinConstraint::On(expr)) => {
                self.scopes.push(std::mem::take(scope));
                let size = self.value(expr).size;
                *scope = self.scopes.pop().unwrap_or_default();
                size
            }
            Some(JoinConstraint::Using(names)) => {
                let all = names.iter().map(|name| {
                    let name = single(name);
                    crate::relation::find(&*scope, None, &name).unwrap_or(Value::COLUMN).size.times(2).inside(1)
                });
                all.fold(Size::default(), Size::and)
            }
            Some(JoinConstraint::Natural) => {
                let widest =
                    largest(scope.iter().flat_map(|relation| relation.columns.iter().map(|(_, value)| *value)));
                widest.unwrap_or(Value::COLUMN).size.times(2).inside(1).times(NATURAL_COLUMNS)
            }
            Some(JoinConstraint::None) | None => Size::default(),
        }
    }

    fn factor(&mut self, factor: &TableFactor, scope: &mut Vec<Relation>) -> Size {
        let relation = match factor {
            TableFactor::Table { name, alias, .. } => {
                let relation = self.table(&single(name));
                alias.iter().fold(relation, |relation, alias| relation.renamed(alias))
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let relation = self.query(subquery);
                alias.iter().fold(relation, |relation, alias| relation.renamed(alias))
            }
            TableFactor::NestedJoin { table_with_joins, .. } => return self.joined(table_with_joins, scope),
            // Nothing else is allowed to be read.
            _ => Relation::slot(String::new()),
        };
        let size = relation.size.under(1);
        scope.push(relation);
        size
    }

    fn table(&self, name: &str) -> Relation {
        let known = self.tables.iter().rev().find(|table| table.name.as_deref() == Some(name));
        known.cloned().unwrap_or_else(|| Relation::slot(name.to_owned()))
    }

    /// As [`Self::value`], where names and numbers of output columns may stand as well.
    fn output(&mut self, expr: &Expr, columns: &[Column]) -> Value {
        if let Expr::Value(value) = expr
            && let Literal::Number(text, _) = &value.value
            && let Some((_, value)) = text.parse::<usize>().ok().and_then(|at| columns.get(at.checked_sub(1)?))
        {
            return *value;
        }
        let relation = Relation { name: None, columns: columns.into(), size: Size::default(), branches: 1 };
        self.scopes.push(vec![relation]);
        let value = self.value(expr);
        self.scopes.pop();
        value
    }
}

/// Both inputs of a union or another set operation; `all` where rows are only put one after the other.
fn both(left: &Relation, right: &Relation, all: bool) -> Relation {
    let column = |((name, value), (_, other)): (&Column, &Column)| (name.clone(), value.or(*other));
    let columns = left.columns.iter().zip(right.columns.iter()).map(column).collect();
    let size = left.size.and(right.size).under(if all { 1 } else { 2 });
    Relation { name: None, columns, size, branches: left.branches.saturating_add(right.branches) }
}

fn limits(clause: Option<&LimitClause>) -> Vec<&Expr> {
    match clause {
        None => Vec::new(),
        Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
            limit.iter().chain(offset.as_ref().map(|offset| &offset.value)).chain(limit_by).collect()
        }
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => vec![offset, limit],
    }
}

fn order_keys(order_by: Option<&OrderBy>) -> Vec<&Expr> {
    match order_by.map(|order_by| &order_by.kind) {
        Some(OrderByKind::Expressions(keys)) => keys.iter().map(|key| &key.expr).collect(),
        Some(OrderByKind::All(_)) | None => Vec::new(),
    }
}

fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint)
        | JoinOperator::StraightJoin(constraint)
        | JoinOperator::AsOf { constraint, .. } => Some(constraint),
        _ => None,
    }
}

/// The last part of a name: no table has a schema before it.
fn single(name: &ObjectName) -> String {
    name.0.last().and_then(|part| part.as_ident()).map(normal).unwrap_or_default()
}

/// The name that a column keeps where it has no alias.
fn name_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(normal(name)),
        Expr::CompoundIdentifier(parts) => parts.last().map(normal),
        _ => None,
    }
}
