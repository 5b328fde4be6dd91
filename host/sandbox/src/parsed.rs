//! Parameters that come as text, read in the run's slot. A text is weighed before it is read, so that what it becomes meanwhile
//! is charged to the run as its values are.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::allowance::Allowance;
use crate::json_in::Unread;
use crate::params::Params;
use crate::sizes::ALLOCATION_BYTES;
use crate::spec::ValueError;

/// The JSON, and the bytes of it that were charged.
pub(crate) fn read(params: Params, room: &mut Allowance<'_>) -> Result<(Value, usize), Unread> {
    let text = match params {
        Params::Read(value) => return Ok((value, 0)),
        Params::Text(text) => text,
    };
    let Weight(bytes) = serde_json::from_str(&text).map_err(unreadable)?;
    room.json(bytes)?;
    serde_json::from_str(&text).map(|value| (value, bytes)).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> Unread {
    Unread::Misfit(ValueError { path: "$".into(), expected: "JSON".into(), found: error.to_string() })
}

/// What a JSON value holds when it has been read, its own place apart, in bytes.
struct Weight(usize);

/// Places that a list or object has room for at least.
const PLACES_MIN: usize = 4;
/// A member of an object: its name's head, its value, its hash, and its place in the index.
const MEMBER_BYTES: usize = size_of::<String>() + size_of::<Value>() + 4 * size_of::<usize>();

impl Weight {
    fn text(len: usize) -> Self {
        Self(if len == 0 { 0 } else { len.saturating_add(ALLOCATION_BYTES) })
    }

    /// So many places at the moment at which they have grown: the former ones are there as well.
    fn places(count: usize, each_bytes: usize) -> usize {
        if count == 0 {
            return 0;
        }
        let places = count.max(PLACES_MIN).checked_next_power_of_two().unwrap_or(usize::MAX);
        places.saturating_add(places / 2).saturating_mul(each_bytes).saturating_add(2 * ALLOCATION_BYTES)
    }
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Weighing)
    }
}

struct Weighing;

impl<'de> Visitor<'de> for Weighing {
    type Value = Weight;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Weight, E> {
        Ok(Weight(0))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Weight, E> {
        Ok(Weight(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Weight, E> {
        Ok(Weight(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Weight, E> {
        Ok(Weight(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Weight, E> {
        Ok(Weight(0))
    }

    fn visit_str<E>(self, text: &str) -> Result<Weight, E> {
        Ok(Weight::text(text.len()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Weight, A::Error> {
        let (mut count, mut inner) = (0, 0_usize);
        while let Some(Weight(item)) = items.next_element()? {
            (count, inner) = (count + 1, inner.saturating_add(item));
        }
        Ok(Weight(inner.saturating_add(Weight::places(count, size_of::<Value>()))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Weight, A::Error> {
        let (mut count, mut inner) = (0, 0_usize);
        while let Some((Weight(name), Weight(value))) = members.next_entry()? {
            (count, inner) = (count + 1, inner.saturating_add(name).saturating_add(value));
        }
        Ok(Weight(inner.saturating_add(Weight::places(count, MEMBER_BYTES))))
    }
}
