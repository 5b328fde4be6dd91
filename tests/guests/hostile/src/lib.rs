//! A guest that misbehaves, one way for each entry; the tests say what must become of it. It must not be published.

use std::collections::HashMap;
use std::hint::black_box;

use iog_guest::data::{self, Fault, Param};

iog_guest::analysis!("hostile");

/// The one query that the manifest declares.
const QUERY: &str = "packets";

struct Hostile;

impl Guest for Hostile {
    fn spin() {
        let mut n = 0u64;
        while black_box(true) {
            n = black_box(n.wrapping_add(1));
        }
    }

    fn grow(mebibytes: u32) -> u32 {
        let mut held: Vec<Vec<u8>> = Vec::new();
        while (held.len() as u64) < u64::from(mebibytes) {
            let mut piece = Vec::new();
            if piece.try_reserve_exact(1 << 20).is_err() {
                break;
            }
            piece.resize(1 << 20, 1u8);
            held.push(black_box(piece));
        }
        u32::try_from(held.len()).unwrap_or(u32::MAX)
    }

    fn flood_log(messages: u32, bytes: u32) {
        let message = "x".repeat(bytes as usize);
        for _ in 0..messages {
            iog_guest::log::info(&message);
        }
    }

    fn flood_progress(times: u32) {
        for time in 0..times {
            iog_guest::progress(if time % 2 == 0 { 255 } else { 0 });
        }
    }

    fn open_undeclared(name: String) -> Result<(), String> {
        data::open(&name, &[]).map(drop).map_err(words)
    }

    fn open_with_too_many_params() -> Result<(), String> {
        let params = vec![Param::Uint(1); 3];
        data::open(QUERY, &params).map(drop).map_err(words)
    }

    fn read_wrong_kind() -> Result<(), String> {
        let rows = data::open(QUERY, &[]).map_err(words)?;
        rows.advance().map_err(words)?;
        rows.floats(0).map(drop).map_err(words)
    }

    fn read_missing_column(column: u32) -> Result<(), String> {
        let rows = data::open(QUERY, &[]).map_err(words)?;
        rows.advance().map_err(words)?;
        rows.uints(column).map(drop).map_err(words)
    }

    fn read_before_advance() -> Result<u32, String> {
        let rows = data::open(QUERY, &[]).map_err(words)?;
        let values = rows.uints(0).map_err(words)?;
        Ok(u32::try_from(values.len()).unwrap_or(u32::MAX))
    }

    fn hoard_cursors(cursors: u32) -> Result<u32, String> {
        let mut held = Vec::new();
        for _ in 0..cursors {
            held.push(data::open(QUERY, &[]).map_err(words)?);
        }
        Ok(u32::try_from(held.len()).unwrap_or(u32::MAX))
    }

    fn huge_result(bytes: u32) -> String {
        "x".repeat(bytes as usize)
    }

    fn panics(message: String) {
        panic!("{message}");
    }

    fn hash_order(n: u32) -> Vec<u32> {
        let numbers: HashMap<u32, ()> = (0..n).map(|number| (number, ())).collect();
        numbers.into_keys().collect()
    }

    fn odd_floats() -> Vec<f64> {
        let zero = black_box(0.0f64);
        vec![zero / zero, -(zero / zero), 1.0 / zero, -1.0 / zero, -zero, f64::from_bits(1), 0.1 + 0.2]
    }

    fn recurse(depth: u64) -> u64 {
        // What is passed by reference through a black box keeps the compiler from making a loop of it.
        let mut frame = black_box([depth; 8]);
        if depth == 0 {
            return frame[0];
        }
        frame[7] = Self::recurse(black_box(depth - 1));
        black_box(&frame)[7] + 1
    }

    fn sum() -> Result<u64, String> {
        let mut rows = iog_guest::query(QUERY).open()?;
        let mut sum = 0u64;
        while let Some(batch) = rows.next()? {
            sum += batch.u64s("packets")?.values().iter().sum::<u64>();
        }
        Ok(sum)
    }

    fn leak_by_error() -> Result<u64, String> {
        Err(format!("the secret sum is {}", Self::sum()?))
    }
}

/// A fault in the words of the contract.
fn words(fault: Fault) -> String {
    match fault {
        Fault::NotGranted => "not-granted".to_owned(),
        Fault::UnknownQuery(name) => format!("unknown-query: {name}"),
        Fault::BadParam(problem) => format!("bad-param: {problem}"),
        Fault::BadColumn(problem) => format!("bad-column: {problem}"),
        Fault::Unavailable => "unavailable".to_owned(),
    }
}

export!(Hostile);
