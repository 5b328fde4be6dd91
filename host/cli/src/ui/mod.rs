//! How the command line speaks: tables, colours and progress for people on a terminal, one JSON object for machines.
//! Nothing else writes to standard output or standard error, and every text that leaves here is escaped: what people wrote
//! whom nobody trusts is shown as one line that drives nothing.

mod log;
mod progress;
mod shown;
#[cfg(test)]
mod shown_tests;
mod table;
mod text;
mod wrap;

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, Result};
use iog_desk::text::{escaped, is_plain, lines};
use iog_desk::views::Shown;
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use iog_desk::numbers::{counted, grouped, size};
pub(crate) use log::Log;
pub(crate) use progress::Progress;
pub(crate) use text::{Text, Tone};

/// Stands before each line of a foreign text that has lines, so that none of them passes for one of ours.
const FOREIGN: &str = "  | ";

/// Where and how a command speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    mode: Mode,
    colour: bool,
    /// Columns that tables and results may take.
    columns: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    People,
    Machines,
}

impl Ui {
    pub(crate) fn new(json: bool) -> Self {
        let mode = if json { Mode::Machines } else { Mode::People };
        let colour = !json && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { mode, colour, columns: wrap::columns() }
    }

    /// One line for people; machines do not see it.
    pub(crate) fn line(self, text: impl Into<Text>) {
        if self.mode == Mode::People {
            out(&text.into().rendered(self.colour));
        }
    }

    /// Several lines for people.
    pub(crate) fn lines<T: Into<Text>>(self, lines: impl IntoIterator<Item = T>) {
        lines.into_iter().for_each(|line| self.line(line));
    }

    /// An empty line.
    pub(crate) fn gap(self) {
        self.line("");
    }

    /// A foreign text that has lines of its own, each marked as such.
    pub(crate) fn block(self, text: &str) {
        self.lines(lines(text).map(|line| format!("{FOREIGN}{line}")));
    }

    /// A heading with room above it.
    pub(crate) fn title(self, text: &str) {
        self.gap();
        self.line(Text::toned(Tone::Title, text));
    }

    /// A view of the desk, as the one object a command answers a machine with.
    pub(crate) fn view(self, view: &impl Serialize) -> Result<()> {
        self.object(&serde_json::to_value(view).context("cannot write the answer")?);
        Ok(())
    }

    /// The one object a command answers a machine with; people see nothing of it.
    pub(crate) fn object(self, value: &Value) {
        if self.mode == Mode::Machines {
            out(&plain_json(value));
        }
    }

    /// Columns aligned under their heads, never wider than the terminal; a column whose cells are all numbers stands to the
    /// right.
    pub(crate) fn table<T: Clone + Into<Text>>(self, heads: &[&str], rows: &[Vec<T>]) {
        let row = |row: &Vec<T>| (row.iter().cloned().map(Into::into).collect(), None);
        self.table_with(heads, &rows.iter().map(row).collect::<Vec<_>>());
    }

    /// The same, with words under some rows.
    pub(crate) fn table_with(self, heads: &[&str], rows: &[(Vec<Text>, Option<Text>)]) {
        self.set_in(|room| {
            let under =
                |text: &Text| table::set_in(text.wrapped(room - table::INDENT, usize::MAX), table::INDENT).collect();
            let row = |(cells, words): &(Vec<Text>, Option<Text>)| table::Row {
                cells: cells.clone(),
                under: words.as_ref().map(under).unwrap_or_default(),
            };
            let heads = heads.iter().map(|head| (*head).to_owned()).collect();
            let table = table::Table { heads, rows: rows.iter().map(row).collect() };
            if rows.is_empty() { Vec::new() } else { table.lines(room) }
        });
    }

    /// A result of a module, never wider than the terminal.
    pub(crate) fn shown(self, shown: &Shown) {
        self.set_in(|room| shown::lines(shown, room));
    }

    /// Words, parted at their blanks where the terminal ends.
    pub(crate) fn words(self, text: impl Into<Text>) {
        self.set_in(|room| text.into().wrapped(room, usize::MAX));
    }

    /// Names with what there is to say of each, in two columns.
    pub(crate) fn named(self, fields: &[(&str, Text)]) {
        let fields: Vec<(String, Text)> =
            fields.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        self.set_in(|room| table::named(&fields, room));
    }

    /// Lines for people, set in, that are made for what room there is.
    fn set_in(self, lines: impl FnOnce(usize) -> Vec<Text>) {
        if self.mode == Mode::People {
            for line in lines(self.columns - table::INDENT) {
                out(Text::from("  ").then(line).rendered(self.colour).trim_end());
            }
        }
    }

    /// A spinner for something over a second; it shows on a terminal only and leaves no trace.
    pub(crate) fn spinner(self, text: &str) -> Progress {
        Progress::spinner(text, self.mode == Mode::People)
    }

    /// A bar over `total` steps.
    pub(crate) fn bar(self, text: &str, total: u64) -> Progress {
        Progress::bar(text, total, self.mode == Mode::People)
    }

    /// A bar over `total` bytes.
    pub(crate) fn bytes(self, text: &str, total: u64) -> Progress {
        Progress::bytes(text, total, self.mode == Mode::People)
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

    /// What another program said on its standard error, line by line, where the reader looks for it.
    pub(crate) fn foreign(self, line: &str) {
        note(&format!("{FOREIGN}{}", escaped(line)));
    }

    /// Says what went wrong, with its causes, where the reader looks for it.
    pub(crate) fn failure(self, error: &anyhow::Error) {
        if self.mode == Mode::Machines {
            let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
            out(&plain_json(&json!({"error": {"message": error.to_string(), "causes": causes}})));
        } else {
            let text = format!("{error:#}");
            let mut lines = lines(&text);
            let first = Text::toned(Tone::Bad, "error:").then(format!(" {}", lines.next().unwrap_or_default()));
            note(&first.rendered(self.colour));
            lines.for_each(|line| note(&format!("{FOREIGN}{line}")));
        }
    }
}

/// Help, version, or what is wrong with what was typed. It may quote what was typed, so only the ends of lines stay.
pub(crate) fn usage(error: &clap::Error) {
    let text = error.render().to_string();
    let print = if error.use_stderr() { note } else { out };
    lines(&text).for_each(|line| print(&line));
}

/// JSON in which no character can drive a terminal: what is not plain is written as an escape, so the value stays the same.
fn plain_json(value: &Value) -> String {
    let mut plain = String::new();
    for c in value.to_string().chars() {
        if is_plain(c) {
            plain.push(c);
        } else {
            let mut units = [0; 2];
            plain.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    plain
}

fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A reader that closed the pipe has seen enough; 141 is what a shell says of SIGPIPE, so a failure is not hidden.
    if writeln!(stdout, "{text}").is_err() {
        std::process::exit(141);
    }
}

fn note(text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_values_and_drives_nothing() {
        let value = json!({"name": "a\u{9b}2J\u{202e}b\u{e0041}\n\u{1b}c"});
        let plain = plain_json(&value);
        assert!(plain.chars().all(is_plain), "{plain}");
        assert_eq!(serde_json::from_str::<Value>(&plain).unwrap(), value);
    }
}
