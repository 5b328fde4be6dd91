//! Typed column builders for text sources: one value at a time in, one Arrow array out. Refuses what does not fit
//! instead of guessing; knows nothing of files.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, Int64Builder, StringBuilder, UInt64Builder,
};
use arrow_array::{Array, ArrayRef};

use crate::address::parse_address;
use crate::schema::{ADDRESS_BYTES, ColumnSpec, ColumnType};
use crate::timestamp::{TimestampUnit, parse_timestamp};

/// A column being filled.
pub(crate) struct TextColumn {
    pub(crate) required: bool,
    pub(crate) unit: TimestampUnit,
    pub(crate) cells: Cells,
}

/// The Arrow builder of each type.
pub(crate) enum Cells {
    Timestamp(Int64Builder),
    Int(Int64Builder),
    Uint(UInt64Builder),
    Float(Float64Builder),
    Flag(BooleanBuilder),
    Text(StringBuilder),
    Address(FixedSizeBinaryBuilder),
}

impl TextColumn {
    pub(crate) fn new(spec: &ColumnSpec, unit: TimestampUnit, rows: usize) -> Self {
        let cells = match spec.ty {
            ColumnType::Timestamp => Cells::Timestamp(Int64Builder::with_capacity(rows)),
            ColumnType::Int => Cells::Int(Int64Builder::with_capacity(rows)),
            ColumnType::Uint => Cells::Uint(UInt64Builder::with_capacity(rows)),
            ColumnType::Float => Cells::Float(Float64Builder::with_capacity(rows)),
            ColumnType::Flag => Cells::Flag(BooleanBuilder::with_capacity(rows)),
            ColumnType::Text | ColumnType::Bytes => Cells::Text(StringBuilder::new()),
            ColumnType::Address => Cells::Address(FixedSizeBinaryBuilder::with_capacity(rows, ADDRESS_BYTES)),
        };
        Self { required: spec.required, unit, cells }
    }

    /// What would fit, for the error of a refused value.
    pub(crate) fn fits(&self, spec: &ColumnSpec) -> &'static str {
        if spec.ty == ColumnType::Timestamp { self.unit.fits() } else { spec.ty.fits() }
    }

    /// Appends one value; an empty one is null where the column is optional. `false` where it does not fit.
    pub(crate) fn push(&mut self, text: &[u8]) -> bool {
        if text.is_empty() && !self.required {
            self.push_null();
            return true;
        }
        self.push_value(text).is_some()
    }

    fn push_value(&mut self, text: &[u8]) -> Option<()> {
        match &mut self.cells {
            Cells::Timestamp(b) => b.append_value(parse_timestamp(text, self.unit)?),
            Cells::Int(b) => b.append_value(parse_int(text)?),
            Cells::Uint(b) => b.append_value(parse_uint(text)?),
            Cells::Float(b) => b.append_value(parse_float(text)?),
            Cells::Flag(b) => b.append_value(parse_flag(text)?),
            Cells::Text(b) => b.append_value(std::str::from_utf8(text).ok()?),
            Cells::Address(b) => {
                let bytes = parse_address(std::str::from_utf8(text).ok()?)?;
                b.append_value(bytes).ok()?;
            }
        }
        Some(())
    }

    pub(crate) fn push_null(&mut self) {
        match &mut self.cells {
            Cells::Timestamp(b) | Cells::Int(b) => b.append_null(),
            Cells::Uint(b) => b.append_null(),
            Cells::Float(b) => b.append_null(),
            Cells::Flag(b) => b.append_null(),
            Cells::Text(b) => b.append_null(),
            Cells::Address(b) => b.append_null(),
        }
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        match &mut self.cells {
            Cells::Timestamp(b) | Cells::Int(b) => Arc::new(b.finish()) as Arc<dyn Array>,
            Cells::Uint(b) => Arc::new(b.finish()),
            Cells::Float(b) => Arc::new(b.finish()),
            Cells::Flag(b) => Arc::new(b.finish()),
            Cells::Text(b) => Arc::new(b.finish()),
            Cells::Address(b) => Arc::new(b.finish()),
        }
    }
}

/// Decimal digits only: no sign, no blanks.
fn parse_uint(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.iter().try_fold(0u64, |value, b| {
        if !b.is_ascii_digit() {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(b - b'0'))
    })
}

fn parse_int(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(digits) => 0i64.checked_sub_unsigned(parse_uint(digits)?),
        None => i64::try_from(parse_uint(text)?).ok(),
    }
}

/// The usual decimal notations; infinities and NaN are refused.
fn parse_float(text: &[u8]) -> Option<f64> {
    if text.len() > 64 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|f: &f64| f.is_finite())
}

fn parse_flag(text: &[u8]) -> Option<bool> {
    match text {
        b"true" | b"TRUE" | b"True" | b"1" => Some(true),
        b"false" | b"FALSE" | b"False" | b"0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_strict() {
        assert_eq!(parse_uint(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_int(b"-9223372036854775808"), Some(i64::MIN));
        for bad in ["18446744073709551616", "-1", "+1", "", " 1", "1.0", "0x1", "1e3", "000000000000000000000"] {
            assert_eq!(parse_uint(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_int(b"9223372036854775808"), None);
        assert_eq!(parse_int(b"--1"), None);
        assert_eq!(parse_float(b"1e-3"), Some(0.001));
        assert_eq!(parse_float(b"inf"), None);
        assert_eq!(parse_float(b"NaN"), None);
    }
}
