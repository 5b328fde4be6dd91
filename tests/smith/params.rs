//! Parameters for an entry: values of its types, and now and then something else.

use iog_sandbox::{EntryType, WitType};
use serde_json::{Map, Value, json};

use crate::random::Random;

/// Longest list, as long as its items are small.
const ITEMS_MAX: usize = 6;
/// Texts that somebody takes for something.
const TEXTS: [&str; 8] =
    ["", "192.0.2.0/24", "2001:db8::/32", "203.0.113.10", "iog.example", "\u{202e}\u{0}\u{1b}[2J", "0", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢"];

/// An object with a member for each parameter.
pub(crate) fn of(random: &mut Random, entry: &EntryType) -> Value {
    if random.once_in(30) {
        return anything(random);
    }
    let mut all = Map::new();
    for (name, ty) in &entry.params {
        if random.once_in(40) {
            continue;
        }
        all.insert(name.clone(), value(random, ty));
    }
    if random.once_in(40) {
        all.insert("nobody-asked".to_owned(), Value::Null);
    }
    Value::Object(all)
}

fn value(random: &mut Random, ty: &WitType) -> Value {
    if random.once_in(60) {
        return anything(random);
    }
    match ty {
        WitType::Bool => json!(random.once_in(2)),
        WitType::S8 => json!(random.byte().cast_signed()),
        WitType::U8 => json!(random.byte()),
        WitType::S16 | WitType::S32 => json!(i16::from_le_bytes([random.byte(), random.byte()])),
        WitType::U16 | WitType::U32 => json!(u16::from_le_bytes([random.byte(), random.byte()])),
        WitType::S64 => json!(random.next().cast_signed().to_string()),
        WitType::U64 => json!(random.next().to_string()),
        WitType::F32 | WitType::F64 => float(random),
        WitType::Char => json!(random.one(&['a', '\u{0}', 'ä', '\u{10ffff}'])),
        WitType::String => text(random),
        WitType::List(item) => Value::Array((0..random.below(ITEMS_MAX)).map(|_| value(random, item)).collect()),
        WitType::Tuple(items) => Value::Array(items.iter().map(|item| value(random, item)).collect()),
        WitType::Record(fields) => {
            Value::Object(fields.iter().map(|(name, ty)| (name.clone(), value(random, ty))).collect())
        }
        WitType::Option(_) if random.once_in(3) => Value::Null,
        WitType::Option(some) if some.nullable() => json!({ "some": value(random, some) }),
        WitType::Option(some) => value(random, some),
        WitType::Enum(cases) => json!(cases[random.below(cases.len())]),
        WitType::Flags(names) => Value::Array(names.iter().filter(|_| random.once_in(3)).map(|n| json!(n)).collect()),
        WitType::Variant(cases) => {
            let (name, ty) = &cases[random.below(cases.len())];
            let held = ty.as_ref().map_or(Value::Null, |ty| value(random, ty));
            if random.once_in(4) { json!(name) } else { json!({ name: held }) }
        }
        WitType::Result { ok, err } => {
            let (name, ty) = if random.once_in(2) { ("ok", ok) } else { ("err", err) };
            let held = ty.as_ref().map_or(Value::Null, |ty| value(random, ty));
            json!({ name: held })
        }
    }
}

fn float(random: &mut Random) -> Value {
    match random.below(4) {
        0 => json!(random.one(&["NaN", "Infinity", "-Infinity"])),
        1 => json!(random.one(&[0.0, -0.0, 5e-324, 1.7e308, 0.1])),
        _ => json!(f64::from(random.byte()) / 7.0),
    }
}

fn text(random: &mut Random) -> Value {
    match random.below(12) {
        0 => json!("x".repeat(random.one(&[1, 63, 4_096, 70_000]))),
        _ => json!(random.one(&TEXTS)),
    }
}

/// A value of no type in particular.
fn anything(random: &mut Random) -> Value {
    match random.below(8) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(random.next()),
        3 => json!(-1.5e300),
        4 => json!(random.one(&TEXTS)),
        5 => json!([[], {}, null]),
        6 => json!({ "some": { "some": null } }),
        _ => (0..100).fold(json!(0), |inner, _| json!([inner])),
    }
}
