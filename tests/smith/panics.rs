//! Panics of this process, wherever they happen: in a task that nobody waits for, or caught by somebody.

use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

/// The reader of WIT that the inspector asks. It breaks off on components that its own tools do not make; the inspector
/// knows that, catches it and refuses the component.
const CAUGHT: &str = "/wit-parser-";

static SEEN: Mutex<Seen> = Mutex::new(Seen { faults: Vec::new(), caught: 0 });

/// What has panicked so far.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// Where and what, of ours.
    pub(crate) faults: Vec<String>,
    /// How often the reader of WIT broke off.
    pub(crate) caught: u64,
}

/// Counts panics from now on, in place of printing them.
pub(crate) fn watch() {
    panic::set_hook(Box::new(note));
}

fn note(info: &PanicHookInfo<'_>) {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if info.location().is_some_and(|place| place.file().contains(CAUGHT)) {
        seen.caught += 1;
        return;
    }
    let text = info.payload_as_str().unwrap_or("no text");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    seen.faults.push(format!("{place}: {text}"));
}

/// What has panicked since the last time.
pub(crate) fn taken() -> Seen {
    std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner))
}
