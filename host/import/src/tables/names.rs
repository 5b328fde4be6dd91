//! What validators call the parts of a payload, in the headers of their CSV and in the members of their JSON: Routinator,
//! rpki-client, FORT, OctoRPKI, StayRTR and GoRTR, the validators of the RIPE NCC, and SLURM (RFC 8416).

/// A part of a payload by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Asn,
    Prefix,
    MaxLen,
    TrustAnchor,
    ValidFrom,
    ValidTo,
    /// Routinator's list of where a payload comes from.
    Source,
    /// Something that no column takes.
    Unused,
    /// A length that may be that of the prefix or the largest one.
    UnclearLength,
    Unknown,
}

/// What is said of a payload or a header with a length of which it is not clear what it is: left out, it would make valid
/// routes invalid.
pub(super) const UNCLEAR_LENGTH: &str = "a name has a length in it, and it is not clear whether it is the largest one; call that `Max Length` or leave it out";

/// The part of that name. Case, blanks and punctuation mean nothing.
pub(super) fn part(name: &str) -> Part {
    // The spelling of most lists, hundreds of thousands of times each.
    match name {
        "asn" => return Part::Asn,
        "prefix" => return Part::Prefix,
        "maxLength" => return Part::MaxLen,
        "ta" => return Part::TrustAnchor,
        "expires" => return Part::ValidTo,
        _ => {}
    }
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    match plain.as_str() {
        "asn" | "as" | "asnumber" | "originas" | "originasn" => Part::Asn,
        "prefix" | "ipprefix" | "ipaddressprefix" => Part::Prefix,
        "trustanchor" | "ta" | "tal" => Part::TrustAnchor,
        "notbefore" | "validfrom" => Part::ValidFrom,
        "notafter" | "validto" | "validuntil" | "expires" | "expiry" => Part::ValidTo,
        "source" => Part::Source,
        "uri" | "serialnumber" | "comment" => Part::Unused,
        // No other part has a maximum.
        other if other.contains("max") => Part::MaxLen,
        other if ["len", "mask", "bits"].iter().any(|word| other.contains(word)) => Part::UnclearLength,
        _ => Part::Unknown,
    }
}

/// A value, or none where the validator says by `N/A` that it has none.
pub(super) fn said(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("n/a"))
}
