//! One payload of a JSON list. Its members are known by the names that validators give them, in any spelling.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::asn::parse_asn;
use super::super::names::{Part, UNCLEAR_LENGTH, part, said};
use super::super::payload::{Payload, Rows};
use super::super::stop::Stop;
use super::super::time::{OUT_OF_FORM, micros, micros_of_seconds};
use crate::tally::{Tally, Why};

/// What is said of an entry that is not a payload.
pub(super) const OF_ANOTHER_FORM: &str = "a payload is not an object of the known form";

/// The members of a payload.
#[derive(Debug, Default)]
struct Object<'a> {
    asn: Option<Scalar<'a>>,
    prefix: Option<Scalar<'a>>,
    max_len: Option<Scalar<'a>>,
    trust_anchor: Option<Scalar<'a>>,
    valid_from: Option<Scalar<'a>>,
    valid_to: Option<Scalar<'a>>,
    sources: Vec<Source<'a>>,
    unknown: Vec<String>,
    unclear_length: bool,
}

/// A value as validators write numbers, texts and times.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scalar<'a> {
    Null(()),
    Number(i64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
    Other(IgnoredAny),
}

/// Where a payload comes from, as Routinator says it.
#[derive(Debug, Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    tal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    validity: Option<Validity<'a>>,
    #[serde(borrow, rename = "chainValidity")]
    chain_validity: Option<Validity<'a>>,
}

#[derive(Debug, Deserialize)]
struct Validity<'a> {
    #[serde(borrow, rename = "notBefore")]
    not_before: Option<Scalar<'a>>,
    #[serde(borrow, rename = "notAfter")]
    not_after: Option<Scalar<'a>>,
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a payload")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut object = Object::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let member = match part(&key) {
                Part::Asn => &mut object.asn,
                Part::Prefix => &mut object.prefix,
                Part::MaxLen => &mut object.max_len,
                Part::TrustAnchor => &mut object.trust_anchor,
                Part::ValidFrom => &mut object.valid_from,
                Part::ValidTo => &mut object.valid_to,
                Part::Source => {
                    object.sources = map.next_value()?;
                    continue;
                }
                other => {
                    map.next_value::<IgnoredAny>()?;
                    object.unclear_length |= other == Part::UnclearLength;
                    if other == Part::Unknown {
                        object.unknown.push(key.into_owned());
                    }
                    continue;
                }
            };
            *member = Some(map.next_value()?);
        }
        Ok(object)
    }
}

impl<'a> Scalar<'a> {
    /// The value as text; none where it says nothing.
    fn text(&'a self) -> Result<Option<&'a str>, Why> {
        match self {
            Self::Null(()) => Ok(None),
            Self::Text(text) => Ok(said(text)),
            Self::Number(_) | Self::Other(_) => Err(Why::Malformed(OF_ANOTHER_FORM)),
        }
    }

    fn asn(&self) -> Result<Option<u32>, Why> {
        let malformed = |_| Why::Malformed("an AS number is malformed");
        match self {
            Self::Number(number) => u32::try_from(*number).map(Some).map_err(malformed),
            other => Ok(other.text()?.map(parse_asn).transpose()?),
        }
    }

    fn max_len(&self) -> Result<Option<u8>, Why> {
        let malformed = Why::Malformed("a maximum length is malformed");
        match self {
            Self::Number(number) => u8::try_from(*number).map(Some).map_err(|_| malformed),
            Self::Other(_) => Err(malformed),
            other => other.text()?.map(|text| text.parse().map_err(|_| malformed)).transpose(),
        }
    }

    fn time(&self) -> Result<Option<i64>, Why> {
        match self {
            Self::Number(seconds) => micros_of_seconds(*seconds).map(Some),
            Self::Other(_) => Err(OUT_OF_FORM),
            other => other.text()?.map(micros).transpose(),
        }
    }
}

/// From when until when something holds, where that is known.
type Span = (Option<i64>, Option<i64>);

impl Source<'_> {
    /// When the payload holds by this source: while the ROA and all certificates above it do.
    fn span(&self) -> Result<Span, Why> {
        let mut span = (None, None);
        for validity in [&self.validity, &self.chain_validity].into_iter().flatten() {
            let time = |time: &Option<Scalar<'_>>| time.as_ref().map_or(Ok(None), Scalar::time);
            let (from, to) = (time(&validity.not_before)?, time(&validity.not_after)?);
            span = (span.0.max(from), span.1.into_iter().chain(to).min());
        }
        Ok(span)
    }
}

/// When a payload holds: while it does by any of its sources. One that does not say when leaves it open.
fn span(sources: &[Source<'_>]) -> Result<Span, Why> {
    let spans = sources.iter().map(Source::span).collect::<Result<Vec<_>, _>>()?;
    let from = spans.iter().map(|span| span.0).min().flatten();
    let open = spans.iter().any(|span| span.1.is_none());
    let to = spans.iter().filter_map(|span| span.1).max().filter(|_| !open);
    Ok((from, to))
}

/// Decodes a payload and adds it.
pub(super) fn push(bytes: &[u8], rows: &mut Rows<'_>, tally: &mut Tally) -> Result<(), Stop> {
    let object: Object<'_> = serde_json::from_slice(bytes).map_err(|_| Why::Malformed(OF_ANOTHER_FORM))?;
    if object.unclear_length {
        return Err(Why::Malformed(UNCLEAR_LENGTH).into());
    }
    let prefix = object.prefix.as_ref().map_or(Ok(None), Scalar::text)?;
    let (from, to) = span(&object.sources)?;
    let time = |time: &Option<Scalar<'_>>| time.as_ref().map_or(Ok(None), Scalar::time);
    let trust_anchor = object.trust_anchor.as_ref().map_or(Ok(None), Scalar::text)?;
    let tal = object.sources.iter().find_map(|source| source.tal.as_deref()?.into());
    rows.push(&Payload {
        asn: object.asn.as_ref().map_or(Ok(None), Scalar::asn)?.ok_or(Why::Incomplete("asn"))?,
        prefix: prefix.ok_or(Why::Incomplete("prefix"))?,
        max_len: object.max_len.as_ref().map_or(Ok(None), Scalar::max_len)?,
        trust_anchor: trust_anchor.or(tal),
        valid_from: time(&object.valid_from)?.or(from),
        valid_to: time(&object.valid_to)?.or(to),
    })?;
    for name in &object.unknown {
        tally.not_understood("a member that is not understood", name);
    }
    Ok(())
}
