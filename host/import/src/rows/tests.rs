//! The builders against the schemas they write, and their bounds.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, SchemaRef};
use iog_protocol::schemas::{ColumnType, schema};

use super::*;
use crate::columns::{BATCH_ROWS, Sink};

#[derive(Default)]
struct Batches(Vec<RecordBatch>);

impl Sink for Batches {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.push(batch);
        Ok(())
    }
}

fn arrow_type(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::Timestamp | ColumnType::Int => DataType::Int64,
        ColumnType::Address => DataType::FixedSizeBinary(16),
        ColumnType::Uint => DataType::UInt64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Text => DataType::Utf8,
        ColumnType::Flag => DataType::Boolean,
    }
}

#[test]
fn batches_have_the_columns_of_their_schemas() {
    let built: [(&str, SchemaRef); 4] = [
        ("route/1", route_schema()),
        ("pdns/1", pdns_schema()),
        ("asinfo/1", asinfo_schema()),
        ("geo/1", geo_schema()),
    ];
    for (id, arrow) in built {
        let wanted = schema(id).expect(id).columns;
        let wanted: Vec<_> = wanted.iter().map(|c| (c.name.to_owned(), arrow_type(c.ty), !c.required)).collect();
        let found: Vec<_> =
            arrow.fields().iter().map(|f| (f.name().clone(), f.data_type().clone(), f.is_nullable())).collect();
        assert_eq!(found, wanted, "{id}");
    }
}

#[test]
fn a_batch_is_full_by_rows_and_a_flush_hands_on_the_rest() {
    let (mut builder, mut sink) = (GeoBuilder::default(), Batches::default());
    for _ in 0..BATCH_ROWS + 3 {
        builder.push(&GeoRow { country: Some("NL"), latitude: Some(52.0), ..GeoRow::default() }, &mut sink).unwrap();
    }
    builder.flush(&mut sink).unwrap();
    builder.flush(&mut sink).unwrap();
    assert_eq!(sink.0.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [BATCH_ROWS, 3]);
    assert_eq!(sink.0[1].column_by_name("country").unwrap().as_string::<i32>().value(2), "NL");
}

#[test]
fn a_batch_is_full_by_text_too() {
    let (mut builder, mut sink) = (PdnsBuilder::default(), Batches::default());
    let long = "x".repeat(TEXT_BYTES_MAX / 4);
    for _ in 0..9 {
        builder.push(&PdnsRow { rdata: &long, ..PdnsRow::default() }, &mut sink).unwrap();
    }
    builder.flush(&mut sink).unwrap();
    assert_eq!(sink.0.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [4, 4, 1]);
}
