//! The row filter that a scan pushes into a source, with its parameters bound. Where it makes much of a row it is evaluated on
//! some rows at a time, and the run is looked at in between.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{Column, Literal};
use datafusion_physical_expr::utils::collect_columns;

use crate::params;
use crate::run::Run;
use crate::work::Work;

/// A condition on rows. Columns carry their index in the whole schema; parameters are columns behind the last one.
#[derive(Debug, Clone)]
pub(crate) struct Predicate {
    expr: Arc<dyn PhysicalExpr>,
    /// What evaluating it makes for each row.
    work: Work,
    /// The run whose parameters are bound, which may have to stop.
    run: Option<Arc<Run>>,
}

impl Predicate {
    pub(crate) fn new(expr: Arc<dyn PhysicalExpr>, work: Work) -> Self {
        Self { expr, work, run: None }
    }

    pub(crate) fn expr(&self) -> &Arc<dyn PhysicalExpr> {
        &self.expr
    }

    /// The same work and run with a part of the condition.
    pub(crate) fn with_expr(&self, expr: Arc<dyn PhysicalExpr>) -> Self {
        Self { expr, work: self.work, run: self.run.clone() }
    }

    /// Schema columns that the condition reads, ascending; `width` is the schema's number of columns.
    pub(crate) fn columns(&self, width: usize) -> Vec<usize> {
        let mut found: Vec<usize> =
            collect_columns(&self.expr).iter().map(Column::index).filter(|at| *at < width).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Puts the run's values in the places of the parameters.
    pub(crate) fn bind(&self, width: usize, run: &Arc<Run>) -> Result<Self> {
        let value = |value: &ScalarValue| Arc::new(Literal::new(value.clone())) as Arc<dyn PhysicalExpr>;
        let values: Vec<_> = run.params.iter().map(value).collect();
        let expr = Arc::clone(&self.expr).transform_up(|node| {
            let Some(at) = node.downcast_ref::<Column>().map(Column::index).filter(|at| *at >= width) else {
                return Ok(Transformed::no(node));
            };
            let value = values.get(at - width).ok_or_else(|| DataFusionError::Internal("unbound parameter".into()))?;
            Ok(Transformed::yes(Arc::clone(value)))
        })?;
        let longest = run.params.iter().map(params::text_bytes).max().unwrap_or_default();
        Ok(Self { expr: expr.data, work: self.work.with_texts_of(longest), run: Some(Arc::clone(run)) })
    }

    /// The condition for batches that have only `columns` of the schema, in that order.
    pub(crate) fn rebase(&self, columns: &[usize]) -> Result<Self> {
        let expr = Arc::clone(&self.expr).transform_up(|node| {
            let Some(column) = node.downcast_ref::<Column>() else { return Ok(Transformed::no(node)) };
            let at = columns.iter().position(|at| *at == column.index());
            let at = at.ok_or_else(|| DataFusionError::Internal(format!("column `{}` is not read", column.name())))?;
            Ok(Transformed::yes(Arc::new(Column::new(column.name(), at)) as Arc<dyn PhysicalExpr>))
        })?;
        Ok(self.with_expr(expr.data))
    }

    /// Which rows fulfil the condition; null counts as no. Where it makes much of a row, some rows at a time.
    pub(crate) fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let all = batch.num_rows();
        if all <= self.work.rows_of(batch) {
            return self.evaluate_whole(batch);
        }
        let (mut mask, mut from) = (BooleanBufferBuilder::new(all), 0);
        while from < all {
            if let Some(run) = &self.run {
                run.check()?;
            }
            let rest = batch.slice(from, all - from);
            let rows = self.work.rows_of(&rest).min(all - from);
            mask.append_buffer(self.evaluate_whole(&rest.slice(0, rows))?.values());
            from += rows;
        }
        Ok(BooleanArray::new(mask.finish(), None))
    }

    fn evaluate_whole(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let array = self.expr.evaluate(batch)?.into_array(batch.num_rows())?;
        if array.data_type() != &DataType::Boolean {
            return Err(DataFusionError::Internal("a condition is not boolean".into()));
        }
        let mask = array.as_boolean();
        Ok(match mask.nulls() {
            Some(nulls) if nulls.null_count() > 0 => BooleanArray::new(mask.values() & nulls.inner(), None),
            _ => mask.clone(),
        })
    }
}
