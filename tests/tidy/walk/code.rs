//! Functions of a source text, and where one calls another. It sees words, so that comments and strings call nothing.

use crate::tokens::tokens;

/// The bodies of all functions of that name.
pub(super) fn bodies(source: &str, name: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().collect();
    let found = crate::functions(&lines).into_iter().filter(|(_, found, _)| *found == name);
    found.map(|(start, _, length)| lines[start - 1..start - 1 + length].join("\n")).collect()
}

/// At which word a body calls what is written like this. A plain name is called plainly, or, where it is of the same file, as
/// one of `self`.
pub(super) fn called_at(body: &str, call: &str, is_same_file: bool) -> Option<usize> {
    let (words, call) = (tokens(body), tokens(call));
    let ends = |at: usize| words.get(at + call.len()) == Some(&"(");
    let begins = |at: usize| match words[..at] {
        [.., "self", "."] | [.., "Self", "::"] => is_same_file || call.len() > 1,
        [.., "." | "::" | "fn"] => false,
        _ => true,
    };
    (0..words.len()).find(|at| words[*at..].starts_with(&call) && ends(*at) && begins(*at))
}
