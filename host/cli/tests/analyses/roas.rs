//! Real ROAs out of an RRDP snapshot: as much of CMS (RFC 5652) and of the ROA profile (RFC 9582) as these need. It
//! verifies no signature; the files are samples of the RIPE NCC's repository.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The object identifier of a ROA's content, `1.2.840.113549.1.9.16.1.24`, as an element.
const ROA_CONTENT: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 24];

/// Prefix, its length, greatest length, AS number.
pub(crate) type Roa = (IpAddr, u8, u8, u32);

/// Every authorisation of a snapshot.
pub(crate) fn read(snapshot: &Path) -> Vec<Roa> {
    let xml = std::fs::read_to_string(snapshot).unwrap();
    let published = xml.split("<publish ").skip(1);
    let bodies = published.filter_map(|item| item.split_once('>')).filter(|(head, _)| head.contains(".roa\""));
    let mut all = Vec::new();
    for (_, body) in bodies {
        let text: String = body.split('<').next().unwrap().split_whitespace().collect();
        // Two of the samples are empty on purpose.
        if !text.is_empty() {
            all.extend(authorisations(&STANDARD.decode(text).unwrap()));
        }
    }
    all
}

/// The authorisations of one ROA.
fn authorisations(roa: &[u8]) -> Vec<Roa> {
    let at = roa.windows(ROA_CONTENT.len()).position(|window| window == ROA_CONTENT).unwrap() + ROA_CONTENT.len();
    // The content is an octet string in one or two wrappers of indefinite length.
    let wrapped = roa[at..].strip_prefix(&[0xa0, 0x80]).unwrap();
    let wrapped = wrapped.strip_prefix(&[0x24, 0x80]).unwrap_or(wrapped);
    let (_, content, _) = element(wrapped);
    let fields = elements(element(content).1);
    let [.., (2, asn), (0x30, families)] = fields.as_slice() else { panic!("no ROA: {fields:?}") };
    let asn = asn.iter().fold(0, |asn, &byte| asn << 8 | u32::from(byte));
    let mut all = Vec::new();
    for (_, family) in elements(families) {
        let parts = elements(family);
        for (_, address) in elements(parts[1].1) {
            let parts_of = elements(address);
            let (prefix, length) = prefix(parts[0].1[1] == 1, parts_of[0].1);
            all.push((prefix, length, parts_of.get(1).map_or(length, |(_, most)| *most.last().unwrap()), asn));
        }
    }
    all
}

/// A prefix as a bit string: how many bits of the last byte do not count, then the bytes.
fn prefix(ipv4: bool, bits: &[u8]) -> (IpAddr, u8) {
    let (&unused, bytes) = bits.split_first().unwrap();
    let length = u8::try_from(bytes.len() * 8).unwrap() - unused;
    let mut address = [0; 16];
    address[..bytes.len()].copy_from_slice(bytes);
    let [a, b, c, d, ..] = address;
    (if ipv4 { Ipv4Addr::new(a, b, c, d).into() } else { Ipv6Addr::from(address).into() }, length)
}

/// The first element: its tag, its content and what follows.
fn element(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, short) = (bytes[0], usize::from(bytes[1]));
    let (length, head) = match short.checked_sub(0x80) {
        None => (short, 2),
        Some(more) => (bytes[2..2 + more].iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), 2 + more),
    };
    (tag, &bytes[head..head + length], &bytes[head + length..])
}

fn elements(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (tag, content, rest) = element(bytes);
        all.push((tag, content));
        bytes = rest;
    }
    all
}
