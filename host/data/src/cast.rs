//! Columns of foreign Arrow types cast onto a schema's types, exactly: what would lose or change a value is refused,
//! with the row. Pure.

use std::sync::Arc;

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int16Type, Int32Type, Int64Type, RunEndIndexType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt32Type,
};
use arrow_array::{Array, ArrayRef, Int64Array, RunArray, UInt64Array, make_array, new_null_array};
use arrow_buffer::ArrowNativeType;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, TimeUnit};

use crate::address::{parse_address, v4_bytes};
use crate::error::excerpt;
use crate::schema::{ADDRESS_BYTES, ColumnType};
use crate::timestamp::{TimestampUnit, parse_timestamp, scale};

/// Bytes of an IPv4 address.
const V4_BYTES: i32 = 4;

/// A value that does not fit: its row in the array, where known, and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) row: Option<usize>,
    pub(crate) reason: String,
}

/// Types that can be cast onto `ty`, for errors.
pub(crate) fn accepted(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Timestamp => "a timestamp of any unit, or a whole number or text in the declared unit,",
        ColumnType::Address => "text, 16 or 4 bytes, or an unsigned 32-bit number (IPv4)",
        ColumnType::Uint => "an integer of any width without negative values",
        ColumnType::Int => "an integer of any width",
        ColumnType::Float => "a floating-point number",
        ColumnType::Text => "text",
        ColumnType::Flag => "a boolean",
        ColumnType::Bytes => "bytes",
    }
}

/// Why a column of type `from` cannot be cast onto `ty`, if it cannot. A column of type null has no value at all, which is
/// how libraries write one in which they saw none: it fits where a value may be missing.
pub(crate) fn uncastable(from: &DataType, ty: ColumnType, required: bool) -> Option<String> {
    match value_type(from) {
        DataType::Null if required => Some("of type Null, which has no value, and the column is required".to_owned()),
        DataType::Null => None,
        value if castable(value, ty) => None,
        _ => Some(format!("of type {from}")),
    }
}

/// Whether values of type `from` can be cast onto `ty`.
fn castable(from: &DataType, ty: ColumnType) -> bool {
    match ty {
        ColumnType::Timestamp => from.is_integer() || is_text(from) || matches!(from, DataType::Timestamp(_, _)),
        ColumnType::Address => {
            is_text(from)
                || is_bytes(from)
                || matches!(from, DataType::UInt32 | DataType::FixedSizeBinary(ADDRESS_BYTES | V4_BYTES))
        }
        ColumnType::Uint | ColumnType::Int => from.is_integer(),
        ColumnType::Float => matches!(from, DataType::Float16 | DataType::Float32 | DataType::Float64),
        ColumnType::Text => is_text(from),
        ColumnType::Flag => from == &DataType::Boolean,
        ColumnType::Bytes => is_bytes(from),
    }
}

/// Whether the cast keeps the order of values, so that bounds of the file's values are bounds of the cast ones.
pub(crate) fn keeps_order(from: &DataType, ty: ColumnType) -> bool {
    match ty {
        _ if value_type(from) == &DataType::Null => false,
        ColumnType::Timestamp => from.is_integer() || matches!(from, DataType::Timestamp(_, _)),
        ColumnType::Address => {
            matches!(from, DataType::UInt32 | DataType::FixedSizeBinary(ADDRESS_BYTES | V4_BYTES))
        }
        ColumnType::Uint | ColumnType::Int | ColumnType::Flag => true,
        ColumnType::Text => is_text(from),
        ColumnType::Float | ColumnType::Bytes => false,
    }
}

fn value_type(ty: &DataType) -> &DataType {
    match ty {
        DataType::Dictionary(_, value) => value,
        DataType::RunEndEncoded(_, value) => value.data_type(),
        other => other,
    }
}

fn is_text(ty: &DataType) -> bool {
    matches!(ty, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_bytes(ty: &DataType) -> bool {
    matches!(ty, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// Casts a column. Nulls stay null.
pub(crate) fn cast_column(array: &ArrayRef, ty: ColumnType, unit: TimestampUnit) -> Result<ArrayRef, Unfit> {
    if array.data_type() == &ty.arrow() && (ty != ColumnType::Timestamp || unit == TimestampUnit::Micros) {
        return Ok(Arc::clone(array));
    }
    if value_type(array.data_type()) == &DataType::Null {
        return Ok(new_null_array(&ty.arrow(), array.len()));
    }
    if let Some((values, places)) = encoded(array) {
        // Each distinct value is cast once; one that does not fit matters only if a row has it, which the flat way finds.
        let cast = cast_column(&values, ty, unit).ok();
        let cast = cast.and_then(|cast| arrow_select::take::take(&cast, &places, None).ok());
        return cast.map_or_else(|| cast_column(&strict(array, value_type(array.data_type()))?, ty, unit), Ok);
    }
    match ty {
        ColumnType::Timestamp => timestamps(array, unit),
        ColumnType::Address => addresses(array),
        _ => strict(array, &ty.arrow()),
    }
}

/// The distinct values of a dictionary or of runs, and which of them each row has; `None` for a plain array.
fn encoded(array: &ArrayRef) -> Option<(ArrayRef, ArrayRef)> {
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            Some((Arc::clone(dictionary.values()), make_array(dictionary.keys().to_data())))
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs::<Int16Type>(array),
            DataType::Int32 => runs::<Int32Type>(array),
            _ => runs::<Int64Type>(array),
        },
        _ => None,
    }
}

fn runs<R: RunEndIndexType>(array: &ArrayRef) -> Option<(ArrayRef, ArrayRef)> {
    let runs = array.as_any().downcast_ref::<RunArray<R>>()?;
    let first = runs.run_ends().get_start_physical_index();
    let mut places = Vec::with_capacity(runs.len());
    for (run, end) in runs.run_ends().sliced_values().enumerate() {
        places.resize(end.as_usize(), u64::try_from(first + run).ok()?);
    }
    Some((Arc::clone(runs.values()), Arc::new(UInt64Array::from(places))))
}

/// Arrow's cast, where a value that does not fit is an error.
fn strict(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Unfit> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| {
        // The strict cast does not say where; the lenient one leaves a null there.
        let lenient = cast_with_options(array, to, &CastOptions::default()).ok();
        let row = lenient.and_then(|cast| (0..cast.len()).find(|at| cast.is_null(*at) && !array.is_null(*at)));
        Unfit { row, reason: error.to_string() }
    })
}

fn timestamps(array: &ArrayRef, unit: TimestampUnit) -> Result<ArrayRef, Unfit> {
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            checked(array.as_primitive::<TimestampSecondType>().iter(), |v| v.checked_mul(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            checked(array.as_primitive::<TimestampMillisecondType>().iter(), |v| v.checked_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>();
            Ok(Arc::new(Int64Array::new(micros.values().clone(), micros.nulls().cloned())))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            checked(array.as_primitive::<TimestampNanosecondType>().iter(), |v| Some(v.div_euclid(1_000)))
        }
        from if from.is_integer() => {
            let whole = strict(array, &DataType::Int64)?;
            checked(whole.as_primitive::<Int64Type>().iter(), |v| scale(v, unit))
        }
        _ => {
            let text = strict(array, &DataType::Utf8)?;
            let parse = |text: &str| parse_timestamp(text.as_bytes(), unit);
            let parsed = text
                .as_string::<i32>()
                .iter()
                .enumerate()
                .map(|(row, value)| value.map(|v| parse(v).ok_or_else(|| unfit_text(row, v))).transpose());
            Ok(Arc::new(parsed.collect::<Result<Int64Array, _>>()?))
        }
    }
}

fn unfit_text(row: usize, value: &str) -> Unfit {
    Unfit { row: Some(row), reason: format!("`{}` does not fit", excerpt(value.as_bytes())) }
}

fn checked(values: impl Iterator<Item = Option<i64>>, convert: impl Fn(i64) -> Option<i64>) -> Result<ArrayRef, Unfit> {
    let one = |(row, value): (usize, Option<i64>)| {
        let converted = value.map(|v| convert(v).ok_or(v)).transpose();
        converted.map_err(|v| Unfit { row: Some(row), reason: format!("`{v}` is out of range") })
    };
    Ok(Arc::new(values.enumerate().map(one).collect::<Result<Int64Array, _>>()?))
}

fn addresses(array: &ArrayRef) -> Result<ArrayRef, Unfit> {
    let mut out = FixedSizeBinaryBuilder::with_capacity(array.len(), ADDRESS_BYTES);
    let texts = is_text(array.data_type()).then(|| strict(array, &DataType::Utf8)).transpose()?;
    let bytes = is_bytes(array.data_type()).then(|| strict(array, &DataType::Binary)).transpose()?;
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
            continue;
        }
        let address = if let Some(texts) = &texts {
            let text = texts.as_string::<i32>().value(row);
            parse_address(text).ok_or_else(|| unfit_text(row, text))?
        } else if let Some(bytes) = &bytes {
            from_bytes(row, bytes.as_binary::<i32>().value(row))?
        } else if array.data_type() == &DataType::UInt32 {
            v4_bytes(array.as_primitive::<UInt32Type>().value(row).into())
        } else {
            from_bytes(row, array.as_fixed_size_binary().value(row))?
        };
        out.append_value(address).map_err(|e| Unfit { row: Some(row), reason: e.to_string() })?;
    }
    Ok(Arc::new(out.finish()))
}

fn from_bytes(row: usize, bytes: &[u8]) -> Result<[u8; 16], Unfit> {
    match bytes.len() {
        16 => Ok(bytes.try_into().expect("the length was just tested")),
        4 => Ok(v4_bytes(<[u8; 4]>::try_from(bytes).expect("the length was just tested").into())),
        other => Err(Unfit { row: Some(row), reason: format!("an address of {other} bytes") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::address_text;
    use arrow_array::{
        BinaryArray, DictionaryArray, FixedSizeBinaryArray, Int16Array, Int32Array, StringArray,
        TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
        UInt32Array,
    };

    fn cast(array: impl Array + 'static, ty: ColumnType) -> Result<ArrayRef, Unfit> {
        cast_column(&(Arc::new(array) as ArrayRef), ty, TimestampUnit::Seconds)
    }

    #[test]
    fn integers_keep_their_value_or_are_refused() {
        let fine = cast(Int16Array::from(vec![Some(7), None]), ColumnType::Uint).unwrap();
        assert_eq!(fine.as_ref(), &UInt64Array::from(vec![Some(7), None]) as &dyn Array);
        assert_eq!(cast(Int32Array::from(vec![1, -1]), ColumnType::Uint).unwrap_err().row, Some(1));
        assert_eq!(cast(UInt64Array::from(vec![u64::MAX]), ColumnType::Int).unwrap_err().row, Some(0));
    }

    #[test]
    fn timestamps_of_any_unit() {
        let micros = |array: ArrayRef| array.as_primitive::<Int64Type>().values().to_vec();
        assert_eq!(
            micros(cast(TimestampNanosecondArray::from(vec![-1, 1999]), ColumnType::Timestamp).unwrap()),
            [-1, 1]
        );
        assert_eq!(micros(cast(TimestampMillisecondArray::from(vec![5]), ColumnType::Timestamp).unwrap()), [5000]);
        assert_eq!(micros(cast(Int32Array::from(vec![5]), ColumnType::Timestamp).unwrap()), [5_000_000]);
        assert_eq!(micros(cast(StringArray::from(vec!["1.5"]), ColumnType::Timestamp).unwrap()), [1_500_000]);
        assert_eq!(cast(Int64Array::from(vec![0, i64::MAX]), ColumnType::Timestamp).unwrap_err().row, Some(1));
    }

    #[test]
    fn dictionaries_and_runs_are_cast_by_value() {
        let keys = Int16Array::from(vec![Some(1), None, Some(0), Some(2), Some(1)]);
        let values = StringArray::from(vec![Some("192.0.2.1"), Some("::1"), None, Some("never used, no address")]);
        let dictionary = DictionaryArray::new(keys, Arc::new(values)).slice(0, 4);
        let plain = StringArray::from(vec![Some("::1"), None, Some("192.0.2.1"), None]);
        let expected = cast(plain, ColumnType::Address).unwrap();
        assert_eq!(&cast(dictionary.clone(), ColumnType::Address).unwrap(), &expected);
        let broken = DictionaryArray::new(Int16Array::from(vec![0, 3]), Arc::clone(dictionary.values()));
        assert_eq!(cast(broken, ColumnType::Address).unwrap_err().row, Some(1));
        let runs: RunArray<Int32Type> = ["7", "7", "7", "8", "9", "9"].into_iter().collect();
        let micros = cast(runs.slice(2, 3), ColumnType::Timestamp).unwrap();
        assert_eq!(micros.as_primitive::<Int64Type>().values(), &[7_000_000, 8_000_000, 9_000_000]);
        assert_eq!(cast(runs.slice(6, 0), ColumnType::Timestamp).unwrap().len(), 0);
    }

    #[test]
    fn addresses_of_any_form() {
        let v4 = [192, 0, 2, 1];
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["192.0.2.1"])),
            Arc::new(UInt32Array::from(vec![u32::from_be_bytes(v4)])),
            Arc::new(BinaryArray::from_vec(vec![&v4])),
            Arc::new(FixedSizeBinaryArray::try_from_iter([v4].iter()).unwrap()),
        ];
        for array in arrays {
            let cast = cast_column(&array, ColumnType::Address, TimestampUnit::Seconds).unwrap();
            let bytes: [u8; 16] = cast.as_fixed_size_binary().value(0).try_into().unwrap();
            assert_eq!(address_text(&bytes), "192.0.2.1");
        }
        assert!(cast(BinaryArray::from_vec(vec![&v4[..3]]), ColumnType::Address).is_err());
    }

    #[test]
    fn what_cannot_be_cast_says_its_type() {
        let refused = |from: DataType, ty| uncastable(&from, ty, false).unwrap();
        assert_eq!(refused(DataType::Int64, ColumnType::Address), "of type Int64");
        for from in [DataType::Float64, DataType::Date32, DataType::Date64, DataType::Decimal128(18, 0), DataType::Null]
        {
            let required = uncastable(&from, ColumnType::Timestamp, true).unwrap();
            assert!(required.starts_with(&format!("of type {from}")), "{required}");
        }
        assert!(refused(DataType::Decimal128(20, 0), ColumnType::Uint).starts_with("of type Decimal128"));
        assert_eq!(uncastable(&DataType::Null, ColumnType::Uint, false), None);
        let none = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Null));
        assert_eq!(uncastable(&none, ColumnType::Text, false), None);
        let nulls = cast(arrow_array::NullArray::new(3), ColumnType::Address).unwrap();
        assert_eq!((nulls.len(), nulls.null_count()), (3, 3));
    }

    #[test]
    fn times_keep_their_value_to_the_ends_of_their_range_or_are_refused() {
        let ends = [i64::MIN, -1, 0, i64::MAX];
        let kept = |array: ArrayRef| array.as_primitive::<Int64Type>().values().to_vec();
        let micros = TimestampMicrosecondArray::from(ends.to_vec());
        assert_eq!(kept(cast(micros, ColumnType::Timestamp).unwrap()), ends);
        let nanos = TimestampNanosecondArray::from(ends.to_vec());
        assert_eq!(kept(cast(nanos, ColumnType::Timestamp).unwrap()), ends.map(|v| v.div_euclid(1000)));
        for array in [
            Arc::new(TimestampMillisecondArray::from(ends.to_vec())) as ArrayRef,
            Arc::new(TimestampSecondArray::from(ends.to_vec())),
            Arc::new(Int64Array::from(ends.to_vec())),
            Arc::new(UInt64Array::from(vec![u64::MAX])),
        ] {
            let refused = cast_column(&array, ColumnType::Timestamp, TimestampUnit::Seconds).unwrap_err();
            assert_eq!(refused.row, Some(0), "{}", array.data_type());
        }
    }
}
