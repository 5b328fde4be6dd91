//! What came of a file: rows, what was skipped and why, or why it was refused. Data for people and machines.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

/// How reports call records that describe the exporter and no flow.
pub(crate) const OPTIONS_DATA: &str = "options data";

/// Why a record gave no row. Counted, never silent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// A data record whose template is not known. Without it records cannot be told apart: NetFlow v9 counts them in the
    /// header; of IPFIX one is counted for each set, so that there are at least so many.
    NoTemplate,
    /// A record of another meaning than the schema's, for example options data or a non-IP packet.
    NotApplicable(String),
    /// A record that lacks a required column.
    Incomplete(String),
    /// A record that breaks its format, though the next one can be found.
    Malformed(String),
    /// Zero bytes after the last record.
    Padding,
    /// Values that could have told a column, but that nobody reads; the rows are there without them.
    NotUnderstood(String),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTemplate => f.write_str("records without a template"),
            Self::NotApplicable(what) => f.write_str(what),
            Self::Incomplete(column) => write!(f, "records without `{column}`"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::Padding => f.write_str("bytes of padding"),
            Self::NotUnderstood(what) => write!(f, "values not understood: {what}"),
        }
    }
}

/// What came of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The file. Serialised as text, in which what is no UTF-8 is replaced.
    #[serde(serialize_with = "as_text")]
    pub path: PathBuf,
    /// The format found, for example `netflow v9`.
    pub format: String,
    /// Messages, packets or blocks read.
    pub messages: u64,
    /// Rows written.
    pub rows: u64,
    /// Bytes read, compressed as stored.
    pub bytes: u64,
    /// Records that gave no row, by reason. Serialised as a list of `{"reason": …, "records": …}`.
    #[serde(serialize_with = "as_list")]
    pub skipped: BTreeMap<Skip, u64>,
}

impl FileReport {
    /// Whether there was something in the file, and nothing of it could be used. A file without flows is sound, and so is
    /// one that only describes an exporter.
    #[must_use]
    pub fn gave_nothing(&self) -> bool {
        let describes = |skip: &Skip| matches!(skip, Skip::NotApplicable(what) if what == OPTIONS_DATA);
        self.rows == 0 && self.skipped.keys().any(|skip| *skip != Skip::Padding && !describes(skip))
    }
}

fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

fn as_list<S: Serializer>(skipped: &BTreeMap<Skip, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Counted {
        reason: String,
        records: u64,
    }
    let mut list = serializer.serialize_seq(Some(skipped.len()))?;
    for (why, records) in skipped {
        list.serialize_element(&Counted { reason: why.to_string(), records: *records })?;
    }
    list.end()
}

/// Why a file is refused: the file's fault unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// No format of ours.
    #[error("`{path}` is in none of the formats known; name one with --format")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// Text that is not UTF-8.
    #[error("`{path}` is text in {encoding}; save it as UTF-8")]
    Encoding {
        /// The file.
        path: PathBuf,
        /// How it is encoded.
        encoding: &'static str,
    },
    /// A capture of nothing but packets of a link type that is not read.
    #[error(
        "`{path}`: all of its packets are of {link}, which is not read; Ethernet, IP, PPP, Cisco HDLC, Linux cooked, BSD loopback and NFLOG are"
    )]
    LinkType {
        /// The file.
        path: PathBuf,
        /// The link type by number and name.
        link: String,
    },
    /// It breaks its format.
    #[error("`{path}` is damaged at byte {offset}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, in the decompressed bytes.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A bound was passed.
    #[error("`{path}`: {what} is {found}, allowed are {max}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What was bounded.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much there may be.
        max: u64,
    },
    /// The rows could not be stored: not the file's fault.
    #[error("the rows could not be stored")]
    Sink(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gave_nothing_where_something_was_there_and_not_used() {
        let with = |rows, skips: &[Skip]| {
            let skipped = skips.iter().map(|skip| (skip.clone(), 1)).collect();
            let report = FileReport { path: "a".into(), format: String::new(), messages: 1, rows, bytes: 1, skipped };
            report.gave_nothing()
        };
        let options = Skip::NotApplicable(OPTIONS_DATA.to_owned());
        assert!(!with(0, &[]) && !with(0, &[options.clone(), Skip::Padding]) && !with(1, &[Skip::NoTemplate]));
        assert!(with(0, &[options, Skip::NoTemplate]) && with(0, &[Skip::NotApplicable("arp packet".to_owned())]));
    }

    #[test]
    fn a_report_is_json_with_its_reasons_in_words() {
        let skipped = BTreeMap::from([(Skip::NoTemplate, 3), (Skip::Incomplete("bytes".to_owned()), 1)]);
        let report =
            FileReport { path: "a.dat".into(), format: "ipfix".to_owned(), messages: 2, rows: 7, bytes: 900, skipped };
        let json = serde_json::to_string(&report).unwrap();
        let list =
            r#"[{"reason":"records without a template","records":3},{"reason":"records without `bytes`","records":1}]"#;
        assert!(json.ends_with(&format!(r#""skipped":{list}}}"#)), "{json}");
    }
}
