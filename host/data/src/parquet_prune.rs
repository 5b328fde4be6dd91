//! What the statistics of a Parquet file say about a condition: in which row groups and pages no row fulfils it, and in
//! which every row does. It reads no rows.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt32Array, UInt64Array};
use arrow_schema::SchemaRef;
use datafusion_expr::Operator;
use datafusion_physical_expr::expressions::{BinaryExpr, Column as ColumnExpr, Literal};
use datafusion_physical_expr::{PhysicalExpr, split_conjunction};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;

use crate::cast::{cast_column, keeps_order};
use crate::parquet_file::{Origin, ParquetFile, repeated};
use crate::predicate::Predicate;
use crate::range_test::{Bounds, ColumnBounds, RangeTest};
use crate::schema::{ColumnType, TableSchema};

/// What statistics say of the rows they stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No row fulfils the condition.
    None,
    /// Only the rows can tell.
    Unknown,
    /// Every row fulfils it.
    All,
}

/// A condition as a test of statistics.
#[derive(Debug)]
pub(crate) struct Pruner {
    /// Schema columns that the condition reads.
    columns: Vec<usize>,
    /// Fails where no row fulfils the condition.
    may_hold: Option<RangeTest>,
    /// One for each part of a conjunction, failing where no value breaks it. Absent where a part has no such test.
    may_break: Option<Vec<RangeTest>>,
}

/// A row group of a file with the index of its pages.
#[derive(Clone, Copy)]
pub(crate) struct Paged<'a> {
    pub(crate) file: &'a ParquetFile,
    /// The file's footer with the index of pages.
    pub(crate) metadata: &'a ParquetMetaData,
    pub(crate) group: usize,
}

impl Pruner {
    /// `schema` is the whole table's; the predicate has its parameters bound.
    pub(crate) fn new(predicate: &Predicate, schema: &SchemaRef) -> Self {
        let breaks = |part| RangeTest::of(&broken(part)?);
        Self {
            columns: predicate.columns(schema.fields().len()),
            may_hold: RangeTest::of(predicate.expr()),
            may_break: split_conjunction(predicate.expr()).into_iter().map(breaks).collect(),
        }
    }

    /// Whether statistics can say anything about the condition.
    pub(crate) fn is_useful(&self) -> bool {
        self.may_hold.is_some() || self.may_break.is_some()
    }

    /// Row groups of a file, in order.
    pub(crate) fn row_groups(&self, file: &ParquetFile, table: &TableSchema) -> Vec<Verdict> {
        self.judge(&Bounds::of_row_groups(file, table, &self.columns))
    }

    /// Rows of a row group by its pages, ascending and complete; `None` where the file has no index of pages.
    pub(crate) fn pages(&self, paged: Paged<'_>, table: &TableSchema) -> Option<Vec<(Range<usize>, Verdict)>> {
        let (bounds, ranges) = Bounds::of_pages(paged, table, &self.columns)?;
        Some(ranges.into_iter().zip(self.judge(&bounds)).collect())
    }

    fn judge(&self, bounds: &Bounds) -> Vec<Verdict> {
        let all_true = || vec![true; bounds.rows.len()];
        let may_hold = self.may_hold.as_ref().map_or_else(all_true, |test| test.may_hold(bounds));
        let may_break = self.may_break.as_ref().map_or_else(all_true, |tests| {
            let mut any: Vec<bool> = (0..bounds.rows.len()).map(|at| bounds.may_be_null(at)).collect();
            for test in tests {
                any.iter_mut().zip(test.may_hold(bounds)).for_each(|(any, broken)| *any |= broken);
            }
            any
        });
        let one = |(holds, breaks)| match (holds, breaks) {
            (false, _) => Verdict::None,
            (true, false) => Verdict::All,
            (true, true) => Verdict::Unknown,
        };
        may_hold.into_iter().zip(may_break).map(one).collect()
    }
}

/// The opposite of a comparison of a column with a constant; on rows without nulls exactly one of the two is true.
fn broken(part: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
    let binary = part.downcast_ref::<BinaryExpr>()?;
    let plain = binary.left().downcast_ref::<ColumnExpr>().is_some()
        && binary.right().downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null());
    let compares = matches!(
        binary.op(),
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
    );
    let opposite = binary.op().negate().filter(|_| plain && compares)?;
    Some(Arc::new(BinaryExpr::new(Arc::clone(binary.left()), opposite, Arc::clone(binary.right()))))
}

impl Bounds {
    fn of_row_groups(file: &ParquetFile, table: &TableSchema, columns: &[usize]) -> Self {
        let groups = file.metadata.metadata().row_groups();
        let rows: Vec<u64> = groups.iter().map(|g| u64::try_from(g.num_rows()).unwrap_or_default()).collect();
        let one = |at: &usize| {
            let bounds = ColumnBounds::without_file(file, *at, &rows).or_else(|| {
                let (converter, ty) = converter(file, table, *at)?;
                let leaf = converter.parquet_column_index()?;
                // Old writers compared bytes as signed numbers (PARQUET-251, PARQUET-686).
                let signed = matches!(ty, ColumnType::Timestamp | ColumnType::Int | ColumnType::Flag);
                let deprecated = |g: &parquet::file::metadata::RowGroupMetaData| {
                    g.column(leaf).statistics().is_some_and(|s| s.is_min_max_deprecated())
                };
                if !signed && groups.iter().any(deprecated) {
                    return None;
                }
                let cast = |array: &ArrayRef| cast_column(array, ty, file.unit).ok();
                Some(ColumnBounds {
                    min: cast(&converter.row_group_mins(groups).ok()?),
                    max: cast(&converter.row_group_maxes(groups).ok()?),
                    nulls: known_nulls(file, leaf, &rows)
                        .or_else(|| converter.row_group_null_counts(groups).ok())
                        .unwrap_or_else(|| UInt64Array::new_null(rows.len())),
                })
            });
            Some((table.columns[*at].name.clone(), bounds?))
        };
        let columns = columns.iter().filter_map(one).collect();
        Self { rows, columns }
    }

    /// Runs of rows in which no page of the columns ends.
    fn of_pages(paged: Paged<'_>, table: &TableSchema, columns: &[usize]) -> Option<(Self, Vec<Range<usize>>)> {
        let Paged { file, metadata, group } = paged;
        let offsets = metadata.offset_index()?;
        let total = usize::try_from(metadata.row_group(group).num_rows()).ok()?;
        let mut starts: HashMap<usize, Vec<usize>> = HashMap::new();
        for at in columns {
            let Some((converter, _)) = converter(file, table, *at) else { continue };
            let pages = offsets.get(group)?.get(converter.parquet_column_index()?)?.page_locations();
            let first: Option<Vec<usize>> = pages.iter().map(|p| usize::try_from(p.first_row_index).ok()).collect();
            let first =
                first.filter(|first| first.first() == Some(&0) && first.is_sorted() && first.last() < Some(&total))?;
            starts.insert(*at, first);
        }
        let cuts: BTreeSet<usize> = starts.values().flatten().copied().chain([0, total]).collect();
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let ranges: Vec<Range<usize>> = cuts.windows(2).map(|pair| pair[0]..pair[1]).collect();
        let rows: Vec<u64> = ranges.iter().map(|range| range.len() as u64).collect();
        let mut found = HashMap::new();
        for at in columns {
            let from_pages = || {
                let starts = starts.get(at)?;
                let page = |range: &Range<usize>| u32::try_from(starts.partition_point(|s| *s <= range.start) - 1).ok();
                let pages: UInt32Array = ranges.iter().map(page).collect();
                ColumnBounds::of_pages(paged, table, *at, &pages, &rows)
            };
            if let Some(bounds) = ColumnBounds::without_file(file, *at, &rows).or_else(from_pages) {
                found.insert(table.columns[*at].name.clone(), bounds);
            }
        }
        Some((Self { rows, columns: found }, ranges))
    }

    /// Whether any of the columns may have a null in this run.
    fn may_be_null(&self, at: usize) -> bool {
        self.columns.values().any(|column| column.nulls.is_null(at) || column.nulls.value(at) > 0)
    }
}

impl ColumnBounds {
    /// Of a column that is not in the file itself.
    fn without_file(file: &ParquetFile, at: usize, rows: &[u64]) -> Option<Self> {
        match &file.origins[at] {
            Origin::Root(_) => None,
            Origin::Path(value) => {
                let bound = repeated(value, rows.len()).ok()?;
                let nulls = rows.iter().map(|rows| if value.is_null(0) { *rows } else { 0 });
                Some(Self { min: Some(Arc::clone(&bound)), max: Some(bound), nulls: nulls.collect::<Vec<_>>().into() })
            }
            Origin::Absent => Some(Self { min: None, max: None, nulls: rows.to_vec().into() }),
        }
    }

    /// Of the pages named for each run, whose rows are counted.
    fn of_pages(paged: Paged<'_>, table: &TableSchema, at: usize, pages: &UInt32Array, rows: &[u64]) -> Option<Self> {
        let Paged { file, metadata, group } = paged;
        let (converter, ty) = converter(file, table, at)?;
        let (index, offsets) = (metadata.column_index()?, metadata.offset_index()?);
        index.get(group)?.get(converter.parquet_column_index()?)?;
        let spread = |array: &dyn Array| arrow_select::take::take(array, pages, None).ok();
        let cast = |array: ArrayRef| cast_column(&spread(&array)?, ty, file.unit).ok();
        let known = known_nulls(file, converter.parquet_column_index()?, rows);
        let nulls = known.or_else(|| {
            let counts = converter.data_page_null_counts(index, offsets, [&group]).ok()?;
            // A page may be longer than the run: only none and all say something about the run.
            let locations = offsets[group][converter.parquet_column_index()?].page_locations();
            let total = u64::try_from(metadata.row_group(group).num_rows()).ok()?;
            let ends = locations.iter().skip(1).map(|p| u64::try_from(p.first_row_index).ok()).chain([Some(total)]);
            let lengths =
                locations.iter().zip(ends).map(|(p, end)| end?.checked_sub(u64::try_from(p.first_row_index).ok()?));
            let lengths: Vec<Option<u64>> = lengths.collect();
            let of_run = |(page, rows): (Option<u32>, &u64)| {
                let page = usize::try_from(page?).ok()?;
                let nulls = (page < counts.len() && counts.is_valid(page)).then(|| counts.value(page))?;
                match nulls {
                    0 => Some(0),
                    all if Some(all) == *lengths.get(page)? => Some(*rows),
                    _ => None,
                }
            };
            Some(pages.iter().zip(rows).map(of_run).collect())
        });
        Some(Self {
            min: cast(converter.data_page_mins(index, offsets, [&group]).ok()?),
            max: cast(converter.data_page_maxes(index, offsets, [&group]).ok()?),
            nulls: nulls.unwrap_or_else(|| UInt64Array::new_null(rows.len())),
        })
    }
}

/// Reads the statistics of a column of the file whose order the schema's type keeps.
fn converter<'a>(
    file: &'a ParquetFile,
    table: &TableSchema,
    at: usize,
) -> Option<(StatisticsConverter<'a>, ColumnType)> {
    let Origin::Root(root) = &file.origins[at] else { return None };
    let (schema, ty) = (file.metadata.schema(), table.columns[at].ty);
    let field = schema.field(*root);
    if !keeps_order(field.data_type(), ty) {
        return None;
    }
    let converter = StatisticsConverter::try_new(field.name(), schema, file.metadata.parquet_schema()).ok()?;
    Some((converter.with_missing_null_counts_as_zero(false), ty))
}

/// No nulls, where the file's own schema allows none.
fn known_nulls(file: &ParquetFile, leaf: usize, rows: &[u64]) -> Option<UInt64Array> {
    let required = file.metadata.parquet_schema().column(leaf).max_def_level() == 0;
    required.then(|| UInt64Array::from(vec![0; rows.len()]))
}
