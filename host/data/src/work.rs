//! How much evaluating an expression makes for each row: its value and every value on the way to it. Operators evaluate whole
//! batches; where a batch would make too much it is cut (`guard`), so that memory stays bounded and a run can be stopped
//! in between. Reckoned once, from the plan; only how long the texts of a batch are is looked at in the batch.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use datafusion_common::DFSchema;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::expr::{AggregateFunction, Like, ScalarFunction};
use datafusion_expr::{Expr, Operator};

use crate::BATCH_ROWS;
use crate::functions::IP_TEXT;
use crate::params;
use crate::text::{JOINED, TEXT_BYTES_MAX};
use crate::total::OR_NULL;

/// Most bytes that evaluating one batch may make, every value on the way included: as much as sixty numbers take in a whole
/// batch. A run is looked at in between.
const EVALUATED_BYTES_MAX: u64 = 16 << 20;
/// What a text of the data is taken for where no batch is there to be looked at, bytes.
const TEXT_BYTES: u64 = 64;
/// The same in what a join makes, bytes. A join repeats rows, and a condition before it can choose the longest ones.
const JOINED_TEXT_BYTES: u64 = 4 << 10;
/// A number, a flag or an address, bytes.
const NUMBER: Work = Work { known: 16, texts: 0 };
/// The longest text of a number or an address, bytes.
const SHORT_TEXT: Work = Work { known: 48, texts: 0 };
/// What a computation that can fail is taken for: on a row where it fails it is tried some ten times.
const FALLIBLE: Work = Work { known: 512, texts: 0 };
/// What a pattern that is not a constant is taken for: it is compiled for each row.
const PATTERN: Work = Work { known: 32 << 10, texts: 8 };

/// Bytes for each row: some that are known, and so many times the text that a row of the data has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    known: u64,
    texts: u64,
}

impl Work {
    /// Both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { known: self.known.saturating_add(other.known), texts: self.texts.saturating_add(other.texts) }
    }

    /// The larger of each.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { known: self.known.max(other.known), texts: self.texts.max(other.texts) }
    }

    /// So often.
    fn times(self, often: u64) -> Self {
        Self { known: self.known.saturating_mul(often), texts: self.texts.saturating_mul(often) }
    }

    /// What a value of this type has that is read from data.
    pub(crate) fn of_type(ty: &DataType) -> Self {
        match ty {
            DataType::FixedSizeBinary(bytes) => {
                Self { known: u64::try_from(*bytes).unwrap_or_default().max(NUMBER.known), texts: 0 }
            }
            _ if ty.primitive_width().is_some() || matches!(ty, DataType::Boolean | DataType::Null) => NUMBER,
            _ => Self { known: NUMBER.known, texts: 1 },
        }
    }

    /// The same where it is one value for all rows, which may be the longest text and is not in the batch that is looked at.
    fn as_one_value(self) -> Self {
        let longest = u64::try_from(TEXT_BYTES_MAX).unwrap_or(u64::MAX);
        Self { known: self.known.saturating_add(self.texts.saturating_mul(longest)), texts: 0 }
    }

    /// The same where a parameter may be longer than any text of the data.
    pub(crate) fn with_texts_of(self, bytes: u64) -> Self {
        match bytes > TEXT_BYTES {
            true => Self { known: self.known.saturating_add(self.texts.saturating_mul(bytes)), ..self },
            false => self,
        }
    }

    /// Whether a whole batch makes little, whatever is in it.
    pub(crate) fn is_small(self) -> bool {
        self.texts == 0 && self.rows(0) == BATCH_ROWS
    }

    /// How many rows may be evaluated at a time where a row has texts of so many bytes.
    pub(crate) fn rows(self, text_bytes: u64) -> usize {
        let row = self.known.saturating_add(self.texts.saturating_mul(text_bytes)).max(1);
        usize::try_from(EVALUATED_BYTES_MAX / row).unwrap_or(usize::MAX).clamp(1, BATCH_ROWS)
    }

    /// How many rows a batch of such rows may have.
    pub(crate) fn usual_rows(self) -> usize {
        self.rows(TEXT_BYTES)
    }

    /// How many such rows a join may make at a time.
    pub(crate) fn joined_rows(self) -> usize {
        self.rows(JOINED_TEXT_BYTES)
    }

    /// How many of the first rows of a batch may be evaluated at a time, by what these hold: the longest may stand together.
    pub(crate) fn rows_of(self, batch: &RecordBatch) -> usize {
        if self.texts == 0 {
            return self.rows(0);
        }
        let columns: Vec<Texts<'_>> = batch.columns().iter().filter_map(|column| Texts::of(column.as_ref())).collect();
        let makes = |rows: u64| {
            let longest = columns.iter().map(|column| column.bytes(rows)).max().unwrap_or_default();
            let texts = self.texts.saturating_mul(longest.max(rows.saturating_mul(TEXT_BYTES)));
            rows.saturating_mul(self.known).saturating_add(texts)
        };
        // The first number of rows that is too many; what they make only grows.
        let (mut fits, mut too_many) = (1, batch.num_rows().min(BATCH_ROWS) + 1);
        while fits + 1 < too_many {
            let rows = fits.midpoint(too_many);
            match makes(u64::try_from(rows).unwrap_or(u64::MAX)) <= EVALUATED_BYTES_MAX {
                true => fits = rows,
                false => too_many = rows,
            }
        }
        fits
    }
}

/// What a column of texts holds.
enum Texts<'a> {
    /// Where each row's text ends.
    Ends(&'a [i32]),
    /// In all, and in how many rows.
    Whole { bytes: u64, rows: u64 },
}

impl<'a> Texts<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => Some(Self::Ends(array.as_string::<i32>().value_offsets())),
            ty if Work::of_type(ty).texts > 0 => {
                let bytes = array.to_data().get_slice_memory_size().unwrap_or_default();
                let number = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
                Some(Self::Whole { bytes: number(bytes), rows: number(array.len().max(1)) })
            }
            _ => None,
        }
    }

    /// Bytes of the first rows.
    fn bytes(&self, rows: u64) -> u64 {
        match self {
            Self::Ends(ends) => {
                let end = usize::try_from(rows).ok().and_then(|rows| ends.get(rows)).or(ends.last());
                let bytes = ends.first().zip(end).map(|(first, end)| end.saturating_sub(*first));
                bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default()
            }
            Self::Whole { bytes, rows: all } => bytes.saturating_mul(rows) / all,
        }
    }
}

/// What evaluating an expression over a row makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluated {
    /// The value itself.
    pub(crate) value: Work,
    /// It and everything on the way.
    pub(crate) all: Work,
}

/// What expressions over these columns make. The columns are those of `schema`, in its order.
pub(crate) fn evaluated(expr: &Expr, schema: &DFSchema, columns: &[Work]) -> Evaluated {
    let leaf = |value: Work| Evaluated { value, all: value };
    match expr {
        Expr::Alias(alias) => evaluated(&alias.expr, schema, columns),
        Expr::Column(column) => {
            let known = schema.maybe_index_of_column(column).and_then(|at| columns.get(at)).copied();
            Evaluated { value: known.unwrap_or(Work { known: NUMBER.known, texts: 1 }), all: Work::default() }
        }
        Expr::Literal(value, _) => leaf(Work { known: params::text_bytes(value).max(NUMBER.known), texts: 0 }),
        Expr::Placeholder(placeholder) => {
            leaf(placeholder.field.as_ref().map_or(NUMBER, |field| Work::of_type(field.data_type())))
        }
        Expr::ScalarSubquery(subquery) => {
            let ty = subquery.subquery.schema().fields().first().map(|field| Work::of_type(field.data_type()));
            leaf(ty.map_or(NUMBER, Work::as_one_value))
        }
        _ => compound(expr, schema, columns),
    }
}

fn compound(expr: &Expr, schema: &DFSchema, columns: &[Work]) -> Evaluated {
    let mut parts = Vec::new();
    // The closure never fails.
    let _ = expr.apply_children(|child| {
        parts.push(evaluated(child, schema, columns));
        Ok(TreeNodeRecursion::Continue)
    });
    let widest = parts.iter().fold(NUMBER, |widest, part| widest.or(part.value));
    let whole = parts.iter().fold(Work::default(), |whole, part| whole.and(part.value));
    let (value, besides) = match expr {
        Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat => (whole, Work::default()),
        // Rows are parted among the branches, and what they give is put together again.
        Expr::Case(_) => (widest, widest.times(2)),
        Expr::Cast(cast) => (cast_to(cast.field.data_type(), widest), Work::default()),
        Expr::TryCast(cast) => (cast_to(cast.field.data_type(), widest), Work::default()),
        Expr::Like(Like { pattern, .. }) if !matches!(**pattern, Expr::Literal(..)) => (NUMBER, PATTERN),
        Expr::ScalarFunction(call) => called(call, &parts, whole, widest),
        Expr::AggregateFunction(AggregateFunction { func, .. }) if matches!(func.name(), "min" | "max") => {
            (widest, Work::default())
        }
        _ => (NUMBER, Work::default()),
    };
    let all = parts.iter().fold(value.and(besides), |all, part| all.and(part.all));
    Evaluated { value, all }
}

fn cast_to(ty: &DataType, from: Work) -> Work {
    match Work::of_type(ty).texts {
        0 => Work::of_type(ty),
        _ => from.or(SHORT_TEXT),
    }
}

fn called(call: &ScalarFunction, parts: &[Evaluated], whole: Work, widest: Work) -> (Work, Work) {
    let first = parts.first().map_or(NUMBER, |part| part.value);
    match call.func.name() {
        JOINED => (whole, Work::default()),
        // A letter may have three times the bytes in the other case.
        "lower" | "upper" => (first.times(3), Work::default()),
        "coalesce" | "nullif" => (widest, widest),
        IP_TEXT => (SHORT_TEXT, Work::default()),
        "substr" => (first, Work::default()),
        name if name.starts_with(OR_NULL) => (first, FALLIBLE),
        _ => (NUMBER, Work::default()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, StringArray};
    use arrow_schema::{Field, Schema};
    use datafusion_expr::{col, lit};

    use super::*;
    use crate::text::joined;

    fn all(expr: &Expr) -> Work {
        let fields = vec![Field::new("n", DataType::UInt64, true), Field::new("t", DataType::Utf8, true)];
        let schema = DFSchema::try_from(Schema::new(fields)).expect("a schema");
        let columns = [Work::of_type(&DataType::UInt64), Work::of_type(&DataType::Utf8)];
        evaluated(expr, &schema, &columns).all
    }

    #[test]
    fn numbers_are_evaluated_in_whole_batches() {
        let tests = (0..20).map(|at: i64| col("n").gt(lit(at))).reduce(Expr::and).unwrap_or_default();
        assert!(all(&tests).is_small());
    }

    #[test]
    fn texts_that_double_leave_few_rows_to_evaluate() {
        let mut text = col("t");
        let mut rows = Vec::new();
        for _ in 0..8 {
            text = joined(text.clone(), text);
            rows.push(all(&text).usual_rows());
        }
        assert!(!all(&text).is_small() && rows.is_sorted_by(|a, b| a >= b), "{rows:?}");
        assert_eq!(rows.first(), Some(&BATCH_ROWS), "a short text costs nothing");
        assert!(rows.last().is_some_and(|rows| *rows < 200), "{rows:?}");
    }

    #[test]
    fn the_longest_texts_may_stand_together() {
        let text = |row: usize| Some("x".repeat(if row < 100 { 32 << 10 } else { 8 }));
        let texts: ArrayRef = Arc::new((0..BATCH_ROWS).map(text).collect::<StringArray>());
        let batch = RecordBatch::try_from_iter([("t", texts)]).expect("a batch");
        let work = Work { known: 16, texts: 8 };
        let (first, behind) = (work.rows_of(&batch), work.rows_of(&batch.slice(100, BATCH_ROWS - 100)));
        assert!((32..=64).contains(&first), "{first} rows of 32 KiB, eight times over");
        assert_eq!(behind, BATCH_ROWS - 100);
        assert_eq!(work.rows_of(&batch.slice(0, 1)), 1);
    }

    #[test]
    fn long_literals_and_patterns_weigh() {
        assert!(all(&joined(col("t"), lit("x".repeat(8_000)))).usual_rows() < 1_200);
        assert!(all(&col("t").like(col("t"))).usual_rows() < 600);
        assert_eq!(all(&col("t").like(lit("%x%"))).usual_rows(), BATCH_ROWS);
    }
}
