//! How much an exporter samples: one packet in how many, in each of the ways that elements tell it (RFC 5477 §8.2,
//! RFC 3954 §8).

use super::raw::Values;
use super::slot::Slot;

/// One packet in how many, as a record says it; none where it says none or no rate that can be.
pub(super) fn rate(values: &Values) -> Option<u64> {
    let interval = values.get(Slot::SamplingInterval).filter(|interval| *interval > 0);
    interval.or_else(|| spaced(values)).or_else(|| drawn(values)).or_else(|| likely(values))
}

/// So many packets, then a gap of so many (305, 306).
fn spaced(values: &Values) -> Option<u64> {
    let (taken, left) = (values.get(Slot::SampledPackets)?, values.get(Slot::UnsampledPackets)?);
    ratio(taken.checked_add(left)?, taken)
}

/// So many of a population of so many (309, 310).
fn drawn(values: &Values) -> Option<u64> {
    ratio(values.get(Slot::SamplingPopulation)?, values.get(Slot::SamplingSize)?)
}

/// Each packet with this probability (311), a number of 64 or 32 bits.
fn likely(values: &Values) -> Option<u64> {
    let bits = values.get(Slot::SamplingProbability)?;
    let probability = u32::try_from(bits).map_or_else(|_| f64::from_bits(bits), |bits| f64::from(f32::from_bits(bits)));
    // Below that no exporter samples; the bound keeps the rate a whole number.
    if !(1e-9..=1.0).contains(&probability) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and 1e9")]
    Some((1.0 / probability).round() as u64)
}

/// The ratio as a whole number, the nearest one.
fn ratio(all: u64, taken: u64) -> Option<u64> {
    (taken > 0 && all >= taken).then(|| (all - taken / 2).div_ceil(taken))
}
