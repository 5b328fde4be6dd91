//! Files that somebody has broken: never a panic, never rows out of nothing, never more memory than bounded.

use iog_import::exports::Exports;
use proptest::prelude::*;

use super::files::{Kept, all};

/// Reads bytes in both passes; the rows.
fn read(bytes: &[u8]) -> u64 {
    let path = std::path::Path::new("hostile");
    let mut exports = Exports::default();
    let _refused_again_below = exports.collect(&mut &*bytes, path, &mut |_| ());
    let mut kept = Kept::default();
    let result = exports.read(&mut &*bytes, path, &mut kept, &mut |_| ());
    assert!(exports.templates.bytes() <= 64 << 20);
    result.map_or(0, |report| report.rows)
}

#[test]
fn every_prefix_of_every_file_ends_well() {
    for path in all() {
        let bytes = std::fs::read(path).unwrap();
        for end in 0..bytes.len() {
            read(&bytes[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mutated_files_end_well(
        pick in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let files = all();
        if !files.is_empty() {
            let mut bytes = std::fs::read(&files[pick.index(files.len())]).unwrap();
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            // The smallest record that gives a row has addresses, protocol and counters: 8 + 1 + 2 bytes.
            prop_assert!(read(&bytes) <= 2 * bytes.len() as u64 / 11);
        }
    }

    #[test]
    fn arbitrary_bytes_end_well(version in 0usize..4, mut bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let heads: [&[u8]; 4] = [&[0, 5, 0, 4], &[0, 9, 0, 40], &[0, 10, 2, 0], &[0, 0, 0, 5, 0, 0, 0, 1]];
        bytes.splice(..0, heads[version].iter().copied());
        read(&bytes);
    }
}
