//! What each interface has here: its hostile guest, and how guests end.

use iog_sandbox::{RunOutcome, TrapKind};

/// A guest that imports one interface and abuses it.
pub(crate) struct Hostile {
    /// The interface's full name.
    pub(crate) interface: &'static str,
    /// Its text; `run: func()` is what it tries.
    pub(crate) guest: fn() -> String,
    /// How it ends when the interface is granted.
    pub(crate) ends: fn() -> RunOutcome,
}

pub(crate) fn succeeded(json: &str) -> RunOutcome {
    RunOutcome::Succeeded { json: json.into() }
}

pub(crate) fn trapped(kind: TrapKind) -> RunOutcome {
    RunOutcome::Trapped { kind }
}
