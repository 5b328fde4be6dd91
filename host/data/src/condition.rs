//! A row condition made ready for many batches: its tests of addresses against ranges are done on 16-byte numbers, the
//! rest is left to the engine. Pure.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_schema::SchemaRef;
use datafusion_common::ScalarValue;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_expr::Operator;
use datafusion_physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion_physical_expr::utils::conjunction;
use datafusion_physical_expr::{PhysicalExpr, split_conjunction};

use crate::balance::CHAIN_MAX;
use crate::predicate::Predicate;
use crate::reader::project;
use crate::schema::ADDRESS_BYTES;

/// A condition with its parameters bound, on batches of the columns it reads.
#[derive(Debug)]
pub(crate) struct Condition {
    /// Schema columns that the batches have, ascending.
    pub(crate) columns: Vec<usize>,
    /// The batches' schema.
    pub(crate) schema: SchemaRef,
    ranges: Vec<Range>,
    rest: Option<Predicate>,
}

/// Addresses of one column, both ends included; none where `first` is greater than `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    /// Position in the batches.
    at: usize,
    first: u128,
    last: u128,
}

impl Condition {
    /// `schema` is the whole table's.
    pub(crate) fn new(predicate: &Predicate, schema: &SchemaRef) -> Result<Self> {
        let columns = predicate.columns(schema.fields().len());
        let predicate = predicate.rebase(&columns)?;
        let mut ranges: Vec<Range> = Vec::new();
        let mut rest: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
        for part in split_conjunction(predicate.expr()) {
            match Range::of(part) {
                Some(range) => match ranges.iter_mut().find(|known| known.at == range.at) {
                    Some(known) => {
                        (known.first, known.last) = (known.first.max(range.first), known.last.min(range.last));
                    }
                    None => ranges.push(range),
                },
                None => rest.push(Arc::clone(part)),
            }
        }
        let rest = (!rest.is_empty()).then(|| predicate.with_expr(all_of(rest)));
        Ok(Self { schema: project(schema, &columns), columns, ranges, rest })
    }

    /// Which rows fulfil the condition; null counts as no.
    pub(crate) fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let mut fulfilled = BooleanBuffer::new_set(batch.num_rows());
        for range in &self.ranges {
            fulfilled = &fulfilled & &range.evaluate(batch)?;
        }
        match &self.rest {
            Some(rest) if fulfilled.count_set_bits() > 0 => Ok(&fulfilled & rest.evaluate(batch)?.values()),
            _ => Ok(fulfilled),
        }
    }
}

/// The conjunction of conditions, balanced where there are many (`balance`).
fn all_of(mut parts: Vec<Arc<dyn PhysicalExpr>>) -> Arc<dyn PhysicalExpr> {
    if parts.len() <= CHAIN_MAX {
        return conjunction(parts);
    }
    let right = parts.split_off(parts.len() / 2);
    Arc::new(BinaryExpr::new(all_of(parts), Operator::And, all_of(right)))
}

impl Range {
    /// The range that a comparison of an address column with a constant stands for.
    fn of(expr: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        let binary = expr.downcast_ref::<BinaryExpr>()?;
        let at = binary.left().downcast_ref::<Column>()?.index();
        let ScalarValue::FixedSizeBinary(ADDRESS_BYTES, Some(bytes)) =
            binary.right().downcast_ref::<Literal>()?.value()
        else {
            return None;
        };
        let bound = u128::from_be_bytes(bytes.as_slice().try_into().ok()?);
        let none = (1, 0);
        let (first, last) = match binary.op() {
            Operator::Eq => (bound, bound),
            Operator::GtEq => (bound, u128::MAX),
            Operator::LtEq => (0, bound),
            Operator::Gt => bound.checked_add(1).map_or(none, |first| (first, u128::MAX)),
            Operator::Lt => bound.checked_sub(1).map_or(none, |last| (0, last)),
            _ => return None,
        };
        Some(Self { at, first, last })
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let addresses = batch.column(self.at).as_fixed_size_binary_opt();
        let addresses = addresses.ok_or_else(|| DataFusionError::Internal("a column of addresses is none".into()))?;
        let (values, _) = addresses.value_data().as_chunks::<16>();
        let inside = BooleanBuffer::collect_bool(addresses.len(), |row| {
            let value = u128::from_be_bytes(values[row]);
            self.first <= value && value <= self.last
        });
        Ok(match addresses.nulls() {
            Some(nulls) if nulls.null_count() > 0 => &inside & nulls.inner(),
            _ => inside,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::builder::FixedSizeBinaryBuilder;
    use arrow_array::{ArrayRef, Int64Array};
    use proptest::prelude::*;

    use crate::schema::{ColumnSpec, ColumnType, TableSchema};

    fn table() -> TableSchema {
        let column = |name: &str, ty| ColumnSpec { name: name.into(), ty, required: false };
        TableSchema { id: "t".into(), columns: vec![column("n", ColumnType::Int), column("dst", ColumnType::Address)] }
    }

    fn compare(name: &str, at: usize, op: Operator, value: ScalarValue) -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(Arc::new(Column::new(name, at)), op, Arc::new(Literal::new(value))))
    }

    fn batch(rows: &[(Option<i64>, Option<u128>)]) -> RecordBatch {
        let mut addresses = FixedSizeBinaryBuilder::new(ADDRESS_BYTES);
        for (_, address) in rows {
            match address {
                Some(address) => addresses.append_value(address.to_be_bytes()).unwrap(),
                None => addresses.append_null(),
            }
        }
        let numbers: ArrayRef = Arc::new(rows.iter().map(|(number, _)| *number).collect::<Int64Array>());
        RecordBatch::try_new(table().arrow(), vec![numbers, Arc::new(addresses.finish())]).unwrap()
    }

    /// Numbers at and around the edges that a range can have.
    fn near_edges() -> impl Strategy<Value = u128> {
        let mapped = 0xffff_u128 << 32;
        let edge = prop_oneof![
            Just(0),
            Just(u128::MAX),
            Just(mapped),
            Just(mapped | 0xffff_ffff),
            (0u32..=128).prop_map(|bits| if bits == 0 { 0 } else { u128::MAX << (128 - bits) }),
            any::<u128>(),
        ];
        (edge, 0u128..3, any::<bool>())
            .prop_map(|(edge, step, up)| if up { edge.wrapping_add(step) } else { edge.wrapping_sub(step) })
    }

    proptest! {
        #[test]
        fn ranges_answer_as_the_engine_does(
            rows in prop::collection::vec((prop::option::of(0i64..4), prop::option::of(near_edges())), 0..70),
            bounds in prop::collection::vec((0usize..6, near_edges()), 1..4),
            number in prop::option::of(0i64..4),
            cut in 0usize..9,
        ) {
            let op = |at: usize| {
                [Operator::Eq, Operator::NotEq, Operator::Lt, Operator::LtEq, Operator::Gt, Operator::GtEq][at]
            };
            let mut parts: Vec<_> = bounds
                .iter()
                .map(|(at, bound)| compare("dst", 1, op(*at), crate::params::address(bound.to_be_bytes())))
                .collect();
            parts.extend(number.map(|number| compare("n", 0, Operator::GtEq, ScalarValue::Int64(Some(number)))));
            let predicate = Predicate::new(conjunction(parts), crate::work::Work::default());
            let condition = Condition::new(&predicate, &table().arrow()).unwrap();
            let whole = batch(&rows);
            let cut = cut.min(whole.num_rows());
            let batch = whole.slice(cut, whole.num_rows() - cut);
            let given = batch.project(&condition.columns).unwrap();
            let expected = predicate.evaluate(&batch).unwrap();
            prop_assert_eq!(&condition.evaluate(&given).unwrap(), expected.values());
        }
    }
}
