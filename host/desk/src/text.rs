//! Text from outside, made harmless for whoever shows it: one value is one line. It knows no terminal and no page.

/// Text of one line: every character that could drive what shows it, begin another line, change the direction of writing or
/// stand there unseen is replaced by U+FFFD. Whatever is shown of foreign text goes through here, once.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.chars().map(|c| if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// The lines of a foreign text that has lines, each of them escaped.
pub fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(escaped)
}

/// Whether a character is shown as itself and changes nothing around it.
#[must_use]
pub fn is_plain(c: char) -> bool {
    let unseen = matches!(c,
        // Directions of writing, and marks of them.
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Ends of lines and paragraphs that are not control characters.
        | '\u{2028}' | '\u{2029}'
        // Without width: two texts that look alike would differ.
        | '\u{00ad}' | '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}');
    !(c.is_control() || unseen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(escaped("a\x1b[2Jb\u{202e}c\r"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(escaped("\u{9b}31m\u{7f}\u{8}"), "\u{fffd}31m\u{fffd}\u{fffd}", "eight-bit controls too");
        assert_eq!(escaped("Zürich — 東京 ✓"), "Zürich — 東京 ✓");
    }

    #[test]
    fn one_value_is_one_line_and_hides_nothing() {
        let forged = "as1\ncaller key  ed25519:AAAA\u{2028}x\u{200b}y";
        assert_eq!(escaped(forged), "as1\u{fffd}caller key  ed25519:AAAA\u{fffd}x\u{fffd}y");
        assert_eq!(lines("a\r\nb\x1b[A\n\nc").collect::<Vec<_>>(), ["a", "b\u{fffd}[A", "", "c"]);
    }
}
