//! Parquet files as typed batches: footer read once when the dataset is opened, columns cast onto the schema, row
//! groups skipped by their statistics, rows filtered before the other columns are decoded.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array, new_null_array};
use arrow_schema::{ArrowError, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowFilter,
};

use crate::BATCH_ROWS;
use crate::cast::{accepted, cast_column, castable, keeps_order};
use crate::columns::TextColumn;
use crate::error::{DataError, Misfit, excerpt};
use crate::files::FileStamp;
use crate::reader::{BatchReader, Predicate, ReadError, project};
use crate::schema::{ColumnSpec, TableSchema};
use crate::timestamp::TimestampUnit;

/// One Parquet file whose columns fit the schema.
#[derive(Debug, Clone)]
pub(crate) struct ParquetFile {
    pub(crate) stamp: FileStamp,
    pub(crate) rows: u64,
    metadata: ArrowReaderMetadata,
    /// Where each schema column comes from.
    origins: Vec<Origin>,
    unit: TimestampUnit,
}

/// Where a column of a file comes from.
#[derive(Debug, Clone)]
enum Origin {
    /// A root column of the file.
    Root(usize),
    /// The file's path: one row, the same for all.
    Path(ArrayRef),
    /// Nowhere: an optional column that reads as null.
    Absent,
}

impl Origin {
    fn root(&self) -> Option<usize> {
        match self {
            Self::Root(at) => Some(*at),
            Self::Path(_) | Self::Absent => None,
        }
    }
}

/// How files are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping<'a> {
    pub(crate) schema: &'a TableSchema,
    /// Schema column → source column.
    pub(crate) columns: &'a BTreeMap<String, String>,
    pub(crate) unit: TimestampUnit,
}

impl ParquetFile {
    /// Reads the footer and maps its columns, and those in the file's path, onto the schema. A column that the file has
    /// goes before one in its path.
    pub(crate) fn open(
        stamp: FileStamp,
        mapping: Mapping<'_>,
        partitions: &[(String, Option<String>)],
    ) -> Result<Self, DataError> {
        let file = stamp.open()?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
            .map_err(|e| DataError::Damaged { path: stamp.path.clone(), reason: e.to_string() })?;
        let rows = metadata.metadata().file_metadata().num_rows();
        let rows = u64::try_from(rows).map_err(|_| DataError::Damaged {
            path: stamp.path.clone(),
            reason: "it has a negative number of rows".into(),
        })?;
        let origin = |column| origin(&stamp, &metadata, (column, mapping), partitions);
        let origins = mapping.schema.columns.iter().map(origin).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { stamp, rows, metadata, origins, unit: mapping.unit })
    }

    /// Row groups that can hold rows of the condition, by their statistics.
    fn row_groups(&self, table: &TableSchema, schema: &SchemaRef, predicate: Option<&Predicate>) -> Vec<usize> {
        let all: Vec<usize> = (0..self.metadata.metadata().num_row_groups()).collect();
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema));
        let pruning = predicate.and_then(|p| builder.build(Arc::clone(p.expr())));
        let kept = pruning.and_then(|p| p.prune(&RowGroups { file: self, table }).ok());
        match kept {
            Some(kept) => all.into_iter().filter(|at| kept.get(*at).copied().unwrap_or(true)).collect(),
            None => all,
        }
    }

    /// The file's columns behind the given schema columns.
    fn mask(&self, columns: &[usize]) -> ProjectionMask {
        let roots = columns.iter().filter_map(|at| self.origins[*at].root());
        ProjectionMask::roots(self.metadata.parquet_schema(), roots)
    }
}

/// Where a column of the schema comes from in one file.
fn origin(
    stamp: &FileStamp,
    metadata: &ArrowReaderMetadata,
    (column, mapping): (&ColumnSpec, Mapping<'_>),
    partitions: &[(String, Option<String>)],
) -> Result<Origin, DataError> {
    let source = mapping.columns.get(&column.name).unwrap_or(&column.name);
    let misfit = |reason: String, fits: &str| {
        let (file, column, fits) = (stamp.shown(), Some(column.name.clone()), fits.to_owned());
        DataError::Misfit(Box::new(Misfit { file, line: None, column, reason, fits }))
    };
    if let Some(at) = metadata.schema().fields().iter().position(|f| f.name() == source) {
        let from = metadata.schema().field(at).data_type();
        if !castable(from, column.ty) {
            return Err(misfit(format!("`{source}` is of type {from}"), accepted(column.ty)));
        }
        return Ok(Origin::Root(at));
    }
    if let Some((_, value)) = partitions.iter().rfind(|(key, _)| key == source) {
        let mut cell = TextColumn::new(column, mapping.unit, 1);
        let fits = match value {
            Some(text) => cell.push(text.as_bytes()),
            None if column.required => false,
            None => {
                cell.push_null();
                true
            }
        };
        if !fits {
            let shown =
                value.as_deref().map_or_else(|| "null".into(), |text| format!("`{}`", excerpt(text.as_bytes())));
            return Err(misfit(format!("the value {shown} in its path does not fit"), cell.fits(column)));
        }
        return Ok(Origin::Path(cell.finish()));
    }
    if column.required || mapping.columns.contains_key(&column.name) {
        return Err(misfit(format!("the file has no column `{source}`"), "a column of that name or a column map"));
    }
    Ok(Origin::Absent)
}

/// The one value of an array, any number of times.
fn repeated(value: &ArrayRef, rows: usize) -> Result<ArrayRef, ArrowError> {
    let at = UInt64Array::from(vec![0; rows]);
    arrow_select::take::take(value.as_ref(), &at, None)
}

/// Statistics of a file's row groups, cast onto the schema's types.
struct RowGroups<'a> {
    file: &'a ParquetFile,
    table: &'a TableSchema,
}

impl RowGroups<'_> {
    fn bounds(&self, column: &Column, max: bool) -> Option<ArrayRef> {
        let at = self.table.index_of(&column.name)?;
        let file_schema = self.file.metadata.schema();
        let ty = self.table.columns[at].ty;
        let field = match &self.file.origins[at] {
            Origin::Root(root) => file_schema.field(*root),
            Origin::Path(value) => return repeated(value, self.num_containers()).ok(),
            Origin::Absent => return None,
        };
        if !keeps_order(field.data_type(), ty) {
            return None;
        }
        let converter =
            StatisticsConverter::try_new(field.name(), file_schema, self.file.metadata.parquet_schema()).ok()?;
        let groups = self.file.metadata.metadata().row_groups().iter();
        let bounds = if max { converter.row_group_maxes(groups) } else { converter.row_group_mins(groups) };
        cast_column(&bounds.ok()?, ty, self.file.unit).ok()
    }
}

impl PruningStatistics for RowGroups<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, false)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, true)
    }

    fn num_containers(&self) -> usize {
        self.file.metadata.metadata().num_row_groups()
    }

    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.file.metadata.metadata().row_groups().iter().map(|group| u64::try_from(group.num_rows()).ok());
        Some(Arc::new(rows.collect::<UInt64Array>()))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// Reads the given schema columns of Parquet files, one after another.
pub(crate) struct ParquetReader {
    files: std::vec::IntoIter<ParquetFile>,
    shared: Arc<Shared>,
    predicate: Option<Predicate>,
    /// What the row filter failed with; the decoder would only keep its text.
    failure: Arc<Mutex<Option<ReadError>>>,
    current: Option<Open>,
}

/// A file being read, one row group at a time: the decoder evaluates a row filter over all it is given before the first
/// batch, and nothing could stop it meanwhile.
struct Open {
    file: ParquetFile,
    groups: std::vec::IntoIter<usize>,
    reader: Option<ParquetRecordBatchReader>,
    /// Rows given out so far.
    before: u64,
}

/// What a reader and its row filter both need.
struct Shared {
    table: TableSchema,
    schema: SchemaRef,
    columns: Vec<usize>,
}

impl ParquetReader {
    /// `schema` is the whole table's; `columns` are indexes into it; the predicate has its parameters bound.
    pub(crate) fn new(
        files: Vec<ParquetFile>,
        table: TableSchema,
        columns: Vec<usize>,
        predicate: Option<Predicate>,
    ) -> Self {
        let schema = table.arrow();
        Self {
            files: files.into_iter(),
            shared: Arc::new(Shared { table, schema, columns }),
            predicate,
            failure: Arc::default(),
            current: None,
        }
    }

    fn start(&self, file: ParquetFile) -> Open {
        let groups = file.row_groups(&self.shared.table, &self.shared.schema, self.predicate.as_ref());
        Open { file, groups: groups.into_iter(), reader: None, before: 0 }
    }

    /// The next batch of the file as stored; `None` at its end.
    fn advance(&self, open: &mut Open) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            let mut reader = match open.reader.take() {
                Some(reader) => reader,
                None => match open.groups.next() {
                    Some(group) => self.group(&open.file, group)?,
                    None => return Ok(None),
                },
            };
            if let Some(batch) = reader.next() {
                open.reader = Some(reader);
                return batch.map(Some).map_err(|e| self.blame(&open.file, &e));
            }
        }
    }

    fn group(&self, file: &ParquetFile, group: usize) -> Result<ParquetRecordBatchReader, ReadError> {
        let open = file.stamp.open()?;
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(open, file.metadata.clone())
            .with_batch_size(BATCH_ROWS)
            .with_row_groups(vec![group])
            .with_projection(file.mask(&self.shared.columns));
        if let Some(predicate) = &self.predicate {
            builder = builder.with_row_filter(self.row_filter(file, predicate)?);
        }
        builder.build().map_err(|e| self.blame(file, &e))
    }

    /// Whose fault a failure of the decoder is: what the row filter said, or else the file's.
    fn blame(&self, file: &ParquetFile, error: &dyn std::error::Error) -> ReadError {
        let failed = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.unwrap_or_else(|| DataError::Damaged { path: file.stamp.path.clone(), reason: error.to_string() }.into())
    }

    fn row_filter(&self, file: &ParquetFile, predicate: &Predicate) -> Result<RowFilter, DataError> {
        let columns = predicate.columns(self.shared.schema.fields().len());
        let predicate = predicate.rebase(&columns).map_err(|e| internal(file, &e))?;
        let schema = project(&self.shared.schema, &columns);
        let (mask, shared, file) = (file.mask(&columns), Arc::clone(&self.shared), file.clone());
        let failure = Arc::clone(&self.failure);
        let filter = ArrowPredicateFn::new(mask, move |batch| {
            let cast = typed(&file, &shared.table, &columns, &schema, &batch).map_err(|e| number(e, 0, false).into());
            cast.and_then(|cast| predicate.evaluate(&cast).map_err(ReadError::Condition)).map_err(|error| {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                ArrowError::ComputeError("the row filter failed".into())
            })
        });
        Ok(RowFilter::new(vec![Box::new(filter)]))
    }
}

impl BatchReader for ParquetReader {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            let mut open = match self.current.take() {
                Some(open) => open,
                None => match self.files.next() {
                    Some(file) => self.start(file),
                    None => return Ok(None),
                },
            };
            let Some(batch) = self.advance(&mut open)? else { continue };
            let shared = &self.shared;
            let schema = project(&shared.schema, &shared.columns);
            let cast = typed(&open.file, &shared.table, &shared.columns, &schema, &batch);
            let cast = cast.map_err(|e| number(e, open.before, self.predicate.is_none()))?;
            open.before += batch.num_rows() as u64;
            self.current = Some(open);
            return Ok(Some(cast));
        }
    }
}

/// A batch of the file's columns (in the file's order) as the schema's columns.
fn typed(
    file: &ParquetFile,
    table: &TableSchema,
    columns: &[usize],
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<RecordBatch, DataError> {
    let mut roots: Vec<usize> = columns.iter().filter_map(|at| file.origins[*at].root()).collect();
    roots.sort_unstable();
    roots.dedup();
    let mut arrays = Vec::with_capacity(columns.len());
    for at in columns {
        let spec = &table.columns[*at];
        let root = match &file.origins[*at] {
            Origin::Root(root) => *root,
            Origin::Path(value) => {
                arrays.push(repeated(value, batch.num_rows()).map_err(|e| internal(file, &e))?);
                continue;
            }
            Origin::Absent => {
                arrays.push(new_null_array(&spec.ty.arrow(), batch.num_rows()));
                continue;
            }
        };
        let misfit = |row: Option<usize>, reason: String| {
            let (line, column, fits) = (row.map(|r| r as u64 + 1), Some(spec.name.clone()), spec.ty.fits().to_owned());
            DataError::Misfit(Box::new(Misfit { file: file.stamp.shown(), line, column, reason, fits }))
        };
        let found = roots.binary_search(&root).expect("every root of these columns is in the list");
        let cast = cast_column(batch.column(found), spec.ty, file.unit).map_err(|u| misfit(u.row, u.reason))?;
        if spec.required && cast.null_count() > 0 {
            let row = (0..cast.len()).find(|row| cast.is_null(*row));
            return Err(misfit(row, "the value is missing".into()));
        }
        arrays.push(cast);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options).map_err(|e| internal(file, &e))
}

/// Turns a row of a batch into a row of the file, where no filter has hidden rows; otherwise drops it.
fn number(error: DataError, before: u64, counted: bool) -> DataError {
    match error {
        DataError::Misfit(mut misfit) => {
            misfit.line = misfit.line.filter(|_| counted).map(|line| line + before);
            DataError::Misfit(misfit)
        }
        other => other,
    }
}

fn internal(file: &ParquetFile, error: &dyn std::error::Error) -> DataError {
    DataError::Internal { what: file.stamp.shown(), reason: error.to_string() }
}
