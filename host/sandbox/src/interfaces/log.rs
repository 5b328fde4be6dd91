//! `iog:guest/log`: messages for the provider's operators, within a budget of bytes. They never reach the caller.

use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use crate::limits::Limits;
use crate::state::{Asks, Cx, Keeps, Run, enter};

/// The interface's full name.
pub(crate) const NAME: &str = "iog:guest/log@0.1.0";

/// A message for the provider's operators; never for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// How important the guest says it is.
    pub level: LogLevel,
    /// Guest-chosen text: escape before showing it.
    pub text: String,
}

impl LogRequest {
    /// Nobody reads it.
    pub(crate) fn unserved(&self) {}
}

/// How important a log message is (`iog:guest/log.level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum LogLevel {
    /// For the module's author.
    #[component(name = "debug")]
    Debug,
    /// Worth knowing.
    #[component(name = "info")]
    Info,
    /// Something is odd.
    #[component(name = "warn")]
    Warn,
    /// Something failed.
    #[component(name = "error")]
    Error,
}

/// What is left of the run's budget.
pub(crate) struct State {
    bytes_left: usize,
    dropped: u64,
}

impl State {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { bytes_left: limits.log_bytes, dropped: 0 }
    }

    /// Messages dropped because the budget was used up.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a message of `bytes` from the budget. The first that does not fit ends it, so that what the operators see
    /// is a beginning without holes.
    fn admits(&mut self, bytes: usize) -> bool {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None => {
                self.bytes_left = 0;
                self.dropped += 1;
                return false;
            }
        }
        true
    }
}

/// Adds the interface.
pub(crate) fn link<S>(linker: &mut Linker<Run<S>>) -> wasmtime::Result<()>
where
    S: Keeps<State> + Asks<LogRequest, Answer = ()>,
{
    let mut log = linker.instance(NAME)?;
    log.func_wrap_async("write", |mut cx: Cx<'_, S>, (level, text): (LogLevel, String)| {
        Box::new(async move {
            enter(&mut cx, text.len())?;
            if cx.data_mut().interfaces.kept().admits(text.len()) {
                cx.data().interfaces.ask(LogRequest { level, text }).await?;
            }
            Ok(())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_ends_with_the_first_message_that_does_not_fit() {
        let mut state = State::new(&Limits { log_bytes: 100, ..Limits::default() });
        assert!(state.admits(60) && state.admits(40) && state.admits(0));
        assert!(!state.admits(1));
        assert_eq!(state.dropped(), 1);

        let mut state = State::new(&Limits { log_bytes: 100, ..Limits::default() });
        assert!(!state.admits(101));
        assert!(!state.admits(1), "nothing follows a gap");
        assert_eq!(state.dropped(), 2);
    }
}
