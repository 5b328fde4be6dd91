//! Standard error for the log of this process: an event is one line, whatever was written into it.

use std::io::{self, Write};

use iog_desk::text::escaped;

/// Takes one event at a time, as the log's formatter hands them over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(&line(event))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// An event, which ends with a line, as exactly one line.
fn line(event: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(event);
    let mut line = escaped(text.strip_suffix('\n').unwrap_or(&text));
    line.push('\n');
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let forged = b"WARN name=x\x1b[2J\nWARN all is well\n";
        assert_eq!(String::from_utf8(line(forged)).unwrap(), "WARN name=x\u{fffd}[2J\u{fffd}WARN all is well\n");
    }
}
