//! Columns that lie in the names of folders: `day=2021-07-12/` gives every file below it a column `day` (the layout of
//! Hive, Spark and DuckDB). Pure: a path in, names and texts out.

use std::path::{Component, Path, PathBuf};

/// What Hive calls a null in a folder's name.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The columns in a file's path below the part of the pattern that has no wildcards; `None` as value is null.
pub(crate) fn partitions(pattern: &Path, file: &Path) -> Vec<(String, Option<String>)> {
    let fixed = fixed_part(pattern);
    let below = file.strip_prefix(&fixed).unwrap_or(Path::new(""));
    let folders = below.parent().unwrap_or(Path::new("")).components();
    let one = |part: Component<'_>| {
        let text = part.as_os_str().to_str()?;
        let (key, value) = text.split_once('=')?;
        let value = (value != NULL).then(|| decoded(value));
        (!key.is_empty()).then(|| (decoded(key), value))
    };
    folders.filter_map(one).collect()
}

/// The folders of a pattern before its first wildcard.
pub(crate) fn fixed_part(pattern: &Path) -> PathBuf {
    let plain = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?']);
    pattern.components().take_while(plain).collect()
}

/// `%3A` as `:`; what is not such an escape stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let value = escape.and_then(|hex| std::str::from_utf8(hex).ok()).filter(|hex| !hex.starts_with('+'));
        match value.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_lies_below_the_fixed_part_counts() {
        let found =
            partitions(Path::new("/a=1/flows/**/*.parquet"), Path::new("/a=1/flows/day=1/x/hour=%3A2/b=3.parquet"));
        assert_eq!(found, [("day".into(), Some("1".into())), ("hour".into(), Some(":2".into()))]);
        let null = partitions(Path::new("d/*/f"), Path::new("d/as=__HIVE_DEFAULT_PARTITION__/f"));
        assert_eq!(null, [("as".into(), None)]);
        assert!(partitions(Path::new("d/k=1/f"), Path::new("d/k=1/f")).is_empty());
    }

    proptest! {
        #[test]
        fn any_name_is_safe(text in "[%a-f0-9=+é]{0,20}") {
            let _ = partitions(Path::new("x/*"), &Path::new("x").join(&text).join("f"));
        }
    }
}
