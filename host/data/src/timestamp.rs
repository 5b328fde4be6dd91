//! Points in time: text in any declared unit to microseconds since the epoch, decimally exact (never through a float).
//! Pure. Digits below the microsecond are cut off towards the past.

use serde::{Deserialize, Serialize};

/// Longest text that is looked at.
const TEXT_BYTES_MAX: usize = 48;
const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The unit in which a source writes its timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestampUnit {
    /// Seconds since the epoch, with or without a fraction: `1626105669.291849`.
    #[default]
    Seconds,
    /// Milliseconds since the epoch.
    Millis,
    /// Microseconds since the epoch.
    Micros,
    /// RFC 3339 text with an offset: `2021-07-12T16:01:09.291849Z`. A space may stand for the `T`.
    Rfc3339,
}

impl TimestampUnit {
    /// What a person may write, for errors.
    pub(crate) fn fits(self) -> &'static str {
        match self {
            Self::Seconds => "seconds since 1970-01-01, such as `1626105669.291849`,",
            Self::Millis => "milliseconds since 1970-01-01, such as `1626105669291`,",
            Self::Micros => "microseconds since 1970-01-01, such as `1626105669291849`,",
            Self::Rfc3339 => "an RFC 3339 time with an offset, such as `2021-07-12T16:01:09.291849Z`,",
        }
    }

    /// Microseconds in one of this unit, as a power of ten; `None` for text.
    fn micros_exponent(self) -> Option<u32> {
        match self {
            Self::Seconds => Some(6),
            Self::Millis => Some(3),
            Self::Micros => Some(0),
            Self::Rfc3339 => None,
        }
    }
}

/// Text in the given unit to microseconds. `None` where it is not a time or does not fit 64 bits.
pub fn parse_timestamp(text: &[u8], unit: TimestampUnit) -> Option<i64> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    match unit.micros_exponent() {
        Some(exponent) => parse_decimal(text, exponent),
        None => parse_rfc3339(std::str::from_utf8(text).ok()?),
    }
}

/// A whole number in the given unit to microseconds; `None` on overflow and for `Rfc3339`.
pub(crate) fn scale(value: i64, unit: TimestampUnit) -> Option<i64> {
    value.checked_mul(10i64.pow(unit.micros_exponent()?))
}

/// `-?digits(.digits)?` times ten to the `exponent`, rounded down.
fn parse_decimal(text: &[u8], exponent: u32) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let dot = digits.iter().position(|b| *b == b'.');
    let (whole, fraction) = match dot {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &digits[..0]),
    };
    if whole.is_empty() || (dot.is_some() && fraction.is_empty()) {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole {
        value = push_digit(value, *digit)?;
    }
    let kept = exponent as usize;
    for at in 0..kept {
        value = push_digit(value, fraction.get(at).copied().unwrap_or(b'0'))?;
    }
    let mut lost = false;
    for digit in fraction.iter().skip(kept) {
        lost |= push_digit(0, *digit)? != 0;
    }
    let signed = if negative { -value - i128::from(lost) } else { value };
    i64::try_from(signed).ok()
}

fn push_digit(value: i128, digit: u8) -> Option<i128> {
    digit.is_ascii_digit().then(|| value.checked_mul(10)?.checked_add(i128::from(digit - b'0')))?
}

/// RFC 3339 §5.6 with any fraction; leap seconds (`:60`) are refused, an offset is required.
fn parse_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !text.is_ascii() {
        return None;
    }
    let shape = bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't' | b' ')
        && bytes[13] == b':'
        && bytes[16] == b':';
    let number = |from: usize, to: usize| digits(&bytes[from..to]);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !shape || hour > 23 || minute > 59 || second > 59 || day < 1 || day > days_in_month(year, month)? {
        return None;
    }
    let rest = &bytes[19..];
    let (micros, zone) = match rest.strip_prefix(b".") {
        Some(tail) => {
            let end = tail.iter().position(|b| !b.is_ascii_digit())?;
            (parse_decimal(&[b"0.", &tail[..end]].concat(), 6)?, &tail[end..])
        }
        None => (0, rest),
    };
    let seconds = days_from_epoch(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    (seconds - offset_seconds(zone)?).checked_mul(MICROS_PER_SECOND)?.checked_add(micros)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0i64, |value, b| b.is_ascii_digit().then(|| value * 10 + i64::from(b - b'0')))
}

/// `Z` or `±hh:mm`, in seconds east of UTC.
fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let seconds = hours * 3600 + minutes * 60;
            (hours <= 23 && minutes <= 59).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    })
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar: whole years of 365 days, their leap days, whole months.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let leap_days_before = |y: i64| {
        let last = y - 1;
        last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400)
    };
    let years = (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
    let months: i64 = (1..month).filter_map(|m| days_in_month(year, m)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_seconds_exactly() {
        for (text, micros) in [
            ("1626105669.291849", 1_626_105_669_291_849),
            ("1626105669", 1_626_105_669_000_000),
            ("1626105669.1", 1_626_105_669_100_000),
            ("0.0000019", 1),
            ("-0.0000011", -2),
            ("-1.5", -1_500_000),
            ("9223372036854.775807", i64::MAX),
        ] {
            assert_eq!(parse_timestamp(text.as_bytes(), TimestampUnit::Seconds), Some(micros), "{text}");
        }
        for text in
            ["", ".", "1.", ".5", "1e9", "+1", "1_0", "0x1", "nan", "9223372036854.775808", " 1", "1,5", "--1", "1.5x"]
        {
            assert_eq!(parse_timestamp(text.as_bytes(), TimestampUnit::Seconds), None, "{text}");
        }
    }

    #[test]
    fn reads_rfc3339() {
        let parse = |text: &str| parse_timestamp(text.as_bytes(), TimestampUnit::Rfc3339);
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2021-07-12T16:01:09.291849Z"), Some(1_626_105_669_291_849));
        assert_eq!(parse("2021-07-12T18:01:09.291849999+02:00"), Some(1_626_105_669_291_849));
        assert_eq!(parse("2000-02-29 00:00:00-00:30"), Some(951_784_200_000_000));
        assert_eq!(parse("1969-12-31T23:59:59.5Z"), Some(-500_000));
        for text in [
            "2021-02-29T00:00:00Z",
            "2021-07-12T16:01:09",
            "2021-07-12T24:00:00Z",
            "2021-13-01T00:00:00Z",
            "2021-07-12T16:01:60Z",
            "2021-07-12",
            "2021-07-12T16:01:09.Z",
            "2021-07-12T16:01:09+2:00",
            "20é1-07-12T16:01:09Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn seconds_round_trip(micros: i64) {
            let (sign, abs) = if micros < 0 { ("-", micros.unsigned_abs()) } else { ("", micros.unsigned_abs()) };
            let text = format!("{sign}{}.{:06}", abs / 1_000_000, abs % 1_000_000);
            prop_assert_eq!(parse_timestamp(text.as_bytes(), TimestampUnit::Seconds), Some(micros));
            prop_assert_eq!(parse_timestamp(micros.to_string().as_bytes(), TimestampUnit::Micros), Some(micros));
        }

        #[test]
        fn days_are_consecutive(days in -700_000i64..2_900_000) {
            // The next day's date differs by one day, for every date that four digits can write.
            let (mut year, mut left) = (1970, days);
            while left < 0 { year -= 1; left += if days_in_month(year, 2) == Some(29) { 366 } else { 365 }; }
            loop {
                let length = if days_in_month(year, 2) == Some(29) { 366 } else { 365 };
                if left < length { break; }
                left -= length;
                year += 1;
            }
            let mut month = 1;
            while left >= days_in_month(year, month).unwrap() { left -= days_in_month(year, month).unwrap(); month += 1; }
            prop_assert_eq!(days_from_epoch(year, month, left + 1), days);
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            for unit in [TimestampUnit::Seconds, TimestampUnit::Millis, TimestampUnit::Micros, TimestampUnit::Rfc3339] {
                let _ = parse_timestamp(&bytes, unit);
            }
        }
    }
}
