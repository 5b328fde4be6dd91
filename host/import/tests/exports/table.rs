//! What comes of every file, pinned.

use std::fmt::Write as _;
use std::path::Path;

use iog_import::{ImportError, Skip};

use super::files::{Read, all, by_exporter, name, read};

fn line(path: &Path, read: &Read) -> String {
    let mut line = format!("{}: ", name(path));
    match &read.result {
        Ok(report) => {
            write!(line, "{}, {} messages, {} rows", report.format, report.messages, report.rows).unwrap();
            for (skip, count) in &report.skipped {
                let what = match skip {
                    Skip::NoTemplate => "records without a template".to_owned(),
                    Skip::Padding => "bytes of padding".to_owned(),
                    Skip::NotApplicable(what) => what.clone(),
                    Skip::Incomplete(column) => format!("without {column}"),
                    Skip::NotUnderstood(what) => format!("not understood: {what}"),
                    other => format!("{other:?}"),
                };
                write!(line, ", {count} {what}").unwrap();
            }
        }
        Err(ImportError::Damaged { offset, reason, .. }) => write!(line, "refused at {offset}: {reason}").unwrap(),
        Err(error) => write!(line, "{error}").unwrap(),
    }
    line.push('\n');
    line
}

#[test]
fn every_file_gives_its_flows_or_a_reason() {
    let files = all();
    if files.is_empty() {
        return;
    }
    let table: String = files.iter().map(|path| line(path, &read(std::slice::from_ref(path))[0])).collect();
    assert_eq!(files.len(), 62);
    compare(&table, include_str!("alone.txt"), "alone");
}

#[test]
fn files_of_one_exporter_share_their_templates() {
    let groups = by_exporter();
    if groups.is_empty() {
        return;
    }
    let mut table = String::new();
    for files in groups.values().filter(|files| files.len() > 1) {
        for (path, read) in files.iter().zip(read(files)) {
            table += &line(path, &read);
        }
    }
    compare(&table, include_str!("together.txt"), "together");
}

/// Every file says something: rows, options, templates without data, records without a template, or a reason.
fn compare(found: &str, pinned: &str, which: &str) {
    assert!(found == pinned, "the table `{which}` differs; found:\n{found}");
}
