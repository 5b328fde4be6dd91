//! DNS watch: what does a name answer at each provider's sensors (`watch`), and do they all see the same (`merge`)? This
//! file joins the pure parts to the host's data; it holds no rule of its own.

mod joint;
mod name;
mod table;

use bindings::{Guest, JointReport, Part, Report};
use iog_guest::Batch;
use table::{Row, Table};

/// The types of `wit/`.
#[expect(clippy::too_many_arguments, reason = "generated: one for each field")]
mod bindings {
    iog_guest::analysis!("watch");
}

struct Watch;

impl Guest for Watch {
    fn watch(name: String, start_us: Option<i64>, end_us: Option<i64>) -> Result<Report, String> {
        let name = name::owner(&name)?;
        let (start, end) = (start_us.unwrap_or(i64::MIN), end_us.unwrap_or(i64::MAX));
        if start >= end {
            return Err("`start-us` must be less than `end-us`".to_owned());
        }
        let mut rows = iog_guest::query("of-name").bind(&name).bind(start).bind(end).open()?;
        let mut table = Table::default();
        while let Some(batch) = rows.next()? {
            add_batch(&mut table, &batch)?;
        }
        Ok(table.report(name))
    }

    fn merge(parts: Vec<Part>) -> JointReport {
        joint::merge(parts)
    }
}

fn add_batch(table: &mut Table, batch: &Batch<'_>) -> Result<(), String> {
    let (rrtypes, rdata) = (batch.texts("rrtype")?, batch.texts("rdata")?);
    let (firsts, lasts) = (batch.i64s("time_first")?, batch.i64s("time_last")?);
    let counts = batch.u64s("count")?;
    for row in 0..batch.len() {
        let (Some(rrtype), Some(rdata)) = (rrtypes.get(row), rdata.get(row)) else {
            table.skipped += 1;
            continue;
        };
        let (first, last) = (firsts.values()[row], lasts.values()[row]);
        table.add(&Row { rrtype, rdata, first, last, count: counts.get(row) })?;
    }
    Ok(())
}

bindings::export!(Watch with_types_in bindings);
