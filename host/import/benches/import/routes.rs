//! MRT: a table of many peers, and updates.

use super::measure::Numbers;

/// Peers of the table.
const PEERS: u16 = 35;

fn record(file: &mut Vec<u8>, kind: [u8; 4], body: &[u8]) {
    file.extend(0x5f00_0000_u32.to_be_bytes());
    file.extend(kind);
    file.extend(u32::try_from(body.len()).expect("records are small").to_be_bytes());
    file.extend(body);
}

/// ORIGIN, AS_PATH of three to seven numbers, NEXT_HOP, and up to six communities.
fn attributes(numbers: &mut Numbers) -> Vec<u8> {
    let mut block = vec![0x40, 1, 1, 0];
    let hops = 3 + u8::try_from(numbers.below(5)).expect("paths are short");
    block.extend([0x40, 2, 2 + 4 * hops, 2, hops]);
    for _ in 0..hops {
        block.extend((1 + numbers.below(65_000)).to_be_bytes());
    }
    block.extend([0x40, 3, 4, 192, 0, 2, 1]);
    let communities = u8::try_from(numbers.below(7)).expect("they are few");
    if communities > 0 {
        block.extend([0xc0, 8, 4 * communities]);
        for _ in 0..communities {
            block.extend(numbers.next().to_be_bytes());
        }
    }
    block
}

/// TABLE_DUMP_V2 of IPv4: prefixes of /24 with a route of each of the peers.
pub(crate) fn table(bytes: usize) -> Vec<u8> {
    let (mut file, mut numbers) = (Vec::with_capacity(bytes + 10_000), Numbers::new(3));
    let mut index = [&[192, 0, 2, 1, 0, 0][..], &PEERS.to_be_bytes()].concat();
    for peer in 0..PEERS {
        index.extend([2, 9, 9, 9, 9, 192, 0, 2]);
        index.extend([u8::try_from(peer).expect("they are few")]);
        index.extend((64_500 + u32::from(peer)).to_be_bytes());
    }
    record(&mut file, [0, 13, 0, 1], &index);
    for number in 0_u32.. {
        let [_, a, b, c] = number.to_be_bytes();
        let mut body = [&number.to_be_bytes()[..], &[24, a.wrapping_add(11), b, c], &PEERS.to_be_bytes()].concat();
        for peer in 0..PEERS {
            let block = attributes(&mut numbers);
            body.extend(peer.to_be_bytes());
            body.extend(0x5e00_0000_u32.to_be_bytes());
            body.extend(u16::try_from(block.len()).expect("attributes are small").to_be_bytes());
            body.extend(block);
        }
        record(&mut file, [0, 13, 0, 2], &body);
        if file.len() >= bytes {
            break;
        }
    }
    file
}

/// BGP4MP messages, each announcing one to four prefixes.
pub(crate) fn updates(bytes: usize) -> Vec<u8> {
    let (mut file, mut numbers) = (Vec::with_capacity(bytes + 10_000), Numbers::new(4));
    while file.len() < bytes {
        let block = attributes(&mut numbers);
        let mut update = vec![0, 0];
        update.extend(u16::try_from(block.len()).expect("attributes are small").to_be_bytes());
        update.extend(block);
        for _ in 0..=numbers.below(4) {
            let [_, a, b, c] = numbers.next().to_be_bytes();
            update.extend([24, a, b, c]);
        }
        let mut body = [64_500_u32.to_be_bytes(), 64_999_u32.to_be_bytes()].concat();
        body.extend([0, 0, 0, 1, 192, 0, 2, 1, 192, 0, 2, 2]);
        body.extend([0xff; 16]);
        body.extend(u16::try_from(update.len() + 19).expect("updates are small").to_be_bytes());
        body.push(2);
        body.extend(update);
        record(&mut file, [0, 16, 0, 4], &body);
    }
    file
}
