//! The allow-list over logical plans: every node and every expression of a query must be on it. Walks the plan as the
//! author wrote it, before any rule has changed it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::error::Result;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::{Distinct, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF};

use crate::error::PlanError;
use crate::sql::{QuerySpec, forbidden};

/// Refuses a plan that holds anything not listed.
pub(crate) fn check(
    spec: &QuerySpec,
    plan: &LogicalPlan,
    functions: &HashMap<String, Arc<ScalarUDF>>,
) -> std::result::Result<(), PlanError> {
    let mut refused: Option<String> = None;
    let walked = plan.apply_with_subqueries(|node| {
        refused = refuse_node(node).map_or_else(|| refuse_exprs(node, functions), |what| Ok(Some(what)))?;
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (refused, walked) {
        (Some(what), _) => Err(forbidden(spec, &what)),
        (None, Err(error)) => Err(PlanError::Resolve { query: spec.name.clone(), reason: error.strip_backtrace() }),
        (None, Ok(_)) => Ok(()),
    }
}

fn refuse_node(node: &LogicalPlan) -> Option<String> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => None,
        LogicalPlan::Distinct(Distinct::On(_)) => Some("DISTINCT ON".into()),
        LogicalPlan::EmptyRelation(_) => Some("SELECT without FROM".into()),
        other => Some(format!("the plan node {}", other.display())),
    }
}

fn refuse_exprs(node: &LogicalPlan, functions: &HashMap<String, Arc<ScalarUDF>>) -> Result<Option<String>> {
    let mut refused = None;
    node.apply_expressions(|root| {
        root.apply(|expr| {
            refused = match expr {
                // SQL's own syntax can make functions that no name was resolved for.
                Expr::ScalarFunction(call) => refuse_function(call.func.name(), functions),
                other => refuse_expr(node, other)?,
            };
            Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(refused)
}

fn refuse_expr(node: &LogicalPlan, expr: &Expr) -> Result<Option<String>> {
    Ok(match expr {
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Literal(..)
        | Expr::Placeholder(_)
        | Expr::Like(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::InList(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::ScalarSubquery(_) => None,
        Expr::BinaryExpr(binary) => refuse_operator(binary.op),
        Expr::Cast(cast) => refuse_cast(cast.field.data_type()),
        Expr::TryCast(cast) => refuse_cast(cast.field.data_type()),
        Expr::AggregateFunction(aggregate) => refuse_aggregate(node, aggregate)?,
        other => Some(format!("the expression {}", other.variant_name())),
    })
}

fn refuse_function(name: &str, functions: &HashMap<String, Arc<ScalarUDF>>) -> Option<String> {
    let known = functions.values().any(|function| function.name() == name);
    (!known).then(|| format!("the function `{name}`"))
}

fn refuse_operator(op: Operator) -> Option<String> {
    match op {
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq
        | Operator::Plus
        | Operator::Minus
        | Operator::Multiply
        | Operator::Divide
        | Operator::Modulo
        | Operator::And
        | Operator::Or
        | Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom
        | Operator::BitwiseAnd
        | Operator::BitwiseOr
        | Operator::BitwiseXor
        | Operator::BitwiseShiftLeft
        | Operator::BitwiseShiftRight
        | Operator::LikeMatch
        | Operator::NotLikeMatch
        | Operator::StringConcat => None,
        other => Some(format!("the operator `{other}`")),
    }
}

/// Casts between numbers, texts and flags; times and decimals are not for guests.
fn refuse_cast(to: &DataType) -> Option<String> {
    let fine = to.is_integer()
        || matches!(
            to,
            DataType::Float32
                | DataType::Float64
                | DataType::Boolean
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
        );
    (!fine).then(|| format!("a cast to {to}"))
}

/// Sums, minima and maxima of floats depend on the order of rows (or on NaN), so they are refused.
fn refuse_aggregate(node: &LogicalPlan, aggregate: &AggregateFunction) -> Result<Option<String>> {
    let name = aggregate.func.name();
    if !aggregate.params.order_by.is_empty() || aggregate.params.null_treatment.is_some() {
        return Ok(Some(format!("ORDER BY or IGNORE NULLS inside `{name}`")));
    }
    if name == "count" {
        return Ok(None);
    }
    let inputs = node.inputs();
    let schema = inputs.first().map_or_else(|| node.schema(), |input| input.schema());
    for arg in &aggregate.params.args {
        if arg.get_type(schema.as_ref())?.is_floating() {
            return Ok(Some(format!("`{name}` over a float (its result would depend on the order of rows)")));
        }
    }
    Ok(None)
}
