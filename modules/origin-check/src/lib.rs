//! Origin check: who originates a prefix and what lies inside it (`check`), and what do the answers of many domains say
//! together (`merge`)? This file joins the pure parts to the host's data; it holds no rule of its own.

mod bits;
mod joint;
mod room;
mod route;
mod rpki;
mod seen;
mod suspects;
mod table;
mod view;

use bindings::{Guest, JointReport, Part, Report};
use iog_guest::{Batch, Prefix, bounded};
use rpki::{Roa, Roas};
use table::{Said, Statement, Table};

/// Rows that decide where keys go in the tables.
const SEED_ROWS: usize = 1_000;

/// The types of `wit/`.
#[expect(clippy::too_many_arguments, reason = "generated: one for each field")]
mod bindings {
    iog_guest::analysis!("origins");
}

struct Origins;

impl Guest for Origins {
    fn check(prefix: String, start_us: Option<i64>, end_us: Option<i64>) -> Result<Report, String> {
        let target: Prefix = prefix.trim().parse().map_err(|error| format!("`prefix`: {error}"))?;
        let (start, end) = (start_us.unwrap_or(i64::MIN), end_us.unwrap_or(i64::MAX));
        if start >= end {
            return Err("`start-us` must be less than `end-us`".to_owned());
        }
        let (roas, roas_skipped) = read_roas(target)?;
        let announced = iog_guest::query("announced").bind(target).bind(u64::from(target.length()));
        let mut rows = announced.bind(start).bind(end).open()?;
        let mut table = None;
        while let Some(batch) = rows.next()? {
            add_batch(&mut table, target, &batch)?;
        }
        Ok(table.unwrap_or_else(|| Table::new(target, 0)).report(&roas, roas_skipped))
    }

    fn merge(parts: Vec<Part>) -> JointReport {
        joint::merge(parts)
    }
}

fn add_batch(table: &mut Option<Table>, target: Prefix, batch: &Batch<'_>) -> Result<(), String> {
    let (times, kinds, peers) = (batch.i64s("time")?, batch.texts("kind")?, batch.addresses("peer")?);
    let (addresses, lengths) = (batch.addresses("prefix")?, batch.u64s("prefix_len")?);
    let origins = batch.u64s("origin_as")?;
    let table = table.get_or_insert_with(|| {
        // When which peer spoke is what nobody outside can foresee.
        let recorded = times.values().iter().zip(peers.values());
        Table::new(target, bounded::seed(recorded.take(SEED_ROWS)))
    });
    for row in 0..batch.len() {
        let Some(said) = Said::new(kinds.bytes(row).unwrap_or_default(), origins.get(row)) else {
            table.skipped += 1;
            continue;
        };
        let prefix = (addresses.values()[row], lengths.values()[row]);
        table.add(&Statement { time: times.values()[row], peer: peers.values()[row], prefix, said })?;
    }
    Ok(())
}

/// The authorisations at a prefix, and how many rows are none.
fn read_roas(target: Prefix) -> Result<(Roas, u64), String> {
    let mut rows = iog_guest::query("authorised").bind(target).bind(target.first()).open()?;
    let (mut roas, mut skipped) = (Roas::default(), 0);
    while let Some(batch) = rows.next()? {
        let (addresses, lengths) = (batch.addresses("prefix")?, batch.u64s("prefix_len")?);
        let (asns, most, kinds) = (batch.u64s("asn")?, batch.u64s("max_len")?, batch.texts("kind")?);
        let until = batch.i64s("valid_to")?;
        for row in 0..batch.len() {
            let columns = (addresses.values()[row], lengths.values()[row], most.get(row), asns.values()[row]);
            match Roa::new(columns, kinds.bytes(row), until.get(row)) {
                Some(roa) => roas.push(roa)?,
                None => skipped += 1,
            }
        }
    }
    roas.prepare();
    Ok((roas, skipped))
}

bindings::export!(Origins with_types_in bindings);
