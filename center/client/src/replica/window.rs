//! How many bundles are fetched at the same time: few at first, more while they come quickly, fewer when the center or the link shows
//! that they are too many. Pure: times are passed in.

use std::time::Duration;

/// At first: the second is asked for while the first is on its way.
const FIRST: usize = 2;
/// At most. With the largest that are fetched so, 32 MiB may be under way or wait in memory.
const MOST: usize = 8;
/// A bundle that came within so long shows that there is room for more.
const QUICK: Duration = Duration::from_secs(5);
/// One that took longer than this shows that they only wait for each other.
const SLOW: Duration = Duration::from_secs(15);

/// How many at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    size: usize,
    most: usize,
}

impl Window {
    pub(super) const fn new() -> Self {
        Self { size: FIRST, most: MOST }
    }

    pub(super) const fn size(self) -> usize {
        self.size
    }

    /// A bundle came.
    pub(super) fn came(&mut self, after: Duration) {
        if after <= QUICK {
            self.size = (self.size + 1).min(self.most);
        } else if after > SLOW {
            self.size = (self.size - 1).max(1);
        }
    }

    /// There was no room for a bundle beside the others, or no time. So many are not tried again.
    pub(super) fn crowded(&mut self) {
        self.most = (self.size - 1).max(1);
        self.size = (self.size / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_there_is_room_and_does_not_try_twice_what_was_too_much() {
        let mut window = Window::new();
        let mut sizes = Vec::new();
        for _ in 0..8 {
            sizes.push(window.size());
            window.came(Duration::from_secs(1));
        }
        assert_eq!(sizes, [2, 3, 4, 5, 6, 7, 8, 8]);
        window.crowded();
        assert_eq!(window.size(), 4);
        (0..8).for_each(|_| window.came(Duration::from_secs(1)));
        assert_eq!(window.size(), 7);
        window.came(Duration::from_secs(10));
        assert_eq!(window.size(), 7);
        (0..9).for_each(|_| window.came(Duration::from_secs(20)));
        assert_eq!(window.size(), 1);
        window.crowded();
        window.came(Duration::ZERO);
        assert_eq!(window.size(), 1, "one at a time, always");
    }
}
