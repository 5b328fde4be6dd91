//! Whatever enters and leaves in whatever order: no share is exceeded, nobody waits beside a free place that is its, who has
//! nothing here is let in, and nobody is overtaken for ever.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const CALLERS: usize = 6;
const MODULES: usize = 3;
const LIMITS: QueueLimits = QueueLimits {
    runs_max: 4,
    runs_per_caller_max: 3,
    runs_per_module_max: 3,
    waiting_max: 5,
    waiting_kept_max: 2,
    per_caller_max: 5,
};

/// One that was taken in, as the test remembers it.
struct Here {
    ticket: Ticket,
    caller: usize,
    module: usize,
    runs: bool,
    /// How many were called before it while it was first of its caller's for its module, and the shares left room.
    overtaken: usize,
}

/// What the queue is compared with.
struct World {
    turns: Turns,
    here: Vec<Here>,
}

fn caller(number: usize) -> DomainId {
    format!("as{number}").parse().unwrap()
}

fn module(number: usize) -> Digest {
    Digest::of(&number.to_le_bytes())
}

impl World {
    fn running(&self, of: impl Fn(&Here) -> bool) -> u32 {
        u32::try_from(self.here.iter().filter(|one| one.runs && of(one)).count()).unwrap()
    }

    fn waiting(&self) -> u32 {
        u32::try_from(self.here.len()).unwrap() - self.running(|_| true)
    }

    fn has_room(&self, one: &Here) -> bool {
        self.running(|other| other.caller == one.caller) < LIMITS.runs_per_caller_max
            && self.running(|other| other.module == one.module) < LIMITS.runs_per_module_max
    }

    fn is_first(&self, one: &Here) -> bool {
        let same = |other: &&Here| !other.runs && (other.caller, other.module) == (one.caller, one.module);
        self.here.iter().find(same).is_some_and(|first| first.ticket == one.ticket)
    }

    fn enter(&mut self, who: usize, what: usize) {
        let mine = self.here.iter().filter(|one| one.caller == who).count();
        let waiting = self.waiting();
        match self.turns.enter(&caller(who), &module(what)) {
            Ok((ticket, entered)) => {
                let runs = entered == Entered::Runs;
                self.here.push(Here { ticket, caller: who, module: what, runs, overtaken: 0 });
            }
            Err(Full::Caller { .. }) => assert_eq!(mine, 5),
            Err(Full::Gateway) if mine == 0 => assert_eq!(waiting, LIMITS.waiting_max + LIMITS.waiting_kept_max),
            Err(Full::Gateway) => assert!(waiting >= LIMITS.waiting_max),
        }
    }

    fn leave(&mut self, at: usize) {
        let gone = self.here.remove(at);
        let next = |one: &&Here| !one.runs && self.is_first(one) && self.has_room(one);
        let ready: Vec<Ticket> = self.here.iter().filter(next).map(|one| one.ticket).collect();
        let called = self.turns.leave(gone.ticket);
        for one in &mut self.here {
            one.runs |= called.contains(&one.ticket);
            if !one.runs && ready.contains(&one.ticket) {
                one.overtaken += called.len();
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.turns.load(), (self.running(|_| true), self.waiting()));
        assert!(self.running(|_| true) <= LIMITS.runs_max && self.waiting() <= 7);
        for number in 0..CALLERS {
            assert!(self.running(|one| one.caller == number) <= LIMITS.runs_per_caller_max);
        }
        for number in 0..MODULES {
            assert!(self.running(|one| one.module == number) <= LIMITS.runs_per_module_max);
        }
        for one in self.here.iter().filter(|one| !one.runs) {
            assert!(self.running(|_| true) == LIMITS.runs_max || !self.has_room(one), "it waits beside its place");
            assert!(one.overtaken < CALLERS * MODULES, "overtaken {} times", one.overtaken);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn shares_hold_and_nobody_is_forgotten(steps in vec((0..3_u8, 0..CALLERS, 0..MODULES, any::<prop::sample::Index>()), 1..200)) {
        let mut world = World { turns: Turns::new(LIMITS), here: Vec::new() };
        for (kind, who, what, at) in steps {
            if kind == 0 && !world.here.is_empty() {
                world.leave(at.index(world.here.len()));
            } else {
                world.enter(who, what);
            }
            world.check();
        }
        while !world.here.is_empty() {
            world.leave(0);
            world.check();
        }
        let Turns { requests, callers, modules, lines, .. } = world.turns;
        prop_assert!(requests.is_empty() && callers.is_empty() && modules.is_empty() && lines.is_empty());
    }
}

/// A crowd of callers that has the places of a module again and again delays one that asks for another module not at all.
#[test]
fn a_crowd_that_never_ends_is_one_turn_each() {
    let mut turns = Turns::new(LIMITS);
    let mut crowd: VecDeque<Ticket> =
        (0..4).filter_map(|number| Some(turns.enter(&caller(number), &module(0)).ok()?.0)).collect();
    let (_, entered) = turns.enter(&caller(4), &module(1)).unwrap();
    assert_eq!((entered, turns.load()), (Entered::Runs, (4, 1)));
    let (mine, entered) = turns.enter(&caller(5), &module(0)).unwrap();
    assert_eq!(entered, Entered::Waits);
    let mut served: HashMap<Ticket, usize> = HashMap::new();
    for round in 0..4 {
        let gone = crowd.pop_front().unwrap();
        for called in turns.leave(gone) {
            served.insert(called, round);
        }
        crowd.extend(turns.enter(&caller(round % 4), &module(0)).ok().map(|(ticket, _)| ticket));
    }
    assert!(served[&mine] <= 1, "after those that waited before it: {served:?}");
}
