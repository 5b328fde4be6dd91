//! How a local run ended, in words. A gateway tells its callers less: see its release rules.

use iog_sandbox::RunOutcome;

/// How a local run ended, for people.
#[must_use]
pub fn ended(outcome: &RunOutcome) -> String {
    match outcome {
        RunOutcome::Succeeded { .. } => "succeeded".to_owned(),
        RunOutcome::Trapped { kind } => format!("trapped ({kind})"),
        RunOutcome::Limit(limit) => format!("a limit was reached ({limit:?})").to_lowercase(),
        RunOutcome::BadParams(problem) => format!("the parameters do not fit: {problem}"),
        RunOutcome::ParamsTooLarge(problem) => format!("the parameters are too large: {problem}"),
        RunOutcome::UnknownEntry { entry } => format!("there is no entry `{entry}`"),
        RunOutcome::NotGranted { interface } => format!("`{interface}` is not granted"),
        RunOutcome::Cancelled => "cancelled".to_owned(),
        RunOutcome::Failed(problem) => format!("failed here: {problem}"),
    }
}
