//! Tests of path attributes and updates against bytes written from the RFCs.

use super::update::{AddPath, Message, Session, Update, read_message};
use super::*;
use crate::columns::address;

const NEW: Encoding = Encoding { as_width: AsWidth::Four, table_dump: false };
const OLD: Encoding = Encoding { as_width: AsWidth::Two, table_dump: false };

fn attribute(code: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x50, code];
    bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    bytes
}

fn ip(text: &str) -> Option<[u8; 16]> {
    Some(address(text.parse().unwrap()))
}

#[test]
fn every_attribute_of_the_schema_is_read() {
    let block = [
        attribute(1, &[2]),
        attribute(2, &[2, 1, 0, 1, 0, 0]),
        attribute(3, &[192, 0, 2, 1]),
        attribute(4, &[0, 0, 0, 7]),
        attribute(5, &[0, 0, 0, 100]),
        attribute(6, &[]),
        attribute(7, &[0, 1, 0, 1, 192, 0, 2, 9]),
        attribute(8, &[0xfd, 0xe8, 0, 1, 0xff, 0xff, 0xff, 1]),
        attribute(32, &[0, 0, 0xfd, 0xe8, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]),
        attribute(200, b"unknown"),
        attribute(1, &[0]),
    ]
    .concat();
    let mut attributes = Attributes::default();
    attributes.read(&block, NEW).unwrap();
    assert_eq!(attributes.origin, Some(Origin::Incomplete), "the first of two counts");
    assert_eq!(
        (attributes.as_path.as_str(), attributes.path_len(), attributes.origin_as()),
        ("65536", Some(1), Some(65536))
    );
    assert_eq!((attributes.next_hop, attributes.med, attributes.local_pref), (ip("192.0.2.1"), Some(7), Some(100)));
    assert_eq!((attributes.atomic_aggregate, attributes.aggregator_as), (true, Some(65537)));
    assert_eq!(attributes.communities, "65000:1 65535:65281");
    assert_eq!(attributes.large_communities, "65000:1:4294967295");
    attributes.read(&[], NEW).unwrap();
    assert_eq!((attributes.origin, attributes.path_len(), attributes.communities.as_str()), (None, None, ""));
}

#[test]
fn new_attributes_of_old_speakers_are_merged_unless_the_aggregator_is_older() {
    let path = [attribute(2, &[2, 2, 0, 1, 0x5b, 0xa0]), attribute(17, &[2, 1, 0, 1, 0x11, 0x70])].concat();
    let mut attributes = Attributes::default();
    attributes.read(&path, OLD).unwrap();
    assert_eq!((attributes.as_path.as_str(), attributes.origin_as()), ("1 70000", Some(70000)));
    let with = |asn: [u8; 2]| [path.clone(), attribute(7, &[asn[0], asn[1], 192, 0, 2, 1])].concat();
    let as4_aggregator = attribute(18, &[0, 1, 0x11, 0x70, 192, 0, 2, 1]);
    attributes.read(&[with([0x5b, 0xa0]), as4_aggregator.clone()].concat(), OLD).unwrap();
    assert_eq!((attributes.as_path.as_str(), attributes.aggregator_as), ("1 70000", Some(70000)));
    attributes.read(&[with([0, 9]), as4_aggregator.clone()].concat(), OLD).unwrap();
    assert_eq!((attributes.as_path.as_str(), attributes.aggregator_as), ("1 23456", Some(9)));
    attributes.read(&with([0, 9]), OLD).unwrap();
    assert_eq!((attributes.as_path.as_str(), attributes.aggregator_as), ("1 70000", Some(9)), "one aggregator only");
    attributes.read(&[path.clone(), as4_aggregator].concat(), OLD).unwrap();
    assert_eq!((attributes.as_path.as_str(), attributes.aggregator_as), ("1 70000", None));
}

#[test]
fn next_hops_of_ipv6_are_read_whole_and_abbreviated() {
    let (global, local) = (ip("2001:db8::1").unwrap(), ip("fe80::1").unwrap());
    let bare = [&[32_u8][..], &global[..], &local[..]].concat();
    let mut attributes = Attributes::default();
    let dump = Encoding { table_dump: true, ..NEW };
    assert_eq!(attributes.read(&attribute(14, &bare), dump).unwrap().reach.unwrap().next_hop, Some(global));
    let whole = [&[0_u8, 2, 1, 16][..], &global[..], &[0][..], &[32, 0x20, 1, 0x0d, 0xb8][..]].concat();
    for encoding in [dump, NEW] {
        let block = attribute(14, &whole);
        let reach = attributes.read(&block, encoding).unwrap().reach.unwrap();
        assert_eq!(
            (reach.next_hop, reach.routes.unicast(), reach.routes.nlri.len()),
            (Some(global), Some(Family::V6), 5)
        );
    }
}

#[test]
fn malformed_attributes_are_refused_and_informative_ones_passed_over() {
    let mut attributes = Attributes::default();
    for (code, value) in
        [(1, &[3][..]), (3, &[1, 2, 3]), (4, &[1]), (8, &[1, 2, 3]), (32, &[0; 16]), (14, &[0, 2]), (2, &[2, 9])]
    {
        assert!(attributes.read(&attribute(code, value), NEW).is_err(), "{code}");
    }
    for (code, value) in [(6, &[1][..]), (7, &[1, 2, 3]), (17, &[9, 9])] {
        assert!(attributes.read(&attribute(code, value), OLD).is_ok(), "{code}");
    }
    assert!(attributes.read(&[0x40, 1, 9, 0], NEW).is_err());
}

#[test]
fn an_update_gives_its_routes_and_end_of_rib_none() {
    let attributes = [
        attribute(1, &[0]),
        attribute(
            14,
            &[&[0_u8, 2, 1, 16][..], &ip("2001:db8::1").unwrap()[..], &[0, 0, 0, 0, 4, 8, 0x20][..]].concat(),
        ),
        attribute(15, &[0, 2, 1, 0, 0, 0, 5, 8, 0x30]),
    ]
    .concat();
    let mut body = vec![0, 4, 16, 10, 1, 0];
    body.truncate(2 + 4 - 1);
    body[1] = 3;
    body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    body.extend(&attributes);
    body.extend([8, 11]);
    let session = Session { as_width: AsWidth::Four, add_path: AddPath { v4: false, v6: true } };
    let mut update = Update::default();
    update.read(&body, session).unwrap();
    let shown = |prefixes: &[nlri::Prefix]| prefixes.iter().map(|p| (p.address, p.len, p.path_id)).collect::<Vec<_>>();
    assert_eq!(shown(&update.announced), [(ip("11.0.0.0").unwrap(), 8, None)]);
    assert_eq!(shown(&update.announced_mp), [(ip("2000::").unwrap(), 8, Some(4))]);
    assert_eq!(shown(&update.withdrawn), [(ip("10.1.0.0").unwrap(), 16, None), (ip("3000::").unwrap(), 8, Some(5))]);
    update.read(&[0, 0, 0, 0], session).unwrap();
    assert!(update.is_empty() && !update.other_family);
    update.read(&[0, 0, 0, 7, 0x80, 15, 4, 0, 1, 128, 0], session).unwrap();
    assert!(update.is_empty() && update.other_family);
    assert!(update.read(&[0, 9, 0, 0], session).is_err());
}

#[test]
fn messages_are_told_apart_and_bounded() {
    let message = |len: u16, kind: u8, body: &[u8]| [&[0xff; 16][..], &len.to_be_bytes()[..], &[kind], body].concat();
    let read = |bytes: &[u8]| read_message(&mut Cursor::new(bytes)).map(|found| format!("{found:?}"));
    assert_eq!(read(&message(20, 2, &[7, 8])).unwrap(), format!("{:?}", Message::Update(&[7])));
    assert_eq!(read(&message(19, 4, &[])).unwrap(), format!("{:?}", Message::Other("keepalive")));
    for bad in [message(18, 2, &[]), message(30, 2, &[0]), message(19, 9, &[])] {
        assert!(read(&bad).is_err());
    }
}
