//! Answers as DNSDB of version 2 frames them (its streaming framing): every line is an object with `cond`, how far the
//! answer is, or with `obj`, a record, or with both. A connection that breaks leaves an answer without its end.

use super::object::Object;
use crate::tally::{Tally, Why};

/// What is known of the answer that is being read.
#[derive(Debug, Default)]
pub(super) struct Framing {
    open: bool,
}

const CUT: &str = "an answer ends before the server says that it is complete";

impl Framing {
    /// The record of a line, framed or bare.
    pub(super) fn object<'a, 'o>(
        &mut self,
        line: &'o Object<'a>,
        offset: u64,
        tally: &mut Tally,
    ) -> Option<&'o Object<'a>> {
        if line.cond.is_none() && line.obj.is_none() {
            return Some(line);
        }
        let was_open = std::mem::replace(&mut self.open, true);
        match line.cond.as_deref() {
            Some("begin") if was_open => tally.malformed(offset, CUT),
            None | Some("begin" | "ongoing") => {}
            Some("succeeded") => self.open = false,
            Some("limited") => {
                self.open = false;
                tally.skip(Why::NotApplicable("answers that the server cut off at a limit"));
            }
            Some("failed") => {
                self.open = false;
                tally.malformed(offset, "an answer that the server failed to complete");
            }
            Some(_) => tally.malformed(offset, "a framed line has a condition that is not known"),
        }
        line.obj.as_deref()
    }

    /// Ends the file.
    pub(super) fn end(&self, offset: u64, tally: &mut Tally) {
        if self.open {
            tally.malformed(offset, CUT);
        }
    }
}
