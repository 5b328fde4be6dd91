//! One signature line of a signed note, and the names that may stand in one. Reading a line proves nothing.

use crate::text::{from_base64, to_base64};
use std::fmt;

/// Longest key name accepted, in bytes.
pub const MAX_NAME_BYTES: usize = 255;
const LINE_START: &str = "\u{2014} ";

/// One signature line: `— <name> <base64(id || signature)>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoteSignature {
    /// Name of the key, as claimed.
    pub name: String,
    /// Key id, as claimed.
    pub id: u32,
    /// Signature bytes after the id; their form depends on the kind of key.
    pub bytes: Vec<u8>,
}

impl NoteSignature {
    /// Reads one signature line without its newline.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(LINE_START)?.split_once(' ')?;
        let decoded = from_base64(encoded).ok().filter(|_| is_name(name))?;
        let (id, bytes) = decoded.split_first_chunk::<4>()?;
        let nonempty = !bytes.is_empty();
        nonempty.then(|| Self { name: name.to_owned(), id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    /// The signature line with its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut encoded = self.id.to_be_bytes().to_vec();
        encoded.extend_from_slice(&self.bytes);
        writeln!(f, "{LINE_START}{} {}", self.name, to_base64(&encoded))
    }
}

/// False for names a note cannot carry: empty, too long, with white space, a control character or `+`.
pub(crate) fn is_name(name: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(bad)
}
