//! What a number counts, where the module's WIT says so: a number whose type is named as the contract names it
//! (`docs/spec/values.md`, "Quantities") is shown with its unit. Names of fields say nothing: they are never looked at.

use iog_inspect::WitTypeFact as Fact;
use iog_protocol::time::Timestamp;
use serde_json::Value;

use crate::numbers::{grouped, size};

const MICROS_A_SECOND: i64 = 1_000_000;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// `asn`: the number of an AS.
    Asn,
    /// `time-us`: microseconds since 1970-01-01T00:00:00Z.
    TimeUs,
    /// `duration-us`: microseconds.
    DurationUs,
    /// `byte-count`: bytes.
    Bytes,
    /// `count`: how many there are of something.
    Count,
    /// `share`: a part of a whole, 0 to 1.
    Share,
}

impl Quantity {
    /// What a type counts, where both its name and what it is made of are those of the contract.
    #[must_use]
    pub fn of(ty: &Fact) -> Option<Self> {
        let Fact::Named { name, of } = ty else { return None };
        match (name.as_str(), of.as_ref()) {
            ("asn", Fact::U32) => Some(Self::Asn),
            ("time-us", Fact::S64 | Fact::U64) => Some(Self::TimeUs),
            ("duration-us", Fact::S64 | Fact::U64) => Some(Self::DurationUs),
            ("byte-count", Fact::U32 | Fact::U64) => Some(Self::Bytes),
            ("count", Fact::U32 | Fact::U64) => Some(Self::Count),
            ("share", Fact::F32 | Fact::F64) => Some(Self::Share),
            _ => None,
        }
    }

    /// A number in its unit; `None` where it is out of every range that has one, or is not a number.
    #[must_use]
    pub fn shown(self, value: &Value) -> Option<String> {
        match self {
            Self::Asn => unsigned(value).map(|asn| format!("AS{asn}")),
            Self::TimeUs => signed(value).and_then(moment),
            Self::DurationUs => signed(value).map(duration),
            Self::Bytes => unsigned(value).map(size),
            Self::Count => unsigned(value).map(grouped),
            Self::Share => {
                value.as_f64().filter(|share| share.is_finite()).map(|share| format!("{:.1}%", share * 100.0))
            }
        }
    }

    /// The end of a field's name that says the unit of the bare number, and is untrue of what is shown in its place.
    #[must_use]
    pub fn suffix(self) -> Option<&'static str> {
        matches!(self, Self::TimeUs | Self::DurationUs).then_some("-us")
    }

    /// Whether it is written in digits, and so stands to the right in a column.
    #[must_use]
    pub fn in_digits(self) -> bool {
        !matches!(self, Self::TimeUs)
    }
}

/// A number as JSON has it: beyond 2⁵³ it is a text of digits.
fn unsigned(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn signed(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// RFC 3339 in UTC, with microseconds where there are any; `None` outside the years 0 to 9999.
fn moment(micros: i64) -> Option<String> {
    let (seconds, rest) = (micros.div_euclid(MICROS_A_SECOND), micros.rem_euclid(MICROS_A_SECOND));
    let time = Timestamp::from_unix(seconds);
    if time.unix() != seconds {
        return None;
    }
    let whole = time.rfc3339();
    Some(if rest == 0 { whole } else { format!("{}.{rest:06}Z", whole.trim_end_matches('Z')) })
}

/// In the largest unit that keeps it above one.
fn duration(micros: i64) -> String {
    let (sign, left) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    match left {
        0..1_000 => format!("{sign}{left} µs"),
        1_000..1_000_000 => format!("{sign}{}.{} ms", left / 1_000, left % 1_000 / 100),
        1_000_000..60_000_000 => format!("{sign}{}.{} s", left / 1_000_000, left % 1_000_000 / 100_000),
        _ => {
            let (seconds, days) = (left / 1_000_000, left / 86_400_000_000);
            let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
            match (days, hours) {
                (0, 0) => format!("{sign}{minutes} min {} s", seconds % 60),
                (0, _) => format!("{sign}{hours} h {minutes} min"),
                _ => format!("{sign}{} d {hours} h", grouped(days)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(name: &str, of: Fact) -> Fact {
        Fact::Named { name: name.into(), of: Box::new(of) }
    }

    fn shown(name: &str, of: Fact, value: &Value) -> Option<String> {
        Quantity::of(&named(name, of)).and_then(|quantity| quantity.shown(value))
    }

    #[test]
    fn a_named_number_is_shown_in_its_unit() {
        let of = |name, ty, value| shown(name, ty, &value).unwrap();
        assert_eq!(of("asn", Fact::U32, json!(64500)), "AS64500");
        assert_eq!(of("time-us", Fact::S64, json!(1_800_000_000_000_000_i64)), "2027-01-15T08:00:00Z");
        assert_eq!(of("time-us", Fact::S64, json!(-1)), "1969-12-31T23:59:59.999999Z");
        assert_eq!(of("byte-count", Fact::U64, json!("18446744073709551615")), "17179869183.9 GiB");
        assert_eq!(of("count", Fact::U64, json!(1_234_567)), "1,234,567");
        assert_eq!(of("share", Fact::F64, json!(0.123)), "12.3%");
        let durations = [0_i64, 1_500, 2_500_000, 61_000_000, 3_660_000_000, 90_000_000_000, -5];
        let told = durations.map(|micros| of("duration-us", Fact::S64, json!(micros)));
        assert_eq!(told, ["0 µs", "1.5 ms", "2.5 s", "1 min 1 s", "1 h 1 min", "1 d 1 h", "-5 µs"]);
    }

    #[test]
    fn nothing_is_guessed() {
        assert_eq!(Quantity::of(&Fact::U32), None, "a bare number");
        assert_eq!(Quantity::of(&named("asn", Fact::String)), None, "another type of this name");
        assert_eq!(Quantity::of(&named("time", Fact::S64)), None, "another name");
        assert_eq!(shown("time-us", Fact::S64, &json!(i64::MAX)), None, "no year that has four digits");
        assert_eq!(shown("asn", Fact::U32, &json!([])), None);
        assert_eq!(shown("share", Fact::F64, &json!("NaN")), None);
    }
}
