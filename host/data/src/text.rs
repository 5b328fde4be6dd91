//! The operator `||`, which alone makes texts longer than those it is given: it refuses what is longer than any text may be,
//! before it is made. Everything else about it is the engine's.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use datafusion_common::arrow::compute::kernels::concat_elements::concat_elements_dyn;
use datafusion_common::arrow::compute::kernels::length::length;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_expr::binary::BinaryTypeCoercer;
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::Stop;

/// Longest text that a query makes, bytes: as long as the longest value of a database, and some hundred times the longest
/// label. Rows by the thousand hold one each.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

/// Its name in plans.
pub(crate) const JOINED: &str = "joined_text";

/// `left || right`, bounded.
pub(crate) fn joined(left: Expr, right: Expr) -> Expr {
    let function = Joined { signature: Signature::any(2, Volatility::Immutable) };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(function)), vec![left, right]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        JOINED
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [left, right] => BinaryTypeCoercer::new(left, &Operator::StringConcat, right).get_result_type(),
            _ => Err(DataFusionError::Internal(format!("`{JOINED}` got {} operands", types.len()))),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let [left, right] = arrays.as_slice() else {
            return Err(DataFusionError::Internal(format!("`{JOINED}` got {} operands", arrays.len())));
        };
        if longest(left, right)? > TEXT_BYTES_MAX {
            return Err(Stop::Text { max: TEXT_BYTES_MAX }.into());
        }
        let made: ArrayRef = concat_elements_dyn(left.as_ref(), right.as_ref())?;
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?)
        } else {
            ColumnarValue::Array(made)
        })
    }
}

/// Bytes of the longest value that both make.
fn longest(left: &ArrayRef, right: &ArrayRef) -> Result<usize> {
    let bytes = |array: &ArrayRef| arrow_cast::cast(&length(array.as_ref())?, &DataType::Int64);
    let (left, right) = (bytes(left)?, bytes(right)?);
    let (left, right) = (left.as_primitive::<Int64Type>(), right.as_primitive::<Int64Type>());
    let both = left.iter().zip(right.iter()).map(|(left, right)| left.unwrap_or(0).saturating_add(right.unwrap_or(0)));
    Ok(usize::try_from(both.max().unwrap_or(0)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;

    use super::*;

    fn bytes(lengths: &[usize]) -> ArrayRef {
        Arc::new(lengths.iter().map(|length| Some("x".repeat(*length))).collect::<StringArray>())
    }

    #[test]
    fn the_longest_pair_counts() {
        assert_eq!(longest(&bytes(&[1, 5, 2]), &bytes(&[9, 1, 2])).ok(), Some(10));
        assert_eq!(longest(&bytes(&[]), &bytes(&[])).ok(), Some(0));
    }
}
