//! Flow exports: messages of full size, bare and in a capture, with a template every thousand messages.

use super::measure::Numbers;

/// Records in a message.
const RECORDS: u8 = 30;
/// Messages between two templates.
const REPEAT: usize = 1000;

/// Makes a file of about so many bytes.
type Make = fn(usize) -> Vec<u8>;

/// The bare files.
pub(crate) const FILES: [(&str, Make); 3] = [("netflow v5", v5), ("netflow v9", v9), ("ipfix", ipfix)];

fn shorts(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn v5(bytes: usize) -> Vec<u8> {
    let (mut file, mut numbers) = (Vec::with_capacity(bytes + 2000), Numbers::new(5));
    while file.len() < bytes {
        file.extend(shorts(&[5, u16::from(RECORDS)]));
        file.extend([0, 0, 0x30, 0, 0x60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for _ in 0..RECORDS {
            for value in [numbers.next(), numbers.next(), 0, 0x0001_0002, numbers.below(90), numbers.below(90_000)] {
                file.extend(value.to_be_bytes());
            }
            for value in [numbers.below(9000), 9000 + numbers.below(900), numbers.next(), 0x0010_0600, numbers.next()] {
                file.extend(value.to_be_bytes());
            }
            file.extend([24, 24, 0, 0]);
        }
    }
    file
}

/// The fields of a usual router template; 45 bytes.
const FIELDS: [u16; 32] =
    [8, 4, 12, 4, 10, 4, 14, 4, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2, 16, 2, 17, 2, 4, 1, 6, 1, 5, 1, 9, 2];

fn records(numbers: &mut Numbers) -> Vec<u8> {
    let mut records = Vec::with_capacity(45 * usize::from(RECORDS));
    for _ in 0..RECORDS {
        for value in [numbers.next(), numbers.next(), 1, 2, numbers.below(90), numbers.below(90_000)] {
            records.extend(value.to_be_bytes());
        }
        for value in [numbers.below(9000), 9000 + numbers.below(900), numbers.next(), numbers.next()] {
            records.extend(value.to_be_bytes());
        }
        records.extend([6, 16, 0, 0, 24]);
    }
    records
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 4).expect("sets are small");
    [&shorts(&[id, length])[..], body].concat()
}

fn template(set_id: u16) -> Vec<u8> {
    set(set_id, &shorts(&[&[256, 16][..], &FIELDS].concat()))
}

fn v9_message(count: u16, sets: &[u8]) -> Vec<u8> {
    [&shorts(&[9, count, 0, 0x3000, 0x6000, 0, 0, 0, 0, 0])[..], sets].concat()
}

fn ipfix_message(sets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(sets.len() + 16).expect("messages are small");
    [&shorts(&[10, length, 0x6000, 0, 0, 0, 0, 0])[..], sets].concat()
}

/// The message of this number.
fn v9_numbered(number: usize, numbers: &mut Numbers) -> Vec<u8> {
    if number.is_multiple_of(REPEAT) {
        v9_message(1, &template(0))
    } else {
        v9_message(u16::from(RECORDS), &set(256, &records(numbers)))
    }
}

fn v9(bytes: usize) -> Vec<u8> {
    let (mut file, mut numbers) = (Vec::with_capacity(bytes + 2000), Numbers::new(9));
    for number in 0.. {
        file.extend(v9_numbered(number, &mut numbers));
        if file.len() >= bytes {
            break;
        }
    }
    file
}

fn ipfix(bytes: usize) -> Vec<u8> {
    let (mut file, mut numbers) = (Vec::with_capacity(bytes + 2000), Numbers::new(10));
    for number in 0_usize.. {
        if number.is_multiple_of(REPEAT) {
            file.extend(ipfix_message(&template(2)));
        }
        file.extend(ipfix_message(&set(256, &records(&mut numbers))));
        if file.len() >= bytes {
            break;
        }
    }
    file
}

/// Messages of NetFlow v9 as UDP datagrams to port 2055, link type Ethernet.
pub(crate) fn in_pcap(bytes: usize) -> Vec<u8> {
    let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
    let mut numbers = Numbers::new(11);
    for number in 0.. {
        let message = v9_numbered(number, &mut numbers);
        let length = u16::try_from(message.len() + 28).expect("messages are small");
        let frame = u32::from(length) + 14;
        let seconds = 0x6000_0000 + u32::try_from(number / 100).expect("captures are short");
        for value in [seconds, 0, frame, frame] {
            file.extend(value.to_le_bytes());
        }
        file.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0, 0x45, 0]);
        file.extend(length.to_be_bytes());
        file.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x9c, 0x40, 0x08, 0x07]);
        file.extend((length - 20).to_be_bytes());
        file.extend([0, 0]);
        file.extend(message);
        if file.len() >= bytes {
            break;
        }
    }
    file
}
