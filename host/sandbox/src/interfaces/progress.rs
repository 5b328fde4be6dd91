//! `iog:guest/progress`: how far the run is, in steps of ten and only forward, so that it says little.

use wasmtime::component::Linker;

use crate::limits::Limits;
use crate::state::{Asks, Cx, Keeps, Run, enter};

/// The interface's full name.
pub(crate) const NAME: &str = "iog:guest/progress@0.1.0";

/// What a step is, in percent.
const STEP_PERCENT: u8 = 10;

/// How far the run is; sent when it passes a step of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgressRequest {
    /// 10, 20, … 100.
    pub percent: u8,
}

impl ProgressRequest {
    /// Nobody looks.
    pub(crate) fn unserved(self) {}
}

/// The last step that was passed.
pub(crate) struct State {
    percent: u8,
}

impl State {
    pub(crate) fn new(_: &Limits) -> Self {
        Self { percent: 0 }
    }

    /// The step that a guest at `percent` has newly passed.
    fn passes(&mut self, percent: u8) -> Option<u8> {
        let step = percent.min(100) / STEP_PERCENT * STEP_PERCENT;
        if step <= self.percent {
            return None;
        }
        self.percent = step;
        Some(step)
    }
}

/// Adds the interface.
pub(crate) fn link<S>(linker: &mut Linker<Run<S>>) -> wasmtime::Result<()>
where
    S: Keeps<State> + Asks<ProgressRequest, Answer = ()>,
{
    let mut progress = linker.instance(NAME)?;
    progress.func_wrap_async("report", |mut cx: Cx<'_, S>, (percent,): (u8,)| {
        Box::new(async move {
            enter(&mut cx, 0)?;
            if let Some(percent) = cx.data_mut().interfaces.kept().passes(percent) {
                cx.data().interfaces.ask(ProgressRequest { percent }).await?;
            }
            Ok(())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_steps_are_passed() {
        let mut state = State::new(&Limits::default());
        let passed = [0, 9, 10, 15, 31, 20, 39, 255, 100].map(|percent| state.passes(percent));
        assert_eq!(passed, [None, None, Some(10), None, Some(30), None, None, Some(100), None]);
    }
}
