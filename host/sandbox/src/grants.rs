//! Which interfaces a run gets: a set of names out of the table. Whatever knows no interface by name goes through here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::interfaces::TABLE;

/// A set of interfaces of `iog:guest`, by their full names. `context`, the first of the table, is in every set: it says
/// nothing the caller does not know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<&'static str>")]
pub struct Grants(u32);

/// A name that no interface has. The fault of whoever wrote it: a module's author or a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no interface `{name}`; there are {}", Grants::ALL)]
pub struct UnknownInterface {
    /// The name.
    pub name: String,
}

const _: () = assert!(TABLE.len() <= u32::BITS as usize, "a set of interfaces is a `u32`");

/// The place of `context` in the table.
const CONTEXT: u32 = 1;

impl Grants {
    /// Every interface there is.
    pub const ALL: Self = Self(u32::MAX >> (u32::BITS as usize - TABLE.len()));

    /// The set of these interfaces.
    ///
    /// # Errors
    /// The first such name.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownInterface> {
        names.into_iter().try_fold(Self::default(), |set, name| {
            let bit = bit(name).ok_or_else(|| UnknownInterface { name: name.to_owned() })?;
            Ok(Self(set.0 | bit))
        })
    }

    /// Those of this set that are among `names`; other names mean nothing.
    #[must_use]
    pub fn narrow<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let named = names.into_iter().filter_map(bit).fold(0, |set, bit| set | bit);
        Self(self.0 & named | CONTEXT)
    }

    /// Whether the interface is in this set.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        bit(name).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Whether all of `other` is in this set.
    pub(crate) fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The full names, in the order of the table.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        TABLE.iter().enumerate().filter(move |(place, _)| self.0 & (1 << place) != 0).map(|(_, i)| i.name)
    }
}

impl Default for Grants {
    /// Only `context`.
    fn default() -> Self {
        Self(CONTEXT)
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.names().enumerate() {
            write!(f, "{}`{name}`", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl TryFrom<Vec<String>> for Grants {
    type Error = UnknownInterface;

    fn try_from(names: Vec<String>) -> Result<Self, UnknownInterface> {
        Self::of(names.iter().map(String::as_str))
    }
}

impl From<Grants> for Vec<&'static str> {
    fn from(grants: Grants) -> Self {
        grants.names().collect()
    }
}

fn bit(name: &str) -> Option<u32> {
    TABLE.iter().position(|interface| interface.name == name).map(|place| 1 << place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &str = "iog:guest/context@0.1.0";
    const DATA: &str = "iog:guest/data@0.1.0";
    const LOG: &str = "iog:guest/log@0.1.0";

    #[test]
    fn context_is_in_every_set() {
        assert_eq!(Grants::default().names().collect::<Vec<_>>(), [CONTEXT]);
        assert_eq!(Grants::of([]).unwrap(), Grants::default());
        assert_eq!(Grants::ALL.narrow([]), Grants::default());
        assert_eq!(Grants::of([LOG, DATA]).unwrap().names().collect::<Vec<_>>(), [CONTEXT, DATA, LOG]);
    }

    #[test]
    fn a_set_is_narrowed_and_never_widened() {
        let log = Grants::of([LOG]).unwrap();
        assert_eq!(log.narrow([DATA, LOG, "wasi:clocks/wall-clock@0.2.0"]), log);
        assert_eq!(log.narrow([DATA]), Grants::default());
        assert!(log.has(LOG) && !log.has(DATA) && !log.has("log"));
        assert!(Grants::ALL.covers(log) && !log.covers(Grants::ALL));
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_those_there_are() {
        let error = Grants::of([DATA, "iog:guest/data@0.2.0"]).unwrap_err();
        assert_eq!(error.name, "iog:guest/data@0.2.0");
        assert!(error.to_string().contains("there are `iog:guest/context@0.1.0`, `"), "{error}");
    }

    #[test]
    fn a_set_is_plain_data() {
        let json = serde_json::to_string(&Grants::of([DATA]).unwrap()).unwrap();
        assert_eq!(json, format!("[\"{CONTEXT}\",\"{DATA}\"]"));
        assert_eq!(serde_json::from_str::<Grants>(&json).unwrap(), Grants::of([DATA]).unwrap());
        assert!(serde_json::from_str::<Grants>("[\"clock\"]").is_err());
    }
}
