//! Files of nfdump, and captures of packets.

use super::measure::Numbers;

/// Bytes of a data block of nfdump, before compression.
const BLOCK_BYTES: usize = 1 << 20;
/// Milliseconds since the epoch when the first flow begins.
const BEGIN_MS: u64 = 1_600_000_000_000;

/// A file of nfdump's layout 2: flows of IPv4 with counters, interfaces and AS numbers.
pub(crate) fn nfdump(bytes: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(1);
    let (mut blocks, mut count, mut time) = (Vec::with_capacity(bytes + 2 * BLOCK_BYTES), 0_u32, BEGIN_MS);
    while blocks.len() < bytes {
        let (mut block, mut records) = (Vec::with_capacity(BLOCK_BYTES), 0_u32);
        while block.len() < BLOCK_BYTES - 200 {
            time += u64::from(numbers.below(3));
            flow(&mut block, time, &mut numbers);
            records += 1;
        }
        let size = u32::try_from(block.len()).expect("blocks are small");
        blocks.extend([records.to_le_bytes(), size.to_le_bytes(), [3, 0, 0, 0]].concat());
        blocks.extend(block);
        count += 1;
    }
    let mut file = vec![0x0c, 0xa5, 2, 0];
    file.extend(0x0107_0100_u32.to_le_bytes());
    file.extend((BEGIN_MS / 1000).to_le_bytes());
    file.extend([0, 0, 1, 0, 0, 0, 0, 0]);
    file.extend((40 + blocks.len() as u64).to_le_bytes());
    file.extend((5_u32 << 20).to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(blocks);
    // The appendix: a block with the name of the file's source.
    file.extend([1, 0, 0, 0, 12, 0, 0, 0, 3, 0, 1, 0, 1, 0x80, 12, 0, b'b', b'e', b'n', b'c', b'h', 0, 0, 0]);
    file
}

fn flow(block: &mut Vec<u8>, time: u64, numbers: &mut Numbers) {
    let mut half = |values: &[u16]| block.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    half(&[11, 12 + 52 + 12 + 12 + 12, 4, 0, 0, 0, 1, 52]);
    let packets = u64::from(numbers.below(200)) + 1;
    for value in [time, time + u64::from(numbers.below(9000)), time + 9000, packets, packets * 400] {
        block.extend(value.to_le_bytes());
    }
    block.extend(numbers.next().to_le_bytes());
    block.extend([6, 0x1b, 0, 0]);
    let (src, dst, asns) = (numbers.next(), 0xc633_6400 | numbers.below(256), [numbers.below(65_000), 64_500]);
    for (kind, values) in [(2_u16, [src, dst]), (4, [3, 4]), (7, asns)] {
        block.extend([kind.to_le_bytes(), 12_u16.to_le_bytes()].concat());
        values.iter().for_each(|value| block.extend(value.to_le_bytes()));
    }
}

/// Flows that a packet of the capture may belong to.
const CONVERSATIONS: u32 = 50_000;
/// Bytes of a frame that are captured.
const CAPTURED: u32 = 96;

/// A capture of TCP packets of many conversations, 100,000 packets a second.
pub(crate) fn pcap(bytes: usize) -> Vec<u8> {
    let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 96, 0, 0, 0, 1, 0, 0, 0]);
    let (mut numbers, mut tick) = (Numbers::new(2), 0_u32);
    while file.len() < bytes {
        tick += 1;
        let conversation = numbers.below(CONVERSATIONS).wrapping_mul(2_654_435_761);
        let length = 100 + u16::try_from(numbers.below(1300)).expect("packets are small");
        for value in [1_600_000_000 + tick / 100_000, tick % 100_000 * 10, CAPTURED, u32::from(length) + 14] {
            file.extend(value.to_le_bytes());
        }
        let end = file.len() + CAPTURED as usize;
        file.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0, 0x45, 0]);
        file.extend(length.to_be_bytes());
        file.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        let [_, from_high, from_low, _] = conversation.to_be_bytes();
        file.extend(conversation.to_be_bytes());
        file.extend([198, 51, 100, 7]);
        file.extend([from_high, from_low, 1, 0xbb]);
        file.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10]);
        file.resize(end, 0);
    }
    file
}
