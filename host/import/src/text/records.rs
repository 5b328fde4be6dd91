//! Records of text whose fields are separated by one character (RFC 4180), one a line, in bounded memory. A field ends on
//! its line: no table here has values of several lines, and a stray quotation mark must not swallow the lines behind it.

use std::io::Read;
use std::path::Path;

use super::encoding::open;
use crate::ImportError;
use crate::stored::Stored;

/// Bytes a record may have.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// Fields a record may have. Tables of geolocation have ten.
pub const FIELDS_MAX: usize = 64;

/// Which text is a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// A line that begins with this character.
    Lines(u8),
    /// From this character to the end of the line, wherever it stands outside of quotation marks (RFC 8805 §2.1).
    Anywhere(u8),
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Between fields.
    pub delimiter: u8,
    /// What is passed over.
    pub comments: Comments,
}

/// Reads the records of a file.
pub struct Records<'a> {
    stored: Stored<'a>,
    path: &'a Path,
    dialect: Dialect,
    line: Vec<u8>,
    text: String,
    ends: Vec<usize>,
    number: u64,
}

/// A record and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its line, from 1.
    pub line: u64,
    /// Where it begins, in decompressed bytes.
    pub offset: u64,
    /// Its fields, or why they cannot be told apart.
    pub fields: Result<Fields<'a>, &'static str>,
}

/// The fields of one record, surrounding blanks removed.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    /// A field; empty where the record has fewer.
    #[must_use]
    pub fn get(&self, index: usize) -> &'a str {
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).copied().unwrap_or(usize::MAX) };
        let end = self.ends.get(index).copied().unwrap_or_default();
        self.text.get(start..end).unwrap_or_default().trim()
    }

    /// A field, or none where it is empty or not there.
    #[must_use]
    pub fn some(&self, index: usize) -> Option<&'a str> {
        Some(self.get(index)).filter(|text| !text.is_empty())
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl<'a> Records<'a> {
    /// Opens a file of text.
    ///
    /// # Errors
    /// When its first bytes cannot be read or are not UTF-8.
    pub fn open(input: &'a mut dyn Read, path: &'a Path, dialect: Dialect) -> Result<Self, ImportError> {
        Ok(Self::new(open(input, path)?, path, dialect))
    }

    /// Reads on in a file of text.
    pub(crate) const fn new(stored: Stored<'a>, path: &'a Path, dialect: Dialect) -> Self {
        Self { stored, path, dialect, line: Vec::new(), text: String::new(), ends: Vec::new(), number: 0 }
    }

    /// The file.
    pub(crate) const fn stored(&self) -> &Stored<'a> {
        &self.stored
    }

    /// The next record; lines without one are passed over. None at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read or a record passes a bound.
    pub fn advance(&mut self) -> Result<Option<Record<'_>>, ImportError> {
        loop {
            let offset = self.stored.offset();
            if !self.stored.read_line(RECORD_BYTES_MAX, &mut self.line)? {
                return Ok(None);
            }
            self.number += 1;
            let begins = self.line.trim_ascii_start().first();
            let (Comments::Lines(comment) | Comments::Anywhere(comment)) = self.dialect.comments;
            if begins.is_none_or(|first| *first == comment) {
                continue;
            }
            let fields = self.split()?;
            let fields = fields.map(|()| Fields { text: &self.text, ends: &self.ends });
            return Ok(Some(Record { line: self.number, offset, fields }));
        }
    }

    /// Takes the fields of the line apart; tells why that is not possible.
    fn split(&mut self) -> Result<Result<(), &'static str>, ImportError> {
        self.text.clear();
        self.ends.clear();
        let Ok(mut rest) = std::str::from_utf8(&self.line) else { return Ok(Err("a line is not UTF-8")) };
        loop {
            rest = rest
                .trim_start_matches(|blank| matches!(blank, ' ' | '\t') && blank != char::from(self.dialect.delimiter));
            if let Some(quoted) = rest.strip_prefix('"') {
                let Some(behind) = unquote(quoted, &mut self.text) else {
                    return Ok(Err("a quoted field does not end on its line"));
                };
                rest = behind;
            }
            let (field, next) = self.dialect.field(rest);
            self.text.push_str(field.trim_end());
            self.ends.push(self.text.len());
            if self.ends.len() > FIELDS_MAX {
                let (found, max) = (self.ends.len() as u64, FIELDS_MAX as u64);
                let what = "a record's number of fields";
                return Err(ImportError::TooLarge { path: self.path.to_path_buf(), what, found, max });
            }
            match next {
                Some(next) => rest = next,
                None => return Ok(Ok(())),
            }
        }
    }
}

impl Dialect {
    /// The text of a field that is not quoted, and what follows its delimiter.
    fn field(self, text: &str) -> (&str, Option<&str>) {
        let comment = if let Comments::Anywhere(comment) = self.comments { comment } else { self.delimiter };
        let end = text.bytes().position(|byte| byte == self.delimiter || byte == comment);
        match end {
            None => (text, None),
            Some(end) if text.as_bytes()[end] == self.delimiter => (&text[..end], Some(&text[end + 1..])),
            Some(end) => (&text[..end], None),
        }
    }
}

/// Appends what stands before the closing quotation mark, doubled ones as one; what follows it. None without one.
fn unquote<'a>(mut text: &'a str, into: &mut String) -> Option<&'a str> {
    loop {
        let end = text.find('"')?;
        into.push_str(&text[..end]);
        text = &text[end + 1..];
        match text.strip_prefix('"') {
            Some(rest) => {
                into.push('"');
                text = rest;
            }
            None => return Some(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Dialect = Dialect { delimiter: b',', comments: Comments::Anywhere(b'#') };

    fn read(text: &str, dialect: Dialect) -> Vec<(u64, Result<Vec<String>, &'static str>)> {
        let mut input = text.as_bytes();
        let mut records = Records::open(&mut input, Path::new("file"), dialect).unwrap();
        let mut all = Vec::new();
        while let Some(record) = records.advance().unwrap() {
            let texts = |fields: Fields<'_>| (0..fields.len()).map(|at| fields.get(at).to_owned()).collect();
            all.push((record.line, record.fields.map(texts)));
        }
        all
    }

    fn one(line: &str, dialect: Dialect) -> Vec<String> {
        let mut all = read(line, dialect);
        assert_eq!(all.len(), 1, "{line}");
        all.remove(0).1.unwrap()
    }

    #[test]
    fn fields_are_those_of_the_rfc_and_of_spreadsheets() {
        assert_eq!(one("a,b,c", COMMA), ["a", "b", "c"]);
        assert_eq!(one(" a , b\t,", COMMA), ["a", "b", ""]);
        assert_eq!(one(r##""a, ""b""" , "#c",d"##, COMMA), [r#"a, "b""#, "#c", "d"]);
        assert_eq!(one("a\"b,\"c\"d,\"\"", COMMA), ["a\"b", "cd", ""]);
        assert_eq!(one("a, # rest, of it", COMMA), ["a", ""]);
        assert_eq!(one("a # rest", COMMA), ["a"]);
        let lines = Dialect { comments: Comments::Lines(b'#'), ..COMMA };
        assert_eq!(one("a,No #1", lines), ["a", "No #1"]);
        let tabs = Dialect { delimiter: b'\t', comments: Comments::Anywhere(b';') };
        assert_eq!(one("a \t b;c", tabs), ["a", "b"]);
        assert_eq!(one("a\t\tb", tabs), ["a", "", "b"]);
    }

    #[test]
    fn lines_without_a_record_count_and_a_stray_quotation_mark_costs_one() {
        let all = read("\u{feff}# head\r\n\r\n  # more\r\na\rb,\"c\n d\n\t\n", COMMA);
        let lines: Vec<_> = all.iter().map(|(line, fields)| (*line, fields.is_ok())).collect();
        assert_eq!(lines, [(4, true), (5, false), (6, true)]);
    }
}
