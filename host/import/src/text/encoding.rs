//! Which characters a file of text is made of, by its first bytes.

use std::io::Read;
use std::path::Path;

use crate::ImportError;
use crate::stored::Stored;

/// The byte-order mark that editors and spreadsheets put before UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes that tell an encoding: a mark of UTF-32, or two characters of UTF-16.
const TOLD_BYTES: usize = 4;

/// Opens a file of text at its first character.
///
/// # Errors
/// When the first bytes cannot be read, or are those of another encoding than UTF-8.
pub(crate) fn open<'a>(input: &'a mut dyn Read, path: &'a Path) -> Result<Stored<'a>, ImportError> {
    let mut stored = Stored::open(input, path)?;
    let head = stored.peek(TOLD_BYTES)?;
    if let Some(encoding) = other_encoding(head) {
        return Err(ImportError::Encoding { path: path.to_path_buf(), encoding });
    }
    if head.starts_with(MARK) {
        stored.consume(MARK.len());
    }
    Ok(stored)
}

/// The beginning of a file without its byte-order mark.
#[must_use]
pub(crate) fn unmarked(head: &[u8]) -> &[u8] {
    head.strip_prefix(MARK).unwrap_or(head)
}

/// The encoding of text that is not UTF-8, by its mark or by the zero bytes that it puts around ASCII.
#[must_use]
pub(crate) fn other_encoding(head: &[u8]) -> Option<&'static str> {
    let ascii = |byte: u8| (b' '..=b'~').contains(&byte) || matches!(byte, b'\t' | b'\n' | b'\r');
    match *head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] if ascii(a) && ascii(b) => Some("UTF-16"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &[u8]) -> Result<Vec<String>, ImportError> {
        let mut input = file;
        let mut stored = open(&mut input, Path::new("file"))?;
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        while stored.read_line(64, &mut line)? {
            lines.push(String::from_utf8(line.clone()).unwrap());
        }
        assert_eq!((stored.bytes(), stored.offset()), (file.len() as u64, file.len() as u64));
        Ok(lines)
    }

    #[test]
    fn marks_and_ends_of_lines_leave_the_same_lines() {
        for text in ["a,b\nc\n\nd", "a,b\r\nc\r\n\r\nd", "a,b\rc\r\rd", "a,b\r\nc\n\rd\r"] {
            for mark in ["", "\u{feff}"] {
                assert_eq!(lines(format!("{mark}{text}").as_bytes()).unwrap(), ["a,b", "c", "", "d"], "{text:?}");
            }
        }
        assert!(lines(b"").unwrap().is_empty() && lines(MARK).unwrap().is_empty());
    }

    #[test]
    fn other_encodings_are_named() {
        let wide = |text: &str, mark: &[u8], big: bool| {
            let units = text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() });
            [mark, &units.collect::<Vec<_>>()].concat()
        };
        for (mark, big) in [(&[0xff, 0xfe][..], false), (&[0xfe, 0xff], true), (&[], false), (&[], true)] {
            let error = lines(&wide("192.0.2.0/24,US\n", mark, big)).unwrap_err();
            assert!(matches!(error, ImportError::Encoding { encoding: "UTF-16", .. }), "{error}");
        }
        assert_eq!(other_encoding(&[0xff, 0xfe, 0, 0, b'1', 0, 0, 0]), Some("UTF-32"));
        assert_eq!(other_encoding("Ä,ß".as_bytes()), None);
        assert_eq!((other_encoding(b"1"), other_encoding(&[0; 9])), (None, None));
    }
}
