//! LIMIT and OFFSET, and telling the operators below that rows after the last one are not needed.

use std::sync::Arc;

use datafusion_common::error::Result;
use datafusion_expr::{FetchType, Limit, SkipType};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::aggregates::{AggregateExec, LimitOptions};
use datafusion_physical_plan::execution_plan::replace_children_if_necessary;
use datafusion_physical_plan::limit::GlobalLimitExec;
use datafusion_physical_plan::projection::ProjectionExec;

use super::refused::refuse;

pub(super) fn limit(node: &Limit, input: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (node.get_skip_type()?, node.get_fetch_type()?) else {
        return refuse("a LIMIT or OFFSET that is not a constant");
    };
    let input = match fetch {
        Some(fetch) => ending(input, fetch.saturating_add(skip))?,
        None => input,
    };
    Ok(Arc::new(GlobalLimitExec::new(input, skip, fetch)))
}

/// The plan, which may end after `rows` rows: filters and joins need not fill their last batch, and groups without
/// aggregates need not be more than are asked for.
fn ending(plan: Arc<dyn ExecutionPlan>, rows: usize) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let below = ending(Arc::clone(projection.input()), rows)?;
        return replace_children_if_necessary(plan, vec![below]);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return Ok(match aggregate.is_unordered_unfiltered_group_by_distinct() {
            true => Arc::new(aggregate.with_new_limit_options(Some(LimitOptions::new(rows)))),
            false => plan,
        });
    }
    let rows = plan.fetch().map_or(rows, |fewer| fewer.min(rows));
    Ok(plan.with_fetch(Some(rows)).unwrap_or(plan))
}
