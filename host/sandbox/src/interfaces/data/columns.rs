//! Arrow columns as the flat lists of `iog:guest/data.rows`. Values in a null's place become zero or empty, so that a
//! guest sees the same bytes whatever the source left there. Expands dictionaries and runs.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::{ArrowNativeType, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};
use wasmtime::component::{ComponentType, Lower};

use super::flat::Flat;
use super::messages::{ColumnInfo, ColumnKind};

/// Bytes of an address.
const ADDRESS_BYTES: i32 = 16;

/// Text or bytes of a column (`iog:guest/data.texts`).
#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(super) struct Texts {
    #[component(name = "offsets")]
    pub(super) offsets: Flat<u32>,
    #[component(name = "bytes")]
    pub(super) bytes: Flat<u8>,
}

/// The host gave something else than it announced: its fault, never the guest's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ColumnError {
    #[error("a batch has {found} columns, {announced} were announced")]
    Width { found: usize, announced: usize },
    #[error("column `{name}` was announced as {kind:?} and came as {found}")]
    Type { name: String, kind: ColumnKind, found: String },
    #[error("a text column is larger than 4 GiB")]
    TooLarge,
    #[error("column `{name}` cannot be expanded: {reason}")]
    Expand { name: String, reason: String },
}

/// A batch whose columns are what was announced: plain arrays, no dictionaries, no runs.
pub(super) fn checked(batch: &RecordBatch, announced: &[ColumnInfo]) -> Result<Vec<ArrayRef>, ColumnError> {
    if batch.num_columns() != announced.len() {
        return Err(ColumnError::Width { found: batch.num_columns(), announced: announced.len() });
    }
    batch.columns().iter().zip(announced).map(|(array, info)| column(array, info)).collect()
}

fn column(array: &ArrayRef, info: &ColumnInfo) -> Result<ArrayRef, ColumnError> {
    let array = expanded(array).map_err(|reason| ColumnError::Expand { name: info.name.clone(), reason })?;
    use DataType as D;
    let fits = match info.kind {
        ColumnKind::Int => matches!(
            array.data_type(),
            D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::Timestamp(TimeUnit::Microsecond, _)
        ),
        ColumnKind::Uint => matches!(array.data_type(), D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64),
        ColumnKind::Float => matches!(array.data_type(), D::Float32 | D::Float64),
        ColumnKind::Boolean => matches!(array.data_type(), D::Boolean),
        ColumnKind::Text => matches!(array.data_type(), D::Utf8 | D::LargeUtf8 | D::Utf8View),
        ColumnKind::Bytes => matches!(array.data_type(), D::Binary | D::LargeBinary | D::BinaryView),
        ColumnKind::Address => *array.data_type() == D::FixedSizeBinary(ADDRESS_BYTES),
    };
    if fits {
        return Ok(array);
    }
    let found = array.data_type().to_string();
    Err(ColumnError::Type { name: info.name.clone(), kind: info.kind, found })
}

fn expanded(array: &ArrayRef) -> Result<ArrayRef, String> {
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            arrow_select::take::take(dictionary.values(), dictionary.keys(), None).map_err(|e| e.to_string())
        }
        DataType::RunEndEncoded(ends, _) => {
            let (values, at) = match ends.data_type() {
                DataType::Int16 => runs::<Int16Type>(array),
                DataType::Int32 => runs::<Int32Type>(array),
                _ => runs::<Int64Type>(array),
            };
            arrow_select::take::take(&values, &at, None).map_err(|e| e.to_string())
        }
        _ => Ok(array.clone()),
    }
}

fn runs<R: arrow_array::types::RunEndIndexType>(array: &ArrayRef) -> (ArrayRef, UInt32Array) {
    let runs = array.as_any().downcast_ref::<arrow_array::RunArray<R>>().expect("the data type names the run end");
    let first = runs.run_ends().get_start_physical_index();
    let mut at = Vec::with_capacity(runs.len());
    for (run, end) in runs.run_ends().sliced_values().enumerate() {
        at.resize(end.as_usize(), u32::try_from(first + run).unwrap_or(u32::MAX));
    }
    (runs.values().clone(), at.into())
}

/// `rows.ints` of a column checked as [`ColumnKind::Int`].
pub(super) fn ints(array: &dyn Array) -> Flat<i64> {
    match array.data_type() {
        DataType::Int8 => widened::<Int8Type, i64>(array),
        DataType::Int16 => widened::<Int16Type, i64>(array),
        DataType::Int32 => widened::<Int32Type, i64>(array),
        DataType::Int64 => shared::<Int64Type>(array),
        _ => shared::<TimestampMicrosecondType>(array),
    }
}

/// `rows.uints` of a column checked as [`ColumnKind::Uint`].
pub(super) fn uints(array: &dyn Array) -> Flat<u64> {
    match array.data_type() {
        DataType::UInt8 => widened::<UInt8Type, u64>(array),
        DataType::UInt16 => widened::<UInt16Type, u64>(array),
        DataType::UInt32 => widened::<UInt32Type, u64>(array),
        _ => shared::<UInt64Type>(array),
    }
}

/// `rows.floats` of a column checked as [`ColumnKind::Float`].
pub(super) fn floats(array: &dyn Array) -> Flat<f64> {
    match array.data_type() {
        DataType::Float32 => widened::<Float32Type, f64>(array),
        _ => shared::<Float64Type>(array),
    }
}

/// `rows.bools` of a column checked as [`ColumnKind::Boolean`].
pub(super) fn bools(array: &dyn Array) -> Flat<u8> {
    let array = array.as_boolean();
    let values = array.values();
    match real_nulls(array) {
        None => values.iter().map(u8::from).collect::<Vec<_>>().into(),
        Some(nulls) => values.iter().zip(nulls).map(|(v, valid)| u8::from(v && valid)).collect::<Vec<_>>().into(),
    }
}

/// `rows.texts` of a column checked as [`ColumnKind::Text`] or [`ColumnKind::Bytes`].
pub(super) fn texts(array: &dyn Array) -> Result<Texts, ColumnError> {
    let clean = real_nulls(array).is_none();
    match array.data_type() {
        DataType::Utf8 if clean => Ok(sliced(array.as_string::<i32>().offsets(), array.as_string::<i32>().values())),
        DataType::Binary if clean => Ok(sliced(array.as_binary::<i32>().offsets(), array.as_binary::<i32>().values())),
        DataType::Utf8 => joined(array.as_string::<i32>().iter().map(|v| v.map(str::as_bytes))),
        DataType::LargeUtf8 => joined(array.as_string::<i64>().iter().map(|v| v.map(str::as_bytes))),
        DataType::Utf8View => joined(array.as_string_view().iter().map(|v| v.map(str::as_bytes))),
        DataType::Binary => joined(array.as_binary::<i32>().iter()),
        DataType::LargeBinary => joined(array.as_binary::<i64>().iter()),
        _ => joined(array.as_binary_view().iter()),
    }
}

/// `rows.addresses` of a column checked as [`ColumnKind::Address`].
pub(super) fn addresses(array: &dyn Array) -> Flat<u8> {
    let array = array.as_fixed_size_binary();
    let values = array.values();
    match real_nulls(array) {
        None => Flat(ScalarBuffer::new(values.clone(), 0, array.len() * 16)),
        Some(nulls) => {
            let mut bytes = values[..array.len() * 16].to_vec();
            for (row, valid) in bytes.chunks_exact_mut(16).zip(nulls) {
                if !valid {
                    row.fill(0);
                }
            }
            bytes.into()
        }
    }
}

/// `rows.nulls`: a bitmap, set where the row is null; empty where there are none.
pub(super) fn nulls(array: &dyn Array) -> Flat<u8> {
    let Some(nulls) = real_nulls(array) else { return Vec::new().into() };
    let mut bitmap = vec![0u8; nulls.len().div_ceil(8)];
    for (row, valid) in nulls.iter().enumerate() {
        if !valid {
            bitmap[row / 8] |= 1 << (row % 8);
        }
    }
    bitmap.into()
}

fn real_nulls(array: &dyn Array) -> Option<&NullBuffer> {
    array.nulls().filter(|n| n.null_count() > 0)
}

fn shared<P: ArrowPrimitiveType>(array: &dyn Array) -> Flat<P::Native> {
    let array = array.as_primitive::<P>();
    match real_nulls(array) {
        None => Flat(array.values().clone()),
        Some(nulls) => {
            let values =
                array.values().iter().zip(nulls).map(|(v, valid)| if valid { *v } else { P::Native::default() });
            values.collect::<Vec<_>>().into()
        }
    }
}

fn widened<P: ArrowPrimitiveType, W: ArrowNativeType + From<P::Native>>(array: &dyn Array) -> Flat<W> {
    let narrow = shared::<P>(array);
    narrow.0.iter().map(|v| W::from(*v)).collect::<Vec<_>>().into()
}

/// Offsets and bytes of an array without nulls: shared where the offsets start at zero.
fn sliced(offsets: &OffsetBuffer<i32>, values: &arrow_buffer::Buffer) -> Texts {
    let (first, last) = (offsets[0].as_usize(), offsets[offsets.len() - 1].as_usize());
    let bytes = Flat(ScalarBuffer::new(values.clone(), first, last - first));
    let offsets = if first == 0 {
        // Offsets are never negative, so the same bits are the same numbers as u32.
        Flat(ScalarBuffer::new(offsets.inner().inner().clone(), 0, offsets.len()))
    } else {
        offsets.iter().map(|o| u32::try_from(o.as_usize() - first).unwrap_or(u32::MAX)).collect::<Vec<_>>().into()
    };
    Texts { offsets, bytes }
}

fn joined<'a>(values: impl ExactSizeIterator<Item = Option<&'a [u8]>>) -> Result<Texts, ColumnError> {
    let mut offsets = Vec::with_capacity(values.len() + 1);
    let mut bytes = Vec::new();
    offsets.push(0u32);
    for value in values {
        bytes.extend_from_slice(value.unwrap_or_default());
        offsets.push(u32::try_from(bytes.len()).map_err(|_| ColumnError::TooLarge)?);
    }
    Ok(Texts { offsets: offsets.into(), bytes: bytes.into() })
}
