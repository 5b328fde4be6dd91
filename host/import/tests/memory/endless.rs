//! Files that exist only while they are read.

use std::io::{self, Read};

/// Begins with a head and repeats a piece.
pub(crate) struct Repeated {
    head: Vec<u8>,
    piece: Vec<u8>,
    left: u64,
    at: usize,
}

impl Repeated {
    /// The head, then the piece so many times.
    pub(crate) fn new(head: &[u8], piece: &[u8], times: u64) -> Self {
        Self { head: head.to_vec(), piece: piece.to_vec(), left: times, at: 0 }
    }
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.at == self.head.len() {
                if self.left == 0 {
                    break;
                }
                self.left -= 1;
                self.head.clone_from(&self.piece);
                self.at = 0;
            }
            let count = (buffer.len() - filled).min(self.head.len() - self.at);
            buffer[filled..filled + count].copy_from_slice(&self.head[self.at..self.at + count]);
            filled += count;
            self.at += count;
        }
        Ok(filled)
    }
}

/// Begins with a head and makes pieces of their numbers.
pub(crate) struct Numbered {
    pending: Vec<u8>,
    at: usize,
    next: u32,
    end: u32,
    make: Box<dyn Fn(u32) -> Vec<u8>>,
}

impl Numbered {
    /// The head, then the pieces of the numbers up to `end`.
    pub(crate) fn new(head: &[u8], end: u32, make: impl Fn(u32) -> Vec<u8> + 'static) -> Self {
        Self { pending: head.to_vec(), at: 0, next: 0, end, make: Box::new(make) }
    }

    /// One of the pieces.
    pub(crate) fn piece(&self, number: u32) -> Vec<u8> {
        (self.make)(number)
    }
}

impl Read for Numbered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.at == self.pending.len() {
                if self.next == self.end {
                    break;
                }
                self.pending = (self.make)(self.next);
                (self.next, self.at) = (self.next + 1, 0);
            }
            let count = (buffer.len() - filled).min(self.pending.len() - self.at);
            buffer[filled..filled + count].copy_from_slice(&self.pending[self.at..self.at + count]);
            filled += count;
            self.at += count;
        }
        Ok(filled)
    }
}
