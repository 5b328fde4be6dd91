//! Streams of random instructions against a plain model of what they mean, and any bytes at all.

use proptest::prelude::*;

use super::*;

/// One thing a compressor may do.
#[derive(Debug, Clone)]
enum Step {
    Literals(Vec<u8>),
    /// Length, distance (made to fit), literals behind it.
    Copy(usize, usize, Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = |range| prop::collection::vec(any::<u8>(), range);
    prop_oneof![
        bytes(4..700usize).prop_map(Step::Literals),
        (2usize..600, 1usize..50_000, bytes(0..4usize))
            .prop_map(|(length, distance, after)| Step::Copy(length, distance, after)),
    ]
}

/// A count: in the instruction's bits when it fits, else in bytes behind it.
fn count(out: &mut Vec<u8>, marker: u8, value: usize, base: usize) {
    if value <= base {
        out.push(marker | u8::try_from(value).unwrap());
        return;
    }
    out.push(marker);
    let mut rest = value - base;
    while rest > 255 {
        out.push(0);
        rest -= 255;
    }
    out.push(u8::try_from(rest).unwrap());
}

/// Writes the steps as a stream, and what must come out.
fn encode(steps: &[Step]) -> (Vec<u8>, Vec<u8>) {
    let (mut stream, mut plain): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    let mut before = Before::None;
    for step in steps {
        match step {
            Step::Literals(bytes) if before == Before::None => {
                if plain.is_empty() && bytes.len() <= 238 {
                    stream.push(u8::try_from(17 + bytes.len()).unwrap());
                } else {
                    count(&mut stream, 0, bytes.len() - 3, 15);
                }
                stream.extend(bytes);
                plain.extend(bytes);
                before = Before::Run;
            }
            Step::Literals(_) => {}
            Step::Copy(length, distance, after) => {
                if plain.is_empty() {
                    continue;
                }
                let distance = (distance - 1) % plain.len().min(49_151) + 1;
                let Some(length) = copy(&mut stream, before, (*length, distance), after.len()) else { continue };
                for _ in 0..length {
                    plain.push(plain[plain.len() - distance]);
                }
                stream.extend(after);
                plain.extend(after);
                before = if after.is_empty() { Before::None } else { Before::Few };
            }
        }
    }
    stream.extend([17, 0, 0]);
    (stream, plain)
}

/// Writes a copy in the shortest form that can say it, and says how long it became.
fn copy(stream: &mut Vec<u8>, before: Before, (length, distance): (usize, usize), after: usize) -> Option<usize> {
    let byte = |value: usize| u8::try_from(value).unwrap();
    let d = distance - 1;
    if length == 2 {
        if before != Before::Few || distance > 1024 {
            return None;
        }
        stream.extend([byte((d & 3) << 2 | after), byte(d >> 2)]);
    } else if length == 3 && before == Before::Run && (2049..=3072).contains(&distance) {
        let d = distance - 2049;
        stream.extend([byte((d & 3) << 2 | after), byte(d >> 2)]);
    } else if length <= 8 && distance <= 2048 {
        stream.extend([byte((length - 1) << 5 | (d & 7) << 2 | after), byte(d >> 3)]);
    } else if distance <= 0x4000 {
        count(stream, 32, length - 2, 31);
        stream.extend(u16::try_from(d << 2 | after).unwrap().to_le_bytes());
    } else {
        let d = distance - 0x4000;
        count(stream, 16 | byte((d >> 14) << 3), length - 2, 7);
        stream.extend(u16::try_from((d & 0x3fff) << 2 | after).unwrap().to_le_bytes());
    }
    Some(length)
}

#[test]
fn an_empty_stream_is_its_end_mark() {
    assert_eq!(decompress(&[17, 0, 0], &mut []), Ok(0));
    assert_eq!(decompress(&[], &mut [0; 9]), Err(LzoError::InputEnds));
    assert_eq!(decompress(&[17, 0, 0, 0], &mut [0; 9]), Err(LzoError::End));
}

#[test]
fn every_bound_is_kept() {
    let mut out = [0; 8];
    assert_eq!(decompress(&[22, 1, 2, 3, 4, 5, 17, 0, 0], &mut out), Ok(5));
    assert_eq!(decompress(&[22, 1, 2, 3, 4, 5, 17, 0, 0], &mut out[..4]), Err(LzoError::OutputFull));
    assert_eq!(decompress(&[22, 1, 2, 3], &mut out), Err(LzoError::InputEnds));
    assert_eq!(decompress(&[22, 1, 2, 3, 4, 5, 64, 1, 17, 0, 0], &mut out), Err(LzoError::LookBehind));
    assert_eq!(decompress(&[22, 1, 2, 3, 4, 5, 64, 0, 17, 0, 0], &mut out), Ok(8));
    assert_eq!(out, [1, 2, 3, 4, 5, 5, 5, 5]);
    assert_eq!(decompress(&[22, 1, 2, 3, 4, 5, 96, 0, 17, 0, 0], &mut out), Err(LzoError::OutputFull));
}

proptest! {
    #[test]
    fn what_was_written_comes_out(steps in prop::collection::vec(step(), 0..40), odd in 0usize..3) {
        let (stream, plain) = encode(&steps);
        let mut out = vec![0; plain.len() + odd];
        prop_assert_eq!(decompress(&stream, &mut out), Ok(plain.len()));
        prop_assert_eq!(&out[..plain.len()], &plain[..]);
        if !plain.is_empty() {
            prop_assert_eq!(decompress(&stream, &mut out[..plain.len() - 1]), Err(LzoError::OutputFull));
            prop_assert!(decompress(&stream[..stream.len() - 1], &mut out).is_err());
        }
    }

    #[test]
    fn mutated_streams_do_not_panic(
        steps in prop::collection::vec(step(), 1..12),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let (mut stream, _) = encode(&steps);
        for (at, value) in changes {
            let at = at.index(stream.len());
            stream[at] = value;
        }
        let _ = decompress(&stream, &mut [0; 4096]);
    }

    #[test]
    fn any_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decompress(&bytes, &mut [0; 300]);
    }
}
