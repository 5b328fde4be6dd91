//! Joins: by equality where there is one, pair by pair where there is none. `guard` bounds what they hold and make.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use datafusion_common::error::Result;
use datafusion_common::{DFSchema, JoinType};
use datafusion_expr::{Expr, Join};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::joins::utils::{JoinFilter, JoinOn};
use datafusion_physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};

use super::keys::{Keyed, keyed};
use super::made::Made;
use super::scope::Scope;
use crate::work::{Work, evaluated};

/// The left side is held, the right side streams past it.
pub(super) fn join(node: &Join, left: Made, right: Made, scope: &Scope) -> Result<Made> {
    let filter = node.filter.as_ref().map(|expr| filter(expr, node, &left, &right, scope)).transpose()?;
    let columns = columns(node.join_type, &left.columns, &right.columns);
    if node.on.is_empty() {
        let (left, right) = (left.plan, right.plan);
        let plan: Arc<dyn ExecutionPlan> = match (filter, node.join_type) {
            (None, JoinType::Inner) => Arc::new(CrossJoinExec::new(left, right)),
            (filter, kind) => Arc::new(NestedLoopJoinExec::try_new(left, right, filter, &kind, None)?),
        };
        return Ok(Made { plan, columns });
    }
    let left = keyed(left, node.on.iter().map(|(left, _)| left), node.left.schema(), scope)?;
    let right = keyed(right, node.on.iter().map(|(_, right)| right), node.right.schema(), scope)?;
    let kept = kept(node.join_type, &left, &right);
    let on: JoinOn = left.keys.into_iter().zip(right.keys).collect();
    let (left, right, mode) = (left.input.plan, right.input.plan, PartitionMode::CollectLeft);
    let (kind, nulls, aware) = (&node.join_type, node.null_equality, node.null_aware);
    let plan = HashJoinExec::try_new(left, right, on, filter, kind, kept, mode, nulls, aware)?;
    Ok(Made { plan: Arc::new(plan), columns })
}

/// Which sides a join hands on: the left one, the right one, and whether there was a partner.
fn sides(kind: JoinType) -> (bool, bool, bool) {
    match kind {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => (true, true, false),
        JoinType::LeftSemi | JoinType::LeftAnti => (true, false, false),
        JoinType::RightSemi | JoinType::RightAnti => (false, true, false),
        JoinType::LeftMark => (true, false, true),
        JoinType::RightMark => (false, true, true),
    }
}

fn columns(kind: JoinType, left: &[Work], right: &[Work]) -> Vec<Work> {
    let (has_left, has_right, has_mark) = sides(kind);
    let mut columns = Vec::new();
    columns.extend(has_left.then_some(left).into_iter().flatten());
    columns.extend(has_right.then_some(right).into_iter().flatten());
    columns.extend(has_mark.then(|| Work::of_type(&DataType::Boolean)));
    columns
}

/// The columns that a join hands on where its inputs have further ones, for keys.
fn kept(kind: JoinType, left: &Keyed, right: &Keyed) -> Option<Vec<usize>> {
    let (has_left, has_right, has_mark) = sides(kind);
    let (all_left, all_right) = (left.input.columns.len(), right.input.columns.len());
    if all_left == left.width && all_right == right.width {
        return None;
    }
    let behind = if has_left { all_left } else { 0 };
    let mut kept: Vec<usize> = if has_left { (0..left.width).collect() } else { Vec::new() };
    if has_right {
        kept.extend(behind..behind + right.width);
    }
    if has_mark {
        kept.push(behind + if has_right { all_right } else { 0 });
    }
    Some(kept)
}

/// The condition beside the equalities, over a row of only those columns that it reads: the left side's, then the right's.
fn filter(expr: &Expr, node: &Join, left: &Made, right: &Made, scope: &Scope) -> Result<JoinFilter> {
    let named = expr.column_refs();
    let read = |schema: &DFSchema| {
        let mut found: Vec<usize> = named.iter().filter_map(|column| schema.maybe_index_of_column(column)).collect();
        found.sort_unstable();
        found
    };
    let sides = [(node.left.schema(), left), (node.right.schema(), right)];
    let (mut qualified, mut plain, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for (logical, input) in &sides {
        let physical = input.plan.schema();
        for at in read(logical) {
            columns.push(input.columns[at]);
            let (qualifier, field) = logical.qualified_field(at);
            qualified.push((qualifier.cloned(), Arc::clone(field)));
            plain.push(Arc::clone(&physical.fields()[at]));
        }
    }
    let [left, right] = sides.map(|(logical, _)| read(logical));
    let schema = DFSchema::new_with_metadata(qualified, std::collections::HashMap::new())?;
    scope.bound_batches(evaluated(expr, &schema, &columns).all.usual_rows());
    let expr = scope.expr(expr, &schema)?;
    Ok(JoinFilter::new(expr, JoinFilter::build_column_indices(left, right), Arc::new(Schema::new(plain))))
}
