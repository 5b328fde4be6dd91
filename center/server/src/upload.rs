//! A submission while it comes in. Its first part is the signed statement: who sends that first is known before the large rest is read,
//! and counts as the publisher it is, wherever it connects from. Here is only reading; what the statement is worth is decided in
//! `submission.rs`.

use axum::body::{Body, Bytes};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt as _, Limited};
use iog_protocol::dsse::ENVELOPE_BYTES_MAX;

use crate::{refusal::Refusal, routes::unread};

/// The largest statement in base64.
const STATEMENT_TEXT_MAX: usize = ENVELOPE_BYTES_MAX.div_ceil(3) * 4;
/// What stands before it, with some space.
const TOKENS: [&[u8]; 4] = [b"{", b"\"submission\"", b":", b"\""];

/// A body of which some has been read.
pub(crate) struct Upload {
    body: Limited<Body>,
    bytes_max: usize,
    read: Vec<u8>,
}

/// What the beginning of a body is.
#[derive(Debug, PartialEq, Eq)]
enum Beginning<'a> {
    /// Not long enough to tell.
    Short,
    /// A statement, in base64.
    Statement(&'a [u8]),
    /// Anything else.
    Other,
}

impl Upload {
    pub(crate) fn new(body: Body, bytes_max: usize) -> Self {
        Self { body: Limited::new(body, bytes_max), bytes_max, read: Vec::new() }
    }

    /// Reads until the signed statement is there; `None` if the body does not begin with one.
    pub(crate) async fn statement(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            match beginning(&self.read) {
                Beginning::Statement(text) => return Ok(STANDARD.decode(text).ok()),
                Beginning::Other => return Ok(None),
                Beginning::Short => {
                    if !self.more().await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Reads to the end: the whole body.
    pub(crate) async fn whole(mut self) -> Result<Bytes, Refusal> {
        while self.more().await? {}
        Ok(self.read.into())
    }

    /// Reads some more; `false` at the end.
    async fn more(&mut self) -> Result<bool, Refusal> {
        let Some(frame) = self.body.frame().await else { return Ok(false) };
        let frame = frame.map_err(|error| unread(&*error, self.bytes_max))?;
        if let Some(bytes) = frame.data_ref() {
            self.read.extend_from_slice(bytes);
        }
        Ok(true)
    }
}

fn beginning(bytes: &[u8]) -> Beginning<'_> {
    let mut rest = bytes;
    for token in TOKENS {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(token) {
            Some(after) => rest = after,
            None if token.starts_with(rest) => return Beginning::Short,
            None => return Beginning::Other,
        }
    }
    match rest.iter().position(|byte| *byte == b'"') {
        Some(end) if end <= STATEMENT_TEXT_MAX => Beginning::Statement(&rest[..end]),
        None if rest.len() <= STATEMENT_TEXT_MAX => Beginning::Short,
        _ => Beginning::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_known_as_soon_as_it_is_there() {
        let whole = br#" { "submission" : "AAAA", "manifest": "#;
        for end in 0..whole.len() {
            let found = beginning(&whole[..end]);
            let expected = if end < 24 { Beginning::Short } else { Beginning::Statement(b"AAAA") };
            assert_eq!(found, expected, "{end}");
        }
        for other in ["[", "{}", "{\"manifest\"", "x", "{\"submission\":1"] {
            assert_eq!(beginning(other.as_bytes()), Beginning::Other, "{other}");
        }
        let endless = format!("{{\"submission\":\"{}", "A".repeat(STATEMENT_TEXT_MAX + 1));
        assert_eq!(beginning(endless.as_bytes()), Beginning::Other);
    }
}
