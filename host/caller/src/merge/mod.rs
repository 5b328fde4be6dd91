//! Joins the answers of several domains with the module's own `merge`, in the local sandbox, with nothing granted: every
//! `open` in it answers `not-granted`. Who said what comes from the registry, not from the answers. Whatever becomes of it,
//! the parts stay what they are.

mod spoilers;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iog_inspect::{ExportFact, WitTypeFact};
use iog_machine::error::chain;
use iog_module::{Examined, Ground, Job, NotLoaded, ended};
use iog_protocol::ids::DomainId;
use iog_protocol::run::ResultJson;
use iog_sandbox::{
    CancelFlag, Grants, LimitKind, Limits, LoadError, Module, NothingGranted, Provider, RunOutcome, Sandbox, TooLarge,
    TooMuchOf, Usage,
};
use serde_json::{Value, json};

use crate::merge_limits::{MergeLimits, Size};
use crate::report::{LeftOut, Merged, Part, PartOutcome, Spoils};
use crate::unmerged::Unmerged;

use spoilers::{Next, Search};

/// The name of the export that joins answers.
pub const MERGE: &str = "merge";
/// What `merge` is told of a domain whose answer is left out.
const LEFT_OUT: &str = "failed here: the answers cannot be joined with this one";

/// The module that joins.
#[derive(Debug, Clone, Copy)]
pub struct Joiner<'a> {
    /// Its file.
    pub wasm: &'a [u8],
    /// What was found in the file.
    pub module: &'a Examined,
    /// What `iog:guest/context` says: the caller's own domain.
    pub provider: &'a Provider,
    /// What the caller allows.
    pub limits: &'a MergeLimits,
}

/// What is to be merged.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    /// The entry that was called.
    pub entry: &'a str,
    /// What came of it. Answers are of the entry's type.
    pub parts: &'a [Part],
}

/// A joint answer and what it cost.
struct Joint {
    result: ResultJson,
    usage: Usage,
}

/// A merge that can be tried again with fewer of the answers.
struct Attempts<'a> {
    sandbox: &'a Sandbox,
    joiner: Joiner<'a>,
    answers: &'a Answers<'a>,
    module: Arc<Module>,
}

/// What an attempt is given.
struct Attempt<'a> {
    /// Places of the parts whose answers are left out of it.
    left_out: &'a BTreeSet<usize>,
    wall: Duration,
}

/// Merges the parts; every domain asked is one, also those without a result. Where the module's `merge` traps on some answers
/// or reaches a limit by them, and not without them, the others are merged and those are named. Looking for them takes at
/// most as long as a merge may.
pub async fn merge(sandbox: &Sandbox, joiner: Joiner<'_>, answers: &Answers<'_>) -> Merged {
    let module = match joiner.module.load(sandbox, joiner.wasm).await {
        Ok(module) => module,
        Err(error) => return Merged::Failed { why: not_loaded(&error) },
    };
    let wall = joiner.limits.wall;
    let attempts = Attempts { sandbox, joiner, answers, module };
    let begun = Instant::now();
    let why = match attempts.joined(Attempt { left_out: &BTreeSet::new(), wall }).await {
        Ok(Joint { result, usage }) => return Merged::Result { result, usage, without: Vec::new() },
        Err(why) => why,
    };
    if let Some(spoils) = Spoils::by(&why) {
        let each = attempt_wall(wall, spoils, begun.elapsed());
        let found = tokio::time::timeout(wall, attempts.without_spoilers(spoils, each)).await;
        if let Ok(Some((Joint { result, usage }, without))) = found {
            return Merged::Result { result, usage, without };
        }
    }
    Merged::Failed { why }
}

/// How long one attempt of a search may take. All answers together took `all`, and fewer take hardly longer; unless that was
/// all the time that there is, of which a thirty-second leaves time for some liars among hundreds.
fn attempt_wall(wall: Duration, spoils: Spoils, all: Duration) -> Duration {
    let least = wall / 32;
    if spoils == (Spoils::Limit { which: LimitKind::Time }) {
        least
    } else {
        least.max(all.saturating_mul(4)).min(wall)
    }
}

impl Attempts<'_> {
    /// Joins as many answers as go together. The smaller ones are kept first: of answers that are too much only together the
    /// largest is left out; the order in which the parts came says nothing.
    async fn without_spoilers(&self, why: Spoils, wall: Duration) -> Option<(Joint, Vec<LeftOut>)> {
        let parts = self.answers.parts;
        let answered = parts.iter().enumerate().filter_map(|(place, part)| Some((part.result()?, &part.domain, place)));
        let mut order: Vec<_> =
            answered.map(|(result, domain, place)| (result.as_str().len(), domain, place)).collect();
        order.sort_unstable();
        let mut search = Search::new(order.len(), why);
        loop {
            let mut left_out: BTreeSet<usize> = order.iter().map(|(_, _, place)| *place).collect();
            for number in search.attempt() {
                left_out.remove(&order[*number].2);
            }
            let attempt = self.joined(Attempt { left_out: &left_out, wall }).await;
            // What is nobody's answer's fault ends the search.
            let failure = match &attempt {
                Ok(_) => None,
                Err(why) => Some(Spoils::by(why)?),
            };
            match (search.told(failure), attempt) {
                (Next::Attempt, _) => {}
                (Next::Found, Ok(joint)) => {
                    let left_out = search.left_out().into_iter();
                    let mut named: Vec<_> =
                        left_out.map(|(number, why)| LeftOut { domain: order[number].1.clone(), why }).collect();
                    named.sort_unstable_by(|a, b| a.domain.cmp(&b.domain));
                    return Some((joint, named));
                }
                _ => return None,
            }
        }
    }

    async fn joined(&self, attempt: Attempt<'_>) -> Result<Joint, Unmerged> {
        let Joiner { module, provider, limits, .. } = self.joiner;
        let params = params(module, self.answers, attempt.left_out)?;
        let size = size(self.answers.parts, attempt.left_out);
        let mut limits = limits.of(&module.manifest().limits, size);
        limits.memory_bytes = limits.memory_bytes.min(self.sandbox.memory_bytes_max());
        limits.wall = attempt.wall;
        let job = Job {
            module: Arc::clone(&self.module),
            entry: MERGE.to_owned(),
            params: params.into(),
            provider: provider.clone(),
            // All that it imports is linked, for it must be there to answer that nothing is granted.
            grants: Grants::ALL.narrow(module.capabilities().imports.iter().map(String::as_str)),
            limits,
            cancel: CancelFlag::new(),
        };
        let nothing: Result<_, std::convert::Infallible> = Ok(Ground { host: Arc::new(NothingGranted), facts: () });
        let Ok((report, ())) = iog_module::execute(self.sandbox, job, std::future::ready(nothing)).await else {
            return Err(Unmerged::Here { problem: "the merge was not begun in time".to_owned() });
        };
        match report.outcome {
            RunOutcome::Succeeded { json } => match ResultJson::parse(json) {
                Ok(result) => Ok(Joint { result, usage: report.usage }),
                Err(error) => Err(Unmerged::Here { problem: format!("the merged result is not JSON: {error}") }),
            },
            other => Err(unmerged(&other, &limits, size, self.answers.parts)),
        }
    }
}

/// The one parameter of `merge`: all parts.
fn params(module: &Examined, answers: &Answers<'_>, left_out: &BTreeSet<usize>) -> Result<Value, Unmerged> {
    let facts = module.facts();
    let shape = |problem: String| Unmerged::Shape { problem };
    let (Some(merge), Some(entry)) = (facts.export(MERGE), facts.export(answers.entry)) else {
        return Err(shape(format!("there is none for `{}`", answers.entry)));
    };
    merge
        .merges(entry)
        .map_err(|problem| shape(format!("it does not take what `{}` returns: {problem}", entry.name)))?;
    let Some((parameter, _)) = merge.params.first() else { return Err(shape("it takes no parts".to_owned())) };
    let places = answers.parts.iter().enumerate();
    let one = |(place, part)| if left_out.contains(&place) { Ok(left_out_json(part)) } else { part_json(part, entry) };
    let parts = places.map(one).collect::<Result<Vec<_>, _>>();
    let unread = |e: serde_json::Error| Unmerged::Here { problem: format!("an answer cannot be read again: {e}") };
    Ok(json!({ parameter: parts.map_err(unread)? }))
}

/// One part as the guest contract has it: `record part { domain, asn, outcome: result<R, string> }`.
fn part_json(part: &Part, entry: &ExportFact) -> Result<Value, serde_json::Error> {
    let outcome = match &part.outcome {
        PartOutcome::Result(result) if says_result(entry) => result.to_value()?,
        PartOutcome::Result(result) => json!({ "ok": result.to_value()? }),
        PartOutcome::Missing(why) => json!({ "err": why.to_string() }),
    };
    Ok(json!({ "domain": part.domain, "asn": part.asn, "outcome": outcome }))
}

/// The part of a domain whose answer is there and not joined.
fn left_out_json(part: &Part) -> Value {
    json!({ "domain": part.domain, "asn": part.asn, "outcome": { "err": LEFT_OUT } })
}

/// Whether the entry itself returns `result<R, string>`, which is then the part's outcome as it is.
fn says_result(entry: &ExportFact) -> bool {
    matches!(&entry.result, Some(WitTypeFact::Result { err: Some(err), .. }) if *err.bare() == WitTypeFact::String)
}

fn size(parts: &[Part], left_out: &BTreeSet<usize>) -> Size {
    let bytes = |(place, part): (usize, &Part)| match &part.outcome {
        _ if left_out.contains(&place) => LEFT_OUT.len() as u64,
        PartOutcome::Result(result) => result.as_str().len() as u64,
        PartOutcome::Missing(why) => why.to_string().len() as u64,
    };
    Size { parts: parts.len() as u64, bytes: parts.iter().enumerate().map(bytes).sum() }
}

fn not_loaded(error: &NotLoaded) -> Unmerged {
    let problem = chain(error);
    match error {
        NotLoaded::OtherFile { .. } | NotLoaded::Engine(LoadError::Internal(_)) => Unmerged::Here { problem },
        NotLoaded::Engine(_) => Unmerged::Shape { problem },
    }
}

/// Why there is no joint answer: whose fault it is, which limit, and whose answer is the largest.
fn unmerged(outcome: &RunOutcome, limits: &Limits, size: Size, parts: &[Part]) -> Unmerged {
    let which = match outcome {
        RunOutcome::Limit(which) => *which,
        RunOutcome::ParamsTooLarge(TooLarge { of: TooMuchOf::Bytes, .. }) => LimitKind::Memory,
        // Nothing that the caller can allow more of.
        RunOutcome::ParamsTooLarge(TooLarge { of: TooMuchOf::Values, max, .. }) => {
            return Unmerged::Here {
                problem: format!("the answers together have more than {max} values; ask fewer domains"),
            };
        }
        RunOutcome::Trapped { kind } => return Unmerged::Trapped { kind: kind.to_string() },
        other => return Unmerged::Here { problem: ended(other) },
    };
    let max = match which {
        LimitKind::Fuel => limits.fuel,
        LimitKind::Memory => limits.memory_bytes as u64,
        LimitKind::Time => limits.wall.as_secs(),
        LimitKind::Output => limits.result_bytes as u64,
        LimitKind::HostCalls => limits.host_calls,
    };
    Unmerged::Limit { which, max, parts: size.parts, bytes: size.bytes, largest: largest(parts) }
}

fn largest(parts: &[Part]) -> Option<DomainId> {
    let answered = parts.iter().filter_map(|part| Some((part.result()?.as_str().len(), part)));
    answered.max_by_key(|(bytes, _)| *bytes).map(|(_, part)| part.domain.clone())
}

#[cfg(test)]
mod tests {
    use iog_sandbox::Blame;

    use super::*;

    #[test]
    fn a_caller_is_told_to_allow_more_only_of_what_it_can_allow() {
        let ended = |of| {
            let outcome = RunOutcome::ParamsTooLarge(TooLarge { blame: Blame::Caller, of, max: 7 });
            unmerged(&outcome, &Limits::default(), Size { parts: 2, bytes: 9 }, &[])
        };
        assert!(matches!(ended(TooMuchOf::Bytes), Unmerged::Limit { which: LimitKind::Memory, .. }));
        let values = ended(TooMuchOf::Values);
        assert_eq!((values.whose(), values.to_string().contains("7 values")), ("here", true), "{values}");
    }
}
