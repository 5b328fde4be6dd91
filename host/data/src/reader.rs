//! What every source gives the scan: typed batches of some columns of the schema, pulled one at a time, off the async
//! threads. And the row filter that a scan pushes into a source, with its parameters bound.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::{DataType, SchemaRef};
use datafusion_common::ScalarValue;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{Column, Literal};
use datafusion_physical_expr::utils::collect_columns;

use crate::counts::ScanCounts;
use crate::error::DataError;
use crate::params;
use crate::run::Run;
use crate::work::Work;

/// A source being read. Blocking; runs on a blocking thread.
pub(crate) trait BatchReader: Send {
    /// The next rows, at most [`crate::BATCH_ROWS`]; `None` at the end.
    fn next_batch(&mut self) -> std::result::Result<Option<RecordBatch>, ReadError>;

    /// What was spared and read since this was last asked.
    fn take_counts(&mut self) -> ScanCounts {
        ScanCounts::default()
    }
}

/// Why a source gave no batch.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The data are at fault.
    Data(DataError),
    /// The condition that was pushed into the source failed on a row.
    Condition(DataFusionError),
}

impl From<DataError> for ReadError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<ReadError> for DataFusionError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Data(data) => data.into(),
            ReadError::Condition(condition) => condition,
        }
    }
}

impl ReadError {
    /// The error of a reader that was given no condition.
    pub(crate) fn into_data(self, what: &str) -> DataError {
        match self {
            Self::Data(data) => data,
            Self::Condition(error) => DataError::Internal { what: what.to_owned(), reason: error.strip_backtrace() },
        }
    }
}

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
        let (all, rows) = (batch.num_rows(), self.work.rows_of(batch));
        if all <= rows {
            return self.evaluate_whole(batch);
        }
        let mut mask = BooleanBufferBuilder::new(all);
        for from in (0..all).step_by(rows) {
            if let Some(run) = &self.run {
                run.check()?;
            }
            let some = self.evaluate_whole(&batch.slice(from, rows.min(all - from)))?;
            mask.append_buffer(some.values());
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

/// The schema of the given columns.
pub(crate) fn project(schema: &SchemaRef, columns: &[usize]) -> SchemaRef {
    let fields: Vec<_> = columns.iter().map(|at| Arc::clone(&schema.fields()[*at])).collect();
    Arc::new(arrow_schema::Schema::new(fields))
}
