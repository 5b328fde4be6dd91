//! Validated ROA payloads as JSON: an object with an array `roas`, as every validator exports it, or the assertions of a
//! SLURM file (RFC 8416). The file is one object of hundreds of thousands of payloads, so it is not read whole: the objects
//! of the array are found by their brackets, and decoded one at a time. Other lists of the file are counted.

mod object;
mod scan;

use std::path::Path;

use super::payload::Rows;
use super::stop::Stop;
use crate::ImportError;
use crate::stored::Stored;
use crate::tally::{Tally, Why};
use scan::{Event, Scan};

/// Reads the payloads of a file.
pub(super) fn read(
    stored: &mut Stored<'_>,
    path: &Path,
    rows: &mut Rows<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Tally, ImportError> {
    let (mut scan, mut tally) = (Scan::default(), Tally::default());
    loop {
        let offset = stored.offset();
        let damaged = |place: usize, reason: &str| ImportError::Damaged {
            path: path.to_path_buf(),
            offset: offset + place as u64,
            reason: reason.to_owned(),
        };
        let bytes = stored.fill()?;
        if bytes.is_empty() {
            progress(stored.bytes());
            return match scan.end() {
                Ok(0) => Ok(tally),
                Ok(others) => {
                    tally.skip_many(Why::Malformed(object::OF_ANOTHER_FORM), others);
                    Ok(tally)
                }
                Err(reason) => Err(damaged(0, reason)),
            };
        }
        for (place, byte) in bytes.iter().enumerate() {
            match scan.take(*byte).map_err(|reason| damaged(place, reason))? {
                None => {}
                Some(Event::Payload) => {
                    tally.messages += 1;
                    match object::push(scan.captured(), rows, &mut tally) {
                        Ok(()) => tally.rows += 1,
                        Err(Stop::Skip(Why::Malformed(reason))) => tally.malformed(offset + place as u64, reason),
                        Err(Stop::Skip(why)) => tally.skip(why),
                        Err(Stop::Import(error)) => return Err(error),
                    }
                }
                Some(Event::Other(what)) => tally.skip(Why::NotApplicable(what)),
                Some(Event::UnknownList) => tally.not_understood("a list that is not understood", &scan.key()),
            }
        }
        let count = bytes.len();
        stored.consume(count);
        progress(stored.bytes());
    }
}
