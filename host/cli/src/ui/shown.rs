//! Results for people: what the desk decided to show, laid out for a width. It prints nothing and knows no type.

use iog_desk::views::shown::{Cell, Kind, Row, Shown, Table};

use super::table::{self, INDENT, item, named, set_in};
use super::text::{Text, Tone};

/// Lines that a text alone takes at most.
const TEXT_LINES_MAX: usize = 40;

/// The lines of a value, each at most `columns` wide.
pub(super) fn lines(shown: &Shown, columns: usize) -> Vec<Text> {
    Page { columns }.value(shown, columns)
}

/// The page that everything has to fit.
#[derive(Clone, Copy)]
struct Page {
    columns: usize,
}

impl Page {
    /// The lines of a value with `room` columns.
    fn value(self, shown: &Shown, room: usize) -> Vec<Text> {
        match shown {
            Shown::Cell(cell) => text(cell).wrapped(room, TEXT_LINES_MAX),
            Shown::Fields(fields) => self.fields(fields, room),
            Shown::Table(table) => self.table(table, room),
            Shown::Items(items, more) => {
                let mut lines: Vec<Text> = items.iter().flat_map(|shown| self.item(shown, room)).collect();
                lines.extend(left_out(*more, "more", room));
                lines
            }
        }
    }

    fn item(self, shown: &Shown, room: usize) -> Vec<Text> {
        match self.indent(room) {
            0 => self.value(shown, room),
            indent => item(self.value(shown, room - indent)),
        }
    }

    /// Fields of a line side by side with their names; the others set in under theirs, with an empty line above.
    fn fields(self, fields: &[(String, Shown)], room: usize) -> Vec<Text> {
        let mut lines = Vec::new();
        let mut short: Vec<(String, Text)> = Vec::new();
        for (name, shown) in fields {
            if let Shown::Cell(cell) = shown {
                short.push((name.clone(), text(cell)));
                continue;
            }
            if !short.is_empty() {
                gap(&mut lines);
            }
            lines.append(&mut named(&std::mem::take(&mut short), room));
            gap(&mut lines);
            lines.extend(self.under(name, shown, room));
        }
        if !short.is_empty() {
            gap(&mut lines);
        }
        lines.append(&mut named(&short, room));
        lines
    }

    /// A name, and what it stands for set in under it.
    fn under(self, name: &str, shown: &Shown, room: usize) -> Vec<Text> {
        let indent = self.indent(room);
        let mut lines = Text::from(name).wrapped(room, 1);
        lines.extend(set_in(self.value(shown, room - indent), indent));
        lines
    }

    fn table(self, table: &Table, room: usize) -> Vec<Text> {
        let indent = self.indent(room);
        let under = |(name, shown): &(String, Shown)| set_in(self.under(name, shown, room - indent), indent);
        let row = |row: &Row| table::Row {
            cells: row.cells.iter().map(text).collect(),
            under: row.under.iter().flat_map(under).collect(),
        };
        let laid = table::Table { heads: table.heads.clone(), rows: table.rows.iter().map(row).collect() };
        let mut lines = laid.lines(room);
        lines.extend(left_out(table.more, "more rows", room));
        lines
    }

    /// Deep inside nothing is set in any more, so that there is always room for words.
    fn indent(self, room: usize) -> usize {
        if room > self.columns / 2 + INDENT { INDENT } else { 0 }
    }
}

/// What stands in the place of rows that are not shown.
fn left_out(more: usize, what: &str, room: usize) -> Vec<Text> {
    if more == 0 {
        return Vec::new();
    }
    Text::toned(Tone::Faint, &format!("… {more} {what}, --json shows all")).wrapped(room, TEXT_LINES_MAX)
}

/// An empty line between what is there and what follows.
fn gap(lines: &mut Vec<Text>) {
    if lines.last().is_some_and(|line| line.width() > 0) {
        lines.push(Text::default());
    }
}

fn text(cell: &Cell) -> Text {
    match cell.kind {
        Kind::Number => Text::number(&cell.text),
        Kind::Words => Text::words(&cell.text),
        Kind::Nothing => Text::toned(Tone::Faint, &cell.text),
        Kind::Error => Text::toned(Tone::Bad, &cell.text),
    }
}
