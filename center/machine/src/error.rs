//! What an operator reads of an error: it and all its causes on one line.

use std::error::Error;

/// An error and its causes on one line. A cause that the text before it ends with already is not said twice.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failed {
        #[error("cannot open the log")]
        Plain(#[source] std::io::Error),
        #[error("cannot open the log: {0}")]
        Repeating(#[source] std::io::Error),
    }

    #[test]
    fn causes_are_said_once() {
        let cause = || std::io::Error::other("the disk is full");
        for error in [Failed::Plain(cause()), Failed::Repeating(cause())] {
            assert_eq!(chain(&error), "cannot open the log: the disk is full");
        }
    }
}
