//! Progress on a terminal. What it says is escaped like every other line.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use iog_desk::text::escaped;

/// A spinner or a bar; it shows on a terminal only and leaves no trace.
#[derive(Clone, Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A spinner for something over a second.
    pub(super) fn spinner(text: &str, people: bool) -> Self {
        let bar = ProgressBar::new_spinner().with_message(escaped(text));
        let shown = hidden_unless(&bar, people);
        if shown {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self(bar)
    }

    /// A bar over `total` steps.
    pub(super) fn bar(text: &str, total: u64, people: bool) -> Self {
        Self::styled(text, total, people, "  {msg} {bar:28} {pos}/{len}")
    }

    /// A bar over `total` bytes.
    pub(super) fn bytes(text: &str, total: u64, people: bool) -> Self {
        Self::styled(text, total, people, "  {msg} {bar:28} {bytes}/{total_bytes} {bytes_per_sec}")
    }

    fn styled(text: &str, total: u64, people: bool, template: &str) -> Self {
        let bar = ProgressBar::new(total).with_message(escaped(text));
        bar.set_style(ProgressStyle::with_template(template).expect("the templates above are valid"));
        hidden_unless(&bar, people);
        Self(bar)
    }

    /// What is going on now.
    pub(crate) fn says(&self, text: &str) {
        self.0.set_message(escaped(text));
    }

    /// How many steps there are.
    pub(crate) fn of(&self, total: u64) {
        self.0.set_length(total);
    }

    /// One more step is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }

    /// So many steps are done.
    pub(crate) fn at(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Takes it away.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

fn hidden_unless(bar: &ProgressBar, people: bool) -> bool {
    let shown = people && std::io::stderr().is_terminal();
    if !shown {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    shown
}
