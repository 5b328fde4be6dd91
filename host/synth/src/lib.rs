//! A deterministic world of flows for the demo: twelve providers, a reflection attack and a spoofed one on the same
//! victim, and the background they hide in. Everything here is invented and says so; addresses and AS numbers are
//! those reserved for documentation (RFC 5737, RFC 5398), except where an attack must look as if it came from
//! everywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, TimestampMicrosecondArray, UInt64Array};
use arrow_schema::ArrowError;

/// The address under attack.
pub const TARGET: &str = "203.0.113.10";
/// Where the victim lives.
pub const VICTIM_AS: u32 = 64496;
/// 2026-03-01T12:00:00Z in microseconds, the start of the observed hour.
const HOUR_START_US: i64 = 1_772_366_400_000_000;
/// The observed time span in microseconds.
const HOUR_US: u64 = 3_600_000_000;
/// Flows of the DNS reflection: large answers from many open resolvers.
const REFLECTED_FLOWS: u32 = 70_000;
/// Flows of the spoofed SYN flood: every source address is forged, so only the ingress tells where it enters.
const SPOOFED_FLOWS: u32 = 60_000;
/// Background flows, most of them to other destinations.
const BACKGROUND_FLOWS: u32 = 260_000;

/// Paths that traffic takes to the victim, from its origin AS to the victim's. ASes that are in no
/// [`providers`] entry do not take part: the trail goes dark there.
const REFLECTION_PATHS: &[&[u32]] = &[
    &[65536, 64504, 64500, 64497, 64496],
    &[65537, 64504, 64500, 64497, 64496],
    &[65538, 64505, 64501, 64497, 64496],
    &[65539, 64511, 64502, 64498, 64496],
    &[65540, 64506, 64502, 64498, 64496],
    &[64507, 64503, 64499, 64496],
    &[65541, 64507, 64503, 64499, 64496],
];
const SPOOFED_PATHS: &[&[u32]] = &[&[65550, 64505, 64501, 64498, 64496]];
const BACKGROUND_PATHS: &[&[u32]] = &[
    &[64504, 64500, 64497, 64496],
    &[64505, 64501, 64498, 64499, 64503, 64507],
    &[64506, 64502, 64498, 64497, 64500],
    &[65536, 64504, 64500, 64501, 64505],
    &[64507, 64503, 64499, 64496],
    &[65541, 64507, 64503, 64502, 64506],
];

/// The AS numbers that answer: each becomes a domain with a gateway and its own flows.
pub fn providers() -> Vec<u32> {
    (64496..=64507).collect()
}

/// Flow logs by AS number, as each AS on a path would have recorded them.
///
/// # Errors
/// Only if the columns did not fit their schema, which would be a fault of this file.
pub fn flows() -> Result<BTreeMap<u32, RecordBatch>, ArrowError> {
    let mut world: BTreeMap<u32, Columns> = providers().into_iter().map(|asn| (asn, Columns::default())).collect();
    let mut random = SplitMix(0x1067_2026);
    let victim = [203, 0, 113, 10];
    for number in 0..REFLECTED_FLOWS {
        let path = pick(REFLECTION_PATHS, &mut random);
        // A resolver's address stands for its network: the origin AS in the second byte, a few thousand resolvers.
        let resolver = [198, low_byte(path[0]), low_byte(number / 7 % 23), low_byte(number % 251)];
        let packets = 1 + random.below(6);
        let flow = Flow {
            src: resolver,
            dst: victim,
            proto: 17,
            ports: (53, 1024 + random.below(60_000)),
            packets,
            octets: packets * (1_100 + random.below(300)),
        };
        record(&mut world, path, &flow, &mut random);
    }
    for _ in 0..SPOOFED_FLOWS {
        let path = pick(SPOOFED_PATHS, &mut random);
        let flow = Flow {
            src: random.address(),
            dst: victim,
            proto: 6,
            ports: (1024 + random.below(60_000), 443),
            packets: 1,
            octets: 60,
        };
        record(&mut world, path, &flow, &mut random);
    }
    for _ in 0..BACKGROUND_FLOWS {
        let path = pick(BACKGROUND_PATHS, &mut random);
        let dst = if random.below(40) == 0 { victim } else { [192, 0, 2, low_byte_of(random.below(256))] };
        let packets = 1 + random.below(40);
        let src = [198, 51, 100, low_byte_of(random.below(256))];
        let flow = Flow {
            src,
            dst,
            proto: 6,
            ports: (1024 + random.below(60_000), 443),
            packets,
            octets: packets * (80 + random.below(1_300)),
        };
        record(&mut world, path, &flow, &mut random);
    }
    world.into_iter().map(|(asn, columns)| Ok((asn, columns.finish()?))).collect()
}

/// One flow before anybody recorded it.
struct Flow {
    src: [u8; 4],
    dst: [u8; 4],
    proto: u64,
    /// Source and destination port.
    ports: (u64, u64),
    packets: u64,
    octets: u64,
}

/// The same flow as every answering AS on the path sees it: with the neighbour that handed it over, 0 at its source.
fn record(world: &mut BTreeMap<u32, Columns>, path: &[u32], flow: &Flow, random: &mut SplitMix) {
    let offset_us = random.below(HOUR_US);
    let lasting_us = random.below(2_000_000);
    for (hop, asn) in path.iter().enumerate() {
        let ingress = if hop == 0 { 0 } else { path[hop - 1] };
        if let Some(columns) = world.get_mut(asn) {
            columns.push(flow, offset_us, lasting_us, ingress);
        }
    }
}

#[derive(Default)]
struct Columns {
    start: Vec<i64>,
    end: Vec<i64>,
    src: Vec<[u8; 16]>,
    dst: Vec<[u8; 16]>,
    /// proto, source port, destination port, packets, bytes, TCP flags, ingress AS.
    numbers: [Vec<u64>; 7],
}

impl Columns {
    fn push(&mut self, flow: &Flow, offset_us: u64, lasting_us: u64, ingress: u32) {
        let start = HOUR_START_US + i64::try_from(offset_us).expect("an hour in microseconds fits i64");
        self.start.push(start);
        self.end.push(start + i64::try_from(lasting_us).expect("two seconds in microseconds fit i64"));
        self.src.push(mapped(flow.src));
        self.dst.push(mapped(flow.dst));
        let flags = if flow.proto == 6 { 0x02 } else { 0 };
        let values = [flow.proto, flow.ports.0, flow.ports.1, flow.packets, flow.octets, flags, u64::from(ingress)];
        for (column, value) in self.numbers.iter_mut().zip(values) {
            column.push(value);
        }
    }

    fn finish(self) -> Result<RecordBatch, ArrowError> {
        let mut order: Vec<usize> = (0..self.start.len()).collect();
        order.sort_by_key(|row| self.start[*row]);
        let times = |values: &[i64]| -> ArrayRef {
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(order.iter().map(|row| values[*row])).with_timezone("UTC"),
            )
        };
        let addresses = |values: &[[u8; 16]]| -> Result<ArrayRef, ArrowError> {
            Ok(Arc::new(FixedSizeBinaryArray::try_from_iter(order.iter().map(|row| values[*row]))?))
        };
        let names = ["proto", "src_port", "dst_port", "packets", "bytes", "tcp_flags", "ingress_as"];
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("start", times(&self.start)),
            ("end", times(&self.end)),
            ("src", addresses(&self.src)?),
            ("dst", addresses(&self.dst)?),
        ];
        for (name, values) in names.into_iter().zip(&self.numbers) {
            columns.push((name, Arc::new(UInt64Array::from_iter_values(order.iter().map(|row| values[*row])))));
        }
        RecordBatch::try_from_iter(columns)
    }
}

fn mapped(v4: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::from(v4).to_ipv6_mapped().octets()
}

fn pick<'a>(paths: &[&'a [u32]], random: &mut SplitMix) -> &'a [u32] {
    let choice = random.below(paths.len() as u64);
    paths[usize::try_from(choice).expect("an index below the number of paths fits usize")]
}

fn low_byte(number: u32) -> u8 {
    number.to_le_bytes()[0]
}

fn low_byte_of(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

/// SplitMix64 (Steele, Lea and Flood 2014): enough for data that must look mixed and be the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A forged source: anything but multicast and what is reserved.
    fn address(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        [1 + a % 222, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_is_large_enough_and_the_same_every_time() {
        let first = flows().unwrap();
        assert_eq!(first.keys().copied().collect::<Vec<_>>(), providers());
        let rows: usize = first.values().map(RecordBatch::num_rows).sum();
        assert!(rows >= 1_000_000, "{rows} rows");
        assert_eq!(first, flows().unwrap());
    }
}
