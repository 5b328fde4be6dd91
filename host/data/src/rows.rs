//! The answer of a running query: a pull cursor over batches of a fixed number of rows, in the few column types that a
//! guest can read, byte for byte the same for the same rows. Each batch is computed on a blocking thread, so that no
//! expression keeps an async thread, and whoever waits for it stops waiting when the run has to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions, StringArray,
};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::coalesce::BatchCoalescer;
use datafusion_common::error::DataFusionError;
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::BATCH_ROWS;
use crate::counts::ScanCounts;
use crate::error::QueryError;
use crate::run::Run;
use crate::schema::{ColumnType, field};

/// Batches that are computed at once, each on a blocking thread, where it may wait for one that reads a file. A runtime has 512 of
/// these threads, so that half of them are left for what is waited for.
pub(crate) const COMPUTED_AT_ONCE: usize = 256;

/// What a query has besides its operators.
pub(crate) struct Held {
    /// What the run's own plan holds of its parameters.
    pub(crate) params: MemoryReservation,
    /// Places to compute batches in, which all queries of an engine share.
    pub(crate) computing: Arc<Semaphore>,
}

/// Rows of an open query. Dropping it stops the query.
pub struct Rows {
    columns: Arc<[(String, ColumnType)]>,
    schema: SchemaRef,
    run: Arc<Run>,
    computing: Arc<Semaphore>,
    state: Option<Flow>,
}

/// What runs until the end, an error or a stop.
struct Flow {
    stream: SendableRecordBatchStream,
    coalescer: BatchCoalescer,
    reservation: MemoryReservation,
    /// What the batch has that was handed out last: whoever asks for rows keeps it until asking again.
    handed: MemoryReservation,
    /// What the run's own plan holds of its parameters.
    _params: MemoryReservation,
    schema: SchemaRef,
    columns: Arc<[(String, ColumnType)]>,
    ended: bool,
}

impl Drop for Rows {
    /// A batch that is being computed is not waited for.
    fn drop(&mut self) {
        self.run.abandon();
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Rows {
    pub(crate) fn start(
        plan: &Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        columns: Vec<(String, ColumnType)>,
        run: Arc<Run>,
        held: Held,
    ) -> Result<Self, DataFusionError> {
        let reservation = MemoryConsumer::new("rows").register(context.memory_pool());
        let handed = MemoryConsumer::new("rows handed out").register(context.memory_pool());
        let stream = execute_stream(Arc::clone(plan), context)?;
        let fields: Vec<_> = columns.iter().map(|(name, ty)| field(name, *ty, true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let coalescer = BatchCoalescer::new(Arc::clone(&schema), BATCH_ROWS);
        let columns: Arc<[_]> = columns.into();
        let (of_flow, named) = (Arc::clone(&schema), Arc::clone(&columns));
        let flow = Flow {
            stream,
            coalescer,
            reservation,
            handed,
            _params: held.params,
            schema: of_flow,
            columns: named,
            ended: false,
        };
        Ok(Self { columns, schema, run, computing: held.computing, state: Some(flow) })
    }

    /// Result columns in order.
    pub fn columns(&self) -> &[(String, ColumnType)] {
        &self.columns
    }

    /// The Arrow schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows that the sources gave so far: of Parquet, and of other sources as far as a condition was pushed into them, only
    /// those that fulfil it. It depends on how rows are stored, so nothing is charged by it.
    pub fn rows_scanned(&self) -> u64 {
        self.run.rows_scanned.load(Ordering::Relaxed)
    }

    /// What scans of files with statistics read so far, and what they were spared.
    pub fn scan_counts(&self) -> ScanCounts {
        self.run.counts()
    }

    /// The next batch: exactly 16,384 rows, fewer only in the last one; `None` at the end. After an error there are no
    /// more rows. The run pays for the batch until the next is asked for or the rows are dropped.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        let Some(flow) = self.state.take() else { return Ok(None) };
        let run = Arc::clone(&self.run);
        let (handle, until) = (Handle::current(), Arc::clone(&run));
        let places = Arc::clone(&self.computing);
        let computing = async move {
            let place = places.acquire_owned().await.map_err(|e| e.to_string())?;
            let computed = spawn_blocking(move || {
                let computed = handle.block_on(flow.stopped_by(&until));
                drop(place);
                computed
            });
            computed.await.map_err(|e| e.to_string())
        };
        let computed = tokio::select! {
            biased;
            computed = computing => computed,
            stop = run.stopped() => return Err(stop.into()),
        };
        let (flow, batch) = computed.map_err(|reason| QueryError::Internal { reason })??;
        if batch.is_some() {
            self.state = Some(flow);
        }
        Ok(batch)
    }
}

impl Flow {
    /// The next batch, if the run does not have to stop before.
    async fn stopped_by(mut self, run: &Run) -> Result<(Self, Option<RecordBatch>), QueryError> {
        let advanced = tokio::select! {
            biased;
            advanced = self.advance() => advanced,
            stop = run.stopped() => return Err(stop.into()),
        };
        let batch = advanced.map_err(|e| QueryError::from_engine(e, run.limits.memory_bytes))?;
        Ok((self, batch))
    }

    async fn advance(&mut self) -> Result<Option<RecordBatch>, DataFusionError> {
        self.handed.free();
        let batch = self.completed().await?;
        if let Some(batch) = &batch {
            self.handed.try_resize(batch.get_array_memory_size())?;
        }
        Ok(batch)
    }

    async fn completed(&mut self) -> Result<Option<RecordBatch>, DataFusionError> {
        loop {
            if let Some(full) = self.coalescer.next_completed_batch() {
                self.reservation.try_resize(self.coalescer.size())?;
                return if self.ended { fitted(full).map(Some) } else { Ok(Some(full)) };
            }
            if self.ended {
                return Ok(None);
            }
            match self.stream.next().await {
                Some(batch) => {
                    let batch = normalise(&batch?, &self.schema, &self.columns)?;
                    if self.coalescer.is_empty() && batch.num_rows() == BATCH_ROWS && !holds_more(&batch) {
                        return Ok(Some(batch));
                    }
                    self.reservation.try_resize(self.coalescer.size() + batch.get_array_memory_size())?;
                    self.coalescer.push_batch(batch)?;
                }
                None => {
                    self.ended = true;
                    self.coalescer.finish_buffered_batch()?;
                }
            }
        }
    }
}

/// Whether a batch keeps much more in memory than its rows: a part of a larger one does.
fn holds_more(batch: &RecordBatch) -> bool {
    let rows = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_default();
    batch.get_array_memory_size() / 2 > batch.columns().iter().map(rows).sum::<usize>().max(1)
}

/// The same batch without the room that was meant for further rows.
fn fitted(batch: RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let (schema, mut columns, rows) = batch.into_parts();
    columns.iter_mut().for_each(|column| column.shrink_to_fit());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// Casts columns to the types a guest reads and clears what lies under nulls.
fn normalise(
    batch: &RecordBatch,
    schema: &SchemaRef,
    columns: &[(String, ColumnType)],
) -> Result<RecordBatch, DataFusionError> {
    let one = |(array, (_, ty)): (&ArrayRef, &(String, ColumnType))| {
        let to = ty.arrow();
        let typed = if array.data_type() == &to { Arc::clone(array) } else { arrow_cast::cast(array, &to)? };
        Ok::<_, DataFusionError>(if typed.null_count() > 0 { clear_nulls(&typed, *ty) } else { typed })
    };
    let arrays = batch.columns().iter().zip(columns).map(one).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
}

/// The same column with zero or nothing in the place of every null.
fn clear_nulls(array: &ArrayRef, ty: ColumnType) -> ArrayRef {
    match ty {
        ColumnType::Timestamp | ColumnType::Int => zeroed::<Int64Type>(array),
        ColumnType::Uint => zeroed::<UInt64Type>(array),
        ColumnType::Float => zeroed::<Float64Type>(array),
        ColumnType::Flag => Arc::new(array.as_boolean().iter().collect::<BooleanArray>()),
        ColumnType::Text => Arc::new(array.as_string::<i32>().iter().collect::<StringArray>()),
        ColumnType::Bytes => Arc::new(array.as_binary::<i32>().iter().collect::<BinaryArray>()),
        ColumnType::Address => {
            let addresses = array.as_fixed_size_binary();
            let mut bytes = Vec::with_capacity(addresses.len() * 16);
            for row in 0..addresses.len() {
                bytes.extend_from_slice(if addresses.is_null(row) { &[0; 16] } else { addresses.value(row) });
            }
            Arc::new(FixedSizeBinaryArray::new(addresses.value_length(), bytes.into(), addresses.nulls().cloned()))
        }
    }
}

fn zeroed<T: ArrowPrimitiveType>(array: &ArrayRef) -> ArrayRef {
    let values = array.as_primitive::<T>();
    let cleared = values.iter().map(Option::unwrap_or_default);
    Arc::new(PrimitiveArray::<T>::new(cleared.collect(), values.nulls().cloned()))
}
