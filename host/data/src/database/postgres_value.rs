//! Values in PostgreSQL's binary form (its documentation, "Frontend/Backend Protocol", and the types' send functions) as
//! cells. Pure but for the trait that reads a row.

use sqlx::postgres::{PgRow, PgValueFormat};
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};

use super::assembly::Row;
use super::cell::{CELL_BYTES_MAX, Cell, too_long};
use crate::address::v4_bytes;

/// 2000-01-01T00:00:00Z, from which PostgreSQL counts, in microseconds since 1970.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Families of inet values; both are PostgreSQL's own numbers.
const INET_V4: u8 = 2;
const INET_V6: u8 = 3;
/// Digits of numeric values are of base 10,000.
const NUMERIC_BASE: u64 = 10_000;

impl Row for PgRow {
    fn cell(&self, at: usize) -> Result<Cell<'_>, String> {
        let value = self.try_get_raw(at).map_err(|e| e.to_string())?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        if value.format() != PgValueFormat::Binary {
            return Err("the value did not come in binary form".into());
        }
        let bytes = value.as_bytes().map_err(|e| e.to_string())?;
        decode(value.type_info().name(), bytes)
    }
}

/// A value of a type by its name; the reason where it cannot be taken.
fn decode<'a>(ty: &str, bytes: &'a [u8]) -> Result<Cell<'a>, String> {
    if bytes.len() > CELL_BYTES_MAX {
        return Err(too_long());
    }
    let length = || format!("a value of type {ty} with {} bytes", bytes.len());
    match ty {
        "INT2" => bytes.try_into().map(|b| Cell::Int(i16::from_be_bytes(b).into())).map_err(|_| length()),
        "INT4" => bytes.try_into().map(|b| Cell::Int(i32::from_be_bytes(b).into())).map_err(|_| length()),
        "INT8" => bytes.try_into().map(|b| Cell::Int(i64::from_be_bytes(b))).map_err(|_| length()),
        "FLOAT4" => bytes.try_into().map(|b| Cell::Float(f32::from_be_bytes(b).into())).map_err(|_| length()),
        "FLOAT8" => bytes.try_into().map(|b| Cell::Float(f64::from_be_bytes(b))).map_err(|_| length()),
        "BOOL" => bytes.first().map(|b| Cell::Flag(*b != 0)).ok_or_else(length),
        "BYTEA" => Ok(Cell::Bytes(bytes)),
        "TEXT" => std::str::from_utf8(bytes).map(Cell::Text).map_err(|_| "the text is not UTF-8".to_owned()),
        "TIMESTAMPTZ" => moment(i64::from_be_bytes(bytes.try_into().map_err(|_| length())?)),
        "INET" => inet(bytes),
        "NUMERIC" => numeric(bytes),
        other => Err(format!("a value of type {other}")),
    }
}

/// Microseconds since 2000; the two ends stand for the infinities.
fn moment(value: i64) -> Result<Cell<'static>, String> {
    if value == i64::MAX || value == i64::MIN {
        return Err("an infinite time".into());
    }
    value.checked_add(EPOCH_MICROS).map(Cell::Micros).ok_or_else(|| "a time out of range".to_owned())
}

/// Family, prefix length, cidr flag, number of bytes, the bytes.
fn inet(bytes: &[u8]) -> Result<Cell<'static>, String> {
    match bytes {
        [INET_V4, 32, _, 4, a, b, c, d] => Ok(Cell::Address(v4_bytes([*a, *b, *c, *d].into()))),
        [INET_V6, 128, _, 16, address @ ..] if address.len() == 16 => {
            Ok(Cell::Address(address.try_into().expect("the length was just tested")))
        }
        [INET_V4, bits, _, 4, ..] | [INET_V6, bits, _, 16, ..] => Err(format!(
            "a network of {bits} bits and not a single address (`host(…)::inet` in a view would make it one)"
        )),
        _ => Err(format!("an inet of {} bytes", bytes.len())),
    }
}

/// A numeric that is whole, not negative and below 2^64; others have no place in any schema.
fn numeric(bytes: &[u8]) -> Result<Cell<'static>, String> {
    let unfit = || "a numeric that is not a whole number from 0 to 18446744073709551615".to_owned();
    let word = |at: usize| bytes.get(2 * at..2 * at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    let (digits, weight, sign) = (word(0).ok_or_else(unfit)?, word(1).ok_or_else(unfit)?, word(2).ok_or_else(unfit)?);
    let weight = i32::from(weight.cast_signed());
    if sign != 0 {
        return Err(unfit());
    }
    let mut value: u64 = 0;
    let places = usize::try_from(weight + 1).unwrap_or(0);
    if places > 5 && digits > 0 {
        return Err(unfit());
    }
    for at in 0..places.max(usize::from(digits)) {
        let digit = if at < usize::from(digits) { word(4 + at).ok_or_else(unfit)? } else { 0 };
        let digit = u64::from(digit);
        if digit >= NUMERIC_BASE || (at >= places && digit != 0) {
            return Err(unfit());
        }
        if at < places {
            value = value.checked_mul(NUMERIC_BASE).and_then(|v| v.checked_add(digit)).ok_or_else(unfit)?;
        }
    }
    Ok(i64::try_from(value).map_or(Cell::Uint(value), Cell::Int))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What PostgreSQL sends for a whole numeric.
    fn encode(value: u64) -> Vec<u8> {
        let mut digits: Vec<u16> = Vec::new();
        let mut left = value;
        while left > 0 {
            digits.insert(0, u16::try_from(left % NUMERIC_BASE).unwrap());
            left /= NUMERIC_BASE;
        }
        let weight = i16::try_from(digits.len()).unwrap() - 1;
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let head = [u16::try_from(digits.len()).unwrap(), weight.cast_unsigned(), 0, 0];
        head.into_iter().chain(digits).flat_map(u16::to_be_bytes).collect()
    }

    #[test]
    fn times_and_networks() {
        assert_eq!(decode("TIMESTAMPTZ", &0i64.to_be_bytes()), Ok(Cell::Micros(EPOCH_MICROS)));
        assert!(decode("TIMESTAMPTZ", &i64::MAX.to_be_bytes()).unwrap_err().contains("infinite"));
        let address = inet(&[2, 32, 0, 4, 192, 0, 2, 1]).unwrap();
        assert_eq!(address, Cell::Address(v4_bytes([192, 0, 2, 1].into())));
        assert!(inet(&[2, 24, 0, 4, 192, 0, 2, 0]).unwrap_err().contains("24 bits"));
        assert!(decode("TIMESTAMP", &0i64.to_be_bytes()).is_err());
    }

    #[test]
    fn numerics_that_fit_nothing_are_refused() {
        let negative = [1u16, 0, 0x4000, 0, 5].into_iter().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        let half = [1u16, 0xffff, 0, 1, 5000].into_iter().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        let nan = [0u16, 0, 0xc000, 0].into_iter().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        for bytes in [negative, half, nan] {
            assert!(numeric(&bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn whole_numerics_round_trip(value: u64, small in 0u64..100_000_000) {
            for value in [value, small, small * 10_000] {
                let expected = i64::try_from(value).map_or(Cell::Uint(value), Cell::Int);
                prop_assert_eq!(numeric(&encode(value)), Ok(expected));
            }
        }

        #[test]
        fn any_bytes_are_a_cell_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            for ty in ["INT2", "INT4", "INT8", "FLOAT4", "FLOAT8", "BOOL", "BYTEA", "TEXT", "TIMESTAMPTZ", "INET", "NUMERIC", "X"] {
                let _ = decode(ty, &bytes);
            }
        }
    }
}
