//! Literals, operators and types that may stand in a query. Knows no names.

use sqlparser::ast::{BinaryOperator, DataType, UnaryOperator, Value};

use super::finding::{QueryFinding, forbidden};

/// What a value may be.
pub(super) enum Literal<'a> {
    /// Null, a text, a flag or a whole number.
    Plain,
    /// A number with a fraction or exponent.
    Float,
    /// `$name`.
    Param(&'a str),
}

/// Reads a literal or placeholder.
pub(super) fn literal(value: &Value) -> Result<Literal<'_>, QueryFinding> {
    Ok(match value {
        Value::Number(text, false) if text.bytes().all(|byte| byte.is_ascii_digit()) => Literal::Plain,
        Value::Number(_, false) => Literal::Float,
        Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null => Literal::Plain,
        Value::Placeholder(id) => match id.strip_prefix('$') {
            Some(name) => Literal::Param(name),
            None => return Err(QueryFinding::UndeclaredParam { name: crate::text::clean(id, 60) }),
        },
        other => return Err(forbidden(format!("the literal `{}`", crate::text::clean(&other.to_string(), 60)))),
    })
}

/// Whether an operator yields a number of the kind of its operands (true) or something else (false).
pub(super) fn is_arithmetic(operator: &BinaryOperator) -> Result<bool, QueryFinding> {
    Ok(match operator {
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo => true,
        BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::Lt
        | BinaryOperator::LtEq
        | BinaryOperator::Gt
        | BinaryOperator::GtEq
        | BinaryOperator::And
        | BinaryOperator::Or
        | BinaryOperator::StringConcat
        | BinaryOperator::BitwiseAnd
        | BinaryOperator::BitwiseOr
        | BinaryOperator::BitwiseXor
        | BinaryOperator::PGBitwiseShiftLeft
        | BinaryOperator::PGBitwiseShiftRight => false,
        other => return Err(forbidden(format!("the operator `{other}`"))),
    })
}

/// Refuses operators before one operand that are not `+`, `-` or NOT.
pub(super) fn check_unary(operator: UnaryOperator) -> Result<(), QueryFinding> {
    match operator {
        UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not => Ok(()),
        other => Err(forbidden(format!("the operator `{other}`"))),
    }
}

/// Whether a cast yields a float; refuses everything but integers, floats, flags and texts.
pub(super) fn casts_to_float(to: &DataType) -> Result<bool, QueryFinding> {
    use DataType as T;
    Ok(match to {
        T::TinyInt(_)
        | T::SmallInt(_)
        | T::Int(_)
        | T::Integer(_)
        | T::BigInt(_)
        | T::TinyIntUnsigned(_)
        | T::SmallIntUnsigned(_)
        | T::IntUnsigned(_)
        | T::IntegerUnsigned(_)
        | T::BigIntUnsigned(_)
        | T::Boolean
        | T::Bool
        | T::Text
        | T::String(_)
        | T::Varchar(_) => false,
        T::Float(_) | T::Real | T::Double(_) | T::DoublePrecision => true,
        other => return Err(forbidden(format!("a cast to {}", crate::text::clean(&other.to_string(), 60)))),
    })
}
