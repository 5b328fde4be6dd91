//! SQL text to an unoptimised logical plan over slots: parses one SELECT, refuses what is not allowed while it is still
//! text (so that nothing is refused only after it was rewritten), and resolves names against the slots and nothing else.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::TableReference;
use datafusion_common::config::ConfigOptions;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion_sql::planner::{PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast::{
    Expr, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value, Visit, Visitor,
};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::parser::Parser;
use datafusion_sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::PlanError;
use crate::params::ParamType;

/// Longest query text, in bytes.
const SQL_BYTES_MAX: usize = 16 << 10;
/// Most tokens, blanks not counted.
const TOKENS_MAX: usize = 2000;
/// Deepest nesting of expressions; a chain of ANDs counts one level each.
const DEPTH_MAX: usize = 64;

/// A declared query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuerySpec {
    /// The name under which a guest opens it.
    pub name: String,
    /// One SELECT over slots; parameters as `$name`.
    pub sql: String,
    /// Parameters in the order in which values are given.
    pub params: Vec<(String, ParamType)>,
}

/// Parses one query and refuses everything but a plain SELECT that stays small with everything put in its place.
pub(crate) fn parse(spec: &QuerySpec) -> std::result::Result<Statement, PlanError> {
    let query = || spec.name.clone();
    check_params(spec)?;
    if spec.sql.len() > SQL_BYTES_MAX {
        return Err(PlanError::TooLarge { query: query(), what: "bytes", max: SQL_BYTES_MAX });
    }
    let syntax = |reason: String| PlanError::Syntax { query: query(), reason };
    let tokens = Tokenizer::new(&GenericDialect {}, &spec.sql).tokenize().map_err(|e| syntax(e.to_string()))?;
    if tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count() > TOKENS_MAX {
        return Err(PlanError::TooLarge { query: query(), what: "tokens", max: TOKENS_MAX });
    }
    let mut statements = Parser::parse_sql(&GenericDialect {}, &spec.sql).map_err(|e| syntax(e.to_string()))?;
    let statement = match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => statement,
        (None, _) => return Err(syntax("it is empty".into())),
        (Some(_), false) => return Err(forbidden(spec, "more than one statement")),
    };
    let Statement::Query(written) = &statement else {
        let text = statement.to_string();
        let verb = text.split_whitespace().next().unwrap_or_default().to_uppercase();
        return Err(forbidden(spec, &format!("the statement {verb}")));
    };
    let mut check = TextCheck { spec, depth: 0 };
    if let ControlFlow::Break(error) = statement.visit(&mut check) {
        return Err(error);
    }
    let fits = iog_query::within(&iog_query::measure(written), 1);
    fits.map_err(|too_much| PlanError::TooMuch { query: query(), too_much })?;
    Ok(statement)
}

pub(crate) fn forbidden(spec: &QuerySpec, what: &str) -> PlanError {
    PlanError::Forbidden { query: spec.name.clone(), what: what.to_owned() }
}

/// Parameter names are identifiers, each once.
fn check_params(spec: &QuerySpec) -> std::result::Result<(), PlanError> {
    let mut seen = HashSet::new();
    for (name, _) in &spec.params {
        let bad = |reason: &str| PlanError::Param {
            query: spec.name.clone(),
            param: name.clone(),
            reason: reason.to_owned(),
        };
        let start = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if !start || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(bad("a name is letters, digits and `_`, and begins with a letter"));
        }
        if !seen.insert(name) {
            return Err(bad("it is declared twice"));
        }
    }
    Ok(())
}

/// Refusals that need the text's own structure.
struct TextCheck<'a> {
    spec: &'a QuerySpec,
    depth: usize,
}

impl TextCheck<'_> {
    fn refuse(&self, what: &str) -> ControlFlow<PlanError> {
        ControlFlow::Break(forbidden(self.spec, what))
    }
}

impl Visitor for TextCheck<'_> {
    type Break = PlanError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<PlanError> {
        let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        let refused = [
            (recursive, "WITH RECURSIVE"),
            (query.fetch.is_some(), "FETCH"),
            (!query.locks.is_empty(), "FOR UPDATE or FOR SHARE"),
            (query.for_clause.is_some(), "FOR"),
            (query.settings.is_some() || query.format_clause.is_some(), "SETTINGS or FORMAT"),
            (!query.pipe_operators.is_empty(), "a pipe operator"),
            (matches!(*query.body, SetExpr::Values(_)), "VALUES"),
            (matches!(*query.body, SetExpr::Table(_)), "TABLE"),
            (
                matches!(*query.body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_)),
                "a statement that writes",
            ),
        ];
        match refused.into_iter().find(|(found, _)| *found) {
            Some((_, what)) => self.refuse(what),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<PlanError> {
        let wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        let refused = [
            (select.projection.iter().any(wildcard), "a wildcard (name the columns)"),
            (select.from.is_empty(), "SELECT without FROM"),
            (select.into.is_some(), "SELECT INTO"),
            (select.top.is_some(), "TOP"),
            (!select.lateral_views.is_empty(), "LATERAL VIEW"),
            (!select.named_window.is_empty(), "WINDOW"),
            (select.qualify.is_some(), "QUALIFY"),
        ];
        match refused.into_iter().find(|(found, _)| *found) {
            Some((_, what)) => self.refuse(what),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<PlanError> {
        match factor {
            TableFactor::Table { args: None, sample: None, version: None, json_path: None, .. } => {
                ControlFlow::Continue(())
            }
            TableFactor::Table { name, args: Some(_), .. } => self.refuse(&format!("the table function `{name}`")),
            TableFactor::Derived { lateral: false, .. } | TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            other => self.refuse(&format!("the source `{}`", crate::error::excerpt(other.to_string().as_bytes()))),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<PlanError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let query = self.spec.name.clone();
            return ControlFlow::Break(PlanError::TooLarge { query, what: "levels of expressions", max: DEPTH_MAX });
        }
        let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
        let Value::Placeholder(id) = &value.value else { return ControlFlow::Continue(()) };
        let name = id.strip_prefix('$').unwrap_or_default();
        if self.spec.params.iter().any(|(declared, _)| declared == name) {
            return ControlFlow::Continue(());
        }
        let (query, param) = (self.spec.name.clone(), id.clone());
        ControlFlow::Break(PlanError::Param { query, param, reason: "it is not declared".into() })
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<PlanError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

/// Everything that names in a query can resolve to.
pub(crate) struct Names<'a> {
    pub(crate) tables: &'a BTreeMap<String, Arc<dyn TableSource>>,
    pub(crate) scalars: &'a HashMap<String, Arc<ScalarUDF>>,
    pub(crate) aggregates: &'a HashMap<String, Arc<AggregateUDF>>,
    pub(crate) planners: &'a [Arc<dyn ExprPlanner>],
    pub(crate) options: &'a ConfigOptions,
}

impl Names<'_> {
    /// The unoptimised plan of a parsed query.
    pub(crate) fn resolve(
        &self,
        spec: &QuerySpec,
        statement: Statement,
    ) -> std::result::Result<LogicalPlan, PlanError> {
        let field = |(name, ty): &(String, ParamType)| Some(Arc::new(Field::new(name, ty.arrow(), true)) as FieldRef);
        let types = spec.params.iter().map(field).collect();
        let mut context = PlannerContext::new().with_prepare_param_data_types(types);
        SqlToRel::new(self)
            .sql_statement_to_plan_with_context(statement, &mut context)
            .map_err(|e| PlanError::Resolve { query: spec.name.clone(), reason: e.strip_backtrace() })
    }
}

impl ContextProvider for Names<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match &name {
            TableReference::Bare { table } => self.tables.get(table.as_ref()).map(Arc::clone),
            _ => None,
        }
        .ok_or_else(|| DataFusionError::Plan(format!("no slot `{name}` is declared")))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalars.get(name).map(Arc::clone)
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregates.get(name).map(Arc::clone)
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.scalars.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregates.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
