//! Signed notes (C2SP signed-note v1.0.0): a text and the signature lines below it.
//! Parsing proves nothing; only [`Note::verify`] does, and a line that claims a known key but does not verify spoils the note.

use crate::cosignature;
use crate::key::{KeyKind, VerifierKey};
use crate::note_error::{MAX_NOTE_BYTES, MAX_SIGNATURES, NoteError};
use crate::signature::NoteSignature;
use std::fmt;

/// A note as read, its signatures not verified yet. `Display` gives back the exact bytes parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, with its final newline.
    pub text: String,
    /// The signature lines, in order.
    pub signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note to be signed: the text must end in a newline and have no other control character.
    ///
    /// # Errors
    /// [`NoteError::Characters`], [`NoteError::Form`].
    pub fn new(text: &str) -> Result<Self, NoteError> {
        check_characters(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        Ok(Self { text: text.to_owned(), signatures: Vec::new() })
    }

    /// Reads a note of at most [`MAX_NOTE_BYTES`] with at least one signature line.
    ///
    /// # Errors
    /// [`NoteError`] naming the first thing that is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Characters)?;
        check_characters(whole)?;
        let cut = whole.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, lines) = (&whole[..=cut], &whole[cut + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (index, line) in lines.split('\n').enumerate() {
            if index == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse(line).ok_or(NoteError::SignatureLine(index + 1))?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The bytes served: text, empty line, signature lines.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// Verifies every signature that claims one of these keys; lines of unknown keys are ignored.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] if any of them fails, [`NoteError::NoKnownSignature`] if there is none,
    /// [`NoteError::AmbiguousKeys`] if the keys given cannot be told apart.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<VerifiedNote, NoteError> {
        let mut verified: Vec<VerifiedSignature> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = self.claimed(signature, keys)? else { continue };
            let time = self.verify_one(signature, key)?;
            match verified.iter_mut().find(|known| known.key == *key) {
                Some(known) => known.time = known.time.max(time),
                None => verified.push(VerifiedSignature { key: key.clone(), time }),
            }
        }
        if verified.is_empty() {
            return Err(NoteError::NoKnownSignature);
        }
        Ok(VerifiedNote { text: self.text.clone(), signatures: verified })
    }

    fn claimed<'k>(&self, line: &NoteSignature, keys: &'k [VerifierKey]) -> Result<Option<&'k VerifierKey>, NoteError> {
        let mut claimed = keys.iter().filter(|key| key.claims(line));
        let first = claimed.next();
        if claimed.any(|other| Some(other) != first) {
            return Err(NoteError::AmbiguousKeys(line.name.clone()));
        }
        Ok(first)
    }

    fn verify_one(&self, signature: &NoteSignature, key: &VerifierKey) -> Result<Option<u64>, NoteError> {
        let bad = || NoteError::BadSignature(key.name().to_owned());
        match key.kind() {
            KeyKind::CosignatureV1 => cosignature::verify(key, &self.text, signature).map(Some),
            KeyKind::Ed25519 => {
                let bytes: &[u8; 64] = signature.bytes.as_slice().try_into().map_err(|_| bad())?;
                if key.verifies(self.text.as_bytes(), bytes) { Ok(None) } else { Err(bad()) }
            }
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

/// A note of which at least one signature verified. Only [`Note::verify`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNote {
    text: String,
    signatures: Vec<VerifiedSignature>,
}

impl VerifiedNote {
    /// The text that was signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The keys that signed, each once, in the order of their first line.
    pub fn signatures(&self) -> &[VerifiedSignature] {
        &self.signatures
    }

    /// Whether this key signed.
    pub fn signed_by(&self, key: &VerifierKey) -> bool {
        self.signatures.iter().any(|signature| signature.key == *key)
    }
}

/// A key whose signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    key: VerifierKey,
    time: Option<u64>,
}

impl VerifiedSignature {
    /// The key that signed.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Time of a cosignature in POSIX seconds (the latest, if it cosigned more than once); `None` for plain signatures.
    pub fn time(&self) -> Option<u64> {
        self.time
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|b| b < b' ' && b != b'\n') { Err(NoteError::Characters) } else { Ok(()) }
}
