//! Text chosen by somebody else, made fit for a message: one line, bounded, no control or direction characters.

/// At most `chars_max` characters, those escaped that drive a terminal, end a line, or hide or turn what stands around them.
pub(crate) fn clean(text: &str, chars_max: usize) -> String {
    let is_foul = |c: char| c.is_control() || is_direction(c);
    let escape = |c: char| if is_foul(c) { c.escape_default().collect::<String>() } else { c.to_string() };
    text.chars().take(chars_max).map(escape).collect()
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_message_is_one_line_that_hides_nothing() {
        assert_eq!(clean("a\u{1b}[31mb\u{202e}c\n\u{feff}d", 100), "a\\u{1b}[31mb\\u{202e}c\\n\\u{feff}d");
        assert_eq!(clean("äöü", 2), "äö");
    }
}
