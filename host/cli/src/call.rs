//! `iog call`: one question to one provider or to all, and what came back. Exit code 0 when everybody answered, 1 when
//! nobody did, 3 when some did not.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use iog_caller::merge_limits::MEMORY_BYTES_DEFAULT_MAX;
use iog_caller::{
    CallError, CallEvent, CallReport, CallSpec, Caller, Events, LeftOut, LimitKind, MergeLimits, Merged, Part,
    PartOutcome, Unmerged, Whom, Why, call,
};
use iog_desk::views::{CallView, Shown};
use iog_home::Home;
use iog_inspect::WitTypeFact;
use iog_machine::Machine;
use iog_protocol::ids::RequestId;
use iog_protocol::run::ResultJson;
use iog_sandbox::{Sandbox, SandboxConfig};
use serde_json::{Map, Value};

use crate::args::{CallArgs, MergeArgs};
use crate::ui::{Progress, Text, Tone, Ui, counted, size};
use crate::{call_help, parts, runtime};

/// Providers asked at the same time.
const PARALLEL_MAX: usize = 32;
/// The exit code of a partial answer.
const PARTIAL: u8 = 3;

pub(crate) fn run(ui: Ui, args: &CallArgs) -> Result<ExitCode> {
    let sandbox = sandbox(&args.merge)?;
    if args.help {
        return call_help::run(ui, args, &sandbox);
    }
    ensure!(args.all || !args.domain.is_empty(), "say whom to ask: --all, or --domain DOMAIN");
    let home = Home::open(&args.home.home)?;
    let caller = Caller { home: &home, machine: &Machine::default(), sandbox: &sandbox };
    let spec = spec(args)?;
    let drawn = Drawn(ui.spinner("bringing the registry up to date"));
    let report = runtime::start()?.block_on(call(caller, &spec, &drawn));
    drawn.0.end();
    let report = report.map_err(|error| not_called(error, args))?;
    print(ui, &report, home.root());
    ui.view(&CallView::of(&report)?)?;
    Ok(match report.answered() {
        all if all == report.parts.len() => ExitCode::SUCCESS,
        0 => ExitCode::FAILURE,
        _ => ExitCode::from(PARTIAL),
    })
}

/// Why there was no call, and where parameters do not fit what shows those that would.
fn not_called(error: CallError, args: &CallArgs) -> anyhow::Error {
    match error {
        CallError::Params(misfit) => {
            let service = args.service.as_deref().unwrap_or_default();
            anyhow!("{misfit}; `iog call {service} --help` shows what it takes").context("nobody was asked")
        }
        other => anyhow::Error::from(other).context("the call did not come to be"),
    }
}

/// One place, with as much memory as a merge may take.
fn sandbox(merge: &MergeArgs) -> Result<Sandbox> {
    let memory = merge.merge_memory_mib.map_or(MEMORY_BYTES_DEFAULT_MAX, |mib| mib << 20);
    let memory_bytes_max = usize::try_from(memory).context("this machine cannot address so much memory")?;
    Ok(Sandbox::new(&SandboxConfig { runs_max: 1, memory_bytes_max, ..SandboxConfig::default() })?)
}

fn spec(args: &CallArgs) -> Result<CallSpec> {
    let domains =
        args.domain.iter().map(|domain| domain.parse().with_context(|| format!("`{domain}` is not a domain id")));
    let whom = if args.all { Whom::Relevant { asn: None } } else { Whom::Domains(domains.collect::<Result<_>>()?) };
    let entry =
        args.entry.as_ref().map(|entry| entry.parse().with_context(|| format!("`{entry}` is not an entry name")));
    Ok(CallSpec {
        what: args.service.as_deref().unwrap_or_default().parse().map_err(anyhow::Error::msg)?,
        entry: entry.transpose()?,
        params: params(&args.param)?,
        purpose: args.purpose.clone(),
        whom,
        deadline: Duration::from_secs(args.wait),
        parallel_max: PARALLEL_MAX,
        merge: args.all || args.domain.len() > 1,
        merge_limits: MergeLimits {
            memory_bytes: args.merge.merge_memory_mib.map(|mib| mib << 20),
            result_bytes: args.merge.merge_result_kib.map(|kib| kib << 10),
            wall: Duration::from_secs(args.merge.merge_wait),
        },
    })
}

/// Parameters from `NAME=VALUE`: a value that is JSON counts as such, anything else is text.
pub(crate) fn params(given: &[String]) -> Result<Value> {
    let mut params = Map::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            bail!("`{text}` should be NAME=VALUE, for example target=203.0.113.10");
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        ensure!(params.insert(name.to_owned(), value).is_none(), "the parameter `{name}` is given twice");
    }
    Ok(Value::Object(params))
}

/// Draws a call as it goes on.
struct Drawn(Progress);

impl Events for Drawn {
    fn event(&self, event: CallEvent) {
        match event {
            CallEvent::Synced { offline: Some(why), .. } => {
                tracing::warn!(%why, "the center is away; going on with what this home holds");
            }
            CallEvent::Synced { .. } => {}
            CallEvent::Found { domains } => {
                self.0.of(domains.len() as u64);
                self.0.says(&format!("asking {} domains", domains.len()));
            }
            CallEvent::Asked { .. } => {}
            CallEvent::Answered { domain, .. } => self.0.says(&format!("`{domain}` answered")),
            // Why is in the table, once for all of which it is the same.
            CallEvent::Missing { domain, .. } => self.0.says(&format!("`{domain}` gave no answer")),
            CallEvent::Merging { answers } => self.0.says(&format!("merging {answers} answers")),
        }
    }
}

/// Prints what came back; `home` is the caller's.
pub(crate) fn print(ui: Ui, report: &CallReport, home: &Path) {
    ui.line(format!("{}@{} `{}`", report.module_name, report.module_version, report.entry));
    ui.line(format!("  {}", report.module));
    if let Some(why) = &report.offline {
        ui.prose(Text::toned(Tone::Warn, &format!("the center is away ({why}); used the registry at hand")));
    }
    parts::print(ui, &report.parts, |_, part| match &part.receipt {
        Some(receipt) => format!("leaf {}", receipt.leaf_index).into(),
        None => "none".into(),
    });
    match &report.merged {
        Some(Merged::Result { result, without, .. }) => {
            print_result(ui, "merged answer", report.returns.merge.as_ref(), result);
            for LeftOut { domain, why } in without {
                ui.prose(Text::toned(Tone::Bad, &format!("merged without the answer of `{domain}`: {why}")));
            }
        }
        Some(Merged::Failed { why }) => {
            print_parts(ui, report);
            ui.prose(Text::toned(Tone::Bad, &format!("not merged: {why}{}", remedy(why))));
        }
        None => print_parts(ui, report),
    }
    print_unknown(ui, &report.parts, home);
    ui.gap();
    let (asked, answered) = (counted(report.parts.len() as u64, "domain", "domains"), report.answered());
    ui.prose(format!("{answered} of {asked} answered; {} left them", size(report.left_bytes())));
    if let Some(bundle) = report.parts.iter().find_map(|part| part.bundle.as_ref()) {
        let folder = bundle.parent().unwrap_or(bundle);
        ui.prose("receipts are kept; verify them offline with");
        ui.line(format!("  iog receipt verify {} --home {}", folder.display(), home.display()));
    }
}

fn print_parts(ui: Ui, report: &CallReport) {
    for part in &report.parts {
        if let Some(result) = part.result() {
            print_result(ui, part.domain.as_str(), report.returns.entry.as_ref(), result);
        }
    }
}

/// Says of gateways that were lost on the way how the receipts of runs that nobody here knows of can be had.
fn print_unknown(ui: Ui, parts: &[Part], home: &Path) {
    let lost = |part: &&Part| {
        let lost = matches!(&part.outcome, PartOutcome::Missing(Why::Unreachable { .. } | Why::TimedOut { .. }));
        lost && part.receipt.is_none()
    };
    let lost: Vec<(&Part, &RequestId)> =
        parts.iter().filter(lost).filter_map(|part| Some((part, part.request_id.as_ref()?))).collect();
    if lost.is_empty() {
        return;
    }
    ui.title("not known here");
    ui.words(
        "These gateways went away or gave no answer. If the request had reached them, the run has an answer and a receipt all \
         the same, and asking again is another run. No command of iog fetches them later yet; the gateway gives them to this \
         domain's certificate and token:",
    );
    let rows = lost.iter().map(|(part, id)| {
        let address = part.address.as_deref().unwrap_or("not in the registry");
        vec![part.domain.to_string(), address.to_owned(), id.to_string()]
    });
    ui.table(&["domain", "address", "request"], &rows.collect::<Vec<_>>());
    let home = home.display();
    ui.line(format!("  curl --cacert {home}/tls/ca.pem --cert {home}/tls/identity.pem \\"));
    ui.line(format!("    -H \"Authorization: Bearer $(jq -r .token {home}/token.json)\" \\"));
    ui.line("    https://ADDRESS/v1/runs/REQUEST");
}

/// What its caller can do about a merge that failed.
fn remedy(why: &Unmerged) -> &'static str {
    match why {
        Unmerged::Limit { which: LimitKind::Memory, .. } => "; allow more with --merge-memory-mib",
        Unmerged::Limit { which: LimitKind::Output, .. } => "; allow more with --merge-result-kib",
        Unmerged::Limit { which: LimitKind::Time, .. } => "; allow more with --merge-wait",
        _ => "",
    }
}

fn print_result(ui: Ui, name: &str, ty: Option<&WitTypeFact>, result: &ResultJson) {
    ui.title(name);
    print_value(ui, ty, result);
}

/// A result for people, by its type. What is not JSON is foreign as it is.
pub(crate) fn print_value(ui: Ui, ty: Option<&WitTypeFact>, result: &ResultJson) {
    match result.to_value() {
        Ok(value) => ui.shown(&Shown::of(ty, &value)),
        Err(_) => ui.block(result.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_json_where_they_can_be_and_text_otherwise() {
        let given = ["target=203.0.113.10", "n=5", "deep={\"a\":[1]}", "empty=", "eq=a=b"].map(str::to_owned);
        let expected = json!({"target": "203.0.113.10", "n": 5, "deep": {"a": [1]}, "empty": "", "eq": "a=b"});
        assert_eq!(params(&given).unwrap(), expected);
        assert!(params(&["n=1".to_owned(), "n=2".to_owned()]).unwrap_err().to_string().contains("given twice"));
        assert!(params(&["n".to_owned()]).unwrap_err().to_string().contains("NAME=VALUE"));
    }
}
