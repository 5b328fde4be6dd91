//! Keys of joins and orders. The engine evaluates them over everything that it holds at once. So where a key makes much of a
//! row it is computed before, batch by batch, and stands beside the rows as a column of its own.

use std::sync::Arc;

use datafusion_common::DFSchema;
use datafusion_common::error::Result;
use datafusion_expr::Expr;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_plan::projection::{ProjectionExec, ProjectionExpr};

use super::made::Made;
use super::scope::Scope;
use crate::guard;
use crate::work::{Work, evaluated};

/// Rows with their keys.
pub(super) struct Keyed {
    /// The rows; columns that were added are behind those that were there.
    pub(super) input: Made,
    /// The keys over these rows.
    pub(super) keys: Vec<Arc<dyn PhysicalExpr>>,
    /// How many columns were there before.
    pub(super) width: usize,
}

/// The input with keys that are cheap enough to be evaluated over all of it.
pub(super) fn keyed<'e>(
    input: Made,
    keys: impl IntoIterator<Item = &'e Expr>,
    schema: &DFSchema,
    scope: &Scope,
) -> Result<Keyed> {
    let width = input.columns.len();
    let keys: Vec<&Expr> = keys.into_iter().collect();
    let works: Vec<_> = keys.iter().map(|key| evaluated(key, schema, &input.columns)).collect();
    let all = works.iter().fold(Work::default(), |all, key| all.and(key.all));
    let physical = keys.iter().map(|key| scope.expr(key, schema)).collect::<Result<Vec<_>>>()?;
    if all.is_small() {
        return Ok(Keyed { input, keys: physical, width });
    }
    let mut exprs = kept(&input, width);
    let mut named = Vec::with_capacity(physical.len());
    for (at, expr) in physical.into_iter().enumerate() {
        let alias = format!("key {at}");
        named.push(Arc::new(Column::new(&alias, width + at)) as Arc<dyn PhysicalExpr>);
        exprs.push(ProjectionExpr { expr, alias });
    }
    let plan = Arc::new(ProjectionExec::try_new(exprs, guard::cut(input.plan, all))?);
    let mut columns = input.columns;
    columns.extend(works.iter().map(|key| key.value));
    Ok(Keyed { input: Made { plan: guard::charged(plan, all), columns }, keys: named, width })
}

/// The first columns of the rows as they are.
fn kept(input: &Made, width: usize) -> Vec<ProjectionExpr> {
    let schema = input.plan.schema();
    let column = |at: usize| {
        let name = schema.field(at).name().clone();
        ProjectionExpr { expr: Arc::new(Column::new(&name, at)), alias: name }
    };
    (0..width).map(column).collect()
}

/// The rows without the columns that were added for keys.
pub(super) fn without_keys(mut made: Made, width: usize) -> Result<Made> {
    if made.columns.len() > width {
        made.plan = Arc::new(ProjectionExec::try_new(kept(&made, width), Arc::clone(&made.plan))?);
        made.columns.truncate(width);
    }
    Ok(made)
}
