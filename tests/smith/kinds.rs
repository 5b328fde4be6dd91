//! The kinds of cases. A kind and a seed are a case, the same in every run.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::case::Case;
use crate::random::Random;
use crate::{manifests, mutated, typed};

/// Largest component of a generator, in bytes; the platform takes none that is larger.
const GENERATED_BYTES_MAX: usize = 8 << 20;

/// A kind of case.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    make: Make,
}

#[derive(Clone, Copy)]
enum Make {
    Here(fn(&mut Random) -> Option<Case>),
    /// By the program of the generators.
    There,
}

/// Random manifests.
pub(crate) const MANIFESTS: Kind = Kind { name: "manifest", make: Make::Here(manifests::make) };

/// Components made here.
const HERE: [Kind; 2] = [
    Kind { name: "mutated", make: Make::Here(|random| Some(mutated::make(random))) },
    Kind { name: "typed", make: Make::Here(|random| Some(Case { wasm: typed::make(random)?, manifest: None })) },
];
/// Components of the generators.
const THERE: [Kind; 3] = [
    Kind { name: "core", make: Make::There },
    Kind { name: "component", make: Make::There },
    Kind { name: "world", make: Make::There },
];

/// The kinds of components there are: those of the generators where somebody has built them and says where.
pub(crate) fn components() -> Vec<Kind> {
    let there = generators().map_or(&[][..], |_| &THERE);
    HERE.iter().chain(there).copied().collect()
}

impl Kind {
    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        components().into_iter().chain([MANIFESTS]).find(|kind| kind.name == name)
    }

    /// The case of a seed, and what is drawn from for the call. A generator may give up.
    pub(crate) fn case(self, seed: u64) -> (Option<Case>, Random) {
        match self.make {
            Make::Here(make) => {
                let mut random = Random::new(self.name, seed);
                let case = make(&mut random);
                (case, random)
            }
            Make::There => (generated(self.name, seed), Random::new("call", seed)),
        }
    }
}

fn generated(kind: &str, seed: u64) -> Option<Case> {
    let mut command = Command::new(generators()?);
    command.arg(kind).arg(seed.to_string()).stdin(Stdio::null()).stderr(Stdio::null());
    let made = command.output().expect("the generators start");
    let is_one = made.status.success() && made.stdout.len() <= GENERATED_BYTES_MAX;
    is_one.then_some(Case { wasm: made.stdout, manifest: None })
}

/// The program of the generators.
fn generators() -> Option<&'static PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| std::env::var_os("IOG_SMITH_GENERATORS").map(PathBuf::from)).as_ref()
}
