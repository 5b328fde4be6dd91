//! The parameters of a run as they were sent: text. Read as JSON they take up to a hundred times as much memory, so that who has
//! many requests reads them one by one, when it is each one's turn.

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON value that is kept as its text: well-formed, with numbers and nesting as `serde_json` reads them.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Params {
    text: Box<RawValue>,
    #[serde(skip)]
    members: Option<usize>,
}

impl Params {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.get()
    }

    /// The whole value, for who has one of them at a time.
    ///
    /// # Errors
    /// Where it is nested deeper than is read.
    pub fn value(&self) -> serde_json::Result<Value> {
        serde_json::from_str(self.text())
    }

    /// How many members the object has; `None` where it is none. One that is there twice counts twice.
    #[must_use]
    pub fn members(&self) -> Option<usize> {
        self.members
    }

    /// One member, the last of its name; nothing but that is read.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.find(name)?.get()).ok()
    }

    /// The same where it is a text.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.find(name)?.get()).ok()
    }

    fn find(&self, name: &str) -> Option<&RawValue> {
        serde_json::Deserializer::from_str(self.text()).deserialize_map(Member(name)).ok().flatten()
    }
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let Shape(members) = serde_json::from_str(text.get()).map_err(de::Error::custom)?;
        Ok(Self { text, members })
    }
}

impl From<Value> for Params {
    fn from(value: Value) -> Self {
        let members = value.as_object().map(serde_json::Map::len);
        let text = serde_json::value::to_raw_value(&value).expect("a JSON value has a text");
        Self { text, members }
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Params {}

/// Reads all of a value and keeps nothing but how many members it has.
struct Shape(Option<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        while items.next_element::<Shape>()?.is_some() {}
        Ok(Shape(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Shape, A::Error> {
        let mut count = 0;
        while members.next_entry::<Shape, Shape>()?.is_some() {
            count += 1;
        }
        Ok(Shape(Some(count)))
    }
}

/// Finds a member, as text.
struct Member<'n>(&'n str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Name(name)) = members.next_key()? {
            let value: &'de RawValue = members.next_value()?;
            if name == self.0 {
                found = Some(value);
            }
        }
        Ok(found)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Params, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn the_text_stays_as_it_was_and_a_value_becomes_the_text_it_always_had() {
        let sent = r#"{"b": 1.50, "a": [ ]}"#;
        let params = read(sent).unwrap();
        assert_eq!((params.text(), params.members()), (sent, Some(2)));
        assert_eq!(serde_json::to_string(&params).unwrap(), sent);
        let value = json!({"b": 1, "a": ["x"]});
        assert_eq!(Params::from(value.clone()).text(), value.to_string());
        assert_eq!(Params::from(value).members(), Some(2));
        assert_eq!(Params::from(json!([1])).members(), None);
    }

    #[test]
    fn a_member_is_the_one_that_is_read_in_the_end() {
        let twice = r#"{"target": "a", "target": {"x": 1}, "t\u0061rget": "last", "other": 7}"#;
        let params = read(twice).unwrap();
        let whole: Value = serde_json::from_str(twice).unwrap();
        for name in ["target", "other", "absent"] {
            assert_eq!(params.member(name).as_ref(), whole.get(name), "{name}");
        }
        assert_eq!(params.text_of("target").as_deref(), Some("last"));
        assert_eq!(params.text_of("other"), None, "a number is no text");
        assert_eq!(params.members(), Some(4), "each time it is written counts");
        assert_eq!(read("[1]").unwrap().member("target"), None);
    }

    #[test]
    fn what_cannot_be_read_as_a_value_is_refused_at_once() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in ["", "{", "{\"a\":1e999}", "\"\\ud800\"", "[1,]", &deep] {
            assert!(read(text).is_err(), "{text}");
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
    }
}
