//! Makes text that a module may have influenced fit to be shown: no control or direction characters, bounded length.

/// `text` with every control and direction character replaced, cut to `bytes_max` bytes.
pub(crate) fn clean(text: &str, bytes_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(bytes_max));
    for c in text.chars() {
        let c = if c.is_control() || is_direction(c) { '\u{fffd}' } else { c };
        if out.len() + c.len_utf8() > bytes_max {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn control_characters_go_and_length_is_bounded() {
        assert_eq!(clean("a\u{1b}[31mb\u{202e}\n", 100), "a\u{fffd}[31mb\u{fffd}\u{fffd}");
        assert_eq!(clean("äöü", 5), "äö…");
    }
}
