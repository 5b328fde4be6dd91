//! A line as it will be printed: pieces with what they mean. Every piece is escaped when the line is made, so that no value,
//! whoever wrote it, brings colours, other lines or commands for a terminal with it.

use iog_desk::text::escaped;

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

/// One line, or one cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pieces: Vec<(Option<Tone>, String)>,
}

impl Text {
    /// A text in the colour of a tone.
    pub(crate) fn toned(tone: Tone, text: &str) -> Self {
        Self { pieces: vec![(Some(tone), escaped(text))] }
    }

    /// This text and another one behind it.
    pub(crate) fn then(mut self, next: impl Into<Self>) -> Self {
        self.pieces.extend(next.into().pieces);
        self
    }

    /// Characters that it takes on a terminal.
    pub(crate) fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// Whether it is a number, which stands to the right in a table.
    pub(crate) fn is_number(&self) -> bool {
        let digits = |c: char| c.is_ascii_digit() || matches!(c, ',' | '.' | '%' | '-');
        self.width() > 0 && self.pieces.iter().all(|(_, text)| text.chars().all(digits))
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
        Self { pieces: vec![(None, escaped(text))] }
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
