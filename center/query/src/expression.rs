//! Expressions. How often an operand counts is how often an engine may repeat it: where it rewrites the expression, or has to
//! look through an operand again for each answer about its type.

use std::ops::ControlFlow;

use sqlparser::ast::{
    CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Value as Literal, Visit,
    Visitor,
};

use crate::relation::{find, largest, normal};
use crate::select::Measurer;
use crate::size::{Size, Value};

/// Longest list of IN that becomes comparisons, each of which repeats what is searched.
const COMPARED_MAX: usize = 3;
/// How often the condition of a CASE is repeated: as itself, negated, and in what is known about nulls.
const CONDITION: u64 = 3;
/// How often the result of a CASE is looked through: for its type, and for whether it may be null.
const RESULT: u64 = 2;

impl Measurer {
    /// The size of an expression.
    pub(crate) fn value(&mut self, expr: &Expr) -> Value {
        match expr {
            Expr::Identifier(name) => self.column(None, name),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., table, name] => self.column(Some(table), name),
                _ => Value::COLUMN,
            },
            Expr::Value(value) => literal(&value.value),
            Expr::Nested(inner) => self.value(inner),
            Expr::BinaryOp { left, right, .. } => self.all(1, [left, right]),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => self.all(1, [left, right]),
            Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => self.all(1, [expr, pattern]),
            Expr::UnaryOp { expr, .. }
            | Expr::Cast { expr, .. }
            | Expr::IsFalse(expr)
            | Expr::IsNotFalse(expr)
            | Expr::IsTrue(expr)
            | Expr::IsNotTrue(expr)
            | Expr::IsNull(expr)
            | Expr::IsNotNull(expr)
            | Expr::IsUnknown(expr)
            | Expr::IsNotUnknown(expr) => self.all(1, [expr]),
            Expr::Between { expr, low, high, .. } => {
                let [value, low, high] = [expr, low, high].map(|part| self.value(part));
                Value::of(3, [(value, 2), (low, 1), (high, 1)])
            }
            Expr::InList { expr, list, .. } => self.in_list(expr, list),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                self.all(1, [Some(expr), substring_from.as_ref(), substring_for.as_ref()].into_iter().flatten())
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Function(function) => self.function(function),
            Expr::Subquery(query) | Expr::Exists { subquery: query, .. } => self.subquery(None, query),
            Expr::InSubquery { expr, subquery, .. } => {
                let value = self.value(expr);
                self.subquery(Some(value), subquery)
            }
            other => self.anything(other),
        }
    }

    fn all<'e>(&mut self, parts: u64, exprs: impl IntoIterator<Item = &'e Box<Expr>>) -> Value {
        let values: Vec<_> = exprs.into_iter().map(|expr| (self.value(expr), 1)).collect();
        Value::of(parts, values)
    }

    /// What a name may stand for, in any query around it.
    fn column(&self, table: Option<&Ident>, name: &Ident) -> Value {
        let (table, name) = (table.map(normal), normal(name));
        let meant = self.scopes.iter().filter_map(|scope| find(scope, table.as_deref(), &name));
        largest(meant).map_or(Value::COLUMN, |value| value.or(Value::COLUMN))
    }

    fn in_list(&mut self, expr: &Expr, list: &[Expr]) -> Value {
        let often = if list.len() <= COMPARED_MAX { list.len().max(1) } else { 1 };
        let often = u64::try_from(often).unwrap_or(1);
        let mut values = vec![(self.value(expr), often)];
        values.extend(list.iter().map(|item| (self.value(item), 1)));
        Value::of(2 * often, values)
    }

    fn case(&mut self, operand: Option<&Expr>, conditions: &[CaseWhen], otherwise: Option<&Expr>) -> Value {
        let results = conditions.iter().map(|when| &when.result).chain(otherwise);
        let results: Vec<Value> = results.map(|result| self.value(result)).collect();
        // A CASE of flags becomes ANDs and ORs, in which every condition is negated for all that follow.
        let flags = conditions.len() > 2 && results.iter().all(|result| result.constant);
        let again = if flags { u64::try_from(conditions.len()).unwrap_or(u64::MAX) } else { 0 };
        let mut values: Vec<(Value, u64)> = results.into_iter().map(|result| (result, RESULT)).collect();
        values.extend(conditions.iter().map(|when| (self.value(&when.condition), CONDITION.saturating_add(again))));
        values.extend(operand.map(|operand| (self.value(operand), CONDITION)));
        Value::of(1, values)
    }

    fn function(&mut self, function: &Function) -> Value {
        let name = match function.name.0.as_slice() {
            [part] => part.as_ident().map(normal).unwrap_or_default(),
            _ => String::new(),
        };
        let args = match &function.args {
            FunctionArguments::List(list) => list.args.iter().map(argument).collect(),
            FunctionArguments::Subquery(query) => return self.subquery(None, query),
            FunctionArguments::None => Vec::new(),
        };
        let mut values: Vec<(Value, u64)> =
            args.iter().map(|arg| (arg.map_or(Value::COLUMN, |arg| self.value(arg)), 1)).collect();
        match name.as_str() {
            // Two comparisons.
            "ip_in" => values.iter_mut().take(1).for_each(|(_, often)| *often = 2),
            // A CASE in which each argument is condition and result.
            "coalesce" => values.iter_mut().for_each(|(_, often)| *often = CONDITION + RESULT),
            _ => {}
        }
        if let Some(filter) = &function.filter {
            values.push((self.value(filter), 1));
        }
        let parts = if matches!(name.as_str(), "ip_in" | "coalesce") { 3 } else { 1 };
        let value = Value::of(parts, values);
        match name.as_str() {
            "count" | "sum" | "min" | "max" => Value { behind: Size::LEAF, constant: false, ..value },
            _ => value,
        }
    }

    /// A subquery in an expression: it becomes a join, or is computed before.
    fn subquery(&mut self, compared: Option<Value>, query: &Query) -> Value {
        let relation = self.query(query);
        let size = relation.size.under(2).inside(1);
        let inside = Value { size, behind: size, constant: false };
        let columns = relation.columns.iter().map(|(_, value)| (*value, 1));
        Value::of(1, columns.chain([(inside, 1)]).chain(compared.map(|value| (value, 2))))
    }

    /// An expression of a kind that no query may use: everything in it, one beside the other and one inside the other, which says only how
    /// much there is to read. Whatever inspection or the engine lets through has an arm of its own above.
    fn anything(&mut self, expr: &Expr) -> Value {
        let mut parts = Parts { measurer: self, whole: expr, size: Size::default() };
        let _ = expr.visit(&mut parts);
        let size = Size { depth: parts.size.expressions, ..parts.size };
        Value { size: size.inside(1), behind: size.inside(1), constant: false }
    }
}

/// An argument; none for a wildcard.
fn argument(arg: &FunctionArg) -> Option<&Expr> {
    let arg = match arg {
        FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg) => arg,
    };
    match arg {
        FunctionArgExpr::Expr(expr) => Some(expr),
        _ => None,
    }
}

fn literal(value: &Literal) -> Value {
    let bytes = match value {
        Literal::Placeholder(_) => return Value::COLUMN,
        Literal::Boolean(_) | Literal::Null => 1,
        Literal::Number(text, _) => text.len(),
        Literal::SingleQuotedString(text) => text.len(),
        other => other.to_string().len(),
    };
    let size = Size { literal_bytes: u64::try_from(bytes).unwrap_or(u64::MAX), ..Size::LEAF };
    let constant = !matches!(value, Literal::Number(..) | Literal::SingleQuotedString(_));
    Value { size, behind: size, constant }
}

/// Adds up whatever is inside of an expression.
struct Parts<'a> {
    measurer: &'a mut Measurer,
    whole: &'a Expr,
    size: Size,
}

impl Visitor for Parts<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let relation = self.measurer.query(query);
        self.size = self.size.and(relation.size.under(2));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let one = match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) => self.measurer.value(expr).size,
            _ if std::ptr::eq(expr, self.whole) => Size::default(),
            _ => Size::LEAF,
        };
        self.size = self.size.and(one);
        ControlFlow::Continue(())
    }
}
