//! Parquet files whose columns fit a schema: footer read once when the dataset is opened, columns cast onto the schema.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array, new_null_array};
use arrow_schema::{ArrowError, DataType, FieldRef, Schema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::schema::types::TypePtr;

use crate::cast::{accepted, cast_column, uncastable};
use crate::columns::TextColumn;
use crate::error::{DataError, Misfit, excerpt};
use crate::files::FileStamp;
use crate::schema::{ColumnSpec, TableSchema};
use crate::timestamp::TimestampUnit;

/// One Parquet file whose columns fit the schema.
#[derive(Debug, Clone)]
pub(crate) struct ParquetFile {
    pub(crate) stamp: FileStamp,
    pub(crate) rows: u64,
    pub(crate) metadata: ArrowReaderMetadata,
    /// Where each schema column comes from.
    pub(crate) origins: Vec<Origin>,
    pub(crate) unit: TimestampUnit,
}

/// Where a column of a file comes from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
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
        let metadata = footer(&file)
            .and_then(|metadata| arrow_metadata(Arc::new(metadata)))
            .map_err(|e| DataError::Damaged { path: stamp.path.clone(), reason: e.to_string() })?;
        let rows = metadata.metadata().file_metadata().num_rows();
        let rows = u64::try_from(rows).map_err(|_| DataError::Damaged {
            path: stamp.path.clone(),
            reason: "it has a negative number of rows".into(),
        })?;
        let origin = |column| origin(&stamp, &metadata, column, mapping, partitions);
        let origins = mapping.schema.columns.iter().map(origin).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { stamp, rows, metadata, origins, unit: mapping.unit })
    }

    /// The footer with the index of pages, which is read now; `None` where the file has none.
    pub(crate) fn indexed(&self) -> Option<ArrowReaderMetadata> {
        let file = self.stamp.open().ok()?;
        let footer = ParquetMetaData::clone(self.metadata.metadata());
        let mut reader =
            ParquetMetaDataReader::new_with_metadata(footer).with_page_index_policy(PageIndexPolicy::Optional);
        reader.read_page_indexes(&file).ok()?;
        let metadata = reader.finish().ok()?;
        let complete = metadata.column_index().is_some() && metadata.offset_index().is_some();
        let metadata = complete.then(|| Arc::new(metadata))?;
        arrow_metadata(metadata).ok()
    }

    /// The file's columns behind the given schema columns.
    pub(crate) fn mask(&self, columns: &[usize]) -> ProjectionMask {
        let roots = columns.iter().filter_map(|at| self.origins[*at].root());
        ProjectionMask::roots(self.metadata.parquet_schema(), roots)
    }
}

/// Reads the footer, without the index of pages. Statistics of sizes are of no use here, and old writers put something of
/// their own in their place. An offset of 0 says of a dictionary that it is where the column begins, or that there is
/// none (PARQUET-1402); at 0 is the name of the format.
fn footer(file: &File) -> Result<ParquetMetaData, ParquetError> {
    let options = ParquetMetaDataOptions::new().with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::new().with_metadata_options(Some(options)).parse_and_finish(file)?;
    let chunks = || metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    let begins =
        |chunk: &ColumnChunkMetaData| chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    if chunks().any(|chunk| begins(chunk) < 0 || chunk.data_page_offset() < 0 || chunk.compressed_size() < 0) {
        return Err(ParquetError::General("a column begins before the file or has a negative length".to_owned()));
    }
    if chunks().all(|chunk| chunk.dictionary_page_offset() != Some(0)) {
        return Ok(metadata);
    }
    let column = |chunk: &ColumnChunkMetaData| {
        let offset = chunk.dictionary_page_offset().filter(|offset| *offset > 0);
        chunk.clone().into_builder().set_dictionary_page_offset(offset).build()
    };
    let group = |group: &RowGroupMetaData| {
        let columns = group.columns().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        group.clone().into_builder().set_column_metadata(columns).build()
    };
    let groups = metadata.row_groups().iter().map(group).collect::<Result<Vec<_>, _>>()?;
    Ok(metadata.into_builder().set_row_groups(groups).build())
}

/// The footer with the Arrow types in which columns are read. Times of twelve bytes (INT96) would be read as nanoseconds,
/// which those before 1677 and after 2262 overflow without a word; they are read as microseconds, which hold 292,000 years.
fn arrow_metadata(metadata: Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata, ParquetError> {
    let found = ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new())?;
    let roots = metadata.file_metadata().schema_descr().root_schema().get_fields();
    let is_long = |root: &TypePtr| root.is_primitive() && root.get_physical_type() == PhysicalType::INT96;
    if !roots.iter().any(is_long) {
        return Ok(found);
    }
    let micros = |(field, root): (&FieldRef, &TypePtr)| match field.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) if is_long(root) => {
            let ty = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            Arc::new(field.as_ref().clone().with_data_type(ty))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<FieldRef> = found.schema().fields().iter().zip(roots).map(micros).collect();
    let schema = Schema::new_with_metadata(fields, found.schema().metadata().clone());
    ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(Arc::new(schema)))
}

/// Where a column of the schema comes from in one file.
fn origin(
    stamp: &FileStamp,
    metadata: &ArrowReaderMetadata,
    column: &ColumnSpec,
    mapping: Mapping<'_>,
    partitions: &[(String, Option<String>)],
) -> Result<Origin, DataError> {
    let source = mapping.columns.get(&column.name).unwrap_or(&column.name);
    let misfit = |reason: String, fits: &str| {
        let (file, column, fits) = (stamp.shown(), Some(column.name.clone()), fits.to_owned());
        DataError::Misfit(Box::new(Misfit { file, line: None, column, reason, fits }))
    };
    let fields = metadata.schema().fields().iter().enumerate();
    let mut named = fields.filter(|(_, field)| field.name() == source);
    if let Some((at, field)) = named.next() {
        if named.next().is_some() {
            return Err(misfit(format!("the file has several columns `{source}`"), "one column of that name"));
        }
        if let Some(what) = uncastable(field.data_type(), column.ty, column.required) {
            return Err(misfit(format!("`{source}` is {what}"), accepted(column.ty)));
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
pub(crate) fn repeated(value: &ArrayRef, rows: usize) -> Result<ArrayRef, ArrowError> {
    let at = UInt64Array::from(vec![0; rows]);
    arrow_select::take::take(value.as_ref(), &at, None)
}

/// Columns of a batch (in the file's order) as the given columns of the schema.
pub(crate) fn typed(
    file: &ParquetFile,
    table: &TableSchema,
    columns: &[usize],
    batch: &RecordBatch,
) -> Result<Vec<ArrayRef>, DataError> {
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
    Ok(arrays)
}

/// Turns a row of a batch into a row of the file, where no filter has hidden rows; otherwise drops it.
pub(crate) fn number(error: DataError, before: u64, counted: bool) -> DataError {
    match error {
        DataError::Misfit(mut misfit) => {
            misfit.line = misfit.line.filter(|_| counted).map(|line| line + before);
            DataError::Misfit(misfit)
        }
        other => other,
    }
}

pub(crate) fn internal(file: &ParquetFile, error: &dyn std::error::Error) -> DataError {
    DataError::Internal { what: file.stamp.shown(), reason: error.to_string() }
}
