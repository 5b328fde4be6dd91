//! BGP Monitoring Protocol (RFC 7854): what a router says about the routes its peers sent, into `route/1`. A decoder of
//! one router's stream, bytes in, rows out; it opens no connection and reads no clock.

mod open;

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::bgp::cursor::{AsWidth, Cursor, Family, Malformed, mapped};
use crate::bgp::update::{AddPath, Message, Session, Update, read_message};
use crate::columns::Sink;
use crate::rows::{RouteBuilder, Said};
use crate::stored::Stored;
use crate::tally::{Tally, Why};
use crate::{FileReport, ImportError};

/// Bytes of the common header: version, length, type (RFC 7854 §4.1).
const HEADER_BYTES: usize = 6;

/// Bytes a message may have. The longest of use is a Peer Up with two extended OPENs (RFC 8654) of 65,535 bytes; route
/// mirroring may carry several messages.
pub const MESSAGE_BYTES_MAX: u32 = 1024 * 1024;

/// Peers of one router whose sessions are remembered. Route servers of the largest exchanges have some 2,000.
pub const PEERS_MAX: usize = 16_384;

/// Which of a router's tables is read. A router may send several; rows of both would count routes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Table {
    /// What the peer sent, before the router's policy.
    #[default]
    PrePolicy,
    /// What the router's policy made of it.
    PostPolicy,
}

/// What the provider says about a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Name of the collector: the router.
    pub collector: Option<String>,
    /// The table that is read.
    pub table: Table,
}

/// Whether a file (decompressed) begins like BMP.
#[must_use]
pub fn looks_like(head: &[u8]) -> bool {
    matches!(head, [3, a, b, c, d, 0..=6, ..] if (6..=MESSAGE_BYTES_MAX).contains(&u32::from_be_bytes([*a, *b, *c, *d])))
}

/// Decodes a file that holds a stream as it was received, plain or compressed. Messages without a time of their own give
/// no rows. `progress` is told the bytes of the file read so far, compressed as stored.
///
/// # Errors
/// When the file cannot be read, breaks the framing or nothing in it could be used; when the sink fails.
pub fn read(
    input: &mut dyn Read,
    path: &Path,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let mut stored = Stored::open(input, path)?;
    let mut decoder = Decoder::new(path, options.clone());
    loop {
        let bytes = stored.fill()?;
        if bytes.is_empty() {
            break;
        }
        decoder.push(bytes, None, sink)?;
        let count = bytes.len();
        stored.consume(count);
        progress(stored.bytes());
    }
    decoder.flush(sink)?;
    decoder.end();
    decoder.tally.finish(&stored, path, "bmp")
}

/// Decodes one router's stream.
pub struct Decoder {
    path: PathBuf,
    options: Options,
    buffer: Vec<u8>,
    offset: u64,
    sessions: HashMap<PeerKey, AddPath>,
    update: Update,
    builder: RouteBuilder,
    tally: Tally,
}

/// A peer of the router: type, distinguisher, address.
type PeerKey = (u8, [u8; 8], [u8; 16]);

impl Decoder {
    /// A decoder at the beginning of a stream; `path` names the stream in reports and errors.
    #[must_use]
    pub fn new(path: &Path, options: Options) -> Self {
        Self {
            path: path.to_path_buf(),
            options,
            buffer: Vec::new(),
            offset: 0,
            sessions: HashMap::new(),
            update: Update::default(),
            builder: RouteBuilder::default(),
            tally: Tally::default(),
        }
    }

    /// Takes the next bytes of the stream. `received` (microseconds since the epoch) stands in for the time of messages
    /// that have none. Keeps at most one unfinished message, of up to [`MESSAGE_BYTES_MAX`].
    ///
    /// # Errors
    /// When the stream is no BMP of version 3 or passes a bound, after which it cannot be read on; when the sink fails.
    pub fn push(&mut self, bytes: &[u8], received: Option<i64>, sink: &mut dyn Sink) -> Result<(), ImportError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(len) = self.message_len(&buffer[start..])? {
            let Some(message) = buffer.get(start..start + len) else { break };
            self.tally.messages += 1;
            self.message(message, received, sink)?;
            self.offset += len as u64;
            start += len;
        }
        buffer.drain(..start);
        self.buffer = buffer;
        Ok(())
    }

    /// Hands the rows not yet handed on to the sink, for example when files are rotated.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), ImportError> {
        self.builder.flush(sink)
    }

    /// What came of the stream so far.
    #[must_use]
    pub fn report(&self) -> FileReport {
        FileReport {
            path: self.path.clone(),
            format: "bmp".to_owned(),
            messages: self.tally.messages,
            rows: self.tally.rows,
            bytes: self.offset + self.buffer.len() as u64,
            skipped: self.tally.skipped(),
        }
    }

    /// Ends the stream. A message that it ends in is counted: routers close connections at any time.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn finish(mut self, sink: &mut dyn Sink) -> Result<FileReport, ImportError> {
        self.flush(sink)?;
        self.end();
        Ok(self.report())
    }

    fn end(&mut self) {
        if !self.buffer.is_empty() {
            self.tally.malformed(self.offset, "the stream ends inside a message");
        }
    }

    /// Length of the message at the beginning of `bytes`, when its header is there.
    fn message_len(&self, bytes: &[u8]) -> Result<Option<usize>, ImportError> {
        if let Some(version) = bytes.first().filter(|version| **version != 3) {
            return Err(self.damaged(format!("a message is of version {version}, known is 3")));
        }
        let Some(&[_, a, b, c, d, _]) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let len = u32::from_be_bytes([a, b, c, d]);
        if len > MESSAGE_BYTES_MAX {
            let (found, max) = (u64::from(len), u64::from(MESSAGE_BYTES_MAX));
            return Err(self.too_large("the length of a BMP message in bytes", found, max));
        }
        if (len as usize) < HEADER_BYTES {
            return Err(self.damaged(format!("a message of {len} bytes is shorter than its header")));
        }
        Ok(Some(len as usize))
    }

    fn damaged(&self, reason: String) -> ImportError {
        ImportError::Damaged { path: self.path.clone(), offset: self.offset, reason }
    }

    fn too_large(&self, what: &'static str, found: u64, max: u64) -> ImportError {
        ImportError::TooLarge { path: self.path.clone(), what, found, max }
    }

    fn message(&mut self, message: &[u8], received: Option<i64>, sink: &mut dyn Sink) -> Result<(), ImportError> {
        let body = &message[HEADER_BYTES..];
        let result = match message[5] {
            0 => match self.route_monitoring(body, received) {
                Ok(Some(peer)) => return self.push_routes(&peer, sink),
                Ok(None) => Ok(()),
                Err(malformed) => Err(malformed),
            },
            2 => self.peer_down(body),
            3 => return self.peer_up(body),
            kind => {
                self.tally.skip(Why::NotApplicable(type_name(kind)));
                Ok(())
            }
        };
        if let Err(Malformed(reason)) = result {
            self.tally.malformed(self.offset, reason);
        }
        Ok(())
    }

    /// Reads a Route Monitoring message (RFC 7854 §4.6) into `self.update`; tells whose routes they are, if any apply.
    fn route_monitoring(&mut self, body: &[u8], received: Option<i64>) -> Result<Option<Peer>, Malformed> {
        let mut cursor = Cursor::new(body);
        let mut peer = Peer::read(&mut cursor)?;
        if let Some(reason) = peer.not_applicable(self.options.table) {
            self.tally.skip(Why::NotApplicable(reason));
            return Ok(None);
        }
        if peer.time == 0 {
            let Some(received) = received else {
                self.tally.skip(Why::Incomplete("time"));
                return Ok(None);
            };
            peer.time = received;
        }
        let Message::Update(update) = read_message(&mut cursor)? else {
            return Err(Malformed("a route monitoring message holds no update"));
        };
        let add_path = self.sessions.get(&peer.key).copied().unwrap_or_default();
        self.update.read(update, Session { as_width: peer.as_width, add_path })?;
        Ok(Some(peer))
    }

    fn push_routes(&mut self, peer: &Peer, sink: &mut dyn Sink) -> Result<(), ImportError> {
        self.tally.update(&self.update);
        let collector = self.options.collector.as_deref();
        let said = Said { time: peer.time, peer: &peer.key.2, peer_as: peer.asn, collector };
        self.builder.push_update(&said, &self.update, sink)
    }

    /// Remembers what a session agreed on (RFC 7854 §4.10).
    fn peer_up(&mut self, body: &[u8]) -> Result<(), ImportError> {
        let mut cursor = Cursor::new(body);
        let read = Peer::read(&mut cursor).and_then(|peer| Ok((peer.key, open::read_add_path(&mut cursor)?)));
        match read {
            Ok((key, add_path)) => {
                self.sessions.insert(key, add_path);
                self.tally.skip(Why::NotApplicable("peer up"));
            }
            Err(Malformed(reason)) => self.tally.malformed(self.offset, reason),
        }
        if self.sessions.len() > PEERS_MAX {
            return Err(self.too_large("the number of peers", self.sessions.len() as u64, PEERS_MAX as u64));
        }
        Ok(())
    }

    /// Forgets a session (RFC 7854 §4.9). The routes it withdraws are not named, so there are no rows.
    fn peer_down(&mut self, body: &[u8]) -> Result<(), Malformed> {
        let peer = Peer::read(&mut Cursor::new(body))?;
        self.sessions.remove(&peer.key);
        self.tally.skip(Why::NotApplicable("peer down"));
        Ok(())
    }
}

/// The per-peer header (RFC 7854 §4.2, RFC 8671 §4, RFC 9069 §4.2).
#[derive(Debug, Clone, Copy)]
struct Peer {
    key: PeerKey,
    flags: u8,
    asn: u32,
    as_width: AsWidth,
    /// Microseconds since the epoch; 0 where the router does not say.
    time: i64,
}

impl Peer {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let [kind, flags] = cursor.array()?;
        let (distinguisher, address) = (cursor.array()?, cursor.address(Family::V6)?);
        let (asn, _id, seconds, micros) = (cursor.u32()?, cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let [.., a, b, c, d] = address;
        let address = if flags & 0x80 == 0 { mapped([a, b, c, d]) } else { address };
        Ok(Self {
            key: (kind, distinguisher, address),
            flags,
            asn,
            as_width: if flags & 0x20 == 0 { AsWidth::Four } else { AsWidth::Two },
            time: i64::from(seconds) * 1_000_000 + i64::from(micros.min(999_999)),
        })
    }

    /// Why routes of this peer are not rows.
    const fn not_applicable(&self, table: Table) -> Option<&'static str> {
        match (self.key.0, self.flags & 0x10 != 0, self.flags & 0x40 != 0, table) {
            (1, ..) => Some("routes of a VPN"),
            (3.., ..) => Some("routes of the router's own table"),
            (_, true, ..) => Some("routes sent to the peer"),
            (_, _, true, Table::PrePolicy) => Some("routes after policy"),
            (_, _, false, Table::PostPolicy) => Some("routes before policy"),
            _ => None,
        }
    }
}

/// Messages that hold no routes of ours.
const fn type_name(kind: u8) -> &'static str {
    match kind {
        1 => "statistics",
        4 => "initiation",
        5 => "termination",
        6 => "mirrored messages",
        _ => "a BMP message of unknown type",
    }
}

#[cfg(test)]
mod tests;
