//! A file as it is stored: plain, gzip or bzip2, told apart by content, counted as it is read. Streaming; what it
//! decompresses to is bounded by its readers. It opens nothing.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use crate::ImportError;

/// Bytes read from the file, and handed out decompressed, at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip (RFC 1952), of one or more members.
    Gzip,
    /// bzip2, of one or more streams.
    Bzip2,
}

impl Compression {
    /// What the first bytes of a file say. Three bytes are enough.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'B', b'Z', b'h', ..] => Self::Bzip2,
            _ => Self::Plain,
        }
    }

    /// What to add to the name of a format, for example ` (gzip)`.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => " (gzip)",
            Self::Bzip2 => " (bzip2)",
        }
    }
}

/// Decompressed bytes of a file, with the count of bytes read from it.
pub struct Stored<'a> {
    path: &'a Path,
    reader: Box<dyn BufRead + 'a>,
    compression: Compression,
    source: Rc<Source>,
    /// Bytes that were looked at and not consumed.
    ahead: Vec<u8>,
    offset: u64,
}

/// What is known about the file below the decompressor.
#[derive(Default)]
struct Source {
    bytes: Cell<u64>,
    failed: Cell<bool>,
}

/// Counts what is read and remembers whether reading itself failed.
struct Counted<R> {
    inner: R,
    source: Rc<Source>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Ok(count) => {
                    self.source.bytes.set(self.source.bytes.get() + count as u64);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.source.failed.set(true);
                    return Err(error);
                }
            }
        }
    }
}

impl<'a> Stored<'a> {
    /// Looks at the first bytes and decompresses accordingly.
    ///
    /// # Errors
    /// When the first bytes cannot be read.
    pub fn open(input: &'a mut dyn Read, path: &'a Path) -> Result<Self, ImportError> {
        let source = Rc::new(Source::default());
        let mut raw = BufReader::with_capacity(BUFFER_BYTES, Counted { inner: input, source: Rc::clone(&source) });
        let head = raw.fill_buf().map_err(|source| ImportError::Io { path: path.to_path_buf(), source })?;
        let compression = Compression::of(head);
        let reader: Box<dyn BufRead + 'a> = match compression {
            Compression::Plain => Box::new(raw),
            Compression::Gzip => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(raw)))
            }
            Compression::Bzip2 => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, bzip2::bufread::MultiBzDecoder::new(raw)))
            }
        };
        Ok(Self { path, reader, compression, source, ahead: Vec::new(), offset: 0 })
    }

    /// How the file is compressed.
    #[must_use]
    pub const fn compression(&self) -> Compression {
        self.compression
    }

    /// Bytes of the file read so far, compressed as stored.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.source.bytes.get()
    }

    /// Decompressed bytes consumed so far.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes at hand; none at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or not be decompressed.
    pub fn fill(&mut self) -> Result<&[u8], ImportError> {
        if !self.ahead.is_empty() {
            return Ok(&self.ahead);
        }
        match self.reader.fill_buf() {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(failure(self.path, &self.source, self.offset, error)),
        }
    }

    /// Looks at the next `wanted` bytes without consuming them; fewer only at the end of the file.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn peek(&mut self, wanted: usize) -> Result<&[u8], ImportError> {
        while self.ahead.len() < wanted {
            let bytes = self.reader.fill_buf().map_err(|e| failure(self.path, &self.source, self.offset, e))?;
            let count = bytes.len().min(wanted - self.ahead.len());
            if count == 0 {
                break;
            }
            self.ahead.extend_from_slice(&bytes[..count]);
            self.reader.consume(count);
        }
        Ok(&self.ahead)
    }

    /// Passes over bytes that [`Self::fill`] gave.
    pub fn consume(&mut self, count: usize) {
        if self.ahead.is_empty() {
            self.reader.consume(count);
        } else {
            self.ahead.drain(..count);
        }
        self.offset += count as u64;
    }

    /// Reads up to `wanted` bytes into `into`, replacing what it held; fewer only at the end of the file. Memory grows
    /// with what is there, not with what is wanted.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn read_up_to(&mut self, wanted: usize, into: &mut Vec<u8>) -> Result<(), ImportError> {
        into.clear();
        while into.len() < wanted {
            // What is large need not pass through the buffer, once the rest of that has been taken.
            if !into.is_empty() && self.ahead.is_empty() && wanted - into.len() >= BUFFER_BYTES {
                return self.read_directly(wanted, into);
            }
            let bytes = self.fill()?;
            if bytes.is_empty() {
                break;
            }
            let count = bytes.len().min(wanted - into.len());
            into.extend_from_slice(&bytes[..count]);
            self.consume(count);
        }
        Ok(())
    }

    /// Appends up to `wanted` bytes in all, past the buffer.
    fn read_directly(&mut self, wanted: usize, into: &mut Vec<u8>) -> Result<(), ImportError> {
        let before = into.len();
        let read = self.reader.by_ref().take((wanted - before) as u64).read_to_end(into);
        self.offset += (into.len() - before) as u64;
        read.map(drop).map_err(|error| failure(self.path, &self.source, self.offset, error))
    }

    /// Reads a line without its end (LF, CR LF or CR) into `into`, replacing what it held. Returns false at the end of
    /// the file.
    ///
    /// # Errors
    /// As [`Self::fill`]; a line of more than `bytes_max` bytes is too large.
    pub fn read_line(&mut self, bytes_max: usize, into: &mut Vec<u8>) -> Result<bool, ImportError> {
        into.clear();
        let mut any = false;
        loop {
            let bytes = self.fill()?;
            if bytes.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let pair = end.is_some_and(|end| bytes[end] == b'\r');
            let count = end.unwrap_or(bytes.len());
            if into.len() + count > bytes_max {
                return Err(ImportError::TooLarge {
                    path: self.path.to_path_buf(),
                    what: "the length of a line in bytes",
                    found: (into.len() + count) as u64,
                    max: bytes_max as u64,
                });
            }
            into.extend_from_slice(&bytes[..count]);
            self.consume(count + usize::from(end.is_some()));
            if pair && self.fill()?.first() == Some(&b'\n') {
                self.consume(1);
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// Why nothing more could be read.
fn failure(path: &Path, source: &Source, offset: u64, error: io::Error) -> ImportError {
    let path = path.to_path_buf();
    if source.failed.get() {
        return ImportError::Io { path, source: error };
    }
    ImportError::Damaged { path, offset, reason: format!("it does not decompress: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lines(file: &[u8]) -> Result<Vec<String>, ImportError> {
        let mut input = file;
        let mut stored = Stored::open(&mut input, Path::new("file"))?;
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        while stored.read_line(16, &mut line)? {
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        assert_eq!(stored.bytes(), file.len() as u64);
        Ok(lines)
    }

    #[test]
    fn all_compressions_give_the_same_lines() {
        let text = b"one\r\ntwo\n\nthree";
        let mut members = gzip(b"one\ntw");
        members.extend(gzip(b"o\n\nthree"));
        let mut streams = bzip2(b"one\ntw");
        streams.extend(bzip2(b"o\n\nthree"));
        for file in [text.to_vec(), gzip(text), bzip2(text), members, streams] {
            assert_eq!(lines(&file).unwrap(), ["one", "two", "", "three"]);
        }
        assert!(lines(b"").unwrap().is_empty());
    }

    #[test]
    fn long_lines_and_broken_streams_are_refused() {
        assert!(matches!(lines(b"ok\n12345678901234567"), Err(ImportError::TooLarge { max: 16, .. })));
        for whole in [gzip(b"one\ntwo\n"), bzip2(b"one\ntwo\n")] {
            let cut = &whole[..whole.len() - 3];
            assert!(matches!(lines(cut), Err(ImportError::Damaged { .. })), "{:?}", lines(cut));
        }
    }

    #[test]
    fn a_failing_disk_is_not_the_files_fault() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("disk"))
            }
        }
        let head: &[u8] = &[0x1f, 0x8b, 8, 0];
        let mut input = head.chain(Failing);
        let mut stored = Stored::open(&mut input, Path::new("file")).unwrap();
        assert!(matches!(stored.fill(), Err(ImportError::Io { .. })));
    }
}
