//! Serves `iog:guest/log`: a guest's messages go to the operators' log, escaped and cut. The caller never sees them.

use iog_protocol::ids::RequestId;
use iog_sandbox::{HostAnswer, LogLevel, LogRequest};

/// Characters of a guest's log message that are kept.
const CHARS_MAX: usize = 1_024;
/// Stands where a message was cut.
const CUT: &str = " (cut)";

/// Writes one message.
pub(super) fn answer(run: &RequestId, request: &LogRequest) -> HostAnswer {
    let message = shown(&request.text);
    match request.level {
        LogLevel::Debug => tracing::debug!(target: "iog_guest", run = %run, message),
        LogLevel::Info => tracing::info!(target: "iog_guest", run = %run, message),
        LogLevel::Warn | LogLevel::Error => tracing::warn!(target: "iog_guest", run = %run, message),
    }
    HostAnswer::Log(())
}

fn shown(text: &str) -> String {
    let mut rest = text.chars();
    let mut shown: String = rest.by_ref().take(CHARS_MAX).flat_map(char::escape_default).collect();
    if rest.next().is_some() {
        shown += CUT;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_writes_cannot_forge_a_line_or_flood_the_log() {
        assert_eq!(shown("a\n\u{1b}[2J"), "a\\n\\u{1b}[2J");
        assert_eq!(shown("{\"level\":\"ERROR\"}\r\n\u{202e}"), "{\\\"level\\\":\\\"ERROR\\\"}\\r\\n\\u{202e}");
        assert_eq!(shown(&"x".repeat(CHARS_MAX)).len(), CHARS_MAX);
        assert_eq!(shown(&"x".repeat(5_000)).len(), CHARS_MAX + CUT.len(), "what is cut says so");
    }
}
