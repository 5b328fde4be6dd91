//! What real exporters do and formats allow: each kind of mistake that a decoder can make with it, from the
//! specifications (RFC 3954, 5103, 5477, 7011).

use super::*;

const REVERSE: u32 = 29_305;

/// A template of these fields, each an enterprise (0 for IANA), an element and a length; `scopes` makes it one of options.
fn fields(id: u16, scopes: Option<u16>, fields: &[(u32, u16, u16)]) -> Vec<u8> {
    let mut template = shorts(&[id, u16::try_from(fields.len()).unwrap()]);
    template.extend(scopes.iter().flat_map(|scopes| scopes.to_be_bytes()));
    for (enterprise, element, length) in fields {
        let (bit, number) = if *enterprise == 0 { (0, vec![]) } else { (0x8000, enterprise.to_be_bytes().to_vec()) };
        template.extend(shorts(&[element | bit, *length]));
        template.extend(number);
    }
    template
}

/// Addresses, protocol, packets and bytes, as `template` has them.
const BASE: [(u32, u16, u16); 5] = [(0, 8, 4), (0, 12, 4), (0, 4, 1), (0, 2, 1), (0, 1, 2)];

/// What one IPFIX record gives: the base with these fields behind it.
fn with(more: &[(u32, u16, u16)], values: &[u8]) -> Given {
    let template = fields(300, None, &[&BASE[..], more].concat());
    decode(&ExportOptions::default(), &[ipfix(&[set(2, &template), set(300, &record(values))])])
}

fn malformed(what: &str) -> (String, u64) {
    (format!("malformed: {what}"), 1)
}

/// A message of v5 whose header counts `count`, with so many records of UDP.
fn v5(count: u16, records: u8) -> Vec<u8> {
    let mut message = [shorts(&[5, count, 0, 5000, 0, 1000]), vec![0; 12]].concat();
    for last in 1..=records {
        message.extend([10, 0, 0, last, 192, 0, 2, last, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 9, 0, 0, 1, 44]);
        message.extend([0, 0, 0, 1, 0, 0, 0, 2, 0, 53, 0, 53, 0, 0, 17, 0]);
        message.extend([0; 8]);
    }
    message
}

#[test]
fn what_a_header_counts_limits_nothing() {
    let options = ExportOptions::default();
    let sets = [set(0, &template(256, &[])), set(256, &[RECORD, RECORD].concat()), set(256, &RECORD)];
    for count in [0, 1, 2, 3, 4, 5, 90, u16::MAX] {
        let given = decode(&options, &[v9(0, 1, count, &sets)]);
        assert_eq!((given.tally.rows, given.skips().len()), (3, 0), "v9 with a count of {count}");
    }
    for (count, records, noted) in [(2, 2, 0), (1, 2, 1), (3, 2, 1), (0, 2, 1), (31, 30, 1), (40, 40, 0)] {
        let given = decode(&options, &[v5(count, records)]);
        let found = (given.tally.rows, given.tally.skipped(Reason::Miscount));
        assert_eq!(found, (u64::from(records), noted), "v5 with a count of {count}");
    }
    // What has no template cannot be counted by a header that counts more than there are bytes.
    let blind = decode(&options, &[v9(0, 1, u16::MAX, &[set(256, &RECORD)])]);
    assert_eq!(blind.tally.skipped(Reason::NoTemplate), 12);
}

#[test]
fn messages_in_a_file_end_where_the_next_begins() {
    let small = v9(0, 1, 1, &[set(0, &template(256, &[])), set(256, &RECORD)]);
    let file = [small.clone(), v5(1, 2), small.clone(), v5(9, 2), ipfix(&[]), small.clone(), vec![0; 7]].concat();
    let (mut at, mut lengths) = (0, Vec::new());
    while file[at..].iter().any(|byte| *byte != 0) {
        lengths.push(check(&file[at..]).unwrap());
        at += lengths[lengths.len() - 1];
    }
    assert_eq!(lengths, [small.len(), 120, small.len(), 120, 16, small.len()]);
}

#[test]
fn a_set_that_does_not_fit_its_template_gives_no_row() {
    let options = ExportOptions::default();
    let misfit = malformed("set that does not fit its template");
    let rows = |ipfix_too: bool, body: &[u8]| {
        let given = if ipfix_too {
            decode(&options, &[ipfix(&[set(2, &template(300, &[])), set(300, body), set(300, &RECORD)])])
        } else {
            decode(&options, &[v9(0, 1, 9, &[set(0, &template(300, &[])), set(300, body), set(300, &RECORD)])])
        };
        (given.tally.rows - 1, given.skips())
    };
    let records = |more: &[u8]| [&RECORD[..], &RECORD, more].concat();
    for more in [&[][..], &[0], &[0; 3], &[0; 11]] {
        assert_eq!(rows(true, &records(more)), (2, vec![]), "padding of {} bytes", more.len());
    }
    for more in [&[1][..], &[0, 0, 1], &[7; 11]] {
        assert_eq!(rows(true, &records(more)), (0, vec![misfit.clone()]), "{more:?} is no padding");
    }
    assert_eq!(rows(true, &[9; 11]), (0, vec![misfit.clone()]), "less than a record");
    assert_eq!(rows(true, &[0; 8]), (0, vec![]), "padding alone");
    // RFC 3954 does not say that padding is zero.
    assert_eq!(rows(false, &records(&[1, 2, 3])), (2, vec![]));
    assert_eq!(rows(false, &records(&[1, 2, 3, 4])), (0, vec![misfit]));
}

#[test]
fn a_set_of_variable_records_is_judged_before_its_rows() {
    let template = fields(300, None, &[&BASE[..], &[(0, 82, 65_535)]].concat());
    let rows = |body: &[u8]| {
        let given = decode(&ExportOptions::default(), &[ipfix(&[set(2, &template), set(300, body)])]);
        (given.tally.rows, given.tally.skipped(Reason::Misfit))
    };
    let (one, two) = (record(&[2, b'e', b'0']), record(&[255, 0, 1, b'e']));
    assert_eq!(rows(&[&one[..], &two, &[0; 3]].concat()), (2, 0));
    assert_eq!(rows(&[&one[..], &two, &one[..14]].concat()), (0, 1), "the last one passes the end of its set");
    assert_eq!(rows(&[&one[..], &[0, 0, 9]].concat()), (0, 1));
}

#[test]
fn options_that_do_not_fit_say_nothing() {
    let rates = shorts(&[402, 4, 4, 1, 4, 34, 4]);
    let data = set(402, &[0, 0, 0, 0, 0, 0, 0, 30, 9, 9, 9, 9, 9]);
    let sets = [set(1, &rates), data, set(0, &template(256, &[])), set(256, &RECORD)];
    let given = decode(&ExportOptions::default(), &[v9(0, 1, 4, &sets)]);
    assert_eq!((given.uint("sampling"), given.tally.skipped(Reason::Options)), (vec![None], 0));
    assert_eq!(given.tally.skipped(Reason::Misfit), 1);
}

#[test]
fn a_bad_template_costs_its_own_message_and_no_other() {
    let options = ExportOptions::default();
    let bad = malformed("template that breaks its format");
    let good = template(256, &[]);
    let scopes = |scopes| fields(400, Some(scopes), &[(0, 149, 4), (0, 160, 8)]);
    for scoped in [scopes(0), scopes(3)] {
        let again = fields(401, Some(1), &[(0, 149, 4), (0, 34, 4)]);
        let rate = set(401, &[0, 0, 0, 7, 0, 0, 0, 60]);
        let sets = [set(3, &[scoped, again].concat()), set(2, &good), rate, set(256, &RECORD)];
        let given = decode(&options, &[ipfix(&sets), ipfix(&[set(256, &RECORD)])]);
        assert_eq!(given.uint("sampling"), [Some(60)], "the one of the message behind it");
        assert!(given.skips().contains(&bad));
        assert_eq!((given.tally.skipped(Reason::BadTemplate), given.tally.skipped(Reason::BadMessage)), (1, 1));
    }
    for body in [shorts(&[255, 1, 8, 4]), shorts(&[300, 1, 8, 0]), fields(300, None, &[(0, 8, 0), (9, 1, 0)])] {
        let messages =
            [ipfix(&[set(2, &[body, good.clone()].concat()), set(256, &RECORD)]), ipfix(&[set(256, &RECORD)])];
        let given = decode(&options, &messages);
        assert_eq!((given.tally.rows, given.tally.skipped(Reason::BadMessage)), (1, 1));
        assert!(given.skips().contains(&bad));
    }
    // In v9 the lengths are in bytes; one that is not of fields still says where the next template begins.
    let odd = shorts(&[402, 3, 5, 1, 4, 34, 2]);
    let next = shorts(&[403, 4, 4, 1, 4, 34, 4]);
    let sets = [set(1, &[odd, next].concat()), set(403, &shorts(&[0, 0, 0, 50])), set(0, &good), set(256, &RECORD)];
    let given = decode(&options, &[v9(0, 1, 4, &sets)]);
    assert_eq!((given.uint("sampling"), given.tally.skipped(Reason::BadTemplate)), (vec![Some(50)], 1));
}

#[test]
fn records_of_a_refused_template_are_not_those_of_the_one_before() {
    let good = template(300, &[]);
    let cut = shorts(&[300, 9, 8, 4]);
    let messages = [ipfix(&[set(2, &good), set(300, &RECORD)]), ipfix(&[set(2, &cut), set(300, &RECORD)])];
    let given = decode(&ExportOptions::default(), &messages);
    assert_eq!((given.tally.rows, given.tally.skipped(Reason::NoTemplate)), (1, 1));
    assert_eq!(given.tally.skipped(Reason::BadTemplate), 1);
}

#[test]
fn sampling_is_told_in_every_way() {
    let rate = |more: &[(u32, u16, u16)], values: &[u8]| with(more, values).uint("sampling")[0];
    assert_eq!(rate(&[(0, 34, 4)], &[0, 0, 0, 9]), Some(9));
    assert_eq!(rate(&[(0, 50, 1)], &[9]), Some(9));
    assert_eq!(rate(&[(0, 305, 1), (0, 306, 2)], &[1, 0, 99]), Some(100));
    assert_eq!(rate(&[(0, 305, 1), (0, 306, 2)], &[2, 0, 98]), Some(50));
    assert_eq!(rate(&[(0, 309, 4), (0, 310, 4)], &[0, 0, 0, 1, 0, 0, 3, 232]), Some(1000));
    assert_eq!(rate(&[(0, 309, 1), (0, 310, 1)], &[2, 200]), Some(100));
    assert_eq!(rate(&[(0, 311, 8)], &0.001_f64.to_be_bytes()), Some(1000));
    assert_eq!(rate(&[(0, 311, 4)], &0.25_f32.to_be_bytes()), Some(4));
    for (nothing, values) in [(311, 2.0_f64), (311, 0.0), (311, -1.0), (311, f64::NAN)] {
        assert_eq!(rate(&[(0, nothing, 8)], &values.to_be_bytes()), None, "{values}");
    }
    assert_eq!(rate(&[(0, 34, 1)], &[1]), None, "all were seen");
    assert_eq!(rate(&[(0, 34, 1), (0, 309, 1), (0, 310, 1)], &[0, 1, 7]), Some(7), "0 is no rate");
    assert_eq!(rate(&[(0, 309, 1), (0, 310, 1)], &[0, 7]), None);
    assert_eq!(rate(&[(0, 309, 1)], &[1]), None, "of how many is not said");
}

#[test]
fn a_selector_that_options_describe_samples_the_records_that_name_it() {
    let drawn = fields(400, Some(1), &[(0, 302, 4), (0, 304, 2), (0, 309, 4), (0, 310, 4)]);
    let drawn_data = [&[0, 0, 0, 7, 0, 3][..], &[0, 0, 0, 1, 0, 0, 1, 0]].concat();
    let likely = fields(401, Some(1), &[(0, 302, 1), (0, 311, 8)]);
    let likely_data = [&[8][..], &0.5_f64.to_be_bytes()].concat();
    let options = ipfix(&[set(3, &[drawn, likely].concat()), set(400, &drawn_data), set(401, &likely_data)]);
    let data = set(300, &[record(&[7]), record(&[8]), record(&[9])].concat());
    let data = ipfix(&[set(2, &fields(300, None, &[&BASE[..], &[(0, 302, 1)]].concat())), data]);
    let given = decode(&ExportOptions::default(), &[options, data]);
    assert_eq!(given.uint("sampling"), [Some(256), Some(2), None]);
    assert_eq!(given.skips(), [("options data".to_owned(), 2)], "304 says how, and the rate is told");
}

#[test]
fn a_reverse_direction_has_all_that_is_said_of_it() {
    let reverse = |element, length| (REVERSE, element, length);
    let more = [
        (0, 152, 8),
        (0, 153, 8),
        (0, 5, 1),
        (0, 6, 1),
        (0, 10, 1),
        (0, 14, 1),
        (0, 129, 2),
        reverse(86, 4),
        reverse(85, 4),
        reverse(152, 8),
        reverse(153, 8),
        reverse(5, 1),
        reverse(6, 2),
        reverse(10, 1),
        reverse(14, 1),
        reverse(16, 2),
        reverse(34, 1),
    ];
    let mut values = [1_000_u64.to_be_bytes(), 9_000_u64.to_be_bytes()].concat();
    values.extend([0xb8, 0x02, 1, 2, 0xfd, 0xe8]);
    values.extend([0, 0, 0, 7, 0, 0, 2, 188]);
    values.extend([2_000_u64.to_be_bytes(), 8_000_u64.to_be_bytes()].concat());
    values.extend([0x28, 0, 0x12, 3, 4, 0, 44, 10]);
    let given = with(&more, &values);
    assert_eq!(given.times(), [(1_000_000, 9_000_000), (2_000_000, 8_000_000)]);
    let pairs = |column| given.uint(column).into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
    assert_eq!((pairs("packets"), pairs("bytes")), (vec![3, 7], vec![300, 700]));
    assert_eq!((pairs("tos"), pairs("tcp_flags")), (vec![0xb8, 0x28], vec![2, 0x12]));
    assert_eq!((pairs("ingress_if"), pairs("egress_if")), (vec![1, 3], vec![2, 4]));
    assert_eq!((pairs("src_as"), pairs("sampling")), (vec![0, 44], vec![0, 10]));
    assert_eq!((pairs("ingress_as"), pairs("egress_as")), (vec![65_000, 0], vec![0, 65_000]));
    assert_eq!(given.skips(), []);
}

#[test]
fn times_of_the_reverse_direction_are_told_in_every_unit() {
    let times = |more: &[(u32, u16, u16)], values: &[&[u8]]| {
        let all = [&[(0, 152, 2), (0, 153, 2), (REVERSE, 2, 1), (REVERSE, 1, 1)][..], more].concat();
        with(&all, &[&[0, 200, 0, 250, 7, 70][..], &values.concat()].concat()).times()[1]
    };
    let back = |element, length| (REVERSE, element, length);
    assert_eq!(times(&[], &[]), (200_000, 250_000), "those of the flow, where there are no others");
    assert_eq!(times(&[back(150, 4), back(151, 4)], &[&[0, 0, 0, 5], &[0, 0, 0, 9]]), (5_000_000, 9_000_000));
    assert_eq!(times(&[back(158, 1), back(159, 1)], &[&[200], &[100]]), (999_999_800, 999_999_900));
    assert_eq!(times(&[(0, 160, 2), back(22, 1), back(21, 1)], &[&[1, 244], &[5], &[9]]), (505_000, 509_000));
    assert_eq!(times(&[back(152, 2), back(161, 1)], &[&[0, 240], &[40]]), (240_000, 280_000));
    assert_eq!(times(&[back(152, 2), back(153, 2)], &[&[0, 210], &[0, 0]]), (210_000, 250_000), "0 is no time");
    let ntp = (2_208_988_800_u64 + 4) << 32;
    assert_eq!(times(&[back(154, 8), back(157, 8)], &[&ntp.to_be_bytes(), &ntp.to_be_bytes()]), (4_000_000, 4_000_000));
}

#[test]
fn reverse_icmp_is_the_answer_and_not_the_question() {
    let more = [(0, 32, 2), (REVERSE, 2, 1), (REVERSE, 1, 1), (REVERSE, 176, 1), (REVERSE, 177, 1)];
    let mut asked = record(&[8, 0, 3, 90, 0, 0]);
    asked[8] = 1;
    let template = fields(300, None, &[&BASE[..], &more].concat());
    let given = decode(&ExportOptions::default(), &[ipfix(&[set(2, &template), set(300, &asked)])]);
    assert_eq!(given.uint("icmp_type"), [Some(2048), Some(0)]);
    let template = fields(300, None, &[&BASE[..], &more[..3]].concat());
    let given = decode(&ExportOptions::default(), &[ipfix(&[set(2, &template), set(300, &asked[..16])])]);
    assert_eq!(given.uint("icmp_type"), [Some(2048), None], "what came back is not said");
}

#[test]
fn a_direction_that_carried_nothing_has_no_row() {
    let both = |values: &[u8; 5]| {
        let template = [&BASE[..3], &[(0, 298, 1), (0, 231, 1), (0, 299, 1), (0, 232, 1)]].concat();
        let data = [&RECORD[..8], &[17][..], &values[..4]].concat();
        let given =
            decode(&ExportOptions::default(), &[ipfix(&[set(2, &fields(300, None, &template)), set(300, &data)])]);
        let rows: Vec<_> = given.uint("packets").into_iter().zip(given.addresses("src")).collect();
        (rows.into_iter().map(|(n, src)| (n.unwrap(), src.unwrap())).collect::<Vec<_>>(), given.skips())
    };
    let (there, back) = ("192.0.2.1".to_owned(), "192.0.2.2".to_owned());
    assert_eq!(both(&[3, 90, 0, 0, 0]), (vec![(3, there.clone())], vec![]));
    assert_eq!(both(&[0, 0, 4, 80, 0]), (vec![(4, back.clone())], vec![]));
    assert_eq!(both(&[3, 90, 4, 80, 0]), (vec![(3, there.clone()), (4, back)], vec![]));
    assert_eq!(both(&[0, 0, 0, 0, 0]), (vec![], vec![("record that counts no packets".to_owned(), 1)]));
    let lost = ("records without `packets`".to_owned(), 1);
    assert_eq!(both(&[3, 90, 0, 80, 0]), (vec![(3, there)], vec![lost.clone()]), "bytes came back, in how many?");
    assert_eq!(both(&[0, 90, 0, 0, 0]), (vec![], vec![lost]));
    let silent = decode(&ExportOptions::default(), &[v5(1, 1).iter().enumerate().map(zero_counters).collect()]);
    assert_eq!((silent.tally.rows, silent.tally.skipped(Reason::NoTraffic)), (0, 1));
}

/// The bytes of a record of v5 with both of its counters 0.
fn zero_counters((at, byte): (usize, &u8)) -> u8 {
    if (24 + 16..24 + 24).contains(&at) { 0 } else { *byte }
}

#[test]
fn times_of_0_are_none() {
    let millis = |value: u64| value.to_be_bytes();
    let times = |more: &[(u32, u16, u16)], values: &[[u8; 8]]| with(more, &values.concat()).times();
    let (start, end, seen) = ((0, 152, 8), (0, 153, 8), (0, 323, 8));
    assert_eq!(times(&[start, end], &[millis(7_000), millis(0)]), [(7_000_000, 7_000_000)]);
    assert_eq!(times(&[start, end], &[millis(0), millis(9_000)]), [(9_000_000, 9_000_000)]);
    assert_eq!(times(&[start, end, seen], &[millis(0), millis(0), millis(5)]), [(5_000, 5_000)]);
    assert_eq!(times(&[start, end], &[millis(0), millis(0)]), [(1_000_000_000, 1_000_000_000)]);
    assert_eq!(times(&[(0, 154, 8), (0, 155, 8)], &[millis(0), millis(0)]), [(1_000_000_000, 1_000_000_000)]);
    // An exporter without a clock, whose message nobody saw arrive, has no time to tell.
    let mut clockless = v9(5000, 1, 2, &[set(0, &template(256, &[22, 4, 21, 4])), set(256, &record(&[0; 8]))]);
    clockless[8..12].fill(0);
    let given = decode(&ExportOptions::default(), &[clockless]);
    assert_eq!((given.tally.rows, given.tally.skipped(Reason::NoTimes)), (0, 1));
}

#[test]
fn uptimes_that_have_wrapped_are_read_where_the_boot_is_known() {
    // Exported at second 1,700,000,000; up for 60 days by then.
    let (export_s, up_ms) = (1_700_000_000_u32, 60 * 86_400_000_u64);
    let boot = u64::from(export_s) * 1000 - up_ms;
    let uptime = |ago: u64| u32::try_from((up_ms - ago) & 0xffff_ffff).unwrap().to_be_bytes();
    let said = fields(400, Some(1), &[(0, 149, 4), (0, 160, 8)]);
    let data = template(300, &[22, 4, 21, 4]);
    let values = [&[0, 0, 0, 1][..], &boot.to_be_bytes()].concat();
    let sets =
        [set(3, &said), set(400, &values), set(2, &data), set(300, &record(&[uptime(9000), uptime(4000)].concat()))];
    let mut message = ipfix(&sets);
    message[4..8].copy_from_slice(&export_s.to_be_bytes());
    let at = i64::from(export_s) * 1_000_000;
    assert_eq!(decode(&ExportOptions::default(), &[message]).times(), [(at - 9_000_000, at - 4_000_000)]);
    // v5 counts from its own header, around the wrap too.
    let mut around = v5(1, 1);
    around[4..8].copy_from_slice(&1000_u32.to_be_bytes());
    around[48..52].copy_from_slice(&(u32::MAX - 1999).to_be_bytes());
    around[52..56].copy_from_slice(&500_u32.to_be_bytes());
    assert_eq!(decode(&ExportOptions::default(), &[around]).times(), [(997_000_000, 999_500_000)]);
}

#[test]
fn the_icmp_type_is_null_where_nobody_says_it() {
    let icmp = |proto: u8, more: &[(u32, u16, u16)], values: &[u8]| {
        let mut data = record(values);
        data[8] = proto;
        let template = fields(300, None, &[&BASE[..], more].concat());
        decode(&ExportOptions::default(), &[ipfix(&[set(2, &template), set(300, &data)])]).uint("icmp_type")[0]
    };
    let ports = [(0, 7, 2), (0, 11, 2)];
    assert_eq!(icmp(1, &ports, &[0, 0, 0, 0]), None, "a port of 0 is no echo reply");
    assert_eq!(icmp(1, &ports, &[0, 0, 3, 4]), Some(0x304), "type and code stand in the port");
    assert_eq!(icmp(1, &[(0, 32, 2)], &[0, 0]), Some(0), "an echo reply");
    assert_eq!(icmp(1, &[(0, 176, 1), (0, 177, 1)], &[3, 4]), Some(0x304));
    assert_eq!(icmp(1, &[(0, 176, 1)], &[3]), None, "a type without its code");
    assert_eq!(icmp(58, &[(0, 32, 2), (0, 139, 2)], &[0, 0, 128, 0]), Some(0x8000), "the one of its own family");
    assert_eq!(icmp(58, &[(0, 178, 1), (0, 179, 1)], &[1, 4]), Some(0x104));
    assert_eq!(icmp(6, &[(0, 32, 2)], &[8, 0]), None, "no ICMP");
    assert_eq!(icmp(47, &[(0, 32, 2)], &[8, 0]), None, "no ICMP");
    let v5 = |dst_port: [u8; 2]| {
        let mut message = v5(1, 1);
        message[24 + 38] = 1;
        message[24 + 34..24 + 36].copy_from_slice(&dst_port);
        decode(&ExportOptions::default(), &[message]).uint("icmp_type")[0]
    };
    assert_eq!((v5([8, 0]), v5([0, 0])), (Some(2048), Some(0)), "v5 has no other place for it");
}

#[test]
fn a_protocol_that_is_not_named_is_known_by_what_only_it_has() {
    let proto = |more: &[(u32, u16, u16)], values: &[u8]| {
        let template = fields(300, None, &[&BASE[..2], &BASE[3..], more].concat());
        let data = [&RECORD[..8], &RECORD[9..], values].concat();
        let given = decode(&ExportOptions::default(), &[ipfix(&[set(2, &template), set(300, &data)])]);
        given.uint("proto").first().copied().flatten()
    };
    assert_eq!(proto(&[(0, 32, 2)], &[8, 0]), Some(1));
    assert_eq!(proto(&[(0, 176, 1), (0, 177, 1)], &[8, 0]), Some(1));
    assert_eq!(proto(&[(0, 182, 2), (0, 183, 2)], &[1, 187, 1, 1]), Some(6));
    assert_eq!(proto(&[(0, 180, 2), (0, 181, 2)], &[0, 53, 1, 1]), Some(17));
    assert_eq!(proto(&[(0, 180, 2), (0, 182, 2)], &[0, 53, 1, 1]), None, "one of both");
    assert_eq!(proto(&[(0, 193, 1)], &[58]), Some(58));
    assert_eq!(proto(&[(0, 193, 1)], &[44]), None, "a fragment of what?");
    assert_eq!(proto(&[(0, 7, 2), (0, 32, 2)], &[1, 187, 0, 0]), None, "a template of several protocols");
    assert_eq!(proto(&[], &[]), None);
}

/// An IPv4 packet of UDP of 48 bytes, of which 32 were kept.
fn packet() -> Vec<u8> {
    let mut packet = vec![0x45, 0xb8, 0, 48, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 10, 198, 51, 100, 20];
    packet.extend([0, 53, 0x30, 0x39, 0, 28, 0, 0, 1, 2, 3, 4]);
    packet
}

#[test]
fn a_sampled_packet_is_a_row() {
    let options = ExportOptions::default();
    let framed = [&[0; 12][..], &[8, 0], &packet()].concat();
    let tagged = [&[0; 12][..], &[0x81, 0, 0, 5, 8, 0], &packet()].concat();
    let variable = |section: &[u8]| [&[u8::try_from(section.len()).unwrap()][..], section].concat();
    let given = |more: &[(u32, u16, u16)], values: &[u8]| {
        let all = [&[(0, 10, 1), (0, 323, 2), (0, 34, 1)][..], more].concat();
        let data = [&[7, 1, 0, 100][..], values].concat();
        decode(&options, &[ipfix(&[set(2, &fields(300, None, &all)), set(300, &data)])])
    };
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap();
    let sections = [
        (vec![(0, 315, 65_535)], variable(&framed)),
        (vec![(0, 315, length(&tagged))], tagged.clone()),
        (vec![(0, 104, length(&framed))], framed.clone()),
        (vec![(0, 313, 65_535)], variable(&packet())),
        (vec![(0, 317, 65_535)], variable(&packet())),
        (
            vec![(0, 312, 2), (0, 408, 2), (0, 409, 1), (0, 315, 65_535)],
            [&[0, 62, 0, 1, 0][..], &variable(&framed)].concat(),
        ),
    ];
    for (more, values) in sections {
        let given = given(&more, &values);
        assert_eq!(given.addresses("src"), [Some("192.0.2.10".to_owned())], "{more:?}");
        let one = |column| given.uint(column)[0];
        let found = ["proto", "src_port", "dst_port", "packets", "bytes", "tos", "ingress_if", "sampling"].map(one);
        assert_eq!(found, [17, 53, 12_345, 1, 48, 0xb8, 7, 100].map(Some), "{more:?}");
        assert_eq!((given.times(), given.skips()), (vec![(256_000, 256_000)], vec![]), "{more:?}");
    }
    let lost = [("sampled packet without an IP header".to_owned(), 1)];
    let arp = [&[0; 12][..], &[8, 6], &packet()].concat();
    assert_eq!(given(&[(0, 315, 65_535)], &variable(&arp)).skips(), lost);
    assert_eq!(given(&[(0, 409, 1), (0, 315, 65_535)], &[&[4][..], &variable(&framed)].concat()).skips(), lost);
    assert_eq!(
        given(&[(0, 408, 1), (0, 315, 65_535)], &[&[2][..], &variable(&framed)].concat()).skips(),
        lost,
        "802.11"
    );
    let long = fields(300, None, &[(0, 313, 65_535), (0, 2, 1), (0, 1, 2)]);
    let data = [&variable(&packet())[..], &[9, 1, 44]].concat();
    let counted = decode(&options, &[ipfix(&[set(2, &long), set(300, &data)])]);
    assert_eq!((counted.uint("packets"), counted.uint("bytes")), (vec![Some(9)], vec![Some(300)]), "its own counters");
}

#[test]
fn a_report_of_one_packet_has_its_length() {
    let template = fields(300, None, &[(0, 8, 4), (0, 12, 4), (0, 4, 1), (0, 224, 2)]);
    let data = [&RECORD[..9], &[0, 60]].concat();
    let given = decode(&ExportOptions::default(), &[ipfix(&[set(2, &template), set(300, &data)])]);
    assert_eq!((given.uint("packets"), given.uint("bytes")), (vec![Some(1)], vec![Some(60)]));
}

#[test]
fn what_is_not_understood_is_counted_by_name_where_nothing_else_tells_it() {
    let given = with(&[(0, 195, 1), (0, 307, 4), (0, 352, 4)], &[46, 0, 0, 0, 1, 0, 0, 0, 9]);
    let dscp = "values not understood: ipDiffServCodePoint (element 195), for `tos`";
    let sampling = "values not understood: samplingTimeInterval (element 307), for `sampling`";
    assert_eq!(given.skips(), [(dscp.to_owned(), 1), (sampling.to_owned(), 1)], "bytes are told by element 1");
    assert_eq!(given.tally.rows, 1);
    assert_eq!(with(&[(0, 5, 1), (0, 195, 1)], &[0xb8, 46]).skips(), []);
    let reverse = with(&[(0, 5, 1), (REVERSE, 2, 1), (REVERSE, 1, 1), (REVERSE, 195, 1)], &[0, 1, 40, 9]);
    let name = "values not understood: reverse ipDiffServCodePoint (element 195), for `tos`";
    assert_eq!(reverse.skips(), [(name.to_owned(), 1)]);
    let three = Skip::NotUnderstood("samplerMode (element 49), for `sampling`".to_owned());
    let sets = [set(0, &template(256, &[49, 1])), set(256, &[record(&[1]), record(&[2]), record(&[2])].concat())];
    let given = decode(&ExportOptions::default(), &[v9(0, 1, 9, &sets)]);
    assert_eq!(given.tally.to_skips().get(&three), Some(&3));
}
