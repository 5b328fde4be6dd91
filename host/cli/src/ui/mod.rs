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

    /// Whether a line is no wider than the terminal.
    pub(crate) fn fits(self, line: &str) -> bool {
        wrap::width(line) <= self.columns
    }

    /// Our own words, parted at their blanks where the terminal ends. Commands to copy are lines, which are never parted.
    pub(crate) fn prose(self, text: impl Into<Text>) {
        self.lines(text.into().wrapped(self.columns, usize::MAX));
    }

    /// A foreign text that has lines of its own, each marked as such; one that is wider than the terminal is parted here, since
    /// what the terminal carries over has no mark.
    pub(crate) fn block(self, text: &str) {
        let room = self.columns - FOREIGN.len();
        let parted = lines(text).flat_map(|line| Text::from(line).wrapped(room, usize::MAX));
        self.lines(parted.map(|line| Text::from(FOREIGN).then(line)));
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
        self.set_in(|room| table::named_within(&fields, room, usize::MAX));
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

#[cfg(test)]
thread_local! {
    /// What a test's page has so far.
    static PAGE: std::cell::RefCell<Option<String>> = const { std::cell::RefCell::new(None) };
}

#[cfg(test)]
impl Ui {
    /// What people see of something on a terminal of so many columns.
    pub(crate) fn page(columns: usize, print: impl FnOnce(Self)) -> String {
        PAGE.set(Some(String::new()));
        print(Self { mode: Mode::People, colour: false, columns });
        PAGE.take().unwrap_or_default()
    }

    /// The same on 80 and on 200 columns, for a golden file.
    pub(crate) fn pages(print: impl Fn(Self)) -> String {
        let ruler = |columns: usize| format!("{:-^columns$}", format!(" {columns} "));
        [80, 200].map(|columns| format!("{}\n{}", ruler(columns), Self::page(columns, &print))).join("\n")
    }
}

fn out(text: &str) {
    #[cfg(test)]
    if PAGE.with_borrow_mut(|page| page.as_mut().map(|page| page.extend([text, "\n"])).is_some()) {
        return;
    }
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
    use proptest::prelude::*;

    use super::*;

    /// A cell: a word, a number, a sentence, a digest, wide characters, nothing.
    fn cells() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{1,10}",
            "[0-9]{1,14}",
            "([a-z]{1,12} ){1,20}[a-z]{1,12}",
            Just(format!("sha256:{}", "0a".repeat(32))),
            "[東京ß\u{301}]{0,40}",
            "\\PC{0,60}",
            Just(String::new()),
        ]
    }

    /// Cells of a row, and what stands under it.
    type Row = (Vec<String>, Option<String>);

    fn tables() -> impl Strategy<Value = (Vec<String>, Vec<Row>)> {
        (1_usize..10).prop_flat_map(|columns| {
            let heads = prop::collection::vec("[a-z]{0,8}(-[a-z]{1,12}){0,3}", columns);
            let row = (prop::collection::vec(cells(), columns), prop::option::of(cells()));
            (heads, prop::collection::vec(row, 0..6))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_table_is_wider_than_the_terminal_or_loses_a_word((heads, rows) in tables(), columns in 40_usize..240) {
            let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
            let row = |(cells, under): &Row| {
                (cells.iter().map(Text::from).collect(), under.as_ref().map(Text::from))
            };
            let texts: Vec<(Vec<Text>, Option<Text>)> = rows.iter().map(row).collect();
            let page = Ui::page(columns, |ui| ui.table_with(&heads, &texts));
            for line in page.lines() {
                prop_assert!(wrap::width(line) <= columns, "{columns} columns: {line:?}");
            }
            let short = |text: &&String| text.chars().all(|c| c.is_ascii_alphanumeric());
            for word in rows.iter().flat_map(|(cells, _)| cells).filter(short) {
                prop_assert!(page.contains(word.as_str()), "{word} of\n{page}");
            }
        }

        #[test]
        fn named_texts_and_foreign_lines_are_no_wider_either(name in cells(), text in cells(), columns in 40_usize..240) {
            let page = Ui::page(columns, |ui| {
                ui.named(&[(name.as_str(), Text::from(&text)), ("other", "x".into())]);
                ui.words(&text);
                ui.prose(&text);
                ui.block(&text);
            });
            for line in page.lines() {
                prop_assert!(wrap::width(line) <= columns, "{columns} columns: {line:?}");
            }
        }
    }

    #[test]
    fn json_keeps_its_values_and_drives_nothing() {
        let value = json!({"name": "a\u{9b}2J\u{202e}b\u{e0041}\n\u{1b}c"});
        let plain = plain_json(&value);
        assert!(plain.chars().all(is_plain), "{plain}");
        assert_eq!(serde_json::from_str::<Value>(&plain).unwrap(), value);
    }
}
