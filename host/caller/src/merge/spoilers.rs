//! Which answers spoil the joint one: a search that decides what is tried next, and does not know what is joined.

/// Answers that are left out at most. Where more would have to be, there are too many liars or the answers are too large
/// together, and whoever asked asks fewer.
pub(super) const LEFT_OUT_MAX: usize = 16;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another attempt.
    Attempt,
    /// Nothing: what was tried last is the joint answer.
    Found,
    /// Nothing: there is no joint answer.
    GiveUp,
}

/// A search among answers that cannot be joined all together. The shortest beginning that cannot be joined loses its last
/// answer, and so on, each after as many attempts as there are halvings. At least one answer stays.
#[derive(Debug)]
pub(super) struct Search<E> {
    /// Those that are not left out.
    kept: Vec<usize>,
    /// The first so many of them go together.
    good: usize,
    /// The first so many do not, and why.
    bad: usize,
    why: E,
    left_out: Vec<(usize, E)>,
    tried: Tried,
}

#[derive(Debug, Clone, Copy)]
enum Tried {
    Nothing,
    Beginning,
    Kept,
}

impl<E: Clone> Search<E> {
    /// The search among so many answers that cannot be joined all together, for this reason.
    pub(super) fn new(count: usize, why: E) -> Self {
        let kept = (0..count).collect();
        Self { kept, good: 0, bad: count, why, left_out: Vec::new(), tried: Tried::Nothing }
    }

    /// What is tried now; first no answer at all, since a `merge` that fails on nothing is nobody else's fault.
    pub(super) fn attempt(&self) -> &[usize] {
        match self.tried {
            Tried::Nothing => &[],
            Tried::Beginning => &self.kept[..self.half()],
            Tried::Kept => &self.kept,
        }
    }

    /// What was left out, and why.
    pub(super) fn left_out(self) -> Vec<(usize, E)> {
        self.left_out
    }

    /// Learns what became of the attempt.
    pub(super) fn told(&mut self, failure: Option<E>) -> Next {
        match (self.tried, failure) {
            (Tried::Nothing, None) => {}
            (Tried::Nothing, Some(_)) => return Next::GiveUp,
            (Tried::Beginning, None) => self.good = self.half(),
            (Tried::Beginning, Some(why)) => (self.bad, self.why) = (self.half(), why),
            (Tried::Kept, None) => return Next::Found,
            (Tried::Kept, Some(why)) => (self.bad, self.why) = (self.kept.len(), why),
        }
        if self.bad > self.good + 1 {
            self.tried = Tried::Beginning;
            return Next::Attempt;
        }
        if self.kept.len() < 2 || self.left_out.len() == LEFT_OUT_MAX {
            return Next::GiveUp;
        }
        self.left_out.push((self.kept.remove(self.bad - 1), self.why.clone()));
        self.tried = Tried::Kept;
        Next::Attempt
    }

    fn half(&self) -> usize {
        self.good.midpoint(self.bad)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    /// What is left out among so many answers, and how many attempts that took.
    fn searched(count: usize, joins: impl Fn(&[usize]) -> bool) -> (Option<Vec<usize>>, usize) {
        let mut search = Search::new(count, ());
        for attempts in 1.. {
            let failure = (!joins(search.attempt())).then_some(());
            match search.told(failure) {
                Next::Attempt => {}
                Next::Found => {
                    assert!(joins(search.attempt()));
                    return (Some(search.left_out().into_iter().map(|(number, ())| number).collect()), attempts);
                }
                Next::GiveUp => return (None, attempts),
            }
        }
        unreachable!("it ends")
    }

    proptest! {
        #[test]
        fn liars_are_found_whoever_they_are(count in 2_usize..120, liars in btree_set(0_usize..120, 1..20)) {
            let liars: Vec<usize> = liars.into_iter().filter(|liar| *liar < count).collect();
            prop_assume!(!liars.is_empty());
            let (found, attempts) = searched(count, |tried| !tried.iter().any(|one| liars.contains(one)));
            let few = liars.len() <= LEFT_OUT_MAX && liars.len() < count;
            prop_assert_eq!(found, few.then(|| liars.clone()));
            prop_assert!(attempts <= 1 + (LEFT_OUT_MAX + 1) * 9, "{attempts} attempts");
        }

        #[test]
        fn what_is_too_much_together_loses_no_more_than_it_must(sizes in prop::collection::vec(1_usize..100, 2..60)) {
            let mut sizes = sizes;
            sizes.sort_unstable();
            let fits = |tried: &[usize]| tried.iter().map(|one| sizes[*one]).sum::<usize>() <= 1_000;
            prop_assume!(sizes.iter().sum::<usize>() > 1_000);
            if let Some(left_out) = searched(sizes.len(), fits).0 {
                let kept: usize = (0..sizes.len()).filter(|one| !left_out.contains(one)).map(|one| sizes[one]).sum();
                prop_assert!(kept <= 1_000 && left_out.iter().all(|one| kept + sizes[*one] > 1_000));
            }
        }
    }

    #[test]
    fn two_that_fail_only_together_lose_the_later_one() {
        let (left_out, _) = searched(9, |tried| !(tried.contains(&2) && tried.contains(&6)));
        assert_eq!(left_out, Some(vec![6]));
    }

    #[test]
    fn nobody_is_left_out_where_everything_fails() {
        assert_eq!(searched(50, |_| false), (None, 1));
        assert_eq!(searched(3, <[usize]>::is_empty).0, None, "all of them lie");
        assert_eq!(searched(1, <[usize]>::is_empty).0, None);
        assert_eq!(searched(17, |tried| tried.len() < 2).0.map(|left_out| left_out.len()), Some(16));
    }
}
