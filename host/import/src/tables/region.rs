//! Subdivisions of countries by their ISO 3166-2 codes.

/// What a table says about a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Region {
    /// Nothing.
    None,
    /// A code, in upper case.
    Code(String),
    /// Something that is not a code, for example `CA` or `California`.
    NoCode,
    /// A code of another country than the one beside it. Which of the two is meant nobody can say.
    Elsewhere,
}

/// Reads a region: two letters of the country, a hyphen, one to three letters or digits (ISO 3166-2). RFC 8805 §2.1.1.3
/// asks for nothing else.
pub(super) fn region(text: &str, country: Option<[u8; 2]>) -> Region {
    if text.is_empty() {
        return Region::None;
    }
    let upper = text.to_ascii_uppercase();
    let [a, b, b'-', part @ ..] = upper.as_bytes() else { return Region::NoCode };
    let letters = a.is_ascii_alphabetic() && b.is_ascii_alphabetic();
    if !letters || !(1..=3).contains(&part.len()) || !part.iter().all(u8::is_ascii_alphanumeric) {
        return Region::NoCode;
    }
    if country.is_some_and(|country| country != [*a, *b]) {
        return Region::Elsewhere;
    }
    Region::Code(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_of_the_country_are_regions() {
        let read = |text: &str, country: &str| region(text, country.as_bytes().try_into().ok());
        for code in ["US-CA", "DE-BE", "GB-ENG", "FR-75", "AT-9", "FR-75C"] {
            assert_eq!(read(code, &code[..2]), Region::Code(code.to_owned()));
        }
        assert_eq!(read("us-ca", "US"), Region::Code("US-CA".to_owned()));
        assert_eq!(read("US-CA", ""), Region::Code("US-CA".to_owned()));
        assert_eq!(read("", "US"), Region::None);
        for text in ["CA", "California", "US-", "US-CALI", "US_CA", "1S-CA", "US-C A", "USCA", "US-é"] {
            assert_eq!(read(text, "US"), Region::NoCode, "{text}");
        }
        assert_eq!((read("UK-ENG", "GB"), read("CA-ON", "US")), (Region::Elsewhere, Region::Elsewhere));
    }
}
