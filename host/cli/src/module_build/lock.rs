//! The part of a lock file that is about one build: its crates, and exactly what these need. Cargo is then held to it, so that
//! what the source digest covers is what is compiled.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use toml::{Table, Value};

use super::manifest::write;

/// What is left of the lock file `text` for the crates `locals` of the checkout, each with the names of the packages that it
/// needs: its lock file also has what its tests need.
pub(super) fn pare(text: &str, locals: &BTreeMap<String, BTreeSet<String>>) -> Result<String> {
    let mut lock: Table = text.parse().context("`Cargo.lock` is not TOML")?;
    let Some(Value::Array(packages)) = lock.get_mut("package") else { return Ok(text.to_owned()) };
    for package in packages.iter_mut().filter_map(Value::as_table_mut) {
        let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
        if let Some(needs) = locals.get(name).filter(|_| !package.contains_key("source")) {
            keep_needed(package, needs);
        }
    }
    let begins = |package: &Value| package.get("source").is_none() && locals.contains_key(text_of(package, "name"));
    let mut left: Vec<usize> = (0..packages.len()).filter(|at| begins(&packages[*at])).collect();
    let mut kept = BTreeSet::new();
    while let Some(at) = left.pop() {
        if kept.insert(at) {
            let needed =
                needs_of(&packages[at]).map(|needed| (0..packages.len()).filter(|at| is_it(&packages[*at], needed)));
            left.extend(needed.flatten());
        }
    }
    let kept: Vec<Value> = kept.into_iter().map(|at| packages[at].clone()).collect();
    kept.iter().try_for_each(published_with_checksum)?;
    lock.insert("package".to_owned(), Value::Array(kept));
    write(lock)
}

fn keep_needed(package: &mut Table, needs: &BTreeSet<String>) {
    let Some(Value::Array(written)) = package.get_mut("dependencies") else { return };
    written
        .retain(|needed| needed.as_str().and_then(|text| text.split(' ').next()).is_some_and(|it| needs.contains(it)));
    if written.is_empty() {
        package.remove("dependencies");
    }
}

fn needs_of(package: &Value) -> impl Iterator<Item = &str> {
    package.get("dependencies").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a package is the one that another needs. That is written as its name, where needed followed by version and
/// source.
fn is_it(package: &Value, needed: &str) -> bool {
    let mut words = needed.split(' ');
    let source = |word: &str| word.trim_start_matches('(').trim_end_matches(')') == text_of(package, "source");
    words.next() == Some(text_of(package, "name"))
        && words.next().is_none_or(|version| version == text_of(package, "version"))
        && words.next().is_none_or(source)
}

/// A registry gives whatever it likes for a version without a checksum.
fn published_with_checksum(package: &Value) -> Result<()> {
    let source = text_of(package, "source");
    let is_published = source.starts_with("registry+") || source.starts_with("sparse+");
    let name = text_of(package, "name");
    ensure!(!is_published || package.get("checksum").is_some(), "`Cargo.lock` has no checksum of `{name}`");
    Ok(())
}

fn text_of<'a>(package: &'a Value, key: &str) -> &'a str {
    package.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4
[[package]]
name = "a"
version = "1.0.0"
dependencies = ["b 2.0.0", "for-tests"]
[[package]]
name = "b"
version = "2.0.0"
source = "registry+x"
checksum = "22"
dependencies = ["c"]
[[package]]
name = "b"
version = "3.0.0"
source = "registry+x"
checksum = "33"
dependencies = ["d"]
[[package]]
name = "c"
version = "3.0.0"
[[package]]
name = "d"
version = "4.0.0"
[[package]]
name = "for-tests"
version = "5.0.0"
"#;

    fn pared(text: &str) -> Result<Table> {
        let needs = BTreeSet::from(["b".to_owned()]);
        Ok(pare(text, &BTreeMap::from([("a".to_owned(), needs)]))?.parse().unwrap())
    }

    #[test]
    fn what_is_reached_is_kept_in_the_version_that_is_reached() {
        let kept = pared(LOCK).unwrap();
        let packages = kept["package"].as_array().unwrap();
        let named: Vec<_> = packages.iter().map(|it| (text_of(it, "name"), text_of(it, "version"))).collect();
        assert_eq!(named, [("a", "1.0.0"), ("b", "2.0.0"), ("c", "3.0.0")]);
        assert_eq!(needs_of(&packages[0]).collect::<Vec<_>>(), ["b 2.0.0"], "what tests need is not part of a build");
        assert_eq!(kept["version"].as_integer(), Some(4));
    }

    #[test]
    fn a_published_crate_without_a_checksum_is_refused() {
        let error = pared(&LOCK.replace("checksum = \"22\"\n", "")).unwrap_err().to_string();
        assert!(error.contains("no checksum of `b`"), "{error}");
        pared(&LOCK.replace("checksum = \"33\"\n", "")).unwrap();
    }
}
