//! Columns under their heads, never wider than there is room: first heads are parted, then texts; where that is not enough,
//! rows take several lines, and else each row becomes a list of its own. It prints nothing.

use super::text::{Text, Tone};
use super::wrap::{width, wrapped};

/// Between two columns.
const GAP: usize = 2;
/// How far what stands under something is set in.
pub(super) const INDENT: usize = 2;
/// Columns that a text is given on one of several lines, where it can be parted.
const TEXT_WANTED: usize = 32;
/// Lines that a row takes at most before it becomes a list.
const STACKED_LINES_MAX: usize = 3;
/// Rows from which on several lines a row read better than lists.
const STACKED_ROWS_MIN: usize = 3;
/// Lines that a cell of a table takes at most.
const CELL_LINES_MAX: usize = 6;
/// Lines that a text of its own takes at most.
const TEXT_LINES_MAX: usize = 40;

/// A table to be laid out.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) heads: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// A row, and lines that stand under it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) cells: Vec<Text>,
    pub(super) under: Vec<Text>,
}

/// Columns that stand beside each other, and how wide they are.
#[derive(Debug)]
struct Line {
    columns: Vec<usize>,
    widths: Vec<usize>,
}

impl Table {
    /// Its lines, each at most `columns` wide.
    pub(super) fn lines(&self, columns: usize) -> Vec<Text> {
        let fitting = self.side_by_side(columns).or_else(|| self.stacked(columns));
        match fitting {
            Some(lines) => self.laid_out(&lines),
            None => self.rows.iter().flat_map(|row| self.as_list(row, columns)).collect(),
        }
    }

    /// All columns on one line, as wide as they are or with parted heads and texts; `None` where they do not fit.
    fn side_by_side(&self, columns: usize) -> Option<Vec<Line>> {
        let all: Vec<usize> = (0..self.heads.len()).collect();
        let whole: Vec<usize> = all.iter().map(|at| self.widest(*at).max(width(&self.heads[*at]))).collect();
        let gaps = GAP * all.len().saturating_sub(1);
        if whole.iter().sum::<usize>() + gaps <= columns {
            return Some(vec![Line { columns: all, widths: whole }]);
        }
        Some(vec![self.line(all, columns)?])
    }

    /// The columns on a few lines below each other; `None` where there are too many, or so few rows that lists read better.
    fn stacked(&self, columns: usize) -> Option<Vec<Line>> {
        if self.rows.len() < STACKED_ROWS_MIN {
            return None;
        }
        let mut columns = columns.checked_sub(INDENT)?;
        let mut parted = self.parted(columns);
        if parted.len() > STACKED_LINES_MAX {
            return None;
        }
        // The narrowest that takes no more lines: then they are about equally long.
        while columns > 1 && self.parted(columns - 1).len() == parted.len() {
            columns -= 1;
            parted = self.parted(columns);
        }
        parted.into_iter().map(|line| self.line(line, columns)).collect()
    }

    /// The columns in lines that are filled one after the other. One that is too wide has a line of its own.
    fn parted(&self, columns: usize) -> Vec<Vec<usize>> {
        let (mut lines, mut used) = (vec![Vec::new()], 0);
        for at in 0..self.heads.len() {
            let wanted = self.wanted(at).min(TEXT_WANTED.max(self.least(at)));
            if used > 0 && used + GAP + wanted > columns {
                lines.push(Vec::new());
                used = 0;
            }
            used += wanted + if used > 0 { GAP } else { 0 };
            lines.last_mut().expect("there is one line at least").push(at);
        }
        lines
    }

    /// Some of the columns on a line; `None` where they do not fit.
    fn line(&self, columns: Vec<usize>, room: usize) -> Option<Line> {
        let room = room.checked_sub(GAP * columns.len().saturating_sub(1))?;
        let wanted: Vec<usize> = columns.iter().map(|at| self.wanted(*at)).collect();
        let least: Vec<usize> = columns.iter().map(|at| self.least(*at)).collect();
        Some(Line { widths: shrunk(&wanted, &least, room)?, columns })
    }

    /// How wide a column is with its head parted at hyphens, which is done before any text is.
    fn wanted(&self, at: usize) -> usize {
        self.widest(at).max(self.head(at))
    }

    /// How narrow a column may become: no word is parted that is not very long.
    fn least(&self, at: usize) -> usize {
        self.rows.iter().map(|row| row.cells[at].width_min()).max().unwrap_or(0).max(self.head(at))
    }

    fn head(&self, at: usize) -> usize {
        self.heads[at].split_inclusive('-').map(width).max().unwrap_or(0)
    }

    fn widest(&self, at: usize) -> usize {
        self.rows.iter().map(|row| row.cells[at].width()).max().unwrap_or(0)
    }

    fn laid_out(&self, lines: &[Line]) -> Vec<Text> {
        let head = |at: usize, width: usize| {
            let parts = wrapped(&self.heads[at], width, CELL_LINES_MAX, true);
            parts.iter().map(|part| Text::toned(Tone::Faint, part)).collect()
        };
        let mut laid = self.below_each_other(lines, head);
        for row in &self.rows {
            laid.extend(self.below_each_other(lines, |at, width| row.cells[at].wrapped(width, CELL_LINES_MAX)));
            laid.extend(row.under.iter().cloned());
        }
        laid
    }

    /// The cells of a row, or its heads: what does not stand on the first line is set in.
    fn below_each_other(&self, lines: &[Line], cell: impl Fn(usize, usize) -> Vec<Text>) -> Vec<Text> {
        let one = |(place, line): (usize, &Line)| {
            let cells: Vec<Vec<Text>> =
                line.columns.iter().zip(&line.widths).map(|(at, width)| cell(*at, *width)).collect();
            let right: Vec<bool> = line.columns.iter().map(|at| self.is_numbers(*at)).collect();
            let indent = " ".repeat(if place > 0 { INDENT } else { 0 });
            let parts = aligned(&cells, &line.widths, &right).into_iter();
            parts
                .map(move |part| if indent.is_empty() { part } else { Text::from(&indent).then(part) })
                .collect::<Vec<_>>()
        };
        lines.iter().enumerate().flat_map(one).collect()
    }

    fn is_numbers(&self, at: usize) -> bool {
        self.rows.iter().all(|row| row.cells[at].is_number())
    }

    /// A row as a list of its fields.
    fn as_list(&self, row: &Row, columns: usize) -> Vec<Text> {
        let fields: Vec<(String, Text)> = self.heads.iter().cloned().zip(row.cells.iter().cloned()).collect();
        let mut lines = item(named(&fields, columns.saturating_sub(INDENT)));
        lines.extend(row.under.iter().cloned());
        lines
    }
}

/// Names and texts in two columns; the texts may take several lines. One with a word, such as a digest, that would only be
/// whole below its name stands there.
pub(super) fn named(fields: &[(String, Text)], columns: usize) -> Vec<Text> {
    named_within(fields, columns, TEXT_LINES_MAX)
}

/// The same, of at most so many lines a text.
pub(super) fn named_within(fields: &[(String, Text)], columns: usize, lines_max: usize) -> Vec<Text> {
    let widest = fields.iter().map(|(name, _)| width(name)).max().unwrap_or(0).min(columns / 3);
    let room = columns.saturating_sub(widest + GAP);
    let mut lines = Vec::new();
    for (name, text) in fields {
        let names = wrapped(name, widest, CELL_LINES_MAX, true);
        let names: Vec<Text> = names.iter().map(|name| Text::toned(Tone::Faint, name)).collect();
        let below = columns.saturating_sub(INDENT);
        if (room + 1..=below).contains(&text.longest_word()) {
            lines.extend(names);
            lines.extend(set_in(text.wrapped(below, lines_max), INDENT));
            continue;
        }
        let texts = text.wrapped(room, lines_max);
        lines.extend(aligned(&[names, texts], &[widest, room], &[false, false]));
    }
    lines
}

/// Lines of which the first is marked as the beginning of something.
pub(super) fn item(lines: Vec<Text>) -> Vec<Text> {
    lines.into_iter().enumerate().map(|(at, line)| Text::from(if at == 0 { "- " } else { "  " }).then(line)).collect()
}

/// Lines set in; an empty one stays empty.
pub(super) fn set_in(lines: Vec<Text>, columns: usize) -> impl Iterator<Item = Text> {
    let indent = " ".repeat(columns);
    lines.into_iter().map(move |line| if line.width() == 0 { line } else { Text::from(&indent).then(line) })
}

/// Widths within `room`, each at least what it must have: what is over goes to the narrowest first, so that few are parted.
fn shrunk(widths: &[usize], least: &[usize], room: usize) -> Option<Vec<usize>> {
    let mut spare = room.checked_sub(least.iter().sum())?;
    let mut given = least.to_vec();
    let mut order: Vec<usize> = (0..widths.len()).collect();
    order.sort_by_key(|at| widths[*at]);
    for (place, at) in order.iter().enumerate() {
        let share = spare / (order.len() - place);
        let more = (widths[*at] - least[*at]).min(share);
        given[*at] += more;
        spare -= more;
    }
    Some(given)
}

/// Cells of several lines beside each other.
fn aligned(cells: &[Vec<Text>], widths: &[usize], right: &[bool]) -> Vec<Text> {
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let line = |at: usize| {
        let mut line = Text::default();
        let mut owed = 0;
        for ((cell, width), right) in cells.iter().zip(widths).zip(right) {
            let text = cell.get(at).cloned().unwrap_or_default();
            let pad = width.saturating_sub(text.width());
            let (before, after) = if *right { (pad, 0) } else { (0, pad) };
            if text.width() > 0 {
                line = line.then(" ".repeat(owed + before)).then(text);
                owed = after + GAP;
            } else {
                owed += width + GAP;
            }
        }
        line
    };
    (0..height).map(line).collect()
}
