//! Times as validators write them.

use crate::tally::Why;

/// What is said of a text that is not a time.
pub(super) const OUT_OF_FORM: Why = Why::Malformed("a time is malformed");

/// Microseconds of seconds since the epoch, or of `2026-11-21 10:20:30` (also with `T`, `Z` and a fraction), UTC.
pub(super) fn micros(text: &str) -> Result<i64, Why> {
    if let Ok(seconds) = text.parse::<i64>() {
        return micros_of_seconds(seconds);
    }
    let text = ["Z", "+00:00", " UTC"].iter().find_map(|zone| text.strip_suffix(zone)).unwrap_or(text);
    let (date, time) = text.split_once([' ', 'T']).ok_or(OUT_OF_FORM)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let numbers = |text: &str, between: char| -> Option<[i64; 3]> {
        let mut parts = text.split(between).map(|part| part.parse::<u16>().ok().map(i64::from));
        let three = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(three)
    };
    let ([year, month, day], [hour, minute, second]) = numbers(date, '-').zip(numbers(time, ':')).ok_or(OUT_OF_FORM)?;
    let days = days_since_epoch(year, month, day);
    let in_month = day >= 1 && days < days_since_epoch(year + month / 12, month % 12 + 1, 1);
    if !(1..=12).contains(&month) || !in_month || hour > 23 || minute > 59 || second > 60 {
        return Err(OUT_OF_FORM);
    }
    let fraction = fraction_micros(fraction).ok_or(OUT_OF_FORM)?;
    micros_of_seconds(days * 86_400 + hour * 3_600 + minute * 60 + second).map(|micros| micros + fraction)
}

/// Microseconds of seconds since the epoch.
pub(super) fn micros_of_seconds(seconds: i64) -> Result<i64, Why> {
    seconds.checked_mul(1_000_000).ok_or(OUT_OF_FORM)
}

/// Microseconds of the digits behind a decimal point; what is finer is cut off.
fn fraction_micros(digits: &str) -> Option<i64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let digits = digits.bytes().chain(std::iter::repeat(b'0')).take(6);
    plain.then(|| digits.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0')))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar: years begin in March, so that the leap day is the last.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_month = (153 * month + 2) / 5;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days_before_month + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        assert_eq!(micros("0"), Ok(0));
        assert_eq!(micros("1970-01-01 00:00:00"), Ok(0));
        assert_eq!(micros("2025-12-31 00:00:00"), Ok(1_767_139_200_000_000));
        assert_eq!(micros("1969-12-31 23:59:59"), Ok(-1_000_000));
        assert_eq!(micros("2000-02-29T12:00:01Z"), Ok(951_825_601_000_000));
        assert_eq!(micros("2026-11-21 10:20:30"), Ok(1_795_256_430_000_000));
        for bad in [
            "",
            "x",
            "2026-13-01 00:00:00",
            "2026-02-29 00:00:00",
            "2026-00-01 00:00:00",
            "2026-12-32 00:00:00",
            "2026-01-01",
            "2026-01-01 00:00",
            "9223372036854775807",
        ] {
            assert!(micros(bad).is_err(), "{bad}");
        }
    }
}
