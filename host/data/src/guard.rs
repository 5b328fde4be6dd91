//! Guards in a physical plan. Joins can make far more rows than they read, so their inputs are cut small or bounded and their
//! outputs checked against deadline and cancellation. Expressions can make far more of a row than it holds, so what they are
//! evaluated on is cut by what they make (`work`), and what came of it is charged to the run. (Scans do both for themselves.)

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt};

use crate::error::Stop;
use crate::run::Run;
use crate::work::Work;

/// Rows that a join without an equality may hold of its left side, which is what the query names first: it is not chosen by
/// size, since nothing says beforehand how many rows a scan gives.
pub const LOOP_JOIN_ROWS_MAX: usize = 65_536;
/// Rows given at a time to a join that compares pairs one by one.
const LOOP_JOIN_SLICE_ROWS: usize = 256;
/// Rows given at a time to a join by equality.
const HASH_JOIN_SLICE_ROWS: usize = 4096;

/// Puts guards around every join of a plan.
pub(crate) fn guard(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let pairwise =
            node.downcast_ref::<NestedLoopJoinExec>().is_some() || node.downcast_ref::<CrossJoinExec>().is_some();
        let hash = node.downcast_ref::<HashJoinExec>();
        let (held, slice) = match (pairwise, hash) {
            (true, _) => (Some(LOOP_JOIN_ROWS_MAX), LOOP_JOIN_SLICE_ROWS),
            (_, Some(join)) if join.filter().is_some() => (None, LOOP_JOIN_SLICE_ROWS),
            (_, Some(_)) => (None, HASH_JOIN_SLICE_ROWS),
            _ => return Ok(Transformed::no(node)),
        };
        let children: Vec<_> = node.children().into_iter().cloned().collect();
        let [left, right] =
            <[_; 2]>::try_from(children).map_err(|_| DataFusionError::Internal("a join without two inputs".into()))?;
        let rows =
            |input, rows_max, slice_rows| GuardExec::wrap(input, Rules { rows_max, slice_rows, ..Rules::default() });
        let guarded = vec![rows(left, held, None), rows(right, None, Some(slice))];
        let join = datafusion_physical_plan::execution_plan::replace_children_if_necessary(node, guarded)?;
        Ok(Transformed::yes(GuardExec::wrap(join, Rules { is_charged: true, ..Rules::default() })))
    })
    .map(|plan| plan.data)
}

/// The rows in batches on which so much work may be done.
pub(crate) fn cut(input: Arc<dyn ExecutionPlan>, work: Work) -> Arc<dyn ExecutionPlan> {
    if work.is_small() { input } else { GuardExec::wrap(input, Rules { work: Some(work), ..Rules::default() }) }
}

/// The rows, whose texts were made on the way; the batch that was made last is charged to the run.
pub(crate) fn charged(input: Arc<dyn ExecutionPlan>, made: Work) -> Arc<dyn ExecutionPlan> {
    if made.is_small() { input } else { GuardExec::wrap(input, Rules { is_charged: true, ..Rules::default() }) }
}

/// What a guard does.
#[derive(Debug, Clone, Copy, Default)]
struct Rules {
    /// Most rows that may pass.
    rows_max: Option<usize>,
    /// Rows of a batch, and never more than the plan's batches may have: each may meet a wide row of the other side.
    slice_rows: Option<usize>,
    /// What will be done to each row of a batch.
    work: Option<Work>,
    /// Whether the run pays for the batch.
    is_charged: bool,
}

impl Rules {
    fn rows_of(&self, batch: &RecordBatch) -> usize {
        let most = self.slice_rows.unwrap_or(usize::MAX);
        self.work.map_or(most, |work| most.min(work.rows_of(batch)))
    }
}

#[derive(Debug)]
struct GuardExec {
    input: Arc<dyn ExecutionPlan>,
    rules: Rules,
}

impl GuardExec {
    fn wrap(input: Arc<dyn ExecutionPlan>, rules: Rules) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input, rules })
    }
}

impl DisplayAs for GuardExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuardExec: rows_max={:?}, slice_rows={:?}", self.rules.rows_max, self.rules.slice_rows)?;
        match (self.rules.work, self.rules.is_charged) {
            (Some(work), _) => write!(f, ", usual_rows={}", work.usual_rows()),
            (None, true) => write!(f, ", charged"),
            (None, false) => Ok(()),
        }
    }
}

impl ExecutionPlan for GuardExec {
    fn name(&self) -> &'static str {
        "GuardExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] =
            <[_; 1]>::try_from(children).map_err(|_| DataFusionError::Internal("a guard has one input".into()))?;
        Ok(Self::wrap(input, self.rules))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let run = context.session_config().get_extension::<Run>();
        let run = run.ok_or_else(|| DataFusionError::Internal("a guard was started outside a run".into()))?;
        let reservation = MemoryConsumer::new("guard").register(context.memory_pool());
        let batch_rows = context.session_config().batch_size();
        let input = self.input.execute(partition, context)?;
        let rules = Rules { slice_rows: self.rules.slice_rows.map(|rows| rows.min(batch_rows)), ..self.rules };
        let rows_left = rules.rows_max;
        Ok(Box::pin(Guard { run, input, rules, rows_left, rest: None, reservation }))
    }
}

struct Guard {
    run: Arc<Run>,
    input: SendableRecordBatchStream,
    rules: Rules,
    rows_left: Option<usize>,
    rest: Option<RecordBatch>,
    reservation: MemoryReservation,
}

impl Guard {
    /// Cuts a batch to so many rows as its rest may be worked on at a time, and keeps the rest.
    fn cut(&mut self, batch: RecordBatch) -> RecordBatch {
        let rows = self.rules.rows_of(&batch);
        if batch.num_rows() <= rows {
            return batch;
        }
        self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        batch.slice(0, rows)
    }

    fn charge(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.rules.is_charged {
            self.reservation.try_resize(batch.get_array_memory_size())?;
        }
        let Some(left) = &mut self.rows_left else { return Ok(()) };
        match left.checked_sub(batch.num_rows()) {
            Some(fewer) => {
                *left = fewer;
                Ok(())
            }
            None => Err(Stop::LoopJoin { max: LOOP_JOIN_ROWS_MAX }.into()),
        }
    }
}

impl Stream for Guard {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Err(stop) = self.run.check() {
            return Poll::Ready(Some(Err(stop.into())));
        }
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(self.cut(rest))));
        }
        match self.input.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(batch))) => {
                let counted = self.charge(&batch);
                Poll::Ready(Some(counted.map(|()| self.cut(batch))))
            }
            other => other,
        }
    }
}

impl RecordBatchStream for Guard {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
