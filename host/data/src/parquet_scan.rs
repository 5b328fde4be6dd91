//! Rows of Parquet files as typed batches: row groups and pages skipped by their statistics, the condition evaluated on
//! its own columns first, and the other columns decoded only where a row fulfils it.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};

use crate::BATCH_ROWS;
use crate::condition::Condition;
use crate::counts::ScanCounts;
use crate::error::DataError;
use crate::parquet_file::{ParquetFile, internal, number, typed};
use crate::parquet_prune::{Paged, Pruner, Verdict};
use crate::predicate::Predicate;
use crate::reader::{BatchReader, ReadError, project};
use crate::schema::TableSchema;

/// Rows of a row group up to which columns decoded for the condition are kept for the answer, instead of being decoded
/// twice: twice what this crate's writer makes, some 20 MiB for five columns of 16 bytes.
const KEEP_ROWS_MAX: usize = 262_144;

/// Reads the given schema columns of Parquet files, one after another.
pub(crate) struct ParquetReader {
    files: std::vec::IntoIter<ParquetFile>,
    table: TableSchema,
    schema: SchemaRef,
    columns: Vec<usize>,
    predicate: Option<Predicate>,
    filter: Option<Filter>,
    counts: ScanCounts,
    current: Option<Open>,
}

/// A condition in its two forms: on statistics and on rows.
struct Filter {
    pruner: Pruner,
    condition: Condition,
}

/// A file being read, one row group at a time.
struct Open {
    file: ParquetFile,
    /// With the index of pages, where that was worth reading.
    metadata: ArrowReaderMetadata,
    groups: std::vec::IntoIter<(usize, Verdict)>,
    group: Option<Group>,
    /// Rows given out so far.
    before: u64,
}

/// The rows of a row group that are given out.
struct Group {
    /// Decodes the columns that are not kept; absent where there are none.
    reader: Option<ParquetRecordBatchReader>,
    /// Columns decoded for the condition, filtered, by their place in the output.
    kept: Vec<(usize, ArrayRef)>,
    /// Schema columns that the reader decodes, and their places in the output.
    decoded: Vec<(usize, usize)>,
    given: usize,
    rows: usize,
}

/// Which rows of a row group are read. No selection means all.
struct Selected {
    rows: usize,
    selection: Option<RowSelection>,
}

impl ParquetReader {
    /// `table` is the whole table's schema; `columns` are indexes into it; the predicate has its parameters bound.
    pub(crate) fn new(
        files: Vec<ParquetFile>,
        table: TableSchema,
        columns: Vec<usize>,
        predicate: Option<Predicate>,
    ) -> Self {
        let (files, counts) = (files.into_iter(), ScanCounts::default());
        Self { files, schema: table.arrow(), table, columns, predicate, filter: None, counts, current: None }
    }

    fn start(&mut self, file: ParquetFile) -> Result<Open, ReadError> {
        if let (None, Some(predicate)) = (&self.filter, &self.predicate) {
            let condition = Condition::new(predicate, &self.schema).map_err(ReadError::Condition)?;
            self.filter = Some(Filter { pruner: Pruner::new(predicate, &self.schema), condition });
        }
        let all = file.metadata.metadata().num_row_groups();
        let verdicts = match &self.filter {
            Some(filter) => filter.pruner.row_groups(&file, &self.table),
            None => vec![Verdict::All; all],
        };
        let groups: Vec<_> = verdicts.into_iter().enumerate().filter(|(_, v)| *v != Verdict::None).collect();
        self.counts.row_groups += all as u64;
        self.counts.row_groups_skipped += (all - groups.len()) as u64;
        let ask_pages = groups.iter().any(|(_, verdict)| *verdict == Verdict::Unknown)
            && self.filter.as_ref().is_some_and(|filter| filter.pruner.is_useful());
        let metadata = ask_pages.then(|| file.indexed()).flatten().unwrap_or_else(|| file.metadata.clone());
        Ok(Open { file, metadata, groups: groups.into_iter(), group: None, before: 0 })
    }

    /// The next batch of the file; `None` at its end.
    fn advance(&mut self, open: &mut Open) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            if let Some(group) = &mut open.group {
                if let Some(batch) = self.give(&open.file, group, open.before)? {
                    open.before += batch.num_rows() as u64;
                    self.counts.rows_given += batch.num_rows() as u64;
                    return Ok(Some(batch));
                }
                open.group = None;
            }
            let Some((at, verdict)) = open.groups.next() else { return Ok(None) };
            open.group = self.group(&open.file, &open.metadata, at, verdict)?;
        }
    }

    /// Makes a row group ready to be given out; `None` if no row fulfils the condition.
    fn group(
        &mut self,
        file: &ParquetFile,
        metadata: &ArrowReaderMetadata,
        at: usize,
        verdict: Verdict,
    ) -> Result<Option<Group>, ReadError> {
        let rows = usize::try_from(metadata.metadata().row_group(at).num_rows()).map_err(|e| damaged(file, &e))?;
        let mut selected = Selected { rows, selection: None };
        let mut kept = Vec::new();
        if self.filter.is_some() {
            let whole = match verdict {
                Verdict::Unknown => self.select_pages(file, metadata, at, &mut selected),
                _ => verdict == Verdict::All,
            };
            if whole {
                self.counts.row_groups_whole += 1;
            } else {
                kept = self.select_rows(file, metadata, at, &mut selected)?;
            }
            if selected.rows == 0 {
                return Ok(None);
            }
        }
        let place = |(place, column): (usize, &usize)| (*column, place);
        let decoded = self.columns.iter().enumerate().map(place);
        let decoded: Vec<_> = decoded.filter(|(_, place)| kept.iter().all(|(known, _)| known != place)).collect();
        let columns: Vec<usize> = decoded.iter().map(|(column, _)| *column).collect();
        let needed = !columns.is_empty();
        let Selected { rows, selection } = selected;
        let reader = needed.then(|| decoder(file, metadata, at, &columns, selection)).transpose()?;
        Ok(Some(Group { reader, kept, decoded, given: 0, rows }))
    }

    /// Leaves out pages in which no row fulfils the condition; says whether all rows left do.
    fn select_pages(
        &mut self,
        file: &ParquetFile,
        metadata: &ArrowReaderMetadata,
        at: usize,
        selected: &mut Selected,
    ) -> bool {
        let Some(filter) = &self.filter else { return true };
        let paged = Paged { file, metadata: metadata.metadata(), group: at };
        let Some(pages) = filter.pruner.pages(paged, &self.table) else { return false };
        let whole = pages.iter().all(|(_, verdict)| *verdict != Verdict::Unknown);
        let left: Vec<_> =
            pages.into_iter().filter(|(_, verdict)| *verdict != Verdict::None).map(|(range, _)| range).collect();
        let rows = left.iter().map(ExactSizeIterator::len).sum::<usize>();
        self.counts.rows_in_skipped_pages += (selected.rows - rows) as u64;
        if rows < selected.rows {
            selected.selection = Some(RowSelection::from_consecutive_ranges(left.into_iter(), selected.rows));
        }
        selected.rows = rows;
        whole
    }

    /// Leaves out rows that do not fulfil the condition. Returns output columns that had to be decoded for it.
    fn select_rows(
        &mut self,
        file: &ParquetFile,
        metadata: &ArrowReaderMetadata,
        at: usize,
        selected: &mut Selected,
    ) -> Result<Vec<(usize, ArrayRef)>, ReadError> {
        let Some(filter) = self.filter.as_ref().filter(|_| selected.rows > 0) else { return Ok(Vec::new()) };
        let columns = &filter.condition.columns;
        let place = |(from, column): (usize, &usize)| Some((from, self.columns.iter().position(|c| c == column)?));
        let small = selected.rows <= KEEP_ROWS_MAX;
        let keep: Vec<(usize, usize)> =
            if small { columns.iter().enumerate().filter_map(place).collect() } else { Vec::new() };
        let mut pieces: Vec<Vec<ArrayRef>> = vec![Vec::new(); keep.len()];
        let mut mask = BooleanBufferBuilder::new(selected.rows);
        for batch in decoder(file, metadata, at, columns, selected.selection.clone())? {
            let batch = batch.map_err(|e| damaged(file, &e))?;
            let arrays = typed(file, &self.table, columns, &batch).map_err(|e| number(e, 0, false))?;
            let batch = assemble(file, &filter.condition.schema, arrays, batch.num_rows())?;
            let fulfilled = filter.condition.evaluate(&batch).map_err(ReadError::Condition)?;
            mask.append_buffer(&fulfilled);
            for ((from, _), pieces) in keep.iter().zip(&mut pieces) {
                pieces.extend(filtered(file, batch.column(*from), &fulfilled)?);
            }
        }
        if mask.len() != selected.rows {
            return Err(other_rows(file));
        }
        self.counts.rows_tested += selected.rows as u64;
        selected.keep(mask.finish());
        self.counts.row_groups_without_match += u64::from(selected.rows == 0);
        let join = |((_, place), pieces): (&(usize, usize), Vec<ArrayRef>)| {
            let ty = self.table.columns[self.columns[*place]].ty.arrow();
            let pieces: Vec<&dyn arrow_array::Array> = pieces.iter().map(AsRef::as_ref).collect();
            if pieces.is_empty() {
                return Ok((*place, new_empty_array(&ty)));
            }
            let joined = arrow_select::concat::concat(&pieces).map_err(|e| internal(file, &e))?;
            Ok((*place, joined))
        };
        keep.iter().zip(pieces).map(join).collect()
    }

    /// The next rows of a row group; `None` at its end.
    fn give(&self, file: &ParquetFile, group: &mut Group, before: u64) -> Result<Option<RecordBatch>, ReadError> {
        let stored = match &mut group.reader {
            Some(reader) => match reader.next() {
                Some(batch) => Some(batch.map_err(|e| damaged(file, &e))?),
                None if group.given < group.rows => return Err(other_rows(file)),
                None => return Ok(None),
            },
            None => None,
        };
        let rows = stored.as_ref().map_or(BATCH_ROWS.min(group.rows - group.given), RecordBatch::num_rows);
        if rows == 0 {
            return Ok(None);
        }
        if rows > group.rows - group.given {
            return Err(other_rows(file));
        }
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.columns.len()];
        if let Some(stored) = &stored {
            let columns: Vec<usize> = group.decoded.iter().map(|(column, _)| *column).collect();
            let decoded = typed(file, &self.table, &columns, stored);
            let decoded = decoded.map_err(|e| number(e, before, self.predicate.is_none()))?;
            for ((_, place), array) in group.decoded.iter().zip(decoded) {
                arrays[*place] = Some(array);
            }
        }
        for (place, array) in &group.kept {
            arrays[*place] = Some(array.slice(group.given, rows));
        }
        group.given += rows;
        let arrays = arrays.into_iter().flatten().collect();
        assemble(file, &project(&self.schema, &self.columns), arrays, rows).map(Some)
    }
}

impl Selected {
    /// Keeps of the rows selected so far those that are set.
    fn keep(&mut self, mask: BooleanBuffer) {
        let left = mask.count_set_bits();
        if left < self.rows {
            let among = RowSelection::from_boolean_buffer(mask);
            self.selection = Some(match self.selection.take() {
                Some(selection) => selection.and_then(&among),
                None => among,
            });
        }
        self.rows = left;
    }
}

/// Decodes columns of some rows of a row group.
fn decoder(
    file: &ParquetFile,
    metadata: &ArrowReaderMetadata,
    group: usize,
    columns: &[usize],
    selection: Option<RowSelection>,
) -> Result<ParquetRecordBatchReader, ReadError> {
    let open = file.stamp.open()?;
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(open, metadata.clone())
        .with_batch_size(BATCH_ROWS)
        .with_row_groups(vec![group])
        .with_projection(file.mask(columns));
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    builder.build().map_err(|e| damaged(file, &e))
}

/// The set rows of an array; `None` where there are none.
fn filtered(file: &ParquetFile, array: &ArrayRef, set: &BooleanBuffer) -> Result<Option<ArrayRef>, DataError> {
    match set.count_set_bits() {
        0 => Ok(None),
        all if all == set.len() => Ok(Some(Arc::clone(array))),
        _ => {
            let mask = BooleanArray::new(set.clone(), None);
            arrow_select::filter::filter(array, &mask).map(Some).map_err(|e| internal(file, &e))
        }
    }
}

fn assemble(
    file: &ParquetFile,
    schema: &SchemaRef,
    arrays: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, ReadError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options).map_err(|e| internal(file, &e).into())
}

fn damaged(file: &ParquetFile, error: &dyn std::error::Error) -> ReadError {
    DataError::Damaged { path: file.stamp.path.clone(), reason: error.to_string() }.into()
}

fn other_rows(file: &ParquetFile) -> ReadError {
    let reason = "its columns have another number of rows than its footer and page index say".into();
    DataError::Damaged { path: file.stamp.path.clone(), reason }.into()
}

impl BatchReader for ParquetReader {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            let mut open = match self.current.take() {
                Some(open) => open,
                None => match self.files.next() {
                    Some(file) => self.start(file)?,
                    None => return Ok(None),
                },
            };
            if let Some(batch) = self.advance(&mut open)? {
                self.current = Some(open);
                return Ok(Some(batch));
            }
        }
    }

    fn take_counts(&mut self) -> ScanCounts {
        std::mem::take(&mut self.counts)
    }
}
