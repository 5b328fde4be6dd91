//! How many flows a second the decoders of exports turn into columns: one thread, messages of full size in memory, the
//! batches dropped. Run with `--release`; with a number it repeats the messages so often.

use std::path::Path;
use std::time::Instant;

use iog_import::columns::Sink;
use iog_import::exports::Exports;

/// Rows for one measurement, when the caller names no number.
const REPEATS: usize = 100_000;

struct Dropped;

impl Sink for Dropped {
    fn batch(&mut self, _: arrow_array::RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }
}

fn shorts(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 4).expect("sets are small");
    [shorts(&[id, length]), body.to_vec()].concat()
}

/// NetFlow v5: 30 records.
fn v5() -> Vec<u8> {
    let mut message = shorts(&[5, 30]);
    message.extend([0, 0, 0x30, 0, 0x60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for index in 0..30_u8 {
        message.extend([10, 0, 0, index, 192, 0, 2, index, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 9, 0]);
        message.extend([0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0, 53, 0, 16, 17, 0, 0, 7, 0, 8, 24, 24, 0, 0]);
    }
    message
}

/// The fields of a usual router template; 45 bytes.
const FIELDS: [u16; 32] =
    [8, 4, 12, 4, 10, 4, 14, 4, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2, 16, 2, 17, 2, 4, 1, 6, 1, 5, 1, 9, 2];

fn records() -> Vec<u8> {
    let one = |index: u8| {
        let mut record = vec![10, 0, 0, index, 192, 0, 2, index];
        record.extend([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 9, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
        record.extend([1, 0, 0, 53, 0, 7, 0, 8, 17, 16, 0, 0, 24]);
        record
    };
    (0..30).flat_map(one).collect()
}

fn template() -> Vec<u8> {
    shorts(&[&[256, 16][..], &FIELDS].concat())
}

/// NetFlow v9: the message with the template, and one of 30 records.
fn v9() -> [Vec<u8>; 2] {
    let message = |count, set: Vec<u8>| [shorts(&[9, count, 0, 0x3000, 0x6000, 0, 0, 0, 0, 0]), set].concat();
    [message(1, set(0, &template())), message(30, set(256, &records()))]
}

/// IPFIX: the same.
fn ipfix() -> [Vec<u8>; 2] {
    let message = |set: Vec<u8>| {
        let length = u16::try_from(set.len() + 16).expect("messages are small");
        [shorts(&[10, length, 0x6000, 0, 0, 0, 0, 0]), set].concat()
    };
    [message(set(2, &template())), message(set(256, &records()))]
}

fn measure(name: &str, bytes: &[u8]) -> Result<(), iog_import::ImportError> {
    let begun = Instant::now();
    let report = Exports::default().read(&mut &*bytes, Path::new(name), &mut Dropped, &mut |_| ())?;
    let seconds = begun.elapsed().as_secs_f64();
    let millions = |count: usize| count as f64 / seconds / 1e6;
    let rows = usize::try_from(report.rows).expect("rows in memory fit a usize");
    #[expect(clippy::print_stdout, reason = "this program exists to print its measurements")]
    {
        println!(
            "{name}: {rows} rows in {seconds:.2} s, {:.1} M rows/s, {:.0} MB/s",
            millions(rows),
            millions(bytes.len())
        );
    }
    Ok(())
}

fn main() -> Result<(), iog_import::ImportError> {
    let repeats = std::env::args().nth(1).and_then(|number| number.parse().ok()).unwrap_or(REPEATS);
    measure("netflow v5", &v5().repeat(repeats))?;
    for (name, [template, data]) in [("netflow v9", v9()), ("ipfix", ipfix())] {
        measure(name, &[template, data.repeat(repeats)].concat())?;
    }
    Ok(())
}
