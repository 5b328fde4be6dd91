//! Messages built by hand: what the fields of a template mean for a row.

mod kinds;
mod registry;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, Int64Array, RecordBatch, UInt64Array};

use super::*;
use crate::Skip;
use crate::columns::{FlowBuilder, Sink};

#[derive(Default)]
struct Kept(Vec<RecordBatch>);

impl Sink for Kept {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.push(batch);
        Ok(())
    }
}

/// What messages gave.
struct Given {
    batch: Option<RecordBatch>,
    tally: Tally,
    templates: Templates,
}

impl Given {
    fn uint(&self, column: &str) -> Vec<Option<u64>> {
        let Some(batch) = &self.batch else { return Vec::new() };
        batch.column_by_name(column).unwrap().as_any().downcast_ref::<UInt64Array>().unwrap().iter().collect()
    }

    /// A column of addresses as text, IPv4 as such.
    fn addresses(&self, column: &str) -> Vec<Option<String>> {
        let Some(batch) = &self.batch else { return Vec::new() };
        let text =
            |bytes: &[u8]| std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap()).to_canonical().to_string();
        let array = batch.column_by_name(column).unwrap().as_fixed_size_binary();
        array.iter().map(|bytes| bytes.map(text)).collect()
    }

    /// What was counted, in words.
    fn skips(&self) -> Vec<(String, u64)> {
        self.tally.to_skips().into_iter().map(|(skip, count)| (skip.to_string(), count)).collect()
    }

    fn times(&self) -> Vec<(i64, i64)> {
        let Some(batch) = &self.batch else { return Vec::new() };
        let column = |name: &str| {
            batch.column_by_name(name).unwrap().as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
        };
        column("start").into_iter().zip(column("end")).collect()
    }
}

fn decode(options: &ExportOptions, messages: &[Vec<u8>]) -> Given {
    let (mut templates, mut tally, mut builder) = (Templates::default(), Tally::default(), FlowBuilder::new());
    let mut kept = Kept::default();
    for message in messages {
        let mut decoder = Decoder {
            templates: &mut templates,
            options,
            origin: Origin::default(),
            pass: Pass::Rows,
            tally: &mut tally,
            builder: &mut builder,
            sink: &mut kept,
        };
        assert_eq!(decoder.message(message).unwrap(), message.len());
    }
    builder.flush(&mut kept).unwrap();
    Given { batch: kept.0.pop(), tally, templates }
}

fn shorts(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [shorts(&[id, u16::try_from(body.len() + 4).unwrap()]), body.to_vec()].concat()
}

/// Exported at second 1000, domain 7.
fn ipfix(sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let length = u16::try_from(16 + sets.len()).unwrap();
    [shorts(&[10, length, 0, 1000, 0, 1, 0, 7]), sets].concat()
}

/// Exported at second 1000, when the exporter had been up for `uptime` milliseconds.
fn v9(uptime: u32, domain: u16, count: u16, sets: &[Vec<u8>]) -> Vec<u8> {
    let head = [shorts(&[9, count]), uptime.to_be_bytes().to_vec(), shorts(&[0, 1000, 0, 1, 0, domain])].concat();
    [head, sets.concat()].concat()
}

/// Addresses, protocol, packets and bytes, with `more` fields after them.
fn template(id: u16, more: &[u16]) -> Vec<u8> {
    let count = u16::try_from(5 + more.len() / 2).unwrap();
    let fields = [&[id, count, 8, 4, 12, 4, 4, 1, 2, 1, 1, 2][..], more].concat();
    shorts(&fields)
}

/// 12 bytes of a record of that template: UDP, 3 packets, 300 bytes.
const RECORD: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 17, 3, 1, 44];

fn record(more: &[u8]) -> Vec<u8> {
    [&RECORD[..], more].concat()
}

#[test]
fn uptime_is_a_time_even_around_the_wrap_of_the_counter() {
    let sets = [set(0, &template(256, &[22, 4, 21, 4])), {
        let times = [(u32::MAX - 999).to_be_bytes(), 1000_u32.to_be_bytes()].concat();
        set(256, &record(&times))
    }];
    let given = decode(&ExportOptions::default(), &[v9(4000, 0, 2, &sets)]);
    assert_eq!(given.times(), [(995_000_000, 997_000_000)]);
    assert_eq!((given.uint("packets"), given.uint("bytes")), (vec![Some(3)], vec![Some(300)]));
}

#[test]
fn ipfix_times_are_absolute_or_relative_and_in_every_unit() {
    let message = |fields: &[u16], values: &[&[u8]]| {
        decode(
            &ExportOptions::default(),
            &[ipfix(&[set(2, &template(300, fields)), set(300, &record(&values.concat()))])],
        )
        .times()
    };
    let millis = |value: u64| value.to_be_bytes();
    assert_eq!(message(&[152, 8, 153, 8], &[&millis(5), &millis(9)]), [(5_000, 9_000)]);
    assert_eq!(message(&[150, 4, 151, 4], &[&[0, 0, 0, 5], &[0, 0, 0, 9]]), [(5_000_000, 9_000_000)]);
    assert_eq!(message(&[158, 4, 159, 2], &[&[0, 0, 0, 200], &[0, 100]]), [(999_999_800, 999_999_900)]);
    assert_eq!(message(&[160, 8, 22, 4, 21, 4], &[&millis(500), &[0, 0, 0, 5], &[0, 0, 0, 9]]), [(505_000, 509_000)]);
    assert_eq!(message(&[153, 8, 161, 4], &[&millis(9000), &[0, 0, 0x0f, 0xa0]]), [(5_000_000, 9_000_000)]);
    assert_eq!(message(&[], &[]), [(1_000_000_000, 1_000_000_000)]);
    assert_eq!(message(&[152, 8], &[&[0xff; 8]]), [(1_000_000_000, 1_000_000_000)], "a time out of range is none");
}

#[test]
fn a_record_without_times_is_skipped_when_the_owner_says_so() {
    let options = ExportOptions { unknown_times: WhenUnknown::Skip, ..ExportOptions::default() };
    let given = decode(&options, &[ipfix(&[set(2, &template(300, &[])), set(300, &RECORD)])]);
    assert_eq!((given.tally.rows, given.tally.skipped(Reason::NoTimes)), (0, 1));
}

#[test]
fn variable_lengths_and_enterprise_elements_are_passed_over() {
    // A variable text, an enterprise element of two bytes, then the previous and next AS.
    let mut listed = shorts(&[300, 9, 8, 4, 12, 4, 4, 1, 2, 1, 1, 2, 82, 65535, 0x8000 | 1, 2]);
    listed.extend(9_u32.to_be_bytes());
    listed.extend(shorts(&[129, 4, 128, 2]));
    let short = record(&[&[2, b'g', b'e', 7, 7][..], &[0, 0, 0xfd, 0xe8, 0, 5]].concat());
    let long = record(&[&[255, 0, 3, b'e', b't', b'h', 7, 7][..], &[0, 0, 0xfd, 0xe9, 0, 6]].concat());
    let given = decode(&ExportOptions::default(), &[ipfix(&[set(2, &listed), set(300, &[short, long].concat())])]);
    assert_eq!(given.uint("ingress_as"), [Some(65000), Some(65001)]);
    assert_eq!(given.uint("egress_as"), [Some(5), Some(6)]);
}

#[test]
fn sampling_comes_from_the_record_the_sampler_the_interface_or_all() {
    // Options: scope interface with rate, scope system with sampler and rate, scope system with rate.
    let by_interface = shorts(&[400, 4, 4, 2, 4, 34, 4]);
    let by_sampler = shorts(&[401, 4, 8, 1, 4, 48, 2, 50, 4]);
    let for_all = shorts(&[402, 4, 4, 1, 4, 34, 4]);
    let options = [
        set(1, &[by_interface, by_sampler, for_all].concat()),
        set(400, &[0, 0, 0, 9, 0, 0, 0, 10]),
        set(401, &[0, 0, 0, 0, 0, 3, 0, 0, 0, 20, 0, 0]),
        set(402, &[0, 0, 0, 0, 0, 0, 0, 30]),
    ];
    let data = [
        set(0, &[template(256, &[10, 2]), template(257, &[48, 1]), template(258, &[34, 2])].concat()),
        set(256, &[record(&[0, 9]), record(&[0, 8])].concat()),
        set(257, &record(&[3])),
        set(258, &record(&[0, 40])),
    ];
    let given = decode(&ExportOptions::default(), &[v9(0, 0, 9, &options), v9(0, 0, 9, &data)]);
    assert_eq!(given.uint("sampling"), [Some(10), Some(30), Some(20), Some(40)]);
    assert_eq!(given.tally.skipped(Reason::Options), 3);
}

#[test]
fn ipfix_sampling_is_a_ratio_of_packets() {
    let options = [set(3, &shorts(&[400, 3, 1, 302, 1, 305, 2, 306, 2])), set(400, &[5, 0, 1, 0, 99])];
    let data = [set(2, &template(256, &[302, 1])), set(256, &record(&[5]))];
    let given = decode(&ExportOptions::default(), &[ipfix(&options), ipfix(&data)]);
    assert_eq!(given.uint("sampling"), [Some(100)]);
}

#[test]
fn a_biflow_becomes_two_rows_and_a_half_one_stays_one() {
    let mut listed = shorts(&[300, 9, 8, 4, 12, 4, 4, 1, 2, 1, 1, 2, 7, 2, 11, 2, 0x8000 | 2, 1]);
    listed.extend(29305_u32.to_be_bytes());
    listed.extend(shorts(&[0x8000 | 1, 1]));
    listed.extend(29305_u32.to_be_bytes());
    let both = record(&[0, 53, 0, 99, 4, 200]);
    let half = record(&[0, 54, 0, 98, 0, 0]);
    let given = decode(&ExportOptions::default(), &[ipfix(&[set(2, &listed), set(300, &[both, half].concat())])]);
    assert_eq!(given.uint("src_port"), [Some(53), Some(99), Some(54)]);
    assert_eq!(given.uint("packets"), [Some(3), Some(4), Some(3)]);
    assert_eq!(given.uint("bytes"), [Some(300), Some(200), Some(300)]);
}

#[test]
fn withdrawn_templates_are_forgotten() {
    let listed = [template(300, &[]), template(301, &[])].concat();
    let messages = [ipfix(&[set(2, &listed)]), ipfix(&[set(2, &shorts(&[300, 0]))]), ipfix(&[set(300, &RECORD)])];
    let given = decode(&ExportOptions::default(), &messages);
    assert_eq!((given.templates.len(), given.tally.skipped(Reason::NoTemplate)), (1, 1));
    let given = decode(&ExportOptions::default(), &[ipfix(&[set(2, &listed)]), ipfix(&[set(2, &shorts(&[2, 0]))])]);
    assert_eq!((given.templates.len(), given.templates.bytes()), (0, 0));
}

#[test]
fn domains_are_apart_unless_the_owner_says_otherwise() {
    let messages = [v9(0, 1, 1, &[set(0, &template(256, &[]))]), v9(0, 2, 4, &[set(256, &RECORD)])];
    let apart = decode(&ExportOptions::default(), &messages);
    assert_eq!((apart.tally.rows, apart.tally.skipped(Reason::NoTemplate)), (0, 4), "the header counts four");
    let options = ExportOptions { share_domains: true, ..ExportOptions::default() };
    assert_eq!(decode(&options, &messages).tally.rows, 1);
}

#[test]
fn damage_is_named_with_its_place() {
    let reason = |bytes: &[u8]| check(bytes).unwrap_err();
    assert_eq!(reason(&ipfix(&[shorts(&[2, 99])])).offset, 16);
    assert_eq!(reason(&ipfix(&[set(77, &[0; 4])])).reason, "the set id 77 is reserved");
    assert_eq!(reason(&[0, 7]).reason, "the version is 7, known are 5, 9 and 10");
    assert_eq!(reason(&[0]).offset, 0);
    let cut = [shorts(&[5, 2]), vec![7; 20], vec![7; 95]].concat();
    assert_eq!(reason(&cut).reason, "the message of 2 records takes 120 bytes, 119 are left");
}
