//! AS paths (RFC 4271 §5.1.2, RFC 5065) and how an old speaker's path and its AS4_PATH become one (RFC 6793 §4.2.3).

use super::cursor::{AsWidth, Cursor, Malformed};

/// What a segment of a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// AS_SET: unordered, counted once.
    Set,
    /// AS_SEQUENCE: ordered.
    Sequence,
    /// AS_CONFED_SEQUENCE: inside a confederation, not counted.
    ConfedSequence,
    /// AS_CONFED_SET: inside a confederation, not counted.
    ConfedSet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    kind: Kind,
    start: usize,
    end: usize,
}

/// A path, reusable: reading one replaces the former.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct AsPath {
    segments: Vec<Segment>,
    asns: Vec<u32>,
}

impl AsPath {
    /// Empties it.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.asns.clear();
    }

    /// Reads the value of an AS_PATH or AS4_PATH attribute.
    ///
    /// # Errors
    /// When a segment is of no known kind or longer than what is left (RFC 7606 §7.2).
    pub fn read(&mut self, value: &[u8], width: AsWidth) -> Result<(), Malformed> {
        self.clear();
        let mut cursor = Cursor::new(value);
        while !cursor.is_empty() {
            let kind = match cursor.u8()? {
                1 => Kind::Set,
                2 => Kind::Sequence,
                3 => Kind::ConfedSequence,
                4 => Kind::ConfedSet,
                _ => return Err(Malformed("an AS path has a segment of unknown kind")),
            };
            let bytes = usize::from(cursor.u8()?) * width.bytes();
            let asns = cursor.take(bytes, "a segment of an AS path is longer than the path")?;
            let start = self.asns.len();
            match width {
                AsWidth::Two => {
                    self.asns.extend(asns.as_chunks::<2>().0.iter().map(|two| u32::from(u16::from_be_bytes(*two))))
                }
                AsWidth::Four => self.asns.extend(asns.as_chunks::<4>().0.iter().map(|four| u32::from_be_bytes(*four))),
            }
            self.segments.push(Segment { kind, start, end: self.asns.len() });
        }
        Ok(())
    }

    /// AS numbers in the path, a set counted once, confederations not at all (RFC 4271 §9.1.2.2, RFC 5065 §5.3).
    #[must_use]
    pub fn length(&self) -> u64 {
        self.segments.iter().map(|segment| counted(*segment) as u64).sum()
    }

    /// The AS that originated the route: the last of a path that does not end in a set or inside a confederation.
    #[must_use]
    pub fn origin(&self) -> Option<u32> {
        let last = self.segments.iter().rev().find(|segment| segment.start < segment.end)?;
        (last.kind == Kind::Sequence).then(|| self.asns[last.end - 1])
    }

    /// Appends the path as text: `64500 64501 {64502,64503}`; segments of confederations as `(64512 64513)` and
    /// `[64512,64513]`.
    pub fn write(&self, text: &mut String) {
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                text.push(' ');
            }
            let (open, between, close) = match segment.kind {
                Kind::Sequence => ("", ' ', ""),
                Kind::Set => ("{", ',', "}"),
                Kind::ConfedSequence => ("(", ' ', ")"),
                Kind::ConfedSet => ("[", ',', "]"),
            };
            text.push_str(open);
            for (place, asn) in self.asns[segment.start..segment.end].iter().enumerate() {
                if place > 0 {
                    text.push(between);
                }
                push_decimal(text, *asn);
            }
            text.push_str(close);
        }
    }

    /// Replaces the tail of a path of two-byte numbers by the AS4_PATH that came with it, as RFC 6793 §4.2.3 says: the
    /// leading numbers that AS4_PATH lacks stay; an AS4_PATH longer than the path is ignored.
    pub fn merge(&mut self, as4: &Self) {
        let (own, new) = (self.length(), as4.length());
        if new == 0 || own < new {
            return;
        }
        self.keep_leading(own - new);
        for segment in as4.segments.iter().filter(|s| matches!(s.kind, Kind::Set | Kind::Sequence)) {
            let start = self.asns.len();
            self.asns.extend_from_slice(&as4.asns[segment.start..segment.end]);
            self.segments.push(Segment { kind: segment.kind, start, end: self.asns.len() });
        }
    }

    /// Cuts the path after `count` counted numbers; segments of confederations before the cut stay.
    fn keep_leading(&mut self, mut count: u64) {
        let mut kept = 0;
        for segment in &mut self.segments {
            let here = counted(*segment) as u64;
            if here > count {
                if segment.kind == Kind::Sequence && count > 0 {
                    segment.end = segment.start + usize::try_from(count).expect("fewer than the numbers of a segment");
                    kept += 1;
                }
                break;
            }
            count -= here;
            kept += 1;
        }
        self.segments.truncate(kept);
    }
}

/// What a segment adds to the length of a path.
const fn counted(segment: Segment) -> usize {
    match segment.kind {
        Kind::Sequence => segment.end - segment.start,
        Kind::Set => 1,
        Kind::ConfedSequence | Kind::ConfedSet => 0,
    }
}

/// Appends a number in decimal. Several times faster than formatting, which dominates the decoding of a table.
pub(super) fn push_decimal(text: &mut String, mut number: u32) {
    let mut digits = [0_u8; 10];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.push_str(std::str::from_utf8(&digits[start..]).expect("decimal digits are ASCII"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(segments: &[(u8, &[u32])]) -> AsPath {
        let mut value = Vec::new();
        for (kind, asns) in segments {
            value.extend([*kind, u8::try_from(asns.len()).unwrap()]);
            value.extend(asns.iter().flat_map(|asn| asn.to_be_bytes()));
        }
        let mut path = AsPath::default();
        path.read(&value, AsWidth::Four).unwrap();
        path
    }

    fn text(path: &AsPath) -> String {
        let mut text = String::new();
        path.write(&mut text);
        text
    }

    #[test]
    fn text_length_and_origin_follow_the_segments() {
        let plain = path(&[(2, &[64500, 4_200_000_000, 0])]);
        assert_eq!((text(&plain).as_str(), plain.length(), plain.origin()), ("64500 4200000000 0", 3, Some(0)));
        let set = path(&[(2, &[1, 2]), (1, &[3, 4])]);
        assert_eq!((text(&set).as_str(), set.length(), set.origin()), ("1 2 {3,4}", 3, None));
        let confed = path(&[(3, &[65001, 65002]), (4, &[65003]), (2, &[7])]);
        assert_eq!((text(&confed).as_str(), confed.length(), confed.origin()), ("(65001 65002) [65003] 7", 1, Some(7)));
        assert_eq!((path(&[]).length(), path(&[]).origin(), text(&path(&[]))), (0, None, String::new()));
    }

    #[test]
    fn old_and_new_paths_merge_as_the_rfc_says() {
        let as4 = path(&[(2, &[70000, 70001])]);
        let mut merged = path(&[(2, &[1, 23456, 23456])]);
        merged.merge(&as4);
        assert_eq!(text(&merged), "1 70000 70001");
        let mut longer = path(&[(2, &[9])]);
        longer.merge(&as4);
        assert_eq!(text(&longer), "9");
        let mut confed = path(&[(3, &[65001]), (2, &[5, 23456]), (1, &[23456, 8])]);
        confed.merge(&path(&[(3, &[65009]), (2, &[70000]), (1, &[70002, 8])]));
        assert_eq!((text(&confed).as_str(), confed.length()), ("(65001) 5 70000 {70002,8}", 3));
        let mut whole = path(&[(2, &[23456, 23456])]);
        whole.merge(&as4);
        assert_eq!((text(&whole).as_str(), whole.origin()), ("70000 70001", Some(70001)));
    }

    #[test]
    fn two_byte_paths_and_lies_about_length() {
        let mut path = AsPath::default();
        path.read(&[2, 2, 0, 1, 0xff, 0xff], AsWidth::Two).unwrap();
        assert_eq!(text(&path), "1 65535");
        assert!(path.read(&[2, 2, 0, 1, 0], AsWidth::Two).is_err());
        assert!(path.read(&[5, 0], AsWidth::Two).is_err());
        assert!(path.read(&[2], AsWidth::Two).is_err());
    }
}
