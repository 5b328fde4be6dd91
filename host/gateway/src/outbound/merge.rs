//! Joins the answers of several domains with the module's own `merge`, in the local sandbox, with nothing granted: every
//! `open` in it answers `not-granted`. Who said what comes from the registry, not from the answers.

use std::sync::Arc;

use iog_inspect::{ExportFact, WitTypeFact};
use iog_protocol::run::ResultJson;
use iog_sandbox::{CancelFlag, Grants, NothingGranted, Provider, RunOutcome, RunSpec, Runner as _};
use serde_json::{Value, json};

use super::report::{Merged, Part, PartOutcome};
use super::session::Session;
use crate::runs::run_limits;
use crate::services::Prepared;

/// The name of the export that joins answers.
pub const MERGE: &str = "merge";

/// Merges the parts; every domain asked is one, also those without a result.
pub async fn merge(session: &Session, runner: &iog_sandbox::Sandbox, module: &Prepared, call: &Answers<'_>) -> Merged {
    let (Some(merge), Some(entry)) = (module.facts.export(MERGE), module.facts.export(call.entry)) else {
        return Merged::Failed { problem: "the module has no `merge` for this entry".to_owned() };
    };
    if let Err(problem) = merge.merges(entry) {
        return Merged::Failed {
            problem: format!("the module's `merge` does not take what `{}` returns: {problem}", call.entry),
        };
    }
    let Some((parameter, _)) = merge.params.first() else {
        return Merged::Failed { problem: "the module's `merge` takes no parts".to_owned() };
    };
    let params = match call.parts.iter().map(|part| part_json(part, entry)).collect::<Result<Vec<_>, _>>() {
        Ok(parts) => json!({ parameter: parts }),
        Err(error) => return Merged::Failed { problem: format!("an answer cannot be read again: {error}") },
    };
    let spec = RunSpec {
        module: Arc::clone(&module.loaded),
        entry: MERGE.to_owned(),
        params,
        provider: Provider { domain: session.home.domain().to_string(), asn: session.asn.map(|asn| asn.0) },
        grants: Grants::ALL,
        limits: run_limits(module),
        cancel: CancelFlag::new(),
    };
    let report = runner.run(spec, Arc::new(NothingGranted)).await;
    match report.outcome {
        RunOutcome::Succeeded { json } => match ResultJson::parse(json) {
            Ok(result) => Merged::Result { result, usage: report.usage },
            Err(error) => Merged::Failed { problem: format!("the merged result is not JSON: {error}") },
        },
        other => Merged::Failed { problem: outcome_text(&other) },
    }
}

/// What is to be merged.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    /// The entry that was called.
    pub entry: &'a str,
    /// What came of it.
    pub parts: &'a [Part],
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
    matches!(&entry.result, Some(WitTypeFact::Result { err: Some(err), .. }) if **err == WitTypeFact::String)
}

/// How a local run ended, for people.
pub(crate) fn outcome_text(outcome: &RunOutcome) -> String {
    match outcome {
        RunOutcome::Succeeded { .. } => "succeeded".to_owned(),
        RunOutcome::Trapped { kind } => format!("trapped ({kind})"),
        RunOutcome::Limit(limit) => format!("a limit was reached ({limit:?})").to_lowercase(),
        RunOutcome::BadParams(problem) => format!("the parameters do not fit: {problem}"),
        RunOutcome::UnknownEntry { entry } => format!("there is no entry `{entry}`"),
        RunOutcome::NotGranted { interface } => format!("`{interface}` is not granted"),
        RunOutcome::Cancelled => "cancelled".to_owned(),
        RunOutcome::Failed(problem) => format!("failed here: {problem}"),
    }
}
