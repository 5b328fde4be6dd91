//! How wide a text is on a terminal, and a text cut into lines that are no wider than they may be.

use unicode_width::UnicodeWidthChar as _;

/// Columns of a terminal that a text takes; wide characters take two.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The columns that this process's standard output has: what `COLUMNS` says, else the terminal. A file or a pipe has no end.
pub(super) fn columns() -> usize {
    let told = std::env::var_os("COLUMNS").and_then(|text| text.to_str()?.parse().ok());
    let terminal = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    told.filter(|columns| *columns > 0).or_else(terminal).unwrap_or(COLUMNS_WITHOUT_END).max(COLUMNS_MIN)
}

/// Fewer columns than any terminal has; a narrower one wraps lines itself.
pub(super) const COLUMNS_MIN: usize = 20;
/// Columns of what is no terminal: more than any line has, and small enough to reckon with.
const COLUMNS_WITHOUT_END: usize = 1 << 20;

/// A text in lines of at most `columns`: parted after blanks and, where `hyphens` says so, after hyphens; a word that is
/// longer is parted anywhere. Of more than `lines_max` lines the last one ends with an ellipsis.
pub(super) fn wrapped(text: &str, columns: usize, lines_max: usize, hyphens: bool) -> Vec<String> {
    let columns = columns.max(2);
    if width(text) <= columns {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(|c| c == ' ' || (hyphens && c == '-')) {
        put(word, columns, &mut lines);
        if lines.len() > lines_max {
            break;
        }
    }
    let mut lines: Vec<String> = lines.iter().map(|line| line.trim_end().to_owned()).collect();
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            *last = format!("{}…", cut(last, columns - 1).trim_end_matches([' ', ',']));
        }
    }
    lines
}

/// Writes a word behind the last line where there is room, else in lines of its own.
fn put(word: &str, columns: usize, lines: &mut Vec<String>) {
    let last = lines.last().map_or(0, |line| width(line));
    if last > 0 && last + width(word.trim_end()) > columns {
        lines.push(String::new());
    }
    let mut rest = word;
    loop {
        let line = lines.last_mut().expect("there is one line at least");
        let room = columns.saturating_sub(width(line));
        if width(rest.trim_end()) <= room {
            line.push_str(if width(rest) <= room { rest } else { rest.trim_end() });
            return;
        }
        let part = cut(rest, room);
        line.push_str(part);
        rest = &rest[part.len()..];
        lines.push(String::new());
    }
}

/// As much of the beginning of a text as fits.
fn cut(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, c)| {
        taken += c.width().unwrap_or(0);
        taken > columns
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parted_at_blanks() {
        assert_eq!(wrapped("as64500, as64501, as64502", 17, 9, false), ["as64500, as64501,", "as64502"]);
        assert_eq!(wrapped("short", 17, 9, false), ["short"]);
        assert_eq!(wrapped("", 17, 9, false), [""]);
        assert_eq!(wrapped("more-specifics-found", 12, 9, true), ["more-", "specifics-", "found"]);
    }

    #[test]
    fn a_long_word_is_parted_anywhere_and_a_long_text_ends() {
        assert_eq!(wrapped("aaaa bbbbbbbbbbbb cc", 5, 9, false), ["aaaa", "bbbbb", "bbbbb", "bb cc"]);
        assert_eq!(wrapped("a b c d e f g h", 3, 2, false), ["a b", "c…"]);
        assert_eq!(wrapped("東京東京", 5, 9, false), ["東京", "東京"], "wide characters take two columns");
    }
}
