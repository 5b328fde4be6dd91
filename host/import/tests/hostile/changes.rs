//! Changes files the way a fuzzer does, but the same way every time.

/// Numbers that look random and are not.
pub(crate) struct Numbers(u64);

impl Numbers {
    /// The numbers of a name.
    pub(crate) fn new(name: &str) -> Self {
        Self(
            name.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)),
        )
    }

    /// The next one, below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("thirty-one bits fit") % end
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("below 256")
    }
}

/// Numbers that decoders mistake for lengths and counts.
const EXTREMES: [u32; 8] = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/// One of the files, changed in up to eight places.
pub(crate) fn changed(files: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut file = files[numbers.below(files.len())].clone();
    for _ in 0..=numbers.below(8) {
        if file.is_empty() {
            file.push(numbers.byte());
        }
        let at = numbers.below(file.len());
        match numbers.below(7) {
            0 => file[at] ^= 1 << numbers.below(8),
            1 => file[at] = numbers.byte(),
            2 => {
                let number = EXTREMES[numbers.below(EXTREMES.len())].to_be_bytes();
                let width = 1 << numbers.below(3);
                file.iter_mut().skip(at).zip(&number[4 - width..]).for_each(|(to, from)| *to = *from);
            }
            3 => file.truncate(at),
            4 => {
                let end = (at + 1 + numbers.below(40)).min(file.len());
                file.drain(at..end);
            }
            5 => {
                let end = (at + 1 + numbers.below(40)).min(file.len());
                let piece = file[at..end].to_vec();
                file.splice(at..at, piece);
            }
            _ => {
                let other = &files[numbers.below(files.len())];
                let from = numbers.below(other.len().max(1)).min(other.len());
                let end = (from + numbers.below(60)).min(other.len());
                file.splice(at..at, other[from..end].iter().copied());
            }
        }
    }
    file
}
