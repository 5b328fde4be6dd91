//! Joins: by equality where there is one, pair by pair where there is none. `guard` bounds what they hold and make.

use std::sync::Arc;

use arrow_schema::Schema;
use datafusion_common::error::Result;
use datafusion_common::{DFSchema, JoinType};
use datafusion_expr::{Expr, Join};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::joins::utils::{JoinFilter, JoinOn};
use datafusion_physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};

use super::scope::Scope;

/// The left side is held, the right side streams past it.
pub(super) fn join(
    node: &Join,
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    scope: &Scope,
) -> Result<Arc<dyn ExecutionPlan>> {
    let filter = node.filter.as_ref().map(|expr| filter(expr, node, &left, &right, scope)).transpose()?;
    if node.on.is_empty() {
        return Ok(match (filter, node.join_type) {
            (None, JoinType::Inner) => Arc::new(CrossJoinExec::new(left, right)),
            (filter, kind) => Arc::new(NestedLoopJoinExec::try_new(left, right, filter, &kind, None)?),
        });
    }
    let key = |(l, r): &(Expr, Expr)| Ok((scope.expr(l, node.left.schema())?, scope.expr(r, node.right.schema())?));
    let on = node.on.iter().map(key).collect::<Result<JoinOn>>()?;
    let mode = PartitionMode::CollectLeft;
    let (kind, nulls, aware) = (&node.join_type, node.null_equality, node.null_aware);
    Ok(Arc::new(HashJoinExec::try_new(left, right, on, filter, kind, None, mode, nulls, aware)?))
}

/// The condition beside the equalities, over a row of only those columns that it reads: the left side's, then the right's.
fn filter(
    expr: &Expr,
    node: &Join,
    left: &Arc<dyn ExecutionPlan>,
    right: &Arc<dyn ExecutionPlan>,
    scope: &Scope,
) -> Result<JoinFilter> {
    let named = expr.column_refs();
    let read = |schema: &DFSchema| {
        let mut found: Vec<usize> = named.iter().filter_map(|column| schema.maybe_index_of_column(column)).collect();
        found.sort_unstable();
        found
    };
    let sides = [(node.left.schema(), left.schema()), (node.right.schema(), right.schema())];
    let (mut qualified, mut plain) = (Vec::new(), Vec::new());
    for (logical, physical) in &sides {
        for at in read(logical) {
            let (qualifier, field) = logical.qualified_field(at);
            qualified.push((qualifier.cloned(), Arc::clone(field)));
            plain.push(Arc::clone(&physical.fields()[at]));
        }
    }
    let [left, right] = sides.map(|(logical, _)| read(logical));
    let schema = DFSchema::new_with_metadata(qualified, std::collections::HashMap::new())?;
    let expr = scope.expr(expr, &schema)?;
    Ok(JoinFilter::new(expr, JoinFilter::build_column_indices(left, right), Arc::new(Schema::new(plain))))
}
