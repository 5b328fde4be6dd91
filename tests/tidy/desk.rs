//! The desk shows and decides as data: it holds no keys, and reaches out in two files alone.

use std::fmt::Write as _;

/// What only these files of the desk may say, by name.
const CONFINED: &[(&str, &[&str])] = &[
    ("SecretKey", &[]),
    (".caller_key()", &[]),
    (".sign(", &[]),
    ("std::fs", &["reach.rs"]),
    (".await", &["reach.rs"]),
    ("Replica::open", &["reach.rs"]),
    ("verify_with", &["archive.rs"]),
];

#[test]
fn the_desk_holds_no_keys_and_reaches_out_in_two_files() {
    let mut faults = String::new();
    for path in crate::files(&["rs"]).into_iter().filter(|path| path.starts_with(crate::root_join("host/desk/src"))) {
        let (source, shown) = (crate::read(&path), crate::shown(&path));
        for (word, allowed) in CONFINED {
            if source.contains(word) && !allowed.iter().any(|file| path.ends_with(file)) {
                writeln!(faults, "{shown}: `{word}` has no place here").unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}
