//! What is about to be signed, whole: every member of the payload as it will be signed, in groups, one value a line. It is
//! made of the bytes, not of what we understand of them, and says which of them this version does not understand.

use std::collections::BTreeMap;

use iog_protocol::statements::{Statement, parse_payload};
use serde::Serialize;
use serde_json::Value;

/// Values that are shown: a statement has at most 65,535 bytes, and each value takes more than two of them.
const VALUES_MAX: usize = 32 * 1024;

/// Why a statement cannot be shown as a whole, and so must not be signed.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// It is not a statement.
    #[error("it does not hold a statement: {0}")]
    Statement(String),
    /// It holds more than anybody reads.
    #[error("it has more than {VALUES_MAX} values")]
    Long,
    /// It says something that this version does not know; whoever signs it would not know what.
    #[error("this version does not know `{path}`, which the statement holds: update `iog` before you sign it")]
    Unknown {
        /// The member.
        path: String,
    },
}

/// A value by its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Where it stands, such as `auditors[0].key`.
    pub path: String,
    /// The value as JSON has it, text without its quotes.
    pub value: String,
}

/// The members below one member of the predicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub members: Vec<Member>,
}

/// A whole statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SigningSheet {
    /// The statement without its predicate: what it is about and of which kind.
    pub about: Vec<Member>,
    /// The predicate.
    pub groups: Vec<Group>,
}

impl SigningSheet {
    /// The sheet of a payload, exactly as it will be signed.
    ///
    /// # Errors
    /// [`NotShown`]: it must not be signed then.
    pub fn of(payload: &[u8]) -> Result<Self, NotShown> {
        let statement = parse_payload(payload).map_err(|error| NotShown::Statement(error.to_string()))?;
        let mut whole: Value =
            serde_json::from_slice(payload).map_err(|error| NotShown::Statement(error.to_string()))?;
        all_known(&whole, &statement)?;
        let predicate = whole.as_object_mut().and_then(|whole| whole.remove("predicate")).unwrap_or_default();
        let mut groups: Vec<Group> = Vec::new();
        for member in members(&predicate)? {
            let name = member.path.split(['.', '[']).next().unwrap_or_default().to_owned();
            match groups.last_mut().filter(|group| group.name == name) {
                Some(group) => group.members.push(member),
                None => groups.push(Group { name, members: vec![member] }),
            }
        }
        Ok(Self { about: members(&whole)?, groups })
    }
}

/// Fails unless what we understand, written again, says all that the payload says.
fn all_known(whole: &Value, statement: &Statement) -> Result<(), NotShown> {
    let known = serde_json::to_value(statement).map_err(|error| NotShown::Statement(error.to_string()))?;
    let known: BTreeMap<String, String> = members(&known)?.into_iter().map(|it| (it.path, it.value)).collect();
    let unknown = members(whole)?.into_iter().find(|member| known.get(&member.path) != Some(&member.value));
    unknown.map_or(Ok(()), |member| Err(NotShown::Unknown { path: member.path }))
}

fn members(value: &Value) -> Result<Vec<Member>, NotShown> {
    let mut found = Vec::new();
    gather(value, "", &mut found)?;
    Ok(found)
}

fn gather(value: &Value, path: &str, found: &mut Vec<Member>) -> Result<(), NotShown> {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let dot = if path.is_empty() { "" } else { "." };
            members.iter().try_for_each(|(name, inner)| gather(inner, &format!("{path}{dot}{name}"), found))
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().try_for_each(|(at, inner)| gather(inner, &format!("{path}[{at}]"), found))
        }
        leaf => {
            if found.len() >= VALUES_MAX {
                return Err(NotShown::Long);
            }
            let value = leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned);
            found.push(Member { path: path.to_owned(), value });
            Ok(())
        }
    }
}
