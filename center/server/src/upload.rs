//! A submission while it comes in. Its first part is the signed statement: who sends that first is known before the large rest is read,
//! and counts as the publisher it is, wherever it connects from. Here is only reading; what the statement is worth is decided in
//! `submission.rs`.

use std::ops::Range;

use axum::body::{Body, Bytes};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt as _, Limited};
use iog_protocol::dsse::ENVELOPE_BYTES_MAX;

use crate::{refusal::Refusal, routes::unread};

/// The largest statement in base64.
const STATEMENT_TEXT_MAX: usize = ENVELOPE_BYTES_MAX.div_ceil(3) * 4;
/// Space that may stand between what stands before it, in bytes: more than any writer of JSON makes.
const SPACE_BYTES_MAX: usize = 256;
/// What stands before it.
const TOKENS: [&[u8]; 4] = [b"{", b"\"submission\"", b":", b"\""];

/// A body of which some has been read.
pub(crate) struct Upload {
    body: Limited<Body>,
    bytes_max: usize,
    read: Vec<u8>,
    beginning: Beginning,
}

/// How far the beginning of a body has been looked at. Each byte is looked at once, however it comes.
#[derive(Debug, Default)]
struct Beginning {
    /// Bytes looked at.
    at: usize,
    /// Tokens found, and bytes of the next one.
    token: usize,
    within: usize,
    /// Bytes of space found.
    space: usize,
    /// Where the statement begins, once that is known.
    statement: Option<usize>,
}

/// What the beginning of a body is.
#[derive(Debug, PartialEq, Eq)]
enum Begins {
    /// Not long enough to tell.
    Short,
    /// With a statement, in base64, at these bytes.
    Statement(Range<usize>),
    /// With anything else.
    Other,
}

impl Upload {
    pub(crate) fn new(body: Body, bytes_max: usize) -> Self {
        Self { body: Limited::new(body, bytes_max), bytes_max, read: Vec::new(), beginning: Beginning::default() }
    }

    /// Reads until the signed statement is there; `None` if the body does not begin with one.
    pub(crate) async fn statement(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            match self.beginning.look(&self.read) {
                Begins::Statement(text) => return Ok(self.read.get(text).and_then(|text| STANDARD.decode(text).ok())),
                Begins::Other => return Ok(None),
                Begins::Short => {
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

impl Beginning {
    /// Looks at what came since the last look.
    fn look(&mut self, read: &[u8]) -> Begins {
        while let Some(&byte) = read.get(self.at) {
            if let Some(begin) = self.statement {
                if byte == b'"' {
                    return Begins::Statement(begin..self.at);
                }
                if self.at - begin == STATEMENT_TEXT_MAX {
                    return Begins::Other;
                }
            } else if !self.take(byte) {
                return Begins::Other;
            }
            self.at += 1;
        }
        Begins::Short
    }

    /// Takes a byte before the statement; `false` if it does not belong there.
    fn take(&mut self, byte: u8) -> bool {
        if self.within == 0 && byte.is_ascii_whitespace() {
            self.space += 1;
            return self.space <= SPACE_BYTES_MAX;
        }
        let token = TOKENS[self.token];
        if token[self.within] != byte {
            return false;
        }
        self.within += 1;
        if self.within == token.len() {
            (self.token, self.within) = (self.token + 1, 0);
            self.statement = (self.token == TOKENS.len()).then_some(self.at + 1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    /// What the first bytes of a body are, when they come all at once and when they come one by one.
    fn begins(bytes: &[u8]) -> Begins {
        let at_once = Beginning::default().look(bytes);
        let mut beginning = Beginning::default();
        let one_by_one =
            (0..=bytes.len()).map(|end| beginning.look(&bytes[..end])).find(|found| *found != Begins::Short);
        assert_eq!(one_by_one.unwrap_or(Begins::Short), at_once);
        at_once
    }

    #[test]
    fn a_statement_is_known_as_soon_as_it_is_there() {
        let whole = br#" { "submission" : "AAAA", "manifest": "#;
        for end in 0..whole.len() {
            let expected = if end < 24 { Begins::Short } else { Begins::Statement(19..23) };
            assert_eq!(begins(&whole[..end]), expected, "{end}");
        }
        for other in ["[", "{}", "{\"manifest\"", "x", "{\"submission\":1", "{\"sub mission\""] {
            assert_eq!(begins(other.as_bytes()), Begins::Other, "{other}");
        }
        let of_length = |length: usize| begins(format!("{{\"submission\":\"{}\"", "A".repeat(length)).as_bytes());
        assert!(matches!(of_length(STATEMENT_TEXT_MAX), Begins::Statement(text) if text.len() == STATEMENT_TEXT_MAX));
        assert_eq!(of_length(STATEMENT_TEXT_MAX + 1), Begins::Other);
        assert_eq!(begins(&[b' '; SPACE_BYTES_MAX]), Begins::Short);
        assert_eq!(begins(&[b' '; SPACE_BYTES_MAX + 1]), Begins::Other);
    }

    #[tokio::test]
    async fn a_mib_of_blanks_is_given_up_at_once() {
        let (sender, body) = iog_transport::pieces(1 << 20);
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let crumbs = tokio::spawn(async move {
            while sender.send(Ok(Bytes::from_static(b" "))).await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut upload = Upload::new(Body::new(body), 1 << 24);
        assert_eq!(upload.statement().await.unwrap(), None);
        let sent = sent.load(Ordering::SeqCst);
        assert!((SPACE_BYTES_MAX..SPACE_BYTES_MAX + 4).contains(&sent), "{sent}");
        drop(upload);
        crumbs.await.unwrap();
    }
}
