//! Parquet files whose columns fit a schema: footer read once when the dataset is opened, columns cast onto the schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array, new_null_array};
use arrow_schema::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::cast::{accepted, cast_column, castable};
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
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
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
        ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new()).ok()
    }

    /// The file's columns behind the given schema columns.
    pub(crate) fn mask(&self, columns: &[usize]) -> ProjectionMask {
        let roots = columns.iter().filter_map(|at| self.origins[*at].root());
        ProjectionMask::roots(self.metadata.parquet_schema(), roots)
    }
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
