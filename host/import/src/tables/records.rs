//! The records of a table, one after the other, counted.

use std::path::Path;

use super::stop::Stop;
use crate::ImportError;
use crate::stored::Stored;
use crate::tally::{Tally, Why};
use crate::text::{Dialect, Fields, Records};

/// Records between two calls of `progress`.
const PROGRESS_RECORDS: u64 = 8192;

/// What a table does with its records. It counts its rows itself.
pub(super) trait Table {
    /// Takes one record; `first` for the first of the file.
    fn record(&mut self, fields: Fields<'_>, first: bool, tally: &mut Tally) -> Result<u64, Stop>;
}

/// Reads all records of a file and counts them; gives the file back for its report.
pub(super) fn read_records<'a>(
    stored: Stored<'a>,
    path: &'a Path,
    dialect: Dialect,
    table: &mut dyn Table,
    progress: &mut dyn FnMut(u64),
) -> Result<(Tally, Records<'a>), ImportError> {
    let mut records = Records::new(stored, path, dialect);
    let mut tally = Tally::default();
    while let Some(record) = records.advance()? {
        tally.messages += 1;
        let (offset, first) = (record.offset, tally.messages == 1);
        let taken = match record.fields {
            Ok(fields) if first => match separated_otherwise(fields, dialect) {
                Some(reason) => return Err(ImportError::Damaged { path: path.to_path_buf(), offset, reason }),
                None => table.record(fields, first, &mut tally),
            },
            Ok(fields) => table.record(fields, first, &mut tally),
            Err(reason) => Err(Why::Malformed(reason).into()),
        };
        match taken {
            Ok(rows) => tally.rows += rows,
            Err(Stop::Skip(Why::Malformed(reason))) => tally.malformed(offset, reason),
            Err(Stop::Skip(why)) => tally.skip(why),
            Err(Stop::Import(error)) => return Err(error),
        }
        if tally.messages.is_multiple_of(PROGRESS_RECORDS) {
            progress(records.stored().bytes());
        }
    }
    progress(records.stored().bytes());
    Ok((tally, records))
}

/// What to say of a first record whose fields are not separated as this table's are.
fn separated_otherwise(fields: Fields<'_>, dialect: Dialect) -> Option<String> {
    let name = |separator| match separator {
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "vertical bars",
        _ => "commas",
    };
    let others = [b';', b'\t', b'|', b','].into_iter().filter(|other| *other != dialect.delimiter);
    let found = others.max_by_key(|other| fields.get(0).bytes().filter(|byte| byte == other).count())?;
    let is_separated = fields.len() == 1 && fields.get(0).as_bytes().contains(&found);
    is_separated.then(|| {
        let (found, wanted) = (name(found), name(dialect.delimiter));
        format!("its fields are separated by {found}; a table of this format separates them by {wanted}")
    })
}
