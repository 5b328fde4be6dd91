//! How the command line speaks: tables, colours and progress for people on a terminal, one JSON object for machines.
//! Nothing else writes to standard output.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use iog_desk::text::escaped;

/// Where and how a command speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    mode: Mode,
    colour: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    People,
    Machines,
}

/// What a word means, which decides its colour.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warn,
    Faint,
    Title,
}

impl Ui {
    pub(crate) fn new(json: bool) -> Self {
        let mode = if json { Mode::Machines } else { Mode::People };
        let colour = !json && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { mode, colour }
    }

    /// A line for people; machines do not see it.
    pub(crate) fn line(self, text: impl AsRef<str>) {
        if self.mode == Mode::People {
            out(text.as_ref());
        }
    }

    /// A heading with room above it.
    pub(crate) fn title(self, text: &str) {
        self.line(format!("\n{}", self.paint(Tone::Title, text)));
    }

    /// A view of the desk, as the one object a command answers a machine with.
    pub(crate) fn view(self, view: &impl Serialize) -> Result<()> {
        self.object(&serde_json::to_value(view).context("cannot write the answer")?);
        Ok(())
    }

    /// The one object a command answers a machine with; people see nothing of it.
    pub(crate) fn object(self, value: &Value) {
        if self.mode == Mode::Machines {
            out(&value.to_string());
        }
    }

    /// `text` in the colour of `tone`, or as it is where colours are not wanted.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Warn => "33",
            Tone::Faint => "2",
            Tone::Title => "1;36",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Columns aligned under their heads; a column whose cells are all numbers stands to the right.
    pub(crate) fn table(self, heads: &[&str], rows: &[Vec<String>]) {
        if self.mode == Mode::Machines || rows.is_empty() {
            return;
        }
        let width = |column: usize| {
            rows.iter().map(|row| shown_width(&row[column])).chain([heads[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        let right: Vec<bool> = (0..heads.len()).map(|column| rows.iter().all(|row| is_number(&row[column]))).collect();
        let head: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
        let heading = aligned(&head, &widths, &right);
        out(&format!("  {}", self.paint(Tone::Faint, heading.trim_end())));
        for row in rows {
            out(&format!("  {}", aligned(row, &widths, &right).trim_end()));
        }
    }

    /// A spinner for something over a second; it shows on a terminal only and leaves no trace.
    pub(crate) fn spinner(self, text: &str) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_message(text.to_owned());
        if self.mode == Mode::Machines || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        bar
    }

    /// A bar over `total` steps.
    pub(crate) fn bar(self, text: &str, total: u64) -> ProgressBar {
        let bar = ProgressBar::new(total).with_message(text.to_owned());
        let style = ProgressStyle::with_template("  {msg} {bar:28} {pos}/{len}").expect("the template above is valid");
        bar.set_style(style);
        if self.mode == Mode::Machines || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar
    }

    /// A bar over `total` bytes.
    pub(crate) fn bytes(self, text: &str, total: u64) -> ProgressBar {
        let template = "  {msg} {bar:28} {bytes}/{total_bytes} {bytes_per_sec}";
        let style = ProgressStyle::with_template(template).expect("the template above is valid");
        self.bar(text, total).with_style(style)
    }

    /// Asks a person at a terminal; `None` where nobody is there to ask.
    pub(crate) fn ask(self, question: &str) -> Option<bool> {
        if self.mode == Mode::Machines || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return None;
        }
        self.line(format!("{question} [y/N]"));
        let mut answer = String::new();
        // An answer that cannot be read is not consent.
        let _ = std::io::stdin().lock().take(64).read_line(&mut answer);
        Some(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Says what went wrong, with its causes, where the reader looks for it.
    pub(crate) fn failure(self, error: &anyhow::Error) {
        if self.mode == Mode::Machines {
            let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
            out(&json!({"error": {"message": error.to_string(), "causes": causes}}).to_string());
        } else {
            let mut stderr = std::io::stderr().lock();
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(stderr, "{} {}", self.paint(Tone::Bad, "error:"), escaped(&format!("{error:#}")));
        }
    }
}

/// `12,345,678` for people.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A size in the largest binary unit that keeps it above one.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut whole = bytes;
    let mut rest = 0;
    let mut unit = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    if unit == 0 { format!("{whole} B") } else { format!("{whole}.{} {}", rest * 10 / 1024, UNITS[unit]) }
}

fn aligned(cells: &[String], widths: &[usize], right: &[bool]) -> String {
    let mut line = String::new();
    for ((cell, width), right) in cells.iter().zip(widths).zip(right) {
        let pad = " ".repeat(width - shown_width(cell));
        let cell = escaped_but_colours(cell);
        line.push_str(&if *right { format!("{pad}{cell}  ") } else { format!("{cell}{pad}  ") });
    }
    line
}

/// Like [`escaped`], but keeps the colour codes that [`Ui::paint`] put around a text. What is between them may be foreign.
fn escaped_but_colours(cell: &str) -> String {
    let plain = |text: &str| escaped(text).replace('\n', " ");
    let painted = cell.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix("\x1b[0m")?.split_once('m'));
    match painted.filter(|(code, _)| code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')) {
        Some((code, text)) => format!("\x1b[{code}m{}\x1b[0m", plain(text)),
        None => plain(cell),
    }
}

fn shown_width(cell: &str) -> usize {
    let mut width = 0;
    let mut in_code = false;
    for c in cell.chars() {
        match c {
            '\x1b' => in_code = true,
            'm' if in_code => in_code = false,
            _ if in_code => {}
            _ => width += 1,
        }
    }
    width
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.' | '%' | '-'))
}

fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A reader that closed the pipe has seen enough; 141 is what a shell says of SIGPIPE, so a failure is not hidden.
    if writeln!(stdout, "{text}").is_err() {
        std::process::exit(141);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 << 30), "5.0 GiB");
    }

    #[test]
    fn foreign_text_between_colours_cannot_drive_the_terminal() {
        assert_eq!(escaped_but_colours("\x1b[31mbad\x1b[2J\n\x1b[0m"), "\x1b[31mbad\u{fffd}[2J \x1b[0m");
        assert_eq!(escaped_but_colours("\x1b[2J\x1b[1mx\x1b[0m"), "\u{fffd}[2J\u{fffd}[1mx\u{fffd}[0m");
    }
}
