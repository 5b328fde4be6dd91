//! How much room an answer takes as JSON, and what fits.

/// What the lists of a joint answer take at most of its 1,024 KiB of JSON: 300 KiB each.
pub(crate) const LIST_BYTES_MAX: usize = 300 << 10;
/// JSON of a route, a suspect or a silent domain without the texts in it, in bytes; measured, with the largest numbers.
pub(crate) const ITEM_BYTES: usize = 520;

pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The first items of a list, as many as take so many bytes of JSON.
pub(crate) fn fitting<T>(items: impl Iterator<Item = T>, bytes_max: usize, bytes: impl Fn(&T) -> usize) -> Vec<T> {
    let mut left = bytes_max;
    let fits = items.take_while(|item| {
        let rest = left.checked_sub(bytes(item));
        left = rest.unwrap_or_default();
        rest.is_some()
    });
    fits.collect()
}

/// A text in JSON with quotes and comma, at most.
pub(crate) fn json_bytes(text: &str) -> usize {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => 2,
        byte if byte < 0x20 => 6,
        _ => 1,
    });
    escaped.sum::<usize>() + 3
}

pub(crate) fn names_bytes(names: &[String]) -> usize {
    names.iter().map(|name| json_bytes(name)).sum()
}
