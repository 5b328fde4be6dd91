//! Flows of packets made by hand, compared with a plain reckoning.

use std::collections::BTreeMap;

use arrow_array::{Array, Int64Array, RecordBatch, UInt64Array};
use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Kept(Vec<RecordBatch>);

impl Sink for Kept {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.push(batch);
        Ok(())
    }
}

/// `(start, end, src_port, packets, bytes, flags)` of every row.
type Row = (i64, i64, u64, u64, u64, u64);

fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        let int = |name| batch.column_by_name(name).unwrap().as_any().downcast_ref::<Int64Array>().unwrap().clone();
        let uint = |name| batch.column_by_name(name).unwrap().as_any().downcast_ref::<UInt64Array>().unwrap().clone();
        let (start, end) = (int("start"), int("end"));
        let (port, packets, bytes, flags) = (uint("src_port"), uint("packets"), uint("bytes"), uint("tcp_flags"));
        rows.extend((0..batch.num_rows()).map(|at| {
            (start.value(at), end.value(at), port.value(at), packets.value(at), bytes.value(at), flags.value(at))
        }));
    }
    rows
}

fn packet(src_port: u16, tcp_flags: u8) -> Packet {
    Packet {
        src: [1; 16],
        dst: [2; 16],
        proto: proto::TCP,
        tos: 0,
        src_port,
        dst_port: 80,
        tcp_flags,
        icmp: None,
        bytes: 100,
    }
}

fn run(options: FlowOptions, packets: &[(i64, Packet)]) -> (Vec<Row>, u64) {
    let (mut kept, mut builder, mut table) = (Kept::default(), FlowBuilder::new(), FlowTable::new(options));
    for (time, packet) in packets {
        table.add(*time, packet, &mut builder, &mut kept).unwrap();
    }
    table.finish(&mut builder, &mut kept).unwrap();
    assert_eq!(table.open(), 0);
    builder.flush(&mut kept).unwrap();
    (rows(&kept.0), table.evicted())
}

const S: i64 = 1_000_000;

#[test]
fn packets_of_a_flow_are_one_row() {
    let (rows, evicted) = run(
        FlowOptions::default(),
        &[(10 * S, packet(1, 2)), (11 * S, packet(2, 1)), (12 * S, packet(1, 16)), (9 * S, packet(1, 0))],
    );
    assert_eq!(rows, [(11 * S, 11 * S, 2, 1, 100, 1), (9 * S, 12 * S, 1, 3, 300, 18)]);
    assert_eq!(evicted, 0);
}

#[test]
fn idle_flows_end_and_long_flows_are_cut() {
    let idle = [(0, packet(1, 0)), (15 * S, packet(1, 0)), (31 * S, packet(1, 0))];
    assert_eq!(run(FlowOptions::default(), &idle).0, [(0, 15 * S, 1, 2, 200, 0), (31 * S, 31 * S, 1, 1, 100, 0)]);
    let long: Vec<_> = (0..25).map(|n| (n * 10 * S, packet(1, 0))).collect();
    let cut = run(FlowOptions::default(), &long).0;
    assert_eq!(cut.iter().map(|row| row.3).collect::<Vec<_>>(), [12, 12, 1]);
    assert_eq!(cut[1].0, 120 * S);
}

#[test]
fn a_full_table_ends_the_flow_that_is_idle_longest() {
    let options = FlowOptions { flows_max: 2, ..FlowOptions::default() };
    let packets = [(0, packet(1, 0)), (1, packet(2, 0)), (2, packet(1, 0)), (3, packet(3, 0))];
    let (rows, evicted) = run(options, &packets);
    assert_eq!(rows.iter().map(|row| (row.2, row.3)).collect::<Vec<_>>(), [(2, 1), (1, 2), (3, 1)]);
    assert_eq!(evicted, 1);
}

#[test]
fn icmp_types_are_flows_of_their_own() {
    let icmp = |value| Packet { proto: proto::ICMP, icmp: value, src_port: 0, dst_port: 0, ..packet(0, 0) };
    let (mut kept, mut builder) = (Kept::default(), FlowBuilder::new());
    let mut table = FlowTable::new(FlowOptions { ingress_as: 64500, ..FlowOptions::default() });
    for value in [Some(0x0303), Some(0), None, Some(0x0303)] {
        table.add(0, &icmp(value), &mut builder, &mut kept).unwrap();
    }
    table.finish(&mut builder, &mut kept).unwrap();
    builder.flush(&mut kept).unwrap();
    let column = |name| kept.0[0].column_by_name(name).unwrap().as_any().downcast_ref::<UInt64Array>().unwrap();
    assert_eq!(column("icmp_type").iter().collect::<Vec<_>>(), [Some(0), None, Some(0x0303)]);
    assert_eq!(column("packets").values().to_vec(), [1, 1, 2]);
    assert_eq!(column("dst_port").values().to_vec(), [0, 0, 0]);
    assert_eq!(column("tcp_flags").null_count(), 3);
    assert_eq!(column("ingress_as").value(0), 64500);
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_lasts_too_long(
        packets in proptest::collection::vec((0i64..400, 0u16..6, any::<u8>()), 0..300),
        flows_max in 0u32..5,
        far in any::<i64>(),
    ) {
        let options = FlowOptions { flows_max, active_us: 40, inactive_us: 9, ..FlowOptions::default() };
        let mut packets: Vec<_> = packets.into_iter().map(|(t, port, flags)| (t, packet(port, flags))).collect();
        let (rows, _) = run(options.clone(), &packets);
        prop_assert_eq!(&rows, &run(options.clone(), &packets).0);
        let mut sums: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for row in &rows {
            prop_assert!(row.0 <= row.1 && row.1 - row.0 < 80);
            prop_assert_eq!(row.4, row.3 * 100);
            let sum = sums.entry(row.2).or_default();
            *sum = (sum.0 + row.3, sum.1 | row.5);
        }
        let mut expected: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for (_, packet) in &packets {
            let sum = expected.entry(u64::from(packet.src_port)).or_default();
            *sum = (sum.0 + 1, sum.1 | u64::from(packet.tcp_flags));
        }
        prop_assert_eq!(sums, expected);
        packets.push((far, packet(1, 0)));
        run(options, &packets);
    }
}
