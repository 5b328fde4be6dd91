//! Joins the answers of several domains with the module's own `merge`, in the local sandbox, with nothing granted: every
//! `open` in it answers `not-granted`. Who said what comes from the registry, not from the answers. Whatever becomes of it,
//! the parts stay what they are.

use std::sync::Arc;

use iog_inspect::{ExportFact, WitTypeFact};
use iog_machine::error::chain;
use iog_module::{Examined, Ground, Job, NotLoaded, ended};
use iog_protocol::ids::DomainId;
use iog_protocol::run::ResultJson;
use iog_sandbox::{
    CancelFlag, Grants, LimitKind, Limits, LoadError, NothingGranted, Provider, RunOutcome, Sandbox, TooLarge,
    TooMuchOf, Usage,
};
use serde_json::{Value, json};

use crate::merge_limits::{MergeLimits, Size};
use crate::report::{Merged, Part, PartOutcome, Why};
use crate::unmerged::Unmerged;

/// The name of the export that joins answers.
pub const MERGE: &str = "merge";

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

/// Merges the parts; every domain asked is one, also those without a result. Where the module's `merge` traps on one domain's
/// answer and not without it, the others are merged and that one is named.
pub async fn merge(sandbox: &Sandbox, joiner: Joiner<'_>, answers: &Answers<'_>) -> Merged {
    let why = match joined(sandbox, joiner, answers).await {
        Ok(Joint { result, usage }) => return Merged::Result { result, usage, without: None },
        Err(why) => why,
    };
    if matches!(why, Unmerged::Trapped { .. }) {
        let found = tokio::time::timeout(joiner.limits.wall, without_one(sandbox, joiner, answers)).await;
        if let Ok(Some((Joint { result, usage }, domain))) = found {
            return Merged::Result { result, usage, without: Some(domain) };
        }
    }
    Merged::Failed { why }
}

/// Looks for the one answer without which there is a joint answer, by leaving out half of those that may be it, and so on.
async fn without_one(sandbox: &Sandbox, joiner: Joiner<'_>, answers: &Answers<'_>) -> Option<(Joint, DomainId)> {
    let all: Vec<_> = answers.parts.iter().filter(|part| part.result().is_some()).map(|part| &part.domain).collect();
    let mut suspects = all.as_slice();
    while suspects.len() > 1 {
        let (first, second) = suspects.split_at(suspects.len() / 2);
        let joint = joined(sandbox, joiner, &Answers { parts: &left_out(answers.parts, first), ..*answers }).await;
        suspects = if joint.is_ok() { first } else { second };
    }
    let [domain] = suspects else { return None };
    let joint = joined(sandbox, joiner, &Answers { parts: &left_out(answers.parts, suspects), ..*answers }).await;
    joint.ok().map(|joint| (joint, (*domain).clone()))
}

/// The parts without these domains' answers.
fn left_out(parts: &[Part], domains: &[&DomainId]) -> Vec<Part> {
    let problem = "the module's merge traps on its answer";
    let mut parts = parts.to_vec();
    for part in parts.iter_mut().filter(|part| domains.contains(&&part.domain)) {
        part.outcome = PartOutcome::Missing(Why::Here { problem: problem.to_owned() });
    }
    parts
}

async fn joined(sandbox: &Sandbox, joiner: Joiner<'_>, answers: &Answers<'_>) -> Result<Joint, Unmerged> {
    let params = params(joiner.module, answers)?;
    let module = joiner.module.load(sandbox, joiner.wasm).await.map_err(|error| not_loaded(&error))?;
    let size = size(answers.parts);
    let mut limits = joiner.limits.of(&joiner.module.manifest().limits, size);
    limits.memory_bytes = limits.memory_bytes.min(sandbox.memory_bytes_max());
    let job = Job {
        module,
        entry: MERGE.to_owned(),
        params,
        provider: joiner.provider.clone(),
        // All that it imports is linked, for it must be there to answer that nothing is granted.
        grants: Grants::ALL.narrow(joiner.module.capabilities().imports.iter().map(String::as_str)),
        limits,
        cancel: CancelFlag::new(),
    };
    let nothing: Result<_, std::convert::Infallible> = Ok(Ground { host: Arc::new(NothingGranted), facts: () });
    let Ok((report, ())) = iog_module::execute(sandbox, job, std::future::ready(nothing)).await else {
        return Err(Unmerged::Here { problem: "the merge was not begun in time".to_owned() });
    };
    match report.outcome {
        RunOutcome::Succeeded { json } => match ResultJson::parse(json) {
            Ok(result) => Ok(Joint { result, usage: report.usage }),
            Err(error) => Err(Unmerged::Here { problem: format!("the merged result is not JSON: {error}") }),
        },
        other => Err(unmerged(&other, &limits, size, answers.parts)),
    }
}

/// The one parameter of `merge`: all parts.
fn params(module: &Examined, answers: &Answers<'_>) -> Result<Value, Unmerged> {
    let facts = module.facts();
    let shape = |problem: String| Unmerged::Shape { problem };
    let (Some(merge), Some(entry)) = (facts.export(MERGE), facts.export(answers.entry)) else {
        return Err(shape(format!("there is none for `{}`", answers.entry)));
    };
    merge
        .merges(entry)
        .map_err(|problem| shape(format!("it does not take what `{}` returns: {problem}", entry.name)))?;
    let Some((parameter, _)) = merge.params.first() else { return Err(shape("it takes no parts".to_owned())) };
    let parts = answers.parts.iter().map(|part| part_json(part, entry)).collect::<Result<Vec<_>, _>>();
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

/// Whether the entry itself returns `result<R, string>`, which is then the part's outcome as it is.
fn says_result(entry: &ExportFact) -> bool {
    matches!(&entry.result, Some(WitTypeFact::Result { err: Some(err), .. }) if *err.bare() == WitTypeFact::String)
}

fn size(parts: &[Part]) -> Size {
    let bytes = |part: &Part| match &part.outcome {
        PartOutcome::Result(result) => result.as_str().len() as u64,
        PartOutcome::Missing(why) => why.to_string().len() as u64,
    };
    Size { parts: parts.len() as u64, bytes: parts.iter().map(bytes).sum() }
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
