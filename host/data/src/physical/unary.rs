//! Operators over one input: projection, filter, aggregate and sort. What is planned below them is given to them. What their
//! expressions make of a row decides how many rows they are given at a time (`guard`).

use std::sync::Arc;

use arrow_schema::SortOptions;
use datafusion_common::DFSchema;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_expr::expr::physical_name;
use datafusion_expr::{Aggregate, Expr, Filter, Projection, Sort};
use datafusion_physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion_physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion_physical_plan::filter::FilterExecBuilder;
use datafusion_physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion_physical_plan::sorts::sort::SortExec;

use super::keys::{keyed, without_keys};
use super::made::Made;
use super::scope::Scope;
use crate::guard;
use crate::work::{Evaluated, Work, evaluated};

/// What each of several expressions makes, and all of them together.
fn evaluate<'e>(exprs: impl IntoIterator<Item = &'e Expr>, schema: &DFSchema, input: &Made) -> (Vec<Work>, Work) {
    let each: Vec<Evaluated> = exprs.into_iter().map(|expr| evaluated(expr, schema, &input.columns)).collect();
    let all = each.iter().fold(Work::default(), |all, one| all.and(one.all));
    (each.into_iter().map(|one| one.value).collect(), all)
}

/// Columns keep the name that they have in the input, which a qualified name of the logical plan is not.
pub(super) fn projection(node: &Projection, input: Made, scope: &Scope) -> Result<Made> {
    let schema = node.input.schema();
    let fields = input.plan.schema();
    let one = |expr: &Expr| {
        let kept = match expr {
            Expr::Column(column) => schema.maybe_index_of_column(column).map(|at| fields.field(at).name().clone()),
            _ => None,
        };
        let alias = kept.map_or_else(|| physical_name(expr), Ok)?;
        Ok(ProjectionExpr { expr: scope.expr(expr, schema)?, alias })
    };
    let exprs = node.expr.iter().map(one).collect::<Result<Vec<_>>>()?;
    let (columns, all) = evaluate(&node.expr, schema, &input);
    let input = guard::cut(input.plan, all);
    let plan = Arc::new(ProjectionExec::try_new_with_schema_metadata(exprs, input, node.schema.as_arrow())?);
    Ok(Made { plan: guard::charged(plan, all), columns })
}

/// Rows that stay are gathered until they fill a batch, and are not charged meanwhile; so a batch has fewer of wide rows.
pub(super) fn filter(node: &Filter, input: Made, scope: &Scope) -> Result<Made> {
    let schema = node.input.schema();
    let predicate = scope.expr(&node.predicate, schema)?;
    let (_, all) = evaluate([&node.predicate], schema, &input);
    let row = input.columns.iter().fold(Work::default(), |row, column| row.and(*column));
    let rows = guard::cut(input.plan, all);
    let plan = FilterExecBuilder::new(predicate, rows).with_batch_size(row.usual_rows()).build()?;
    Ok(Made { plan: Arc::new(plan), columns: input.columns })
}

/// One pass: with one partition there are no partial groups to merge.
pub(super) fn aggregate(node: &Aggregate, input: Made, scope: &Scope) -> Result<Made> {
    let logical = node.input.schema();
    let (columns, all) = evaluate(node.group_expr.iter().chain(&node.aggr_expr), logical, &input);
    let input = guard::cut(input.plan, all);
    let physical = input.schema();
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
    let mode = AggregateMode::Single;
    let plan = Arc::new(AggregateExec::try_new(mode, groups, functions, filters, input, physical)?);
    Ok(Made { plan, columns })
}

pub(super) fn sort(node: &Sort, input: Made, scope: &Scope) -> Result<Made> {
    let keyed = keyed(input, node.expr.iter().map(|key| &key.expr), node.input.schema(), scope)?;
    let order = |(expr, key): (_, &datafusion_expr::SortExpr)| {
        let options = SortOptions { descending: !key.asc, nulls_first: key.nulls_first };
        PhysicalSortExpr { expr, options }
    };
    let ordering = LexOrdering::new(keyed.keys.into_iter().zip(&node.expr).map(order))
        .ok_or_else(|| DataFusionError::Internal("a sort without keys".into()))?;
    let plan = Arc::new(SortExec::new(ordering, keyed.input.plan).with_fetch(node.fetch));
    without_keys(Made { plan, columns: keyed.input.columns }, keyed.width)
}
