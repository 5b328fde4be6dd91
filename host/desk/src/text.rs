//! Text from outside, made harmless for whoever shows it. It knows no terminal and no page.

/// Text without control characters and without changes of writing direction, so that no file, guest or peer can drive what
/// shows it. Ends of lines stay.
#[must_use]
pub fn escaped(text: &str) -> String {
    let plain =
        |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    text.chars().map(|c| if plain(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(escaped("a\x1b[2Jb\u{202e}c\r"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
    }
}
