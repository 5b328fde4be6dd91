//! A line as it will be printed: pieces with what they mean. Every piece is escaped when the line is made, so that no value,
//! whoever wrote it, brings colours, other lines or commands for a terminal with it.

use iog_desk::text::escaped;

use super::wrap::{self, wrapped};

/// What a word means, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warn,
    Faint,
    Title,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Warn => "33",
            Self::Faint => "2",
            Self::Title => "1;36",
        }
    }
}

/// Columns of the longest word that a table does not part: an IPv6 prefix with room to spare.
const WORD_MAX: usize = 44;
/// Columns of a part of a longer one, at least.
const WORD_PART_MIN: usize = 12;

/// One line, or one cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pieces: Vec<(Option<Tone>, String)>,
    /// Whether it is a number; where whoever made it did not say, its characters do.
    number: Option<bool>,
}

impl Text {
    /// A text in the colour of a tone.
    pub(crate) fn toned(tone: Tone, text: &str) -> Self {
        Self { pieces: vec![(Some(tone), escaped(text))], number: None }
    }

    /// A number that may have a unit.
    pub(crate) fn number(text: &str) -> Self {
        Self { number: Some(true), ..Self::from(text) }
    }

    /// Words, whatever they look like.
    pub(crate) fn words(text: &str) -> Self {
        Self { number: Some(false), ..Self::from(text) }
    }

    /// This text and another one behind it.
    pub(crate) fn then(mut self, next: impl Into<Self>) -> Self {
        self.pieces.extend(next.into().pieces);
        self
    }

    /// Columns that it takes on a terminal.
    pub(crate) fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| wrap::width(text)).sum()
    }

    /// The columns that it needs at least where it is parted at its blanks: those of its longest word. A number is not parted.
    pub(super) fn width_min(&self) -> usize {
        if self.is_number() {
            return self.width();
        }
        self.words_wide().map(|word| if word > WORD_MAX { WORD_PART_MIN } else { word }).max().unwrap_or(0)
    }

    /// The columns of its longest word.
    pub(super) fn longest_word(&self) -> usize {
        self.words_wide().max().unwrap_or(0)
    }

    fn words_wide(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().flat_map(|(_, text)| text.split(' ')).map(wrap::width)
    }

    /// The text in lines of at most `columns`, the last of `lines_max` with an ellipsis. Only a text of one meaning keeps its
    /// colour when it is parted.
    pub(super) fn wrapped(&self, columns: usize, lines_max: usize) -> Vec<Self> {
        if self.width() <= columns {
            return vec![self.clone()];
        }
        let tone = self.pieces.first().and_then(|(tone, _)| *tone).filter(|_| self.pieces.len() == 1);
        let text: String = self.pieces.iter().map(|(_, text)| text.as_str()).collect();
        let lines = wrapped(&text, columns, lines_max, false).into_iter();
        lines.map(|line| Self { pieces: vec![(tone, line)], number: self.number }).collect()
    }

    /// Whether it is a number, which stands to the right in a table and is not parted.
    pub(crate) fn is_number(&self) -> bool {
        let digits = |c: char| c.is_ascii_digit() || matches!(c, ',' | '.' | '%' | '-');
        let looks = || self.width() > 0 && self.pieces.iter().all(|(_, text)| text.chars().all(digits));
        self.number.unwrap_or_else(looks)
    }

    /// The characters to print, with the codes of colours where those are wanted.
    pub(crate) fn rendered(&self, colour: bool) -> String {
        let piece = |(tone, text): &(Option<Tone>, String)| match tone.filter(|_| colour) {
            Some(tone) => format!("\x1b[{}m{text}\x1b[0m", tone.code()),
            None => text.clone(),
        };
        self.pieces.iter().map(piece).collect()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self { pieces: vec![(None, escaped(text))], number: None }
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_between_colours_cannot_drive_the_terminal() {
        let painted = Text::toned(Tone::Bad, "bad\x1b[2J\n");
        assert_eq!(painted.rendered(true), "\x1b[31mbad\u{fffd}[2J\u{fffd}\x1b[0m");
        let foreign = Text::from("\x1b[32mholds\x1b[0m");
        assert_eq!(foreign.rendered(true), "\u{fffd}[32mholds\u{fffd}[0m", "nobody paints but us");
        let both = Text::from("a ").then(Text::toned(Tone::Good, "b"));
        assert_eq!((both.rendered(false), both.width()), ("a b".to_owned(), 3));
    }
}
