//! Names and record data in one form, so that what is the same compares the same. Pure. It knows presentation format
//! (RFC 1035 §5.1), not wire format, and resolves nothing.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// A name of 255 bytes in wire format (RFC 1035 §2.3.4), every byte of it written as `\ddd`.
const NAME_BYTES_MAX: usize = 1_016;

/// Types whose data hold nothing but names and numbers. Names are the same in any case (RFC 4343).
const TYPES_OF_NAMES: [&str; 16] =
    ["AFSDB", "CNAME", "DNAME", "KX", "MB", "MD", "MF", "MG", "MR", "MX", "NS", "PTR", "RP", "RT", "SOA", "SRV"];

/// The owner name as the tables have it: lower case, without the final dot; `.` is the root.
pub(crate) fn owner(text: &str) -> Result<String, String> {
    let text = text.trim();
    if !text.is_ascii() {
        return Err(format!("`name`: `{}` has to be in its `xn--` form", shown(text)));
    }
    let name = undotted(text);
    let in_range = (1..=NAME_BYTES_MAX).contains(&name.len());
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    if !in_range || !plain || (name != "." && has_empty_label(name)) {
        return Err(format!("`name`: `{}` is not a domain name", shown(text)));
    }
    Ok(name.to_ascii_lowercase())
}

/// The first characters of a text, for messages.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Without the final dot, unless that is all there is, an empty label is before it, or it is part of a label (`\.`).
fn undotted(name: &str) -> &str {
    match name.strip_suffix('.') {
        Some(rest) if !rest.is_empty() && !rest.ends_with('.') && !ends_escaping(rest) => rest,
        _ => name,
    }
}

/// Whether the text ends with a backslash that takes the next character's meaning away.
fn ends_escaping(text: &str) -> bool {
    text.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

fn has_empty_label(name: &str) -> bool {
    let (mut empty, mut escaped) = (true, false);
    for byte in name.bytes() {
        if byte == b'.' && !escaped {
            if empty {
                return true;
            }
            empty = true;
            continue;
        }
        escaped = byte == b'\\' && !escaped;
        empty = false;
    }
    empty
}

/// A record type in upper case.
pub(crate) fn kind(rrtype: &str) -> Cow<'_, str> {
    if rrtype.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Cow::Owned(rrtype.to_ascii_uppercase());
    }
    Cow::Borrowed(rrtype)
}

/// Record data in one form: see `answer.rdata` in the contract.
pub(crate) fn canonical<'a>(rrtype: &str, rdata: &'a str) -> Cow<'a, str> {
    if rrtype == "AAAA" {
        return rdata.parse::<Ipv6Addr>().map_or(Cow::Borrowed(rdata), |address| {
            let canonical = address.to_string();
            if canonical == rdata { Cow::Borrowed(rdata) } else { Cow::Owned(canonical) }
        });
    }
    if !TYPES_OF_NAMES.contains(&rrtype) {
        return Cow::Borrowed(rdata);
    }
    let plain = |word: &str| undotted(word) == word && !word.bytes().any(|byte| byte.is_ascii_uppercase());
    if rdata.split(' ').all(|word| !word.is_empty() && plain(word)) {
        return Cow::Borrowed(rdata);
    }
    let words: Vec<_> = rdata.split_ascii_whitespace().map(|word| undotted(word).to_ascii_lowercase()).collect();
    Cow::Owned(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_names_are_lower_case_without_the_final_dot() {
        for (given, shown) in [
            ("WWW.Example.NET.", "www.example.net"),
            (" example.net ", "example.net"),
            ("_dmarc.example.net", "_dmarc.example.net"),
            (".", "."),
            ("net", "net"),
            (r"a\.b.net.", r"a\.b.net"),
            (r"a\\.", r"a\\"),
            (r"odd\.", r"odd\."),
            (r"\000\001.net", r"\000\001.net"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("1.2.0.192.in-addr.arpa", "1.2.0.192.in-addr.arpa"),
        ] {
            assert_eq!(owner(given).as_deref(), Ok(shown));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", " ", "..", ".net", "a..b", "a b", "a\tb", "a\0b"] {
            assert!(owner(text).unwrap_err().contains("is not a domain name"), "{text:?}");
        }
        assert!(owner(&"a".repeat(NAME_BYTES_MAX)).is_ok());
        assert!(owner(&"a".repeat(NAME_BYTES_MAX + 1)).is_err());
        assert_eq!(owner("bücher.example").unwrap_err(), "`name`: `bücher.example` has to be in its `xn--` form");
    }

    #[test]
    fn data_that_are_the_same_get_one_form() {
        for (rrtype, given, shown) in [
            ("NS", "A.Root-Servers.NET.", "a.root-servers.net"),
            ("NS", "a.root-servers.net", "a.root-servers.net"),
            ("MX", "10  Mail.example.net.", "10 mail.example.net"),
            ("MX", "0 .", "0 ."),
            ("SOA", "A.x. Admin.x. 2020 1 2 3 4", "a.x admin.x 2020 1 2 3 4"),
            ("AAAA", "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("AAAA", "not an address", "not an address"),
            ("A", "192.0.2.1", "192.0.2.1"),
            ("TXT", "\"v=spf1 A.\"", "\"v=spf1 A.\""),
            ("TYPE65", "X.", "X."),
        ] {
            assert_eq!(canonical(rrtype, given), shown, "{rrtype}");
        }
    }

    #[test]
    fn any_text_has_a_form_that_stays() {
        let pieces = ["a", "B", ".", "\\", " ", "  ", "é", "\"", "0", "::1"];
        for n in 0..10_000usize {
            let text: String = (0..5).map(|place| pieces[n / 10usize.pow(place) % 10]).collect();
            for rrtype in ["NS", "MX", "AAAA", "TXT"] {
                let once = canonical(rrtype, &text).into_owned();
                assert_eq!(canonical(rrtype, &once), once, "{rrtype} {text:?}");
            }
            if let Ok(name) = owner(&text) {
                assert_eq!(owner(&name).as_deref(), Ok(name.as_str()), "{text:?}");
            }
        }
    }
}
