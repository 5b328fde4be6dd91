//! Top talkers: which prefixes send or receive most (`top`), and which do over many domains (`merge`)? This file joins
//! the pure parts to the host's data; it holds no rule of its own.

mod joint;
mod table;

use bindings::{Guest, JointRanking, Measure, Part, Question, Ranking, Side};
use iog_guest::bounded;
use table::Table;

/// The types of `wit/`.
#[expect(clippy::too_many_arguments, reason = "generated: one for each field")]
mod bindings {
    iog_guest::analysis!("talkers");
}

/// Talkers in one answer at most: a ranking, not a copy of the data.
const TALKERS_MAX: u32 = 1000;

struct Talkers;

impl Guest for Talkers {
    fn top(
        side: Side,
        measure: Measure,
        n: Option<u32>,
        v4_length: Option<u8>,
        v6_length: Option<u8>,
        start_us: Option<i64>,
        end_us: Option<i64>,
    ) -> Result<Ranking, String> {
        let (v4_length, v6_length) = (v4_length.unwrap_or(32), v6_length.unwrap_or(128));
        let question = Question { side, measure, n: n.unwrap_or(10), v4_length, v6_length };
        check(&question)?;
        let (start, end) = (start_us.unwrap_or(i64::MIN), end_us.unwrap_or(i64::MAX));
        if start >= end {
            return Err("`start-us` must be less than `end-us`".to_owned());
        }
        let (query, column) = match side {
            Side::Source => ("sources", "src"),
            Side::Destination => ("destinations", "dst"),
        };
        let mut rows = iog_guest::query(query).bind(start).bind(end).open()?;
        let mut table = None;
        while let Some(batch) = rows.next()? {
            let (addresses, packets, bytes) = (batch.addresses(column)?, batch.u64s("packets")?, batch.u64s("bytes")?);
            let table = table.get_or_insert_with(|| {
                // Whose packets are in the first flows and how many is what a sender of traffic cannot foresee.
                let seed = bounded::seed(addresses.values().iter().zip(bytes.values()));
                Table::new(v4_length, v6_length, seed)
            });
            for (row, address) in addresses.iter().enumerate() {
                table.add(address, packets.values()[row], bytes.values()[row])?;
            }
        }
        Ok(table.unwrap_or_else(|| Table::new(v4_length, v6_length, 0)).ranking(&question))
    }

    fn merge(parts: Vec<Part>) -> JointRanking {
        joint::merge(parts)
    }
}

fn check(question: &Question) -> Result<(), String> {
    if !(1..=TALKERS_MAX).contains(&question.n) {
        return Err(format!("`n` must be 1 to {TALKERS_MAX}, not {}", question.n));
    }
    if question.v4_length > 32 {
        return Err(format!("`v4-length` must be 0 to 32, not {}", question.v4_length));
    }
    if question.v6_length > 128 {
        return Err(format!("`v6-length` must be 0 to 128, not {}", question.v6_length));
    }
    Ok(())
}

bindings::export!(Talkers with_types_in bindings);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_out_of_range_are_refused_by_name() {
        let asked = |n, v4_length, v6_length| {
            check(&Question { side: Side::Source, measure: Measure::Bytes, n, v4_length, v6_length })
        };
        assert_eq!(asked(1000, 32, 128), Ok(()));
        assert_eq!(asked(1, 0, 0), Ok(()));
        assert_eq!(asked(0, 32, 128).unwrap_err(), "`n` must be 1 to 1000, not 0");
        assert_eq!(asked(1001, 32, 128).unwrap_err(), "`n` must be 1 to 1000, not 1001");
        assert_eq!(asked(1, 33, 128).unwrap_err(), "`v4-length` must be 0 to 32, not 33");
        assert_eq!(asked(1, 32, 129).unwrap_err(), "`v6-length` must be 0 to 128, not 129");
    }
}
