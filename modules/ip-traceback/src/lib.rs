//! Traceback: where does traffic to a target enter each domain (`trace`), and what graph do the answers of many domains
//! make (`merge`)? This file joins the pure parts to the host's data; it holds no rule of its own.

mod graph;
mod sources;
mod tally;

use bindings::{Graph, Guest, Part, TraceReport};
use iog_guest::{Batch, Prefix, bounded};
use tally::{Flow, Tally};

/// The types of `wit/`.
#[expect(clippy::too_many_arguments, reason = "generated: one for each field")]
mod bindings {
    iog_guest::analysis!("traceback");
}

struct Traceback;

impl Guest for Traceback {
    fn trace(target: String, start_us: Option<i64>, end_us: Option<i64>) -> Result<TraceReport, String> {
        let target: Prefix = target.trim().parse().map_err(|error| format!("`target`: {error}"))?;
        let (start, end) = (start_us.unwrap_or(i64::MIN), end_us.unwrap_or(i64::MAX));
        if start >= end {
            return Err("`start-us` must be less than `end-us`".to_owned());
        }
        let mut rows = iog_guest::query("by-target").bind(target).bind(start).bind(end).open()?;
        let mut tally = None;
        while let Some(batch) = rows.next()? {
            add_batch(&mut tally, &batch)?;
        }
        Ok(tally.unwrap_or_else(|| Tally::new(0)).report(target.to_string()))
    }

    fn merge(parts: Vec<Part>) -> Graph {
        graph::merge(parts)
    }
}

fn add_batch(tally: &mut Option<Tally>, batch: &Batch<'_>) -> Result<(), String> {
    let ingress = batch.u64s("ingress_as")?;
    let (starts, ends) = (batch.i64s("start")?, batch.i64s("end")?);
    let sources = batch.addresses("src")?;
    let (packets, bytes) = (batch.u64s("packets")?, batch.u64s("bytes")?);
    let tally = tally.get_or_insert_with(|| {
        // Times to the microsecond and the company of other flows are what a sender of traffic cannot foresee.
        Tally::new(bounded::seed(starts.values().iter()))
    });
    let complete = !(ingress.nulls().any() || ends.nulls().any() || sources.nulls().any());
    let rows = batch.len();
    // Slices of one length, so that the loops below test no bounds.
    let (neighbours, from, until) = (&ingress.values()[..rows], &starts.values()[..rows], &ends.values()[..rows]);
    let (addresses, packets, bytes) = (&sources.values()[..rows], &packets.values()[..rows], &bytes.values()[..rows]);
    for row in 0..rows {
        let mut flow = Flow {
            ingress: Some(neighbours[row]),
            start: from[row],
            end: until[row],
            source: Some(addresses[row]),
            packets: packets[row],
            bytes: bytes[row],
        };
        if !complete {
            flow.ingress = ingress.get(row);
            flow.end = ends.get(row).unwrap_or(flow.start);
            flow.source = sources.get(row);
        }
        tally.add(&flow)?;
    }
    Ok(())
}

bindings::export!(Traceback with_types_in bindings);
