//! What of a query's condition a database can be asked to look at: for single columns the range of values that can fulfil
//! it. Pure. A range is never too small; the scan tests the whole condition again on what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion_common::ScalarValue;
use datafusion_expr::Operator;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{BinaryExpr, Column, Literal};

use crate::schema::{ColumnType, TableSchema};

/// Values that a column must have, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Range {
    /// Of timestamps (in microseconds) and whole numbers.
    Number { low: i128, high: i128 },
    /// Of addresses, as numbers of 128 bits.
    Address { first: u128, last: u128 },
    /// One text.
    Text(String),
}

/// The ranges by column (index in the schema) that follow from a condition whose parameters are bound.
pub(crate) fn ranges(condition: &Arc<dyn PhysicalExpr>, table: &TableSchema) -> BTreeMap<usize, Range> {
    let mut found = BTreeMap::new();
    let mut open = vec![Arc::clone(condition)];
    while let Some(expr) = open.pop() {
        let Some(binary) = expr.downcast_ref::<BinaryExpr>() else { continue };
        if binary.op() == &Operator::And {
            open.push(Arc::clone(binary.left()));
            open.push(Arc::clone(binary.right()));
            continue;
        }
        if let Some((at, range)) = comparison(binary, table) {
            let both = match found.remove(&at) {
                Some(known) => intersect(known, range),
                None => range,
            };
            found.insert(at, both);
        }
    }
    found
}

/// A comparison of a column with a constant, in either order.
fn comparison(binary: &BinaryExpr, table: &TableSchema) -> Option<(usize, Range)> {
    let column = |expr: &Arc<dyn PhysicalExpr>| expr.downcast_ref::<Column>().map(Column::index);
    let literal = |expr: &Arc<dyn PhysicalExpr>| expr.downcast_ref::<Literal>().map(|l| l.value().clone());
    let (at, op, value) = match (column(binary.left()), literal(binary.right())) {
        (Some(at), Some(value)) => (at, *binary.op(), value),
        _ => (column(binary.right())?, binary.op().swap()?, literal(binary.left())?),
    };
    let ty = table.columns.get(at)?.ty;
    Some((at, range(ty, op, &value)?))
}

fn range(ty: ColumnType, op: Operator, value: &ScalarValue) -> Option<Range> {
    match (ty, value) {
        (ColumnType::Timestamp | ColumnType::Int | ColumnType::Uint, ScalarValue::Int64(Some(v))) => {
            numbers(op, i128::from(*v))
        }
        (ColumnType::Timestamp | ColumnType::Int | ColumnType::Uint, ScalarValue::UInt64(Some(v))) => {
            numbers(op, i128::from(*v))
        }
        (ColumnType::Address, ScalarValue::FixedSizeBinary(16, Some(bytes))) => {
            addresses(op, u128::from_be_bytes(bytes.as_slice().try_into().ok()?))
        }
        (ColumnType::Text, ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)))
            if op == Operator::Eq && !text.contains('\0') =>
        {
            Some(Range::Text(text.clone()))
        }
        _ => None,
    }
}

fn numbers(op: Operator, value: i128) -> Option<Range> {
    let (low, high) = match op {
        Operator::Eq => (value, value),
        Operator::Lt => (i128::MIN, value - 1),
        Operator::LtEq => (i128::MIN, value),
        Operator::Gt => (value + 1, i128::MAX),
        Operator::GtEq => (value, i128::MAX),
        _ => return None,
    };
    Some(Range::Number { low, high })
}

/// At the ends of the address space `<` and `>` keep the end itself: too large is right, too small would not be.
fn addresses(op: Operator, value: u128) -> Option<Range> {
    let (first, last) = match op {
        Operator::Eq => (value, value),
        Operator::Lt => (0, value.saturating_sub(1)),
        Operator::LtEq => (0, value),
        Operator::Gt => (value.saturating_add(1), u128::MAX),
        Operator::GtEq => (value, u128::MAX),
        _ => return None,
    };
    Some(Range::Address { first, last })
}

/// Both conditions; of two texts the first, for the scan tests the rest.
fn intersect(a: Range, b: Range) -> Range {
    match (a, b) {
        (Range::Number { low, high }, Range::Number { low: l, high: h }) => {
            Range::Number { low: low.max(l), high: high.min(h) }
        }
        (Range::Address { first, last }, Range::Address { first: f, last: l }) => {
            Range::Address { first: first.max(f), last: last.min(l) }
        }
        (known, _) => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ColumnSpec;

    fn table() -> TableSchema {
        let column = |name: &str, ty| ColumnSpec { name: name.into(), ty, required: true };
        let columns = vec![
            column("start", ColumnType::Timestamp),
            column("dst", ColumnType::Address),
            column("note", ColumnType::Text),
        ];
        TableSchema { id: "t".into(), columns }
    }

    fn compare(at: usize, op: Operator, value: ScalarValue) -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(Arc::new(Column::new("c", at)), op, Arc::new(Literal::new(value))))
    }

    fn and(a: Arc<dyn PhysicalExpr>, b: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(a, Operator::And, b))
    }

    #[test]
    fn conjunctions_narrow_and_the_rest_is_left_out() {
        let int = |v| ScalarValue::Int64(Some(v));
        let window = and(compare(0, Operator::GtEq, int(10)), compare(0, Operator::Lt, int(20)));
        assert_eq!(ranges(&window, &table()), BTreeMap::from([(0, Range::Number { low: 10, high: 19 })]));
        let either: Arc<dyn PhysicalExpr> =
            Arc::new(BinaryExpr::new(Arc::clone(&window), Operator::Or, compare(0, Operator::Eq, int(5))));
        assert_eq!(ranges(&either, &table()), BTreeMap::new());
        let both = and(either, compare(2, Operator::Eq, ScalarValue::Utf8(Some("x".into()))));
        assert_eq!(ranges(&both, &table()), BTreeMap::from([(2, Range::Text("x".into()))]));
        let null = compare(0, Operator::Eq, ScalarValue::Int64(None));
        assert_eq!(ranges(&null, &table()), BTreeMap::new());
    }

    #[test]
    fn a_constant_may_stand_on_the_left() {
        let literal = Arc::new(Literal::new(ScalarValue::Int64(Some(7))));
        let expr: Arc<dyn PhysicalExpr> =
            Arc::new(BinaryExpr::new(literal, Operator::Lt, Arc::new(Column::new("start", 0))));
        assert_eq!(ranges(&expr, &table()), BTreeMap::from([(0, Range::Number { low: 8, high: i128::MAX })]));
    }

    #[test]
    fn addresses_have_ends() {
        let address = |value: u128| ScalarValue::FixedSizeBinary(16, Some(value.to_be_bytes().to_vec()));
        let expr = and(compare(1, Operator::GtEq, address(5)), compare(1, Operator::LtEq, address(9)));
        assert_eq!(ranges(&expr, &table()), BTreeMap::from([(1, Range::Address { first: 5, last: 9 })]));
        let none = compare(1, Operator::Gt, address(u128::MAX));
        assert_eq!(
            ranges(&none, &table()),
            BTreeMap::from([(1, Range::Address { first: u128::MAX, last: u128::MAX })])
        );
    }
}
