//! Operators over one input: projection, filter, aggregate and sort. What is planned below them is given to them.

use std::sync::Arc;

use datafusion_common::error::{DataFusionError, Result};
use datafusion_expr::expr::physical_name;
use datafusion_expr::{Aggregate, Expr, Filter, Projection, Sort};
use datafusion_physical_expr::LexOrdering;
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion_physical_plan::filter::FilterExecBuilder;
use datafusion_physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion_physical_plan::sorts::sort::SortExec;

use super::scope::Scope;
use crate::BATCH_ROWS;

/// Columns keep the name that they have in the input, which a qualified name of the logical plan is not.
pub(super) fn projection(
    node: &Projection,
    input: Arc<dyn ExecutionPlan>,
    scope: &Scope,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = node.input.schema();
    let fields = input.schema();
    let one = |expr: &Expr| {
        let kept = match expr {
            Expr::Column(column) => schema.maybe_index_of_column(column).map(|at| fields.field(at).name().clone()),
            _ => None,
        };
        let alias = kept.map_or_else(|| physical_name(expr), Ok)?;
        Ok(ProjectionExpr { expr: scope.expr(expr, schema)?, alias })
    };
    let exprs = node.expr.iter().map(one).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(ProjectionExec::try_new_with_schema_metadata(exprs, input, node.schema.as_arrow())?))
}

pub(super) fn filter(node: &Filter, input: Arc<dyn ExecutionPlan>, scope: &Scope) -> Result<Arc<dyn ExecutionPlan>> {
    let predicate = scope.expr(&node.predicate, node.input.schema())?;
    Ok(Arc::new(FilterExecBuilder::new(predicate, input).with_batch_size(BATCH_ROWS).build()?))
}

/// One pass: with one partition there are no partial groups to merge.
pub(super) fn aggregate(
    node: &Aggregate,
    input: Arc<dyn ExecutionPlan>,
    scope: &Scope,
) -> Result<Arc<dyn ExecutionPlan>> {
    let (logical, physical) = (node.input.schema(), input.schema());
    let group = |expr: &Expr| Ok((scope.expr(expr, logical)?, physical_name(expr)?));
    let groups = node.group_expr.iter().map(group).collect::<Result<Vec<_>>>()?;
    let groups = match groups.is_empty() {
        true => PhysicalGroupBy::new(vec![], vec![], vec![], false),
        false => PhysicalGroupBy::new_single(groups),
    };
    let (mut functions, mut filters) = (Vec::new(), Vec::new());
    for expr in &node.aggr_expr {
        let lowered = scope.aggregate(expr, logical, &physical)?;
        functions.push(lowered.aggregate);
        filters.push(lowered.filter);
    }
    Ok(Arc::new(AggregateExec::try_new(AggregateMode::Single, groups, functions, filters, input, physical)?))
}

pub(super) fn sort(node: &Sort, input: Arc<dyn ExecutionPlan>, scope: &Scope) -> Result<Arc<dyn ExecutionPlan>> {
    let ordering = LexOrdering::new(scope.sort_exprs(&node.expr, node.input.schema())?)
        .ok_or_else(|| DataFusionError::Internal("a sort without keys".into()))?;
    Ok(Arc::new(SortExec::new(ordering, input).with_fetch(node.fetch)))
}
