//! Parameters of a query: their declared types, the values that fit, and the typed slots the engine sees. A prefix takes
//! two slots, its first and last address.

use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use serde::{Deserialize, Serialize};

use crate::address::{parse_address, parse_prefix};
use crate::error::{QueryError, excerpt};
use crate::schema::ADDRESS_BYTES;
use crate::text::TEXT_BYTES_MAX;
use crate::timestamp::{TimestampUnit, parse_timestamp};

/// Engine type that stands for a prefix until `ip_in` is resolved: 16 bytes of address, one of length.
pub(crate) const PREFIX_TYPE: DataType = DataType::FixedSizeBinary(ADDRESS_BYTES + 1);

/// What a manifest may declare a parameter as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamType {
    /// UTF-8, at most 64 KiB.
    Text,
    /// Signed 64-bit.
    Int,
    /// Unsigned 64-bit.
    Uint,
    /// Finite double.
    Float,
    /// Boolean.
    Flag,
    /// Microseconds since the epoch; RFC 3339 text is accepted too.
    Timestamp,
    /// Text of an IPv4 or IPv6 address.
    Address,
    /// Text of a prefix or a bare address; only as second argument of `ip_in`.
    Prefix,
}

impl ParamType {
    pub(crate) fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int | Self::Timestamp => DataType::Int64,
            Self::Uint => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Flag => DataType::Boolean,
            Self::Address => DataType::FixedSizeBinary(ADDRESS_BYTES),
            Self::Prefix => PREFIX_TYPE,
        }
    }

    fn fits(self) -> &'static str {
        match self {
            Self::Text => "text of at most 64 KiB",
            Self::Int => "a signed 64-bit number",
            Self::Uint => "an unsigned 64-bit number",
            Self::Float => "a finite number",
            Self::Flag => "true or false",
            Self::Timestamp => "microseconds since 1970-01-01 or an RFC 3339 time",
            Self::Address => "the text of an IPv4 or IPv6 address",
            Self::Prefix => "the text of a prefix such as `192.0.2.0/24`",
        }
    }
}

/// A value for a parameter, as a guest gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// For text, address, prefix; for timestamp as RFC 3339.
    Text(String),
    /// For int and timestamp; for uint where not negative.
    Int(i64),
    /// For uint; for int and timestamp where it fits.
    Uint(u64),
    /// For float.
    Float(f64),
    /// For flag.
    Flag(bool),
}

/// A typed place for a value in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParamSlot {
    /// Placeholder id, `$name`, `$name.first` or `$name.last`.
    pub(crate) id: String,
    pub(crate) ty: DataType,
}

/// The slots of all parameters, in order.
pub(crate) fn slots(params: &[(String, ParamType)]) -> Vec<ParamSlot> {
    let slot = |id: String, ty: ParamType| ParamSlot { id, ty: ty.arrow() };
    let of = |(name, ty): &(String, ParamType)| match ty {
        ParamType::Prefix => {
            vec![slot(first_id(name), ParamType::Address), slot(last_id(name), ParamType::Address)]
        }
        ty => vec![slot(format!("${name}"), *ty)],
    };
    params.iter().flat_map(of).collect()
}

/// A value for each slot, to try a plan with.
pub(crate) fn examples(slots: &[ParamSlot]) -> Vec<ScalarValue> {
    let one = |slot: &ParamSlot| match &slot.ty {
        DataType::Utf8 => ScalarValue::Utf8(Some(String::new())),
        DataType::Int64 => ScalarValue::Int64(Some(0)),
        DataType::UInt64 => ScalarValue::UInt64(Some(0)),
        DataType::Float64 => ScalarValue::Float64(Some(0.0)),
        DataType::Boolean => ScalarValue::Boolean(Some(false)),
        _ => address([0; 16]),
    };
    slots.iter().map(one).collect()
}

pub(crate) fn first_id(name: &str) -> String {
    format!("${name}.first")
}

pub(crate) fn last_id(name: &str) -> String {
    format!("${name}.last")
}

/// Checks the values against the declared parameters and turns them into the values of the slots.
pub(crate) fn bind(
    query: &str,
    params: &[(String, ParamType)],
    values: &[Value],
) -> Result<Vec<ScalarValue>, QueryError> {
    if params.len() != values.len() {
        let (expected, found) = (params.len(), values.len());
        return Err(QueryError::ParamCount { query: query.to_owned(), expected, found });
    }
    let mut bound = Vec::with_capacity(params.len() + 1);
    for ((name, ty), value) in params.iter().zip(values) {
        let bad = |reason: String| QueryError::BadParam { param: name.clone(), reason };
        if let (ParamType::Prefix, Value::Text(text)) = (ty, value) {
            let range = parse_prefix(text).map_err(|e| bad(e.to_string()))?;
            bound.push(address(range.first));
            bound.push(address(range.last));
            continue;
        }
        let one =
            bind_one(*ty, value).ok_or_else(|| bad(format!("{} does not fit; {} would", shown(value), ty.fits())))?;
        bound.push(one);
    }
    Ok(bound)
}

fn bind_one(ty: ParamType, value: &Value) -> Option<ScalarValue> {
    Some(match (ty, value) {
        (ParamType::Text, Value::Text(text)) if text.len() <= TEXT_BYTES_MAX => ScalarValue::Utf8(Some(text.clone())),
        (ParamType::Int | ParamType::Timestamp, Value::Int(v)) => ScalarValue::Int64(Some(*v)),
        (ParamType::Int | ParamType::Timestamp, Value::Uint(v)) => ScalarValue::Int64(Some(i64::try_from(*v).ok()?)),
        (ParamType::Timestamp, Value::Text(text)) => {
            ScalarValue::Int64(Some(parse_timestamp(text.as_bytes(), TimestampUnit::Rfc3339)?))
        }
        (ParamType::Uint, Value::Uint(v)) => ScalarValue::UInt64(Some(*v)),
        (ParamType::Uint, Value::Int(v)) => ScalarValue::UInt64(Some(u64::try_from(*v).ok()?)),
        (ParamType::Float, Value::Float(v)) if v.is_finite() => ScalarValue::Float64(Some(*v)),
        (ParamType::Flag, Value::Flag(v)) => ScalarValue::Boolean(Some(*v)),
        (ParamType::Address, Value::Text(text)) => address(parse_address(text)?),
        _ => return None,
    })
}

/// Bytes of a text or of other bytes of no fixed number; none for everything else.
pub(crate) fn text_bytes(value: &ScalarValue) -> u64 {
    let bytes = match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            text.len()
        }
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes))
        | ScalarValue::FixedSizeBinary(_, Some(bytes)) => bytes.len(),
        _ => 0,
    };
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

pub(crate) fn address(bytes: [u8; 16]) -> ScalarValue {
    ScalarValue::FixedSizeBinary(ADDRESS_BYTES, Some(bytes.to_vec()))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("text `{}`", excerpt(text.as_bytes())),
        Value::Int(v) => format!("`{v}`"),
        Value::Uint(v) => format!("`{v}`"),
        Value::Float(v) => format!("`{v}`"),
        Value::Flag(v) => format!("`{v}`"),
    }
}
