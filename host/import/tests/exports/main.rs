//! Flow exports of many vendors, as they are: each file alone, all of one vendor together, against the pinned table and
//! against tshark where it is installed. The files are not part of the project; without them the tests say so.

#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod files;
mod hostile;
mod table;
mod tshark;
