//! The count that becomes a file's report. It decides one thing: a file in which something is malformed and nothing
//! could be used is damaged.

use std::collections::BTreeMap;
use std::path::Path;

use crate::bgp::update::Update;
use crate::stored::Stored;
use crate::{FileReport, ImportError, Skip};

/// Reasons are constants of the code, so that a hostile file cannot make the count grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// See [`Skip::NotApplicable`].
    NotApplicable(&'static str),
    /// See [`Skip::Incomplete`].
    Incomplete(&'static str),
    /// See [`Skip::Malformed`].
    Malformed(&'static str),
    /// See [`Skip::Padding`].
    Padding,
    /// A flow that was ended before its time, because the table of open flows was full: it may be in several rows.
    EndedEarly,
}

/// Counts of one file or stream.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) messages: u64,
    pub(crate) rows: u64,
    skipped: BTreeMap<Why, u64>,
    first_malformed: Option<(u64, &'static str)>,
}

impl Tally {
    /// Counts a record that gave no row.
    pub(crate) fn skip(&mut self, why: Why) {
        self.skip_many(why, 1);
    }

    /// Counts several.
    pub(crate) fn skip_many(&mut self, why: Why, count: u64) {
        *self.skipped.entry(why).or_default() += count;
    }

    /// Counts a malformed record that began at `offset`.
    pub(crate) fn malformed(&mut self, offset: u64, reason: &'static str) {
        self.first_malformed.get_or_insert((offset, reason));
        self.skip(Why::Malformed(reason));
    }

    /// Counts the rows of an update, or why it has none.
    pub(crate) fn update(&mut self, update: &Update) {
        self.rows += (update.withdrawn.len() + update.announced.len() + update.announced_mp.len()) as u64;
        if update.other_family {
            self.skip(Why::NotApplicable("routes of another address family"));
        } else if update.is_empty() {
            self.skip(Why::NotApplicable("an update without routes"));
        }
    }

    /// The counts by reason as reports show them.
    pub(crate) fn skipped(&self) -> BTreeMap<Skip, u64> {
        self.skipped.iter().map(|(why, count)| (shown(*why), *count)).collect()
    }

    /// The report of a file read to its end.
    pub(crate) fn finish(self, stored: &Stored<'_>, path: &Path, format: &str) -> Result<FileReport, ImportError> {
        if let (0, Some((offset, reason))) = (self.rows, self.first_malformed) {
            return Err(ImportError::Damaged { path: path.to_path_buf(), offset, reason: reason.to_owned() });
        }
        Ok(FileReport {
            path: path.to_path_buf(),
            format: format!("{format}{}", stored.compression().suffix()),
            messages: self.messages,
            rows: self.rows,
            bytes: stored.bytes(),
            skipped: self.skipped(),
        })
    }
}

fn shown(why: Why) -> Skip {
    match why {
        Why::NotApplicable(reason) => Skip::NotApplicable(reason.to_owned()),
        Why::Incomplete(reason) => Skip::Incomplete(reason.to_owned()),
        Why::Malformed(reason) => Skip::Malformed(reason.to_owned()),
        Why::Padding => Skip::Padding,
        Why::EndedEarly => Skip::NotApplicable("flows ended early because the table of open flows was full".to_owned()),
    }
}
