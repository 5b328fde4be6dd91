//! Text chosen by somebody else, made fit for a message: one line, bounded, no control characters.

/// At most `chars_max` characters, control characters and line ends escaped.
pub(crate) fn clean(text: &str, chars_max: usize) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().collect::<String>() } else { c.to_string() };
    text.chars().take(chars_max).map(escape).collect()
}
