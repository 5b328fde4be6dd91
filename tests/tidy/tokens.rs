//! Rust text as words: names, `::`, strings and single marks. Comments, numbers' meaning and lifetimes are dropped. It
//! knows no grammar.

/// The words of a source text, in order. A string literal is one word that begins with `"`; raw ones are dropped.
pub(crate) fn tokens(source: &str) -> Vec<&str> {
    with_raw_strings(source).into_iter().filter(|word| raw_string(word).is_none()).collect()
}

/// All words; a raw string is one that begins with its prefix.
fn with_raw_strings(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (length, kept) = word(rest, first);
        if kept {
            found.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    found
}

/// How many bytes the next word has, and whether it is one that counts.
fn word(rest: &str, first: char) -> (usize, bool) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), false);
    }
    if let Some(length) = raw_string(rest) {
        return (length, true);
    }
    match first {
        '"' => (string(rest), true),
        '\'' => (quoted(rest), false),
        ':' if rest.starts_with("::") => (2, true),
        c if is_name(c) => (name(rest), true),
        c => (c.len_utf8(), !c.is_whitespace()),
    }
}

/// The words of a source without the modules that only tests have. Whatever else is for tests stays: it may stand anywhere, and
/// what follows it is code. Raw strings are among them.
pub(crate) fn code(source: &str) -> Vec<&str> {
    const TESTS: [&str; 8] = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let words = with_raw_strings(source);
    let mut kept = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        if words[at..].starts_with(&TESTS) {
            let begins = (at..words.len()).find(|at| matches!(words[*at], "{" | ";"));
            at =
                begins.map_or(
                    words.len(),
                    |begins| if words[begins] == "{" { closing(&words, begins) + 1 } else { begins + 1 },
                );
        } else {
            kept.push(words[at]);
            at += 1;
        }
    }
    kept
}

/// Where the bracket that opens here closes.
pub(super) fn closing(words: &[&str], open: usize) -> usize {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate().skip(open) {
        match *word {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    words.len().saturating_sub(1)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    while !rest.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// The length of `r"…"`, `br#"…"#` and the like.
fn raw_string(rest: &str) -> Option<usize> {
    let after = ["r", "br", "cr"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(rest.len() - body.len() + length)
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == '"' && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// A character literal, or a lifetime.
fn quoted(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, c))) => {
            let from = at + c.len_utf8();
            rest[from..].find('\'').map_or(rest.len(), |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1 + name(&rest[1..]),
    }
}

fn name(rest: &str) -> usize {
    rest.find(|c| !is_name(c)).unwrap_or(rest.len())
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn words_are_names_marks_and_strings() {
    let source = r###"use a::b; // c::d
        /* e /* f */ g */ let x = r#"h::i"# + "j\"k" + b'\'' as u8; fn l<'m>(n: &'m str, o: '"') {}"###;
    let expected = "use a :: b ; let x = + \"j\\\"k\" + b as u8 ; fn l < > ( n : & str , o : ) { }";
    assert_eq!(tokens(source).join(" "), expected);
}
