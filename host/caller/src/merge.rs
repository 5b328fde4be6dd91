//! Joins the answers of several domains with the module's own `merge`, in the local sandbox, with nothing granted: every
//! `open` in it answers `not-granted`. Who said what comes from the registry, not from the answers.

use std::sync::Arc;

use iog_home::Session;
use iog_inspect::{ExportFact, WitTypeFact};
use iog_machine::error::chain;
use iog_module::{Examined, Ground, Job};
use iog_protocol::run::ResultJson;
use iog_sandbox::{CancelFlag, Grants, NothingGranted, Provider, RunOutcome, Sandbox};
use serde_json::{Value, json};

use crate::report::{Merged, Part, PartOutcome};

/// The name of the export that joins answers.
pub const MERGE: &str = "merge";

/// The module that joins.
#[derive(Debug, Clone, Copy)]
pub struct Joiner<'a> {
    /// Its file.
    pub wasm: &'a [u8],
    /// What was found in the file.
    pub module: &'a Examined,
}

/// Merges the parts; every domain asked is one, also those without a result.
pub async fn merge(session: &Session, sandbox: &Sandbox, joiner: Joiner<'_>, call: &Answers<'_>) -> Merged {
    let facts = joiner.module.facts();
    let (Some(merge), Some(entry)) = (facts.export(MERGE), facts.export(call.entry)) else {
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
    let module = match joiner.module.load(sandbox, joiner.wasm).await {
        Ok(module) => module,
        Err(error) => return Merged::Failed { problem: chain(&error) },
    };
    let job = Job {
        module,
        entry: MERGE.to_owned(),
        params,
        provider: Provider { domain: session.home.domain().to_string(), asn: session.asn.map(|asn| asn.0) },
        // All that it imports is linked, for it must be there to answer that nothing is granted.
        grants: Grants::ALL.narrow(joiner.module.capabilities().imports.iter().map(String::as_str)),
        limits: iog_module::limits(&joiner.module.manifest().limits),
        cancel: CancelFlag::new(),
    };
    let nothing: Result<_, std::convert::Infallible> = Ok(Ground { host: Arc::new(NothingGranted), facts: () });
    let Ok((report, ())) = iog_module::execute(sandbox, job, std::future::ready(nothing)).await else {
        return Merged::Failed { problem: "the merge was not begun in time".to_owned() };
    };
    match report.outcome {
        RunOutcome::Succeeded { json } => match ResultJson::parse(json) {
            Ok(result) => Merged::Result { result, usage: report.usage },
            Err(error) => Merged::Failed { problem: format!("the merged result is not JSON: {error}") },
        },
        other => Merged::Failed { problem: iog_module::ended(&other) },
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
