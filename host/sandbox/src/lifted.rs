//! What the values that a guest hands over hold on the host, for each byte that the engine charges for them. The engine charges
//! a set of flags for the letters of its names; as values they are a text of its own each. So what may be handed over is
//! counted in bytes of the host, and given to the engine in bytes of its own, by the worst that values of the type can hold.

use crate::sizes::{ALLOCATION_BYTES, FIELD_BYTES, NAME_BYTES, VALUE_BYTES};
use crate::wit_type::WitType;

/// Places that the shortest list has room for; a list grows by doubling.
const PLACES_MIN: usize = 4;
/// Places that a list has for each value at the worst moment: twice as many, and the former ones besides while it grows.
const PLACES_A_VALUE: i64 = 3;
/// Above the factor of every type; that of lists of flags is some 33.
const FACTOR_MAX: i64 = 256;

/// What is held at most: something whatever is handed over, and so much for each byte that the engine charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostCost {
    fixed: usize,
    factor: usize,
}

impl HostCost {
    /// Of what host calls take as arguments: numbers, texts, and lists of variants of them. The worst is a list of texts of one
    /// byte; a result of the host's interfaces would say so in its type, these are types of this crate.
    pub(crate) const OF_ARGUMENTS: Self = Self { fixed: 256, factor: 5 };

    /// Of an entry without a result.
    pub(crate) const OF_NOTHING: Self = Self { fixed: 0, factor: 1 };

    /// Of values of a type.
    pub(crate) fn of(ty: &WitType) -> Self {
        let (mut low, mut high) = (PLACES_A_VALUE, FACTOR_MAX);
        while low < high {
            let factor = i64::midpoint(low, high);
            if beyond(ty, factor).is_some() { high = factor } else { low = factor + 1 }
        }
        let fixed = beyond(ty, low).unwrap_or(i64::MAX);
        Self { fixed: usize::try_from(fixed).unwrap_or(0), factor: usize::try_from(low).unwrap_or(1) }
    }

    /// What the engine may charge where the host has room for so many bytes.
    pub(crate) fn charge_for(self, room: usize) -> usize {
        room.saturating_sub(self.fixed) / self.factor
    }
}

/// The most that a value of the type holds beyond `factor` times what is charged for it, without the place it lies in; `None`
/// where there is no most, because an element of a list holds more by itself.
fn beyond(ty: &WitType, factor: i64) -> Option<i64> {
    let place = bytes(VALUE_BYTES);
    let boxed = |ty: &WitType| Some((place + ALLOCATION + beyond(ty, factor)? - factor * place).max(0));
    let name = |name: &str| text(name.len()) - factor * bytes(name.len());
    Some(match ty {
        WitType::String => (text(1) - factor).max(0),
        WitType::List(item) => {
            let each = PLACES_A_VALUE * place + beyond(item, factor)? - factor * place;
            if each > 0 {
                return None;
            }
            (bytes(PLACES_MIN * VALUE_BYTES) + ALLOCATION + each).max(0)
        }
        WitType::Tuple(types) => {
            let charged = factor * bytes(types.len() * VALUE_BYTES);
            sum(types.iter().map(|ty| beyond(ty, factor)))? + places(types.len(), VALUE_BYTES) - charged
        }
        WitType::Record(fields) => {
            let charged = factor * bytes(fields.len() * VALUE_BYTES);
            let inner = sum(fields.iter().map(|(n, ty)| Some(name(n) + beyond(ty, factor)?)))?;
            inner + places(fields.len(), FIELD_BYTES) - charged
        }
        WitType::Variant(cases) => {
            let case = |(n, ty): &(String, Option<WitType>)| Some(name(n) + ty.as_ref().map_or(Some(0), boxed)?);
            most(cases.iter().map(case))?
        }
        WitType::Enum(cases) => most(cases.iter().map(|n| Some(name(n))))?,
        WitType::Option(some) => boxed(some)?,
        WitType::Result { ok, err } => most([ok, err].into_iter().flatten().map(|ty| boxed(ty)))?.max(0),
        WitType::Flags(names) => {
            let set: i64 = names.iter().map(|n| name(n).max(0)).sum();
            set + places(names.len(), NAME_BYTES)
        }
        _ => 0,
    })
}

const ALLOCATION: i64 = ALLOCATION_BYTES as i64;

fn bytes(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A text of so many bytes.
fn text(len: usize) -> i64 {
    bytes(len) + ALLOCATION
}

/// A list with so many places in use, at the moment at which it has grown.
fn places(count: usize, each_bytes: usize) -> i64 {
    let places = count.max(PLACES_MIN).next_power_of_two();
    bytes((places + places / 2) * each_bytes) + ALLOCATION
}

fn sum(parts: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    parts.sum()
}

fn most(parts: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    parts.collect::<Option<Vec<_>>>().map(|parts| parts.into_iter().max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Val;

    use super::*;

    fn flags() -> WitType {
        WitType::Flags((0..32).map(|n| char::from(b'a' + n % 26).to_string()).collect())
    }

    fn list(of: WitType) -> WitType {
        WitType::List(Box::new(of))
    }

    fn record(fields: usize, of: &WitType) -> WitType {
        WitType::Record(('a'..='z').cycle().take(fields).map(|name| (name.to_string(), of.clone())).collect())
    }

    fn factor(ty: &WitType) -> usize {
        HostCost::of(ty).factor
    }

    #[test]
    fn what_repeats_decides_the_factor_and_what_is_there_once_does_not() {
        assert_eq!(factor(&WitType::U8), 3);
        assert_eq!(factor(&list(WitType::U8)), 3);
        assert!((4..=6).contains(&factor(&list(list(WitType::U8)))));
        let wide = factor(&list(record(64, &WitType::Bool)));
        assert!((4..=7).contains(&wide), "{wide}");
        let many = factor(&list(flags()));
        assert!((30..=40).contains(&many), "{many}");
        let once = WitType::Record(vec![("of".into(), flags()), ("bytes".into(), list(WitType::U8))]);
        let cost = HostCost::of(&once);
        assert_eq!(cost.factor, 3, "the flags are there once");
        assert!((2_000..6_000).contains(&cost.fixed), "{cost:?}");
        assert_eq!(cost.charge_for(cost.fixed + 300), 100);
        assert_eq!(cost.charge_for(10), 0);
    }

    /// Bytes that a value holds on the host, and that the engine charges for it, its own place apart.
    fn held_and_charged(val: &Val) -> (usize, usize) {
        let text = |s: &String| (if s.is_empty() { 0 } else { s.capacity() + ALLOCATION_BYTES }, s.len());
        let add = |a: (usize, usize), b: (usize, usize)| (a.0 + b.0, a.1 + b.1);
        let all = |items: &[Val], room: usize| {
            let own = (if room == 0 { 0 } else { room * VALUE_BYTES + ALLOCATION_BYTES }, items.len() * VALUE_BYTES);
            items.iter().map(held_and_charged).fold(own, add)
        };
        let boxed = |val: &Val| add(held_and_charged(val), (VALUE_BYTES + ALLOCATION_BYTES, VALUE_BYTES));
        match val {
            Val::String(s) | Val::Enum(s) => text(s),
            Val::List(items) | Val::Tuple(items) => all(items, items.capacity()),
            Val::Record(fields) => {
                let own = (fields.capacity() * FIELD_BYTES + ALLOCATION_BYTES, fields.len() * VALUE_BYTES);
                fields.iter().map(|(n, val)| add(text(n), held_and_charged(val))).fold(own, add)
            }
            Val::Variant(n, val) => add(text(n), val.as_deref().map_or((0, 0), boxed)),
            Val::Option(val) | Val::Result(Ok(val) | Err(val)) => val.as_deref().map_or((0, 0), boxed),
            Val::Flags(names) => {
                let own = if names.capacity() == 0 { 0 } else { names.capacity() * NAME_BYTES + ALLOCATION_BYTES };
                names.iter().map(text).fold((own, 0), add)
            }
            _ => (0, 0),
        }
    }

    /// A value as the engine builds it: lists grow by doubling.
    fn grown<T>(items: impl Iterator<Item = T>) -> Vec<T> {
        let mut all = Vec::new();
        items.for_each(|item| all.push(item));
        all
    }

    /// The heaviest values, with lists of a few lengths.
    fn heavy(ty: &WitType, len: usize) -> Val {
        let boxed = |ty: &WitType| Some(Box::new(heavy(ty, len)));
        match ty {
            WitType::String => Val::String("x".into()),
            WitType::List(item) => Val::List(grown((0..len).map(|_| heavy(item, len)))),
            WitType::Tuple(types) => Val::Tuple(grown(types.iter().map(|ty| heavy(ty, len)))),
            WitType::Record(fields) => Val::Record(grown(fields.iter().map(|(n, ty)| (n.clone(), heavy(ty, len))))),
            WitType::Variant(cases) => {
                let (n, ty) = cases.last().unwrap();
                Val::Variant(n.clone(), ty.as_ref().and_then(boxed))
            }
            WitType::Enum(cases) => Val::Enum(cases[0].clone()),
            WitType::Option(some) => Val::Option(boxed(some)),
            WitType::Result { ok, .. } => Val::Result(Ok(ok.as_deref().and_then(boxed))),
            WitType::Flags(names) => Val::Flags(grown(names.iter().cloned())),
            _ => Val::Bool(true),
        }
    }

    #[test]
    fn no_value_holds_more_than_its_type_says() {
        let named = |name: &str| WitType::Enum(vec![name.into()]);
        let option = |ty| WitType::Option(Box::new(ty));
        let of = [
            WitType::U8,
            WitType::String,
            flags(),
            named("a"),
            named("a-name-of-some-length"),
            record(1, &WitType::Bool),
            record(33, &named("a")),
            WitType::Tuple(vec![WitType::U8]),
            WitType::Tuple(vec![flags(), option(record(5, &WitType::String))]),
            option(option(option(WitType::U8))),
            WitType::Variant(vec![("a".into(), None), ("b".into(), Some(flags()))]),
            WitType::Result { ok: Some(Box::new(list(flags()))), err: None },
            list(list(WitType::Tuple(vec![list(WitType::U8)]))),
        ];
        for ty in of.iter().flat_map(|ty| [ty.clone(), list(ty.clone()), record(2, &list(list(ty.clone())))]) {
            let cost = HostCost::of(&ty);
            for len in [0, 1, 2, 3, 4, 5, 9, 17] {
                let (held, charged) = held_and_charged(&heavy(&ty, len));
                assert!(held <= cost.fixed + cost.factor * charged, "{ty}, {len}: {held} of {charged}, {cost:?}");
                assert!(cost.factor < usize::try_from(FACTOR_MAX).unwrap(), "{ty}: {cost:?}");
            }
        }
    }
}
