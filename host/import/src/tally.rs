//! The count that becomes a file's report. It decides one thing: a file in which something is malformed and nothing
//! could be used is damaged.

use std::collections::BTreeMap;
use std::path::Path;

use crate::bgp::update::Update;
use crate::numbered::Numbered;
use crate::stored::Stored;
use crate::{FileReport, ImportError, Skip};

/// Reasons are constants of the code or name a number of the file, and those that do are bounded, so that a hostile file
/// cannot make the count grow.
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
    /// See [`Skip::NotUnderstood`].
    NotUnderstood(&'static str),
    /// A flow that was ended before its time, because the table of open flows was full: it may be in several rows.
    EndedEarly,
    /// A packet of another protocol, by the number that its frame names it with.
    Carries(Numbered),
}

/// Different numbers that a report names; more are counted together.
const NUMBERS_MAX: usize = 32;

/// Names of a file's own that a report repeats, for example of columns; a file of more is counted without them.
const NAMES_MAX: usize = 64;

/// Bytes of such a name that are repeated.
const NAME_BYTES_MAX: usize = 60;

/// Counts of one file or stream.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) messages: u64,
    pub(crate) rows: u64,
    skipped: BTreeMap<Why, u64>,
    numbers: usize,
    /// What the file calls something that is not understood, with the words that say so.
    named: BTreeMap<(&'static str, String), u64>,
    first_malformed: Option<(u64, &'static str)>,
}

impl Tally {
    /// Counts a record that gave no row.
    pub(crate) fn skip(&mut self, why: Why) {
        self.skip_many(why, 1);
    }

    /// Counts several.
    pub(crate) fn skip_many(&mut self, mut why: Why, count: u64) {
        if let Why::Carries(numbered) = why
            && !self.skipped.contains_key(&why)
        {
            self.numbers += 1;
            if self.numbers > NUMBERS_MAX {
                why = Why::NotApplicable(numbered.others());
            }
        }
        *self.skipped.entry(why).or_default() += count;
    }

    /// Counts something that is not understood, by the name that the file gives it.
    pub(crate) fn not_understood(&mut self, what: &'static str, name: &str) {
        let key = (what, excerpt(name));
        if self.named.len() < NAMES_MAX || self.named.contains_key(&key) {
            *self.named.entry(key).or_default() += 1;
        } else {
            self.skip(Why::NotApplicable(what));
        }
    }

    /// The link type of a capture whose packets are all of one that is not read.
    pub(crate) fn only_link(&self) -> Option<Numbered> {
        let mut found = self.skipped.iter().map(|(why, count)| match why {
            Why::Carries(link @ Numbered::Link(_)) => Some((*link, *count)),
            _ => None,
        });
        let first = found.next()??;
        let all = found.try_fold(first.1, |sum, link| link.map(|(_, count)| sum + count))?;
        (all == self.messages && self.rows == 0).then_some(first.0)
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
        let named =
            self.named.iter().map(|((what, name), count)| (Skip::NotApplicable(format!("{what} `{name}`")), *count));
        self.skipped.iter().map(|(why, count)| (shown(*why), *count)).chain(named).collect()
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

/// A name as a report repeats it: bounded, on one line.
fn excerpt(name: &str) -> String {
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let mut shown: String = name[..end].chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if end < name.len() {
        shown.push('…');
    }
    shown
}

fn shown(why: Why) -> Skip {
    match why {
        Why::NotApplicable(reason) => Skip::NotApplicable(reason.to_owned()),
        Why::Incomplete(reason) => Skip::Incomplete(reason.to_owned()),
        Why::Malformed(reason) => Skip::Malformed(reason.to_owned()),
        Why::Padding => Skip::Padding,
        Why::NotUnderstood(what) => Skip::NotUnderstood(what.to_owned()),
        Why::Carries(numbered) => Skip::NotApplicable(format!("packets of {numbered}")),
        Why::EndedEarly => Skip::NotApplicable("flows ended early because the table of open flows was full".to_owned()),
    }
}
