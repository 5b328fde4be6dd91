//! One value of a database as it arrived, and how it becomes a value of a schema's type: exactly, or refused with the
//! reason. Pure. The rules are those of text files: a number or text in a timestamp column is in the declared unit, a
//! number in an address column is an IPv4 address.

use crate::address::{parse_address, v4_bytes};
use crate::columns::{Cells, TextColumn};
use crate::error::excerpt;
use crate::timestamp::{parse_timestamp, scale};

/// Longest text or blob that is taken from a database, in bytes. The database itself cuts what is longer, so that no driver
/// ever holds more; DNS, which has the longest texts of all schemas, ends at the same size.
pub(crate) const CELL_BYTES_MAX: usize = 1 << 16;

/// A value in one of the forms that databases have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    /// An integer of any width.
    Int(i64),
    /// A whole number beyond 63 bits.
    Uint(u64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Flag(bool),
    Address([u8; 16]),
    /// A point in time that knows its unit.
    Micros(i64),
}

impl TextColumn {
    /// Appends a value; the reason where it does not fit.
    pub(crate) fn push_cell(&mut self, cell: Cell<'_>) -> Result<(), String> {
        if let Cell::Text(text) = cell {
            return self.push_text(text);
        }
        if cell == Cell::Null {
            if self.required {
                return Err("the value is missing".into());
            }
            self.push_null();
            return Ok(());
        }
        self.push_typed(cell).ok_or_else(|| format!("{} does not fit", shown(cell)))
    }

    /// Text is read as in a CSV file, but an empty text in a text column is a text and not a null.
    fn push_text(&mut self, text: &str) -> Result<(), String> {
        if text.len() > CELL_BYTES_MAX {
            return Err(too_long());
        }
        if let Cells::Text(cells) = &mut self.cells {
            cells.append_value(text);
            return Ok(());
        }
        let refused = || match text {
            "" => "the value is an empty text".to_owned(),
            _ => format!("`{}` does not fit", excerpt(text.as_bytes())),
        };
        self.push(text.as_bytes()).then_some(()).ok_or_else(refused)
    }

    fn push_typed(&mut self, cell: Cell<'_>) -> Option<()> {
        let unit = self.unit;
        match &mut self.cells {
            Cells::Timestamp(b) => b.append_value(match cell {
                Cell::Micros(micros) => micros,
                Cell::Int(value) => scale(value, unit)?,
                // The shortest text of a double is what was meant; times ten to the sixth it would be rounded twice.
                Cell::Float(value) => parse_timestamp(value.to_string().as_bytes(), unit)?,
                _ => return None,
            }),
            Cells::Int(b) => b.append_value(int(cell)?),
            Cells::Uint(b) => b.append_value(uint(cell)?),
            Cells::Float(b) => b.append_value(match cell {
                // Databases sort minus zero as zero, so that two rows could change places.
                Cell::Float(value) if value.is_finite() => value + 0.0,
                Cell::Int(value) => exact_float(value)?,
                _ => return None,
            }),
            Cells::Flag(b) => b.append_value(match cell {
                Cell::Flag(value) => value,
                Cell::Int(0) => false,
                Cell::Int(1) => true,
                _ => return None,
            }),
            Cells::Text(_) => return None,
            Cells::Address(b) => b.append_value(address(cell)?).ok()?,
        }
        Some(())
    }
}

/// What is said of a value beyond [`CELL_BYTES_MAX`].
pub(crate) fn too_long() -> String {
    format!("a value of more than {CELL_BYTES_MAX} bytes")
}

fn int(cell: Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Int(value) => Some(value),
        _ => None,
    }
}

fn uint(cell: Cell<'_>) -> Option<u64> {
    match cell {
        Cell::Int(value) => u64::try_from(value).ok(),
        Cell::Uint(value) => Some(value),
        _ => None,
    }
}

/// A whole number as a float, where it is one exactly.
fn exact_float(value: i64) -> Option<f64> {
    (value.unsigned_abs() <= 1 << 53).then_some(value as f64)
}

fn address(cell: Cell<'_>) -> Option<[u8; 16]> {
    match cell {
        Cell::Address(bytes) => Some(bytes),
        Cell::Int(value) => Some(v4_bytes(u32::try_from(value).ok()?.into())),
        Cell::Bytes(bytes) => match bytes.len() {
            16 => bytes.try_into().ok(),
            4 => Some(v4_bytes(<[u8; 4]>::try_from(bytes).ok()?.into())),
            _ => None,
        },
        Cell::Text(text) => parse_address(text),
        _ => None,
    }
}

/// A value as an error may repeat it.
fn shown(cell: Cell<'_>) -> String {
    match cell {
        Cell::Null => "null".into(),
        Cell::Int(value) => format!("`{value}`"),
        Cell::Uint(value) => format!("`{value}`"),
        Cell::Float(value) => format!("`{value}`"),
        Cell::Text(text) => format!("`{}`", excerpt(text.as_bytes())),
        Cell::Bytes(bytes) => format!("a value of {} bytes", bytes.len()),
        Cell::Flag(value) => format!("`{value}`"),
        Cell::Address(bytes) => format!("`{}`", crate::address::address_text(&bytes)),
        Cell::Micros(micros) => format!("a time ({micros} microseconds)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::address_bytes;
    use crate::schema::{ColumnSpec, ColumnType};
    use crate::timestamp::TimestampUnit;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, UInt64Type};
    use arrow_array::{Array, ArrayRef};
    use proptest::prelude::*;

    const TYPES: [ColumnType; 7] = [
        ColumnType::Timestamp,
        ColumnType::Address,
        ColumnType::Uint,
        ColumnType::Int,
        ColumnType::Float,
        ColumnType::Text,
        ColumnType::Flag,
    ];

    fn column(ty: ColumnType, unit: TimestampUnit, required: bool) -> TextColumn {
        TextColumn::new(&ColumnSpec { name: "c".into(), ty, required }, unit, 1)
    }

    fn one(cell: Cell<'_>, ty: ColumnType) -> Result<ArrayRef, String> {
        let mut column = column(ty, TimestampUnit::Seconds, false);
        column.push_cell(cell).map(|()| column.finish())
    }

    fn micros(cell: Cell<'_>) -> Option<i64> {
        one(cell, ColumnType::Timestamp).ok().map(|array| array.as_primitive::<Int64Type>().value(0))
    }

    #[test]
    fn every_form_of_an_address_is_the_same_address() {
        let text = "192.0.2.1";
        let bytes = parse_address(text).unwrap();
        let forms = [
            Cell::Text(text),
            Cell::Text("::ffff:192.0.2.1"),
            Cell::Address(bytes),
            Cell::Bytes(&bytes),
            Cell::Bytes(&bytes[12..]),
            Cell::Int(0xc000_0201),
        ];
        for form in forms {
            assert_eq!(one(form, ColumnType::Address).unwrap().as_fixed_size_binary().value(0), bytes, "{form:?}");
        }
        for bad in [Cell::Int(-1), Cell::Int(1 << 32), Cell::Bytes(&bytes[..5]), Cell::Text("x"), Cell::Float(1.0)] {
            assert!(one(bad, ColumnType::Address).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_form_of_a_time_is_the_same_time() {
        let expected = Some(1_626_105_669_291_849);
        assert_eq!(micros(Cell::Float(1_626_105_669.291_849)), expected);
        assert_eq!(micros(Cell::Text("1626105669.291849")), expected);
        assert_eq!(micros(Cell::Micros(1_626_105_669_291_849)), expected);
        assert_eq!(micros(Cell::Int(5)), Some(5_000_000));
        for bad in [Cell::Float(f64::NAN), Cell::Float(f64::INFINITY), Cell::Float(1e300), Cell::Int(i64::MAX)] {
            assert_eq!(micros(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_empty_text_is_null_only_where_it_can_be_no_value() {
        assert_eq!(one(Cell::Text(""), ColumnType::Text).unwrap().null_count(), 0);
        assert_eq!(one(Cell::Text(""), ColumnType::Uint).unwrap().null_count(), 1);
        let refused = column(ColumnType::Uint, TimestampUnit::Seconds, true).push_cell(Cell::Text(""));
        assert_eq!(refused.unwrap_err(), "the value is an empty text");
        let missing = column(ColumnType::Uint, TimestampUnit::Seconds, true).push_cell(Cell::Null);
        assert_eq!(missing.unwrap_err(), "the value is missing");
    }

    proptest! {
        #[test]
        fn a_double_in_seconds_keeps_its_microseconds(value in 0i64..4_000_000_000_000_000) {
            let seconds = format!("{}.{:06}", value / 1_000_000, value % 1_000_000).parse::<f64>().unwrap();
            prop_assert_eq!(micros(Cell::Float(seconds)), Some(value));
        }

        #[test]
        fn numbers_keep_their_value(value: i64, big: u64) {
            let array = one(Cell::Int(value), ColumnType::Int).unwrap();
            prop_assert_eq!(array.as_primitive::<Int64Type>().value(0), value);
            let array = one(Cell::Int(value), ColumnType::Uint);
            prop_assert_eq!(array.is_ok(), value >= 0);
            let array = one(Cell::Uint(big), ColumnType::Uint).unwrap();
            prop_assert_eq!(array.as_primitive::<UInt64Type>().value(0), big);
            let text = big.to_string();
            let array = one(Cell::Text(&text), ColumnType::Uint).unwrap();
            prop_assert_eq!(array.as_primitive::<UInt64Type>().value(0), big);
        }

        #[test]
        fn addresses_round_trip(bytes: [u8; 16]) {
            let address = address_bytes(std::net::IpAddr::from(bytes));
            let text = crate::address::address_text(&address);
            for form in [Cell::Text(&text), Cell::Bytes(&address), Cell::Address(address)] {
                let array = one(form, ColumnType::Address).unwrap();
                prop_assert_eq!(array.as_fixed_size_binary().value(0), address);
            }
        }

        #[test]
        fn any_value_in_any_column_is_one_row_or_a_reason(
            int: i64, float: f64, text in ".{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..20), flag: bool,
        ) {
            let cells = [Cell::Null, Cell::Int(int), Cell::Float(float), Cell::Text(&text), Cell::Bytes(&bytes),
                Cell::Flag(flag), Cell::Micros(int), Cell::Uint(int.unsigned_abs())];
            for ty in TYPES {
                for cell in cells {
                    let mut column = column(ty, TimestampUnit::Millis, false);
                    let fits = column.push_cell(cell).is_ok();
                    prop_assert_eq!(column.finish().len(), usize::from(fits));
                }
            }
        }
    }
}
