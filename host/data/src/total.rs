//! Computations without errors. Which rows a condition is tested on depends on how the rows are stored: sources, statistics
//! and other conditions spare some of them. A row on which a computation fails would therefore end a query over one source
//! and not over another. So every operator and function that can fail is replaced by one that is null there.

use std::sync::Arc;

use arrow_schema::{DataType, FieldRef};
use arrow_select::concat::concat;
use datafusion_common::DFSchema;
use datafusion_common::ScalarValue;
use datafusion_common::arrow::compute::kernels::numeric::{add, div, mul, rem, sub};
use datafusion_common::config::ConfigOptions;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_common::tree_node::Transformed;
use datafusion_expr::binary::BinaryTypeCoercer;
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TryCast, Volatility, lit,
};
use datafusion_optimizer::AnalyzerRule;
use datafusion_physical_expr_common::datum::apply;

use crate::rewrite::map_exprs;
use crate::text::joined;

/// Digits of the largest 64-bit integer of either sign.
const INTEGER_DIGITS: u8 = 20;

/// How the names of such functions begin.
pub(crate) const OR_NULL: &str = "or_null_";

/// Makes a plan's expressions total, and bounds the texts they make (`text`). Comes after the rule that inserts casts, whose casts can fail as well.
#[derive(Debug)]
pub(crate) struct TotalRule;

impl AnalyzerRule for TotalRule {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        map_exprs(plan, &total)
    }

    fn name(&self) -> &str {
        "total"
    }
}

fn total(schema: &DFSchema, expr: Expr) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat => {
            Ok(Transformed::yes(joined(*binary.left, *binary.right)))
        }
        Expr::BinaryExpr(binary) if can_fail(&binary.left.get_type(schema)?, binary.op) => {
            Ok(call(Fallible::Operator(binary.op), vec![*binary.left, *binary.right]))
        }
        // The engine fails on the negative of the smallest constant and wraps on that of a column; a difference wraps.
        Expr::Negative(value) if value.get_type(schema)?.is_integer() => {
            let zero = lit(ScalarValue::new_zero(&value.get_type(schema)?)?);
            Ok(Transformed::yes(zero - *value))
        }
        Expr::Cast(cast) if !always_fits(&cast.expr.get_type(schema)?, cast.field.data_type()) => {
            let field = Arc::new(cast.field.as_ref().clone().with_nullable(true));
            Ok(Transformed::yes(Expr::TryCast(TryCast::new_from_field(cast.expr, field))))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "substr" => {
            Ok(call(Fallible::Function(func), args))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Whether an operator fails on some values. Sums, differences and products of integers wrap; floats have values for all.
fn can_fail(operand: &DataType, op: Operator) -> bool {
    match op {
        Operator::Divide | Operator::Modulo => !operand.is_floating(),
        Operator::Plus | Operator::Minus | Operator::Multiply => operand.is_decimal(),
        _ => false,
    }
}

/// Whether a cast has a value for every value, so that it can stay the engine's own, which it knows how to take apart.
fn always_fits(from: &DataType, to: &DataType) -> bool {
    let width = |ty: &DataType| ty.primitive_width().unwrap_or(usize::MAX);
    match to {
        _ if from == to => true,
        DataType::Float64 | DataType::Utf8 => from.is_integer() || from.is_floating(),
        DataType::Decimal128(precision, 0) => from.is_integer() && *precision >= INTEGER_DIGITS,
        _ if from.is_signed_integer() => to.is_signed_integer() && width(to) >= width(from),
        _ if from.is_unsigned_integer() => {
            (to.is_unsigned_integer() && width(to) >= width(from))
                || (to.is_signed_integer() && width(to) > width(from))
        }
        _ => false,
    }
}

fn call(what: Fallible, args: Vec<Expr>) -> Transformed<Expr> {
    let name = match &what {
        Fallible::Operator(op) => format!("{OR_NULL}{op}"),
        Fallible::Function(function) => format!("{OR_NULL}{}", function.name()),
    };
    let function = OrNull { name, signature: Signature::any(args.len(), Volatility::Immutable), what };
    let function = Arc::new(ScalarUDF::from(function));
    Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
}

/// Something of the engine's that fails on some values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Fallible {
    Operator(Operator),
    Function(Arc<ScalarUDF>),
}

/// The same, null where it would fail.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OrNull {
    name: String,
    signature: Signature,
    what: Fallible,
}

impl OrNull {
    fn evaluate(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let op = match &self.what {
            Fallible::Function(function) => return function.invoke_with_args(args),
            Fallible::Operator(op) => op,
        };
        let [left, right] = args.args.as_slice() else {
            return Err(DataFusionError::Internal(format!("`{op}` got {} operands", args.args.len())));
        };
        match op {
            Operator::Plus => apply(left, right, add),
            Operator::Minus => apply(left, right, sub),
            Operator::Multiply => apply(left, right, mul),
            Operator::Divide => apply(left, right, div),
            Operator::Modulo => apply(left, right, rem),
            other => Err(DataFusionError::Internal(format!("`{other}` has values for all operands"))),
        }
    }

    /// Halves the rows until those that fail are alone.
    fn evaluate_parts(&self, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
        let failed = match self.evaluate(args.clone()) {
            Err(error) if !matches!(error, DataFusionError::Internal(_)) => error,
            outcome => return outcome,
        };
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let null = ScalarValue::try_from(args.return_type())?;
        match args.number_rows {
            _ if scalar => Ok(ColumnarValue::Scalar(null)),
            0 => Err(failed),
            1 => Ok(ColumnarValue::Array(null.to_array_of_size(1)?)),
            rows => {
                let half = rows / 2;
                let first = self.evaluate_parts(&slice(args, 0, half))?.into_array(half)?;
                let second = self.evaluate_parts(&slice(args, half, rows - half))?.into_array(rows - half)?;
                Ok(ColumnarValue::Array(concat(&[first.as_ref(), second.as_ref()])?))
            }
        }
    }
}

fn slice(args: &ScalarFunctionArgs, from: usize, rows: usize) -> ScalarFunctionArgs {
    let one = |arg: &ColumnarValue| match arg {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, rows)),
        ColumnarValue::Scalar(_) => arg.clone(),
    };
    ScalarFunctionArgs { args: args.args.iter().map(one).collect(), number_rows: rows, ..args.clone() }
}

impl ScalarUDFImpl for OrNull {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (&self.what, types) {
            (Fallible::Operator(op), [left, right]) => BinaryTypeCoercer::new(left, op, right).get_result_type(),
            (Fallible::Function(function), types) => function.return_type(types),
            _ => Err(DataFusionError::Internal(format!("`{}` got {} arguments", self.name, types.len()))),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(arrow_schema::Field::new(self.name(), self.return_type(&types)?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.evaluate_parts(&args)
    }
}
