//! Who may give a notice: any member, once in the same words.

use super::error::Invalid;
use super::state::State;
use crate::ids::DomainId;
use crate::registry::entry::Entry;
use crate::registry::flaw::{Flaw, member};
use crate::registry::states::States;
use crate::statements::Predicate;

/// What a notice changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who spoke.
    pub author: DomainId,
}

/// A notice that is to be kept.
pub(crate) struct Effect {
    author: DomainId,
    text: String,
}

impl Effect {
    pub(crate) fn change(&self) -> Change {
        Change { author: self.author.clone() }
    }
}

pub(crate) fn judge(states: &States, own: &State, entry: &Entry) -> Result<Effect, Invalid> {
    let Predicate::Notice(notice) = &entry.statement.predicate else { return Err(Flaw::OtherFamily.into()) };
    let signers = entry.signers(|id| states.members.by_caller_key_id(id).map(|member| member.record.caller_key))?;
    let author = states.members.iter().find(|member| signers.contains(&member.record.caller_key));
    let author = author.ok_or(Flaw::TooFewSigners { who: "a member", needed: 1, found: 0 })?.record.id.clone();
    member(notice.text.len() <= 280, "text", "at most 280 bytes")?;
    let repeated = own.notices.iter().any(|(who, text)| (who, text) == (&author, &notice.text));
    if repeated { Err(Invalid::Repeated) } else { Ok(Effect { author, text: notice.text.clone() }) }
}

pub(crate) fn commit(own: &mut State, _index: u64, effect: Effect) {
    own.notices.push((effect.author, effect.text));
}
