//! Conditions as tests of least and greatest values: whether any of many rows may fulfil a condition, told by the bounds
//! of their columns alone. What a test does not know of, it takes to be possible, so no row is ever lost.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Datum, UInt64Array};
use arrow_schema::ArrowError;
use datafusion_common::ScalarValue;
use datafusion_common::arrow::compute::kernels::cmp;
use datafusion_expr::Operator;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{
    BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
};

/// Bounds of some columns over runs of rows, as the schema's types.
#[derive(Default)]
pub(crate) struct Bounds {
    /// Rows of each run.
    pub(crate) rows: Vec<u64>,
    /// By name; a column that is absent is not known.
    pub(crate) columns: HashMap<String, ColumnBounds>,
}

/// Least and greatest value of a column and its nulls in each run; null where unknown.
pub(crate) struct ColumnBounds {
    pub(crate) min: Option<ArrayRef>,
    pub(crate) max: Option<ArrayRef>,
    pub(crate) nulls: UInt64Array,
}

/// A condition, or what bounds can say of it.
#[derive(Debug)]
pub(crate) enum RangeTest {
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare { column: String, op: Operator, value: ScalarValue },
    Null { column: String, is_null: bool },
}

impl RangeTest {
    /// `None` where bounds say nothing of the condition.
    pub(crate) fn of(expr: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
            return Self::of_binary(binary);
        }
        if let Some(list) = expr.downcast_ref::<InListExpr>() {
            return Self::of_list(list);
        }
        if let Some(like) = expr.downcast_ref::<LikeExpr>() {
            return Self::of_like(like);
        }
        if let Some(test) = expr.downcast_ref::<IsNullExpr>() {
            return Some(Self::Null { column: column(test.arg())?, is_null: true });
        }
        if let Some(test) = expr.downcast_ref::<IsNotNullExpr>() {
            return Some(Self::Null { column: column(test.arg())?, is_null: false });
        }
        let (flag, wanted) = match expr.downcast_ref::<NotExpr>() {
            Some(not) => (not.arg(), false),
            None => (expr, true),
        };
        Some(Self::Compare { column: column(flag)?, op: Operator::Eq, value: ScalarValue::Boolean(Some(wanted)) })
    }

    fn of_binary(binary: &BinaryExpr) -> Option<Self> {
        let sides = || [Self::of(binary.left()), Self::of(binary.right())];
        match binary.op() {
            Operator::And => {
                let known: Vec<Self> = sides().into_iter().flatten().collect();
                (!known.is_empty()).then_some(Self::All(known))
            }
            Operator::Or => sides().into_iter().collect::<Option<_>>().map(Self::Any),
            op => match (column(binary.left()), column(binary.right())) {
                (Some(column), None) => Self::compare(column, *op, literal(binary.right())?),
                (None, Some(column)) => Self::compare(column, op.swap()?, literal(binary.left())?),
                _ => None,
            },
        }
    }

    fn compare(column: String, op: Operator, value: ScalarValue) -> Option<Self> {
        let known = matches!(
            op,
            Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
        );
        known.then_some(Self::Compare { column, op, value })
    }

    fn of_list(list: &InListExpr) -> Option<Self> {
        let column = column(list.expr())?;
        let op = if list.negated() { Operator::NotEq } else { Operator::Eq };
        let one = |value| Self::compare(column.clone(), op, literal(value)?);
        let tests = list.list().iter().map(one).collect::<Option<Vec<_>>>()?;
        Some(if list.negated() { Self::All(tests) } else { Self::Any(tests) })
    }

    /// A pattern that begins with plain text bounds the texts that fit it.
    fn of_like(like: &LikeExpr) -> Option<Self> {
        let pattern = literal(like.pattern())?;
        let text = pattern.try_as_str().flatten().filter(|_| !like.negated() && !like.case_insensitive())?;
        let plain = text.split(['%', '_', '\\']).next().filter(|plain| !plain.is_empty())?.to_owned();
        let same = |text: String| match &pattern {
            ScalarValue::Utf8View(_) => ScalarValue::Utf8View(Some(text)),
            ScalarValue::LargeUtf8(_) => ScalarValue::LargeUtf8(Some(text)),
            _ => ScalarValue::Utf8(Some(text)),
        };
        let column = column(like.expr())?;
        let beyond = beyond(&plain).map(same);
        let from = Self::Compare { column: column.clone(), op: Operator::GtEq, value: same(plain) };
        let until = beyond.map(|value| Self::Compare { column, op: Operator::Lt, value });
        Some(Self::All(std::iter::once(from).chain(until).collect()))
    }

    /// Which runs may have a row that fulfils the condition.
    pub(crate) fn may_hold(&self, bounds: &Bounds) -> Vec<bool> {
        let runs = bounds.rows.len();
        let fold = |tests: &[Self], start: bool, join: fn(bool, bool) -> bool| {
            let mut whole = vec![start; runs];
            for test in tests {
                whole.iter_mut().zip(test.may_hold(bounds)).for_each(|(whole, one)| *whole = join(*whole, one));
            }
            whole
        };
        match self {
            Self::All(tests) => fold(tests, true, |a, b| a && b),
            Self::Any(tests) => fold(tests, false, |a, b| a || b),
            Self::Compare { column, op, value } => match (bounds.columns.get(column), value.to_scalar()) {
                (Some(known), Ok(value)) => known.may_compare(*op, &value, &bounds.rows),
                _ => vec![true; runs],
            },
            Self::Null { column, is_null } => match bounds.columns.get(column) {
                Some(known) => (0..runs).map(|at| known.may_have(*is_null, at, bounds.rows[at])).collect(),
                None => vec![true; runs],
            },
        }
    }
}

impl ColumnBounds {
    fn may_compare(&self, op: Operator, value: &dyn Datum, rows: &[u64]) -> Vec<bool> {
        type Kernel = fn(&dyn Datum, &dyn Datum) -> Result<BooleanArray, ArrowError>;
        let test = |bound: &Option<ArrayRef>, kernel: Kernel| bound.as_ref().and_then(|all| kernel(all, value).ok());
        let may = |told: &Option<BooleanArray>, at: usize| {
            told.as_ref().is_none_or(|told| told.is_null(at) || told.value(at))
        };
        let (least, greatest): (Option<Kernel>, Option<Kernel>) = match op {
            Operator::Eq => (Some(cmp::lt_eq), Some(cmp::gt_eq)),
            Operator::NotEq => (Some(cmp::neq), Some(cmp::neq)),
            Operator::Lt => (Some(cmp::lt), None),
            Operator::LtEq => (Some(cmp::lt_eq), None),
            Operator::Gt => (None, Some(cmp::gt)),
            Operator::GtEq => (None, Some(cmp::gt_eq)),
            _ => (None, None),
        };
        let least = least.and_then(|kernel| test(&self.min, kernel));
        let greatest = greatest.and_then(|kernel| test(&self.max, kernel));
        let one = |(at, rows): (usize, &u64)| {
            let within = match op {
                Operator::NotEq => may(&least, at) || may(&greatest, at),
                _ => may(&least, at) && may(&greatest, at),
            };
            within && self.may_have(false, at, *rows)
        };
        rows.iter().enumerate().map(one).collect()
    }

    /// Whether a run may have a null, or a value that is not null.
    fn may_have(&self, null: bool, at: usize, rows: u64) -> bool {
        match self.nulls.is_valid(at).then(|| self.nulls.value(at)) {
            Some(nulls) => {
                if null {
                    nulls > 0
                } else {
                    nulls < rows
                }
            }
            None => true,
        }
    }
}

fn column(expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    expr.downcast_ref::<Column>().map(|column| column.name().to_owned())
}

/// A constant that is not null.
fn literal(expr: &Arc<dyn PhysicalExpr>) -> Option<ScalarValue> {
    expr.downcast_ref::<Literal>().map(|literal| literal.value().clone()).filter(|value| !value.is_null())
}

/// The least text, in the order of bytes, that is greater than all that begin with this one.
fn beyond(text: &str) -> Option<String> {
    let mut begin: Vec<char> = text.chars().collect();
    while let Some(last) = begin.pop() {
        if let Some(next) = (u32::from(last) + 1..=0xe000).find_map(char::from_u32).filter(|next| *next > last) {
            begin.push(next);
            return Some(begin.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray};
    use datafusion_physical_expr::expressions::{in_list, like, lit};

    use super::*;

    /// Runs of `n` in 0..=9, 10..=19, all 30, all null, and unknown; texts likewise.
    fn bounds() -> (arrow_schema::Schema, Bounds) {
        let numbers = |all: [Option<i64>; 5]| Some(Arc::new(Int64Array::from(all.to_vec())) as ArrayRef);
        let texts = |all: [Option<&str>; 5]| Some(Arc::new(StringArray::from(all.to_vec())) as ArrayRef);
        let nulls = || UInt64Array::from(vec![Some(0), Some(2), Some(0), Some(8), None]);
        let n = ColumnBounds {
            min: numbers([Some(0), Some(10), Some(30), None, None]),
            max: numbers([Some(9), Some(19), Some(30), None, None]),
            nulls: nulls(),
        };
        let t = ColumnBounds {
            min: texts([Some("ab"), Some("b"), Some("cd"), None, None]),
            max: texts([Some("az"), Some("bz"), Some("cd"), None, None]),
            nulls: nulls(),
        };
        let field = |name: &str, ty| arrow_schema::Field::new(name, ty, true);
        let schema = arrow_schema::Schema::new(vec![
            field("n", arrow_schema::DataType::Int64),
            field("t", arrow_schema::DataType::Utf8),
        ]);
        (schema, Bounds { rows: vec![8; 5], columns: [("n".to_owned(), n), ("t".to_owned(), t)].into() })
    }

    fn told(expr: Arc<dyn PhysicalExpr>) -> Option<Vec<u8>> {
        let (_, bounds) = bounds();
        RangeTest::of(&expr).map(|test| test.may_hold(&bounds).into_iter().map(u8::from).collect())
    }

    fn n() -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new("n", 0))
    }

    fn t() -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new("t", 1))
    }

    fn pair(left: Arc<dyn PhysicalExpr>, op: Operator, right: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(left, op, right))
    }

    #[test]
    fn bounds_tell_which_runs_a_comparison_can_hold_in() {
        for (op, value, expected) in [
            (Operator::Eq, 10, [0, 1, 0, 0, 1]),
            (Operator::NotEq, 30, [1, 1, 0, 0, 1]),
            (Operator::Lt, 10, [1, 0, 0, 0, 1]),
            (Operator::LtEq, 10, [1, 1, 0, 0, 1]),
            (Operator::Gt, 19, [0, 0, 1, 0, 1]),
            (Operator::GtEq, 19, [0, 1, 1, 0, 1]),
        ] {
            assert_eq!(told(pair(n(), op, lit(i64::from(value)))), Some(expected.to_vec()), "{op}");
            let turned = pair(lit(i64::from(value)), op.swap().unwrap(), n());
            assert_eq!(told(turned), Some(expected.to_vec()), "turned {op}");
        }
        // Of another type than the column, and so not known.
        assert_eq!(told(pair(n(), Operator::Eq, lit("x"))), Some(vec![1, 1, 1, 0, 1]));
    }

    #[test]
    fn conditions_are_told_by_their_parts() {
        let (schema, _) = bounds();
        let small = || pair(n(), Operator::Lt, lit(10i64));
        let unknown = || pair(n(), Operator::Lt, n());
        let large = || pair(n(), Operator::Gt, lit(19i64));
        assert_eq!(told(pair(small(), Operator::And, unknown())), Some(vec![1, 0, 0, 0, 1]));
        assert_eq!(told(pair(small(), Operator::Or, unknown())), None);
        assert_eq!(told(pair(small(), Operator::Or, large())), Some(vec![1, 0, 1, 0, 1]));
        let list = |negated| in_list(n(), vec![lit(3i64), lit(30i64)], &negated, &schema).unwrap();
        assert_eq!(told(list(false)), Some(vec![1, 0, 1, 0, 1]));
        assert_eq!(told(list(true)), Some(vec![1, 1, 0, 0, 1]));
        assert_eq!(told(Arc::new(IsNullExpr::new(n()))), Some(vec![0, 1, 0, 1, 1]));
        assert_eq!(told(Arc::new(IsNotNullExpr::new(n()))), Some(vec![1, 1, 1, 0, 1]));
    }

    #[test]
    fn a_pattern_is_told_by_how_it_begins() {
        let (schema, _) = bounds();
        let fits = |pattern: &str| told(like(false, false, t(), lit(pattern), &schema).unwrap());
        assert_eq!(fits("b%"), Some(vec![0, 1, 0, 0, 1]));
        assert_eq!(fits("a_"), Some(vec![1, 0, 0, 0, 1]));
        assert_eq!(fits("cd"), Some(vec![0, 0, 1, 0, 1]));
        assert_eq!(fits("%b"), None);
        assert_eq!(beyond("az").as_deref(), Some("a{"));
        assert_eq!(beyond("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(beyond("a\u{10ffff}").as_deref(), Some("b"));
    }
}
