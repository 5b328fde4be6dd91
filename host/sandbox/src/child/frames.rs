//! What goes through the pipes: messages of a head and a body, each with its length before it and a bound on that length,
//! because either side may be hostile to the other.

use std::io::{self, Read, Write};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Longest head, bytes: a few names and numbers, or the text of an error.
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// JSON that says what this is.
    pub(crate) head: Vec<u8>,
    /// The bytes it is about.
    pub(crate) body: Vec<u8>,
}

/// Why no message was read.
#[derive(Debug)]
pub(crate) enum NotRead {
    /// The other side went away before its end, or the pipe failed.
    Cut,
    /// It announces more than it may send.
    TooLong,
}

impl From<io::Error> for NotRead {
    fn from(_: io::Error) -> Self {
        Self::Cut
    }
}

/// Reads a message in the child.
pub(crate) fn read_message(from: &mut impl Read, body_bytes_max: u64) -> Result<Message, NotRead> {
    let mut part = |max: u64| {
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let length = bounded(length, max)?;
        let mut bytes = Vec::new();
        from.by_ref().take(length).read_to_end(&mut bytes)?;
        whole(bytes, length)
    };
    Ok(Message { head: part(HEAD_BYTES_MAX)?, body: part(body_bytes_max)? })
}

/// Writes a message in the child.
pub(crate) fn write_message(to: &mut impl Write, head: &[u8], body: &[u8]) -> io::Result<()> {
    for part in [head, body] {
        to.write_all(&(part.len() as u64).to_le_bytes())?;
        to.write_all(part)?;
    }
    to.flush()
}

/// Reads a message in the parent.
pub(super) async fn receive(from: &mut (impl AsyncRead + Unpin), body_bytes_max: u64) -> Result<Message, NotRead> {
    let head = receive_part(from, HEAD_BYTES_MAX).await?;
    Ok(Message { head, body: receive_part(from, body_bytes_max).await? })
}

/// Writes a message in the parent.
pub(super) async fn send(to: &mut (impl AsyncWrite + Unpin), head: &[u8], body: &[u8]) -> io::Result<()> {
    for part in [head, body] {
        to.write_all(&(part.len() as u64).to_le_bytes()).await?;
        to.write_all(part).await?;
    }
    to.flush().await
}

async fn receive_part(from: &mut (impl AsyncRead + Unpin), max: u64) -> Result<Vec<u8>, NotRead> {
    let mut length = [0; 8];
    from.read_exact(&mut length).await?;
    let length = bounded(length, max)?;
    let mut bytes = Vec::new();
    // Memory is taken as bytes come, not as they are announced.
    from.take(length).read_to_end(&mut bytes).await?;
    whole(bytes, length)
}

fn bounded(length: [u8; 8], max: u64) -> Result<u64, NotRead> {
    let length = u64::from_le_bytes(length);
    if length > max { Err(NotRead::TooLong) } else { Ok(length) }
}

fn whole(bytes: Vec<u8>, length: u64) -> Result<Vec<u8>, NotRead> {
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(NotRead::Cut) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(head: &[u8], body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_message(&mut bytes, head, body).unwrap();
        bytes
    }

    #[tokio::test]
    async fn both_sides_write_and_read_the_same_bytes() {
        let mut sent = Vec::new();
        send(&mut sent, b"{}", b"body").await.unwrap();
        assert_eq!(sent, written(b"{}", b"body"));
        let message = Message { head: b"{}".to_vec(), body: b"body".to_vec() };
        assert_eq!(read_message(&mut &sent[..], 4).unwrap(), message);
        assert_eq!(receive(&mut &sent[..], 4).await.unwrap(), message);
    }

    #[tokio::test]
    async fn what_is_cut_or_too_long_is_no_message() {
        let bytes = written(b"{}", b"body");
        for end in 0..bytes.len() {
            assert!(matches!(read_message(&mut &bytes[..end], 4), Err(NotRead::Cut)), "{end}");
            assert!(matches!(receive(&mut &bytes[..end], 4).await, Err(NotRead::Cut)), "{end}");
        }
        assert!(matches!(receive(&mut &bytes[..], 3).await, Err(NotRead::TooLong)));
        let announced = u64::MAX.to_le_bytes();
        assert!(
            matches!(receive(&mut &announced[..], u64::MAX).await, Err(NotRead::TooLong)),
            "a head has its own bound"
        );
    }
}
