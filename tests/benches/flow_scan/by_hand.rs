//! The second baseline: Parquet read by hand for this one question, with the library's row filter on the target and
//! nothing else: no schema, no casts, no limits, no fixed batches.

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::{BooleanArray, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter};

use crate::flows::Case;
use crate::native::{Answer, Tally};

const COLUMNS: [&str; 6] = ["ingress_as", "start", "end", "src", "packets", "bytes"];

pub(crate) fn run(path: &Path, case: &Case) -> anyhow::Result<Answer> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.with_batch_size(iog_data::BATCH_ROWS);
    let parquet = builder.parquet_schema().clone();
    let target = ProjectionMask::columns(&parquet, ["dst"]);
    let (first, last) = (case.first, case.last);
    let filter = ArrowPredicateFn::new(target, move |batch: RecordBatch| {
        let (addresses, _) = batch.column(0).as_fixed_size_binary().value_data().as_chunks::<16>();
        Ok(addresses
            .iter()
            .map(|address| Some((first..=last).contains(&u128::from_be_bytes(*address))))
            .collect::<BooleanArray>())
    });
    let filter = RowFilter::new(vec![Box::new(filter)]);
    let reader = builder.with_projection(ProjectionMask::columns(&parquet, COLUMNS)).with_row_filter(filter).build()?;
    let mut tally = Tally::default();
    for batch in reader {
        tally.add(&batch?)?;
    }
    Ok(tally.answer())
}
