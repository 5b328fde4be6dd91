//! LZO1X decompression of one block, as nfdump stores blocks. Written from the description of the stream format that the
//! Linux kernel documents; every read and every copy is checked. It allocates nothing.

/// Why a block does not decompress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LzoError {
    /// The input ends before its end mark.
    #[error("the compressed bytes end early")]
    InputEnds,
    /// There is more than fits.
    #[error("more than the block's bound comes out")]
    OutputFull,
    /// A copy from before the first byte.
    #[error("a copy reaches back before the first byte")]
    LookBehind,
    /// The end mark is not one, or bytes follow it.
    #[error("the end mark is wrong")]
    End,
}

/// What the instruction before has copied as literals, which decides what an instruction below 16 means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// None.
    None,
    /// One to three, with a copy.
    Few,
    /// A run of four and more.
    Run,
}

/// Decompresses `input` into `output` and returns how many bytes came out.
pub(super) fn decompress(input: &[u8], output: &mut [u8]) -> Result<usize, LzoError> {
    let mut stream = Stream { input, at: 0, output, length: 0 };
    let mut before = Before::None;
    if let Some(&first) = input.first()
        && first > 17
    {
        stream.at = 1;
        before = stream.literals(usize::from(first) - 17)?;
        if first - 17 >= 4 {
            before = Before::Run;
        }
    }
    loop {
        let instruction = usize::from(stream.byte()?);
        if instruction < 16 && before == Before::None {
            let count = stream.count(instruction, 15)? + 3;
            stream.literals(count)?;
            before = Before::Run;
            continue;
        }
        let Some((distance, length, literals)) = stream.copy_of(instruction, before)? else {
            return if stream.at == input.len() { Ok(stream.length) } else { Err(LzoError::End) };
        };
        stream.copy(distance, length)?;
        before = stream.literals(literals)?;
    }
}

struct Stream<'a> {
    input: &'a [u8],
    at: usize,
    output: &'a mut [u8],
    length: usize,
}

impl Stream<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, LzoError> {
        let byte = *self.input.get(self.at).ok_or(LzoError::InputEnds)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn le16(&mut self) -> Result<usize, LzoError> {
        Ok(usize::from(self.byte()?) | usize::from(self.byte()?) << 8)
    }

    /// A count that continues in further bytes when its bits are zero: `base`, 255 for every zero byte, the last byte.
    #[inline]
    fn count(&mut self, bits: usize, base: usize) -> Result<usize, LzoError> {
        if bits != 0 {
            return Ok(bits);
        }
        let mut count = base;
        loop {
            match self.byte()? {
                0 => count += 255,
                last => return Ok(count + usize::from(last)),
            }
        }
    }

    /// Copies literals from the input.
    #[inline]
    fn literals(&mut self, count: usize) -> Result<Before, LzoError> {
        if count == 0 {
            return Ok(Before::None);
        }
        let from = self.input.get(self.at..self.at + count).ok_or(LzoError::InputEnds)?;
        let to = self.output.get_mut(self.length..self.length + count).ok_or(LzoError::OutputFull)?;
        to.copy_from_slice(from);
        self.at += count;
        self.length += count;
        Ok(Before::Few)
    }

    /// Reads the rest of a copying instruction: distance, length, literals behind it; none for the end mark.
    #[inline]
    fn copy_of(&mut self, instruction: usize, before: Before) -> Result<Option<(usize, usize, usize)>, LzoError> {
        let copy = match instruction {
            64.. => {
                let high = usize::from(self.byte()?);
                ((high << 3) + ((instruction >> 2) & 7) + 1, (instruction >> 5) + 1, instruction & 3)
            }
            32.. => {
                let length = self.count(instruction & 31, 31)? + 2;
                let word = self.le16()?;
                ((word >> 2) + 1, length, word & 3)
            }
            16.. => {
                let length = self.count(instruction & 7, 7)? + 2;
                let word = self.le16()?;
                let distance = 0x4000 + ((instruction & 8) << 11) + (word >> 2);
                if distance == 0x4000 {
                    return if length == 3 { Ok(None) } else { Err(LzoError::End) };
                }
                (distance, length, word & 3)
            }
            _ => {
                let high = usize::from(self.byte()?);
                let distance = (high << 2) + (instruction >> 2) + 1;
                if before == Before::Run {
                    (distance + 2048, 3, instruction & 3)
                } else {
                    (distance, 2, instruction & 3)
                }
            }
        };
        Ok(Some(copy))
    }

    /// Copies from what has come out; the two may overlap.
    #[inline]
    fn copy(&mut self, distance: usize, length: usize) -> Result<(), LzoError> {
        let from = self.length.checked_sub(distance).ok_or(LzoError::LookBehind)?;
        let end = self.length + length;
        if end > self.output.len() {
            return Err(LzoError::OutputFull);
        }
        // Each piece is as long as what has come out since `from`, so that an overlap repeats it.
        let mut done = 0;
        while done < length {
            let piece = (distance + done).min(length - done);
            self.output.copy_within(from..from + piece, self.length + done);
            done += piece;
        }
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
#[path = "lzo_tests.rs"]
mod tests;
