//! Expressions: every one allowed is listed, every name in it is resolved and noted as read.

use iog_protocol::manifest::ParamType;
use sqlparser::ast::{
    CastKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Value,
};

use super::finding::{QueryFinding, forbidden, refuse_any};
use super::functions::{AllowedFunction, allowed};
use super::literal::{Literal, casts_to_float, check_unary, is_arithmetic, literal};
use super::resolver::Resolver;
use super::scope::{ColumnInfo, Relation, Scope, normal};

impl Resolver<'_> {
    /// Resolves an expression; says what its value is.
    pub(super) fn expr(&mut self, expr: &Expr) -> Result<ColumnInfo, QueryFinding> {
        match expr {
            Expr::Identifier(name) => self.column(name),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => self.column_in(table, column),
                _ => Err(forbidden(format!("the qualified name `{}`", crate::text::clean(&expr.to_string(), 60)))),
            },
            other => self.deeper(|resolver| resolver.float(other)).map(computed),
        }
    }

    /// As [`Self::expr`], but a bare name may also be an output column.
    pub(super) fn expr_or_output(&mut self, expr: &Expr, output: &[ColumnInfo]) -> Result<(), QueryFinding> {
        let own = self.scopes.last().cloned().unwrap_or_default();
        let new = |column: &&ColumnInfo| {
            column.name.as_deref().is_some_and(|name| own.relations.iter().all(|relation| !relation.has(name)))
        };
        let columns = output.iter().filter(new).map(|column| ColumnInfo { base: None, ..column.clone() }).collect();
        let mut scope = own;
        scope.relations.push(Relation { name: None, columns });
        let own = self.scopes.pop();
        self.scopes.push(scope);
        let result = self.expr(expr);
        self.scopes.pop();
        self.scopes.extend(own);
        result.map(drop)
    }

    fn column(&mut self, ident: &Ident) -> Result<ColumnInfo, QueryFinding> {
        let name = normal(ident);
        for scope in self.scopes.iter().rev() {
            let found: Vec<ColumnInfo> = scope.find(&name)?.into_iter().cloned().collect();
            if let Some(first) = found.first().cloned() {
                found.iter().for_each(|column| self.note(column));
                return Ok(first);
            }
        }
        Err(self.unknown(&name))
    }

    fn column_in(&mut self, table: &Ident, column: &Ident) -> Result<ColumnInfo, QueryFinding> {
        let (table, name) = (normal(table), normal(column));
        let found = self.scopes.iter().rev().find_map(|scope| scope.find_in(&table, &name));
        match found.map(|column| column.cloned()) {
            Some(column) => {
                let column = column?;
                self.note(&column);
                Ok(column)
            }
            None => Err(self.unknown(&format!("{table}.{name}"))),
        }
    }

    fn unknown(&self, name: &str) -> QueryFinding {
        let columns = self.scopes.last().map_or_else(|| "none".to_owned(), Scope::names);
        QueryFinding::UnknownColumn { name: crate::text::clean(name, 80), columns }
    }

    /// Resolves an expression that is not a bare name; says whether it is a float.
    fn float(&mut self, expr: &Expr) -> Result<bool, QueryFinding> {
        match expr {
            Expr::Value(value) => self.value(&value.value),
            Expr::Nested(inner) => Ok(self.expr(inner)?.float),
            Expr::UnaryOp { op, expr } => check_unary(*op).and_then(|()| Ok(self.expr(expr)?.float)),
            Expr::BinaryOp { left, op, right } => {
                let arithmetic = is_arithmetic(op)?;
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                Ok(arithmetic && (left.float || right.float))
            }
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon | CastKind::TryCast,
                expr,
                data_type,
                array: false,
                format: None,
            } => {
                self.expr(expr)?;
                casts_to_float(data_type)
            }
            Expr::Function(function) => self.function(function),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let bounds = [substring_from.as_deref(), substring_for.as_deref()];
                self.all([Some(&**expr)].into_iter().chain(bounds).flatten())
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.all(operand.as_deref().into_iter().chain(conditions.iter().map(|when| &when.condition)))?;
                let mut float = false;
                for result in conditions.iter().map(|when| &when.result).chain(else_result.as_deref()) {
                    float |= self.expr(result)?.float;
                }
                Ok(float)
            }
            Expr::Subquery(query) => {
                let columns = self.query(query)?;
                Ok(columns.iter().any(|column| column.float))
            }
            other => self.predicate(other),
        }
    }

    /// Expressions that are true or false.
    fn predicate(&mut self, expr: &Expr) -> Result<bool, QueryFinding> {
        match expr {
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner) => self.all([&**inner]),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => self.all([&**left, &**right]),
            Expr::InList { expr, list, .. } => self.all([&**expr].into_iter().chain(list)),
            Expr::Between { expr, low, high, .. } => self.all([&**expr, &**low, &**high]),
            Expr::Like { any: false, expr, pattern, .. } | Expr::ILike { any: false, expr, pattern, .. } => {
                self.all([&**expr, &**pattern])
            }
            Expr::InSubquery { expr, subquery, .. } => {
                self.expr(expr)?;
                self.query(subquery).map(|_| false)
            }
            Expr::Exists { subquery, .. } => self.query(subquery).map(|_| false),
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => Err(QueryFinding::Wildcard),
            other => Err(forbidden(expression_name(other))),
        }
    }

    /// Resolves several expressions whose values do not show in the result's type.
    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Result<bool, QueryFinding> {
        exprs.into_iter().try_for_each(|expr| self.expr(expr).map(drop))?;
        Ok(false)
    }

    fn value(&mut self, value: &Value) -> Result<bool, QueryFinding> {
        match literal(value)? {
            Literal::Plain => Ok(false),
            Literal::Float => Ok(true),
            Literal::Param(name) => match self.param(name)? {
                ParamType::Prefix => Err(QueryFinding::MisplacedPrefix { name: name.to_owned() }),
                other => Ok(other == ParamType::Float),
            },
        }
    }

    fn param(&mut self, name: &str) -> Result<ParamType, QueryFinding> {
        let declared = self.params.iter().find(|(known, _)| known == name);
        let (name, ty) =
            declared.ok_or_else(|| QueryFinding::UndeclaredParam { name: crate::text::clean(name, 60) })?;
        self.params_used.insert(name.clone());
        Ok(*ty)
    }

    fn function(&mut self, function: &Function) -> Result<bool, QueryFinding> {
        let name = match function.name.0.as_slice() {
            [part] => part.as_ident().map(normal).unwrap_or_default(),
            _ => function.name.to_string(),
        };
        refuse_any(&[
            (function.over.is_some(), "a window (OVER)"),
            (!function.within_group.is_empty(), "WITHIN GROUP"),
            (function.null_treatment.is_some(), "IGNORE or RESPECT NULLS"),
            (function.uses_odbc_syntax, "a function in braces"),
            (!matches!(function.parameters, FunctionArguments::None), "a function with two lists of arguments"),
        ])?;
        let FunctionArguments::List(list) = &function.args else {
            return allowed(&name, 0).map(|_| false);
        };
        let rules = allowed(&name, list.args.len())?;
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        refuse_any(&[
            (!list.clauses.is_empty(), "a clause inside a function"),
            (distinct && !rules.aggregate, "DISTINCT in a function that is not an aggregate"),
            (function.filter.is_some() && !rules.aggregate, "FILTER on a function that is not an aggregate"),
        ])?;
        if let Some(filter) = &function.filter {
            self.expr(filter)?;
        }
        self.arguments(rules, &list.args)
    }

    fn arguments(&mut self, rules: &AllowedFunction, args: &[FunctionArg]) -> Result<bool, QueryFinding> {
        let mut float = false;
        for (index, arg) in args.iter().enumerate() {
            let arg = match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => expr,
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if rules.name == "count" => continue,
                FunctionArg::Unnamed(_) => return Err(QueryFinding::Wildcard),
                _ => return Err(forbidden("a named argument")),
            };
            if rules.name == "ip_in" && index == 1 && self.is_prefix_param(arg)? {
                continue;
            }
            float |= self.expr(arg)?.float;
        }
        if float && matches!(rules.name, "sum" | "min" | "max") {
            let what = format!("`{}` over a float (its result would depend on the order of rows)", rules.name);
            return Err(forbidden(what));
        }
        Ok(float && matches!(rules.name, "abs" | "coalesce" | "nullif"))
    }

    /// Whether an argument is a parameter of type prefix, which it then counts as used.
    fn is_prefix_param(&mut self, arg: &Expr) -> Result<bool, QueryFinding> {
        let Expr::Value(value) = arg else { return Ok(false) };
        let Literal::Param(name) = literal(&value.value)? else { return Ok(false) };
        Ok(self.param(name)? == ParamType::Prefix)
    }
}

/// What an expression is. It is not printed, since it may nest as deep as the text is long.
fn expression_name(expr: &Expr) -> &'static str {
    match expr {
        Expr::Cast { .. } | Expr::Convert { .. } => "this kind of cast",
        Expr::Extract { .. } => "EXTRACT",
        Expr::Ceil { .. } | Expr::Floor { .. } => "CEIL or FLOOR",
        Expr::Position { .. } => "POSITION",
        Expr::Trim { .. } => "TRIM",
        Expr::Overlay { .. } => "OVERLAY",
        Expr::Interval(_) => "INTERVAL",
        Expr::TypedString(_) => "a literal with a type before it",
        Expr::AtTimeZone { .. } => "AT TIME ZONE",
        Expr::Tuple(_) => "a list in parentheses",
        Expr::Array(_) | Expr::Map(_) | Expr::Struct { .. } | Expr::Dictionary(_) => "an array, map or struct",
        Expr::AnyOp { .. } | Expr::AllOp { .. } => "ANY or ALL",
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => "GROUPING SETS, CUBE or ROLLUP",
        Expr::SimilarTo { .. } | Expr::RLike { .. } => "SIMILAR TO or a regular expression",
        _ => "this kind of expression",
    }
}

/// The value of an expression: a column without a name.
const fn computed(float: bool) -> ColumnInfo {
    ColumnInfo { name: None, float, base: None }
}
