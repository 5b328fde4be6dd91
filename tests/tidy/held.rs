//! The tables of what is held: every test that `docs/reliability.md` and `docs/threat-model.md` cite is there. A defence whose
//! test was renamed or removed is noticed. Whether the test holds what the table says is for people to judge.

use std::fmt::Write as _;

const PAGES: &[&str] = &["docs/reliability.md", "docs/threat-model.md"];
/// A name of so many words is that of a test, also where its file is not named.
const WORDS_OF_A_TEST: usize = 5;

/// A test, with the folders and the file that it is in.
struct Test {
    place: Vec<String>,
    name: String,
}

#[test]
fn every_test_that_is_cited_is_there() {
    let tests: Vec<Test> =
        crate::files(&["rs"]).iter().flat_map(|path| tests(&crate::shown(path), &crate::read(path))).collect();
    let mut faults = String::new();
    for page in PAGES {
        let cited = cited(&crate::read(&crate::root_join(page)));
        assert!(cited.len() > 10, "{page} cites tests");
        for citation in cited {
            if !tests.iter().any(|test| is_meant(&citation, test)) {
                writeln!(faults, "{page}: there is no test `{citation}`").unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// The threat model's two tables, what is done about each attack and which tests attack that, speak of the same attacks.
#[test]
fn every_defence_is_attacked_or_the_table_is_incomplete() {
    let page = crate::read(&crate::root_join("docs/threat-model.md"));
    let attacks = |title: &str| {
        let (_, section) = page.split_once(title).expect("the page has this section");
        let rows = section.split("\n## ").next().into_iter().flat_map(str::lines).filter(|line| line.starts_with('|'));
        rows.skip(2).filter_map(|row| Some(row.split('|').nth(1)?.trim().to_owned())).collect::<Vec<_>>()
    };
    let defended = attacks("\n## Attacks and defences\n");
    assert!(defended.len() > 20, "{defended:?}");
    assert_eq!(defended, attacks("\n## Which tests attack which defence\n"));
}

/// The tests in a source.
fn tests(shown: &str, source: &str) -> Vec<Test> {
    let mut place: Vec<String> = shown.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    place.pop_if(|file| file == "mod" || file == "main");
    let mut found = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim_start) {
        marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        if marked && let Some(name) = crate::function_name(line) {
            found.push(Test { place: place.clone(), name: name.to_owned() });
            marked = false;
        }
    }
    found
}

/// Whether a citation means this test: `file::test` or `folder/file::test`, where folders may be left out; `file::*` means
/// all of a file; a test alone is enough where its name says it.
fn is_meant(citation: &str, test: &Test) -> bool {
    let (place, name) = citation.rsplit_once("::").unwrap_or(("", citation));
    let pieces = |text: &str| {
        text.split("::")
            .flat_map(|part| part.split('/'))
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let is_at = |pieces: &[String]| {
        let mut rest = test.place.iter();
        pieces.iter().all(|piece| rest.any(|of| of == piece))
            && (pieces.is_empty() || pieces.last() == test.place.last())
    };
    let is_one = (name == "*" || name == test.name) && is_at(&pieces(place));
    is_one || !place.is_empty() && is_at(&pieces(citation))
}

/// What a page cites: in backticks and outside of blocks of code, names with `::`, and long names.
fn cited(page: &str) -> Vec<String> {
    let text: String = page.split("```").step_by(2).collect();
    let named = text.split('`').skip(1).step_by(2);
    let is_name =
        |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:/*".contains(c));
    let is_cited = |name: &&str| {
        name.starts_with(char::is_alphabetic) && name.contains("::") || name.split('_').count() >= WORDS_OF_A_TEST
    };
    named.filter(is_name).filter(is_cited).map(str::to_owned).collect()
}

#[test]
fn citations_are_told_apart() {
    let source = "#[test]\nfn a_b() {}\nfn c() {}\n#[tokio::test(flavor)]\nasync fn d() {}";
    let found = tests("host/x/tests/y/main.rs", source);
    assert_eq!(found.iter().map(|test| test.name.as_str()).collect::<Vec<_>>(), ["a_b", "d"]);
    for (citation, expected) in [
        ("y::a_b", true),
        ("x/y::a_b", true),
        ("a_b", true),
        ("y::*", true),
        ("tests::y", true),
        ("y::c", false),
        ("x::a_b", false),
        ("z/y::a_b", false),
        ("y/x::a_b", false),
    ] {
        assert_eq!(is_meant(citation, &found[0]), expected, "{citation}");
    }
    let page = "`a::b` and `Big::c`, `x_max_of`, `one_of_many_long_names`\n```sh\n`no::no`\n```\n`d::*`";
    assert_eq!(cited(page), ["a::b", "one_of_many_long_names", "d::*"]);
}
