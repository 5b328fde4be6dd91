//! The engine's view of a dataset: a table that takes every row condition of a query upon itself, and the physical scan
//! that binds parameters, reads off the async threads, filters, and hands out batches of a fixed number of rows. So no
//! operator above sees how the rows were stored.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::coalesce::BatchCoalescer;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema};
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::expr_rewriter::unnormalize_cols;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::utils::conjunction;
use datafusion_expr::{Expr, TableProviderFilterPushDown, TableScan, TableSource};
use datafusion_physical_expr::{EquivalenceProperties, PhysicalExpr, create_physical_expr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream;
use tokio::task::JoinHandle;

use crate::BATCH_ROWS;
use crate::balance::balanced;
use crate::database::{Batches, Database, Request, bounds};
use crate::dataset::{Dataset, Source};
use crate::error::DataError;
use crate::local::Local;
use crate::params::ParamSlot;
use crate::predicate::Predicate;
use crate::reader::{BatchReader, ReadError, project};
use crate::run::Run;
use crate::work::{Work, evaluated};

/// One slot of a query, bound to a dataset.
#[derive(Debug)]
pub(crate) struct SlotTable {
    dataset: Arc<Dataset>,
    params: Arc<Vec<ParamSlot>>,
}

impl SlotTable {
    pub(crate) fn new(dataset: Arc<Dataset>, params: Arc<Vec<ParamSlot>>) -> Self {
        Self { dataset, params }
    }

    /// The conjunction of the conditions as one expression; parameters are columns behind the schema's.
    fn predicate(&self, filters: Vec<Expr>) -> Result<Option<Predicate>> {
        let Some(whole) = conjunction(filters) else { return Ok(None) };
        let named = whole.transform_up(|node| match node {
            Expr::Placeholder(p) => Ok(Transformed::yes(Expr::Column(Column::new_unqualified(p.id)))),
            other => Ok(Transformed::no(other)),
        })?;
        let mut fields: Vec<Arc<Field>> = self.dataset.arrow().fields().iter().cloned().collect();
        fields.extend(self.params.iter().map(|p| Arc::new(Field::new(&p.id, p.ty.clone(), true))));
        let schema = DFSchema::try_from(Schema::new(fields))?;
        let (props, context) = (ExecutionProps::new(), PhysicalPlanningContext::default());
        let columns: Vec<Work> = schema.fields().iter().map(|field| Work::of_type(field.data_type())).collect();
        let work = evaluated(&named.data, &schema, &columns).all;
        let physical = create_physical_expr(&balanced(named.data)?, &schema, &props, &context)?;
        Ok(Some(Predicate::new(physical, work)))
    }

    /// The operator of one scan: its columns, the rows that fulfil its conditions, and at most so many of them. Whatever
    /// the query calls the slot, the conditions name its columns.
    pub(crate) fn scan(&self, scan: &TableScan) -> Result<Arc<dyn ExecutionPlan>> {
        let width = self.dataset.arrow().fields().len();
        let columns = scan.projection.clone().unwrap_or_else(|| (0..width).collect());
        let predicate = self.predicate(unnormalize_cols(scan.filters.iter().cloned()))?;
        Ok(Arc::new(ScanExec::new(Arc::clone(&self.dataset), columns, predicate, scan.fetch)))
    }
}

impl TableSource for SlotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.dataset.arrow())
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let has_subquery = |filter: &Expr| {
            filter.exists(|e| {
                Ok(matches!(
                    e,
                    Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::OuterReferenceColumn(..)
                ))
            })
        };
        let one = |filter: &&Expr| {
            Ok(if has_subquery(filter)? {
                TableProviderFilterPushDown::Unsupported
            } else {
                TableProviderFilterPushDown::Exact
            })
        };
        filters.iter().map(one).collect()
    }
}

/// Reads one dataset once.
#[derive(Debug)]
pub(crate) struct ScanExec {
    dataset: Arc<Dataset>,
    columns: Vec<usize>,
    predicate: Option<Predicate>,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl ScanExec {
    fn new(dataset: Arc<Dataset>, columns: Vec<usize>, predicate: Option<Predicate>, limit: Option<usize>) -> Self {
        let schema = project(dataset.arrow(), &columns);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { dataset, columns, predicate, limit, properties }
    }

    fn start(&self, context: &TaskContext) -> Result<Scan> {
        let run = context.session_config().get_extension::<Run>();
        let run = run.ok_or_else(|| DataFusionError::Internal("a scan was started outside a run".into()))?;
        let width = self.dataset.arrow().fields().len();
        let bound = self.predicate.as_ref().map(|p| p.bind(width, &run)).transpose()?;
        let schema = project(self.dataset.arrow(), &self.columns);
        let filters = matches!(self.dataset.source(), Source::Local(local) if local.filters());
        let (read, pushed, after) = match bound.clone() {
            Some(bound) if filters => (self.columns.clone(), Some(bound), None),
            Some(bound) => {
                let mut read = self.columns.clone();
                read.extend(bound.columns(width).into_iter().filter(|at| !self.columns.contains(at)));
                let after = bound.rebase(&read)?;
                (read, None, Some(after))
            }
            None => (self.columns.clone(), None, None),
        };
        let feed = match self.dataset.source() {
            Source::Database(database) => Feed::Database {
                database: Arc::clone(database),
                request: self.request(&read, bound.as_ref(), &run),
                run: Arc::clone(&run),
            },
            Source::Local(local) => Feed::local(self.dataset.name(), local, read, pushed),
        };
        Ok(Scan {
            feed,
            run,
            predicate: after,
            kept: (0..self.columns.len()).collect(),
            coalescer: BatchCoalescer::new(schema, BATCH_ROWS),
            reservation: MemoryConsumer::new("scan").register(context.memory_pool()),
            left: self.limit.unwrap_or(usize::MAX),
            done: false,
        })
    }
}

impl ScanExec {
    /// What a database is asked for: ranges that the condition's rows lie in, and the limit where there is no condition.
    fn request(&self, read: &[usize], bound: Option<&Predicate>, run: &Run) -> Request {
        Request {
            columns: read.to_vec(),
            ranges: bound.map(|p| bounds::ranges(p.expr(), self.dataset.schema())).unwrap_or_default(),
            limit: self.limit.filter(|_| bound.is_none()),
            timeout_ms: run.left_ms(),
        }
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanExec: dataset={}, columns={:?}", self.dataset.name(), self.columns)?;
        match &self.predicate {
            Some(predicate) => write!(f, ", predicate={}", predicate.expr()),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &'static str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        // The predicate's parameters are not columns of any input, so no rule may look into it.
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let scan = self.start(&context)?;
        let batches =
            stream::try_unfold(scan, |mut scan| async move { Ok(scan.advance().await?.map(|batch| (batch, scan))) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// A scan in progress.
struct Scan {
    feed: Feed,
    run: Arc<Run>,
    predicate: Option<Predicate>,
    /// Positions of the output columns among those read.
    kept: Vec<usize>,
    coalescer: BatchCoalescer,
    reservation: MemoryReservation,
    left: usize,
    done: bool,
}

impl Scan {
    /// The next batch of exactly `BATCH_ROWS` rows; fewer only at the end.
    async fn advance(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.run.check()?;
            if let Some(full) = self.coalescer.next_completed_batch() {
                return Ok(Some(full));
            }
            if self.done {
                return Ok(None);
            }
            match self.feed.next(&self.run).await? {
                Some(batch) => {
                    if let Some(ready) = self.take(&batch)? {
                        return Ok(Some(ready));
                    }
                }
                None => self.done = true,
            }
            if self.left == 0 {
                self.done = true;
            }
            if self.done {
                self.feed = Feed::Ended;
                self.coalescer.finish_buffered_batch()?;
            }
        }
    }

    /// Filters, projects and buffers a batch. One that has nothing to buffer is returned: without columns, or of the right
    /// length where nothing waits.
    fn take(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        self.run.count_scanned(batch.num_rows());
        let mask = self.predicate.as_ref().map(|p| p.evaluate(batch)).transpose()?;
        let output = batch.project(&self.kept)?;
        let rows = mask.as_ref().map_or(batch.num_rows(), |m| m.values().count_set_bits());
        let cut = rows.min(self.left);
        if self.kept.is_empty() {
            self.left -= cut;
            let options = RecordBatchOptions::new().with_row_count(Some(cut));
            return Ok(Some(RecordBatch::try_new_with_options(output.schema(), vec![], &options)?));
        }
        let whole = cut == batch.num_rows() && cut == BATCH_ROWS;
        if whole && self.coalescer.is_empty() {
            self.left -= cut;
            return Ok(Some(output));
        }
        self.reservation.try_resize(self.coalescer.size() + batch.get_array_memory_size())?;
        match mask {
            Some(mask) if rows < mask.len() => {
                let filtered = arrow_select::filter::filter_record_batch(&output, &mask)?;
                self.coalescer.push_batch(filtered.slice(0, cut))?;
            }
            _ => self.coalescer.push_batch(output.slice(0, cut))?,
        }
        self.left -= cut;
        self.reservation.try_resize(self.coalescer.size())?;
        Ok(None)
    }
}

type Read = (Box<dyn BatchReader>, std::result::Result<Option<RecordBatch>, ReadError>);

/// The reader, and where it is: memory is read in place, files on a blocking thread, databases in a task of their own, both
/// one batch ahead.
enum Feed {
    Database { database: Arc<Database>, request: Request, run: Arc<Run> },
    Reading { batches: Batches, run: Arc<Run> },
    Inline(Box<dyn BatchReader>),
    Ahead { name: String, pending: JoinHandle<Read> },
    Idle { name: String, reader: Box<dyn BatchReader> },
    Ended,
}

impl Feed {
    fn local(name: &str, local: &Local, columns: Vec<usize>, predicate: Option<Predicate>) -> Self {
        let reader = local.reader(columns, predicate);
        if local.in_memory() { Self::Inline(reader) } else { Self::Idle { name: name.to_owned(), reader } }
    }

    fn ahead(name: String, mut reader: Box<dyn BatchReader>) -> Self {
        let pending = tokio::task::spawn_blocking(move || {
            let batch = reader.next_batch();
            (reader, batch)
        });
        Self::Ahead { name, pending }
    }

    async fn next(&mut self, run: &Run) -> Result<Option<RecordBatch>> {
        match self {
            Self::Inline(reader) => return Ok(reader.next_batch()?),
            Self::Reading { batches, run } => return received(batches, run).await,
            Self::Database { database, request, run } => {
                let run = Arc::clone(run);
                let state = run.limits.states.of(database).await?;
                let mut batches = database.start(&state, std::mem::take(request))?;
                let first = received(&mut batches, &run).await;
                *self = Self::Reading { batches, run };
                return first;
            }
            Self::Idle { .. } | Self::Ahead { .. } | Self::Ended => {}
        }
        let (name, pending) = match std::mem::replace(self, Self::Ended) {
            Self::Idle { name, reader } => match Self::ahead(name, reader) {
                Self::Ahead { name, pending } => (name, pending),
                _ => return Ok(None),
            },
            Self::Ahead { name, pending } => (name, pending),
            Self::Inline(_) | Self::Database { .. } | Self::Reading { .. } | Self::Ended => return Ok(None),
        };
        let (mut reader, batch) =
            pending.await.map_err(|e| DataError::Internal { what: name.clone(), reason: e.to_string() })?;
        run.add_counts(&reader.take_counts());
        let batch = batch?;
        if batch.is_some() {
            *self = Self::ahead(name, reader);
        }
        Ok(batch)
    }
}

/// The next batch of a database. Where the run has to stop, the statement that its deadline broke off is not a fault.
async fn received(batches: &mut Batches, run: &Run) -> Result<Option<RecordBatch>> {
    match batches.recv().await.transpose() {
        Ok(batch) => Ok(batch),
        Err(error) => {
            run.check()?;
            Err(error.into())
        }
    }
}
