//! All cases, two at a time, in batches. After each batch this process must hold what it held before, and nothing may have
//! panicked. What took too long is tried again alone.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::case::{Company, Fault, carry, refusal};
use crate::held::Held;
use crate::kinds::{Kind, MANIFESTS, components};
use crate::panics;
use crate::settings::Settings;
use crate::stage::Stage;

/// Cases of a batch.
const BATCH: usize = 100;
/// Of all cases, one in so many warms up, and at least a batch.
const WARM_UP_SHARE: usize = 10;
/// Cases under way at once: one compiles while the other is inspected.
const AT_ONCE: usize = 2;
/// Faults after which nothing more is tried.
const FAULTS_MAX: usize = 20;

type One = (Kind, u64);

/// What came of all cases.
#[derive(Default)]
pub(crate) struct Found {
    /// How often a kind came how far.
    pub(crate) came: BTreeMap<(&'static str, &'static str), u64>,
    /// What must not be.
    pub(crate) faults: Vec<String>,
    /// Cases that were late beside others and are not alone.
    pub(crate) late_beside_others: u64,
    /// How often the reader of WIT broke off and the component was refused for it.
    pub(crate) caught: u64,
    /// The slowest case, and how long it took from its bytes to its end.
    pub(crate) slowest: Option<(Duration, String)>,
    /// What was held after the warm-up, and at the end.
    pub(crate) held: Option<(Held, Held)>,
}

/// Goes through all cases.
pub(crate) async fn all(settings: &Settings) -> Found {
    let stage = Arc::new(Stage::new().await);
    let cases = cases(settings);
    let warm_up = (cases.len() / WARM_UP_SHARE).max(BATCH);
    let mut found = Found::default();
    let (mut done, mut before, begun) = (0, None::<Held>, Instant::now());
    for batch in cases.chunks(BATCH) {
        found.add(self::batch(&stage, batch).await);
        done += batch.len();
        let now = match &before {
            Some(before) => {
                before.kept_since().await.map_err(|kept| found.faults.push(format!("after {done} cases {kept}")))
            }
            None => Ok(Held::settled().await),
        };
        if let Ok(now) = now {
            let held = before.get_or_insert(now);
            found.held = Some((*held, now));
            eprintln!("{done} of {} cases, {:.0} s: {now:?}", cases.len(), begun.elapsed().as_secs_f64());
        }
        if done < warm_up {
            before = None;
        }
        if found.faults.len() >= FAULTS_MAX {
            break;
        }
    }
    found
}

/// All cases in their order: kinds take turns, so that every batch has some of each.
fn cases(settings: &Settings) -> Vec<One> {
    let kinds = components();
    let count = kinds.len() as u64;
    let component = |at: u64| (kinds[usize::try_from(at % count).unwrap()], settings.first + at / count);
    let mut components = (0..settings.components).map(component);
    let mut manifests = (0..settings.manifests).map(|at| (MANIFESTS, settings.first + at));
    let mut all = Vec::new();
    while let (before, ()) = (all.len(), all.extend(components.next().into_iter().chain(manifests.next())))
        && all.len() > before
    {}
    all
}

/// A few cases at a time, then those alone that were late.
async fn batch(stage: &Arc<Stage>, cases: &[One]) -> Found {
    let left = Arc::new(Mutex::new(cases.iter().copied().collect::<VecDeque<_>>()));
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let (stage, left) = (Arc::clone(stage), Arc::clone(&left));
        workers.spawn(async move {
            let (mut found, mut late) = (Found::default(), Vec::new());
            loop {
                let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(one) = next else { return (found, late) };
                if found.one(&stage, worker, one).await {
                    late.push(one);
                }
            }
        });
    }
    let (mut all, mut late) = (Found::default(), Vec::new());
    while let Some(done) = workers.join_next().await {
        match done {
            Ok((found, more)) => {
                all.add(found);
                late.extend(more);
            }
            Err(error) => all.faults.push(format!("a case broke off: {error}")),
        }
    }
    for one in late {
        all.again(stage, one).await;
    }
    let panics = panics::taken();
    all.caught += panics.caught;
    let names: Vec<_> = cases.iter().map(|one| name(*one)).collect();
    all.faults.extend(panics.faults.into_iter().map(|panic| format!("panicked at {panic}, in one of {names:?}")));
    all
}

impl Found {
    /// One case; whether it was late.
    async fn one(&mut self, stage: &Stage, worker: usize, one: One) -> bool {
        // Whoever finds this program dead finds here what it was at.
        let _ = std::fs::write(kept(&format!("under-way-{worker}")), name(one));
        let begun = Instant::now();
        let (case, mut random) = one.0.case(one.1);
        let came = match case {
            Some(case) => carry(stage, &case, &mut random, Company::Others).await,
            None => Ok("nothing made"),
        };
        let took = begun.elapsed();
        if self.slowest.as_ref().is_none_or(|(slowest, _)| took > *slowest) {
            self.slowest = Some((took, name(one)));
        }
        match came {
            Ok(came) => *self.came.entry((one.0.name, came)).or_default() += 1,
            Err(Fault::Late(_)) => return true,
            Err(Fault::Ours(problem)) => self.fault(one, &problem),
        }
        false
    }

    /// A case that was late, alone.
    async fn again(&mut self, stage: &Stage, one: One) {
        let (case, mut random) = one.0.case(one.1);
        let Some(case) = case else { return };
        match carry(stage, &case, &mut random, Company::Alone).await {
            Ok(came) => {
                *self.came.entry((one.0.name, came)).or_default() += 1;
                self.late_beside_others += 1;
                eprintln!("{} was late beside others, and alone it is not", name(one));
            }
            Err(Fault::Late(problem) | Fault::Ours(problem)) => self.fault(one, &problem),
        }
    }

    fn fault(&mut self, one: One, problem: &str) {
        *self.came.entry((one.0.name, "FAULT")).or_default() += 1;
        self.faults.push(format!(
            "{}: {problem}\n  IOG_SMITH_ONLY={} cargo test --workspace --test smith",
            name(one),
            name(one)
        ));
    }

    fn add(&mut self, other: Self) {
        for (key, count) in other.came {
            *self.came.entry(key).or_default() += count;
        }
        self.faults.extend(other.faults);
        self.late_beside_others += other.late_beside_others;
        self.caught += other.caught;
        self.slowest = [self.slowest.take(), other.slowest].into_iter().flatten().max();
    }
}

/// One case alone, kept as files for whoever looks into it.
pub(crate) async fn alone(one: One) -> Result<&'static str, String> {
    let stage = Stage::new().await;
    let (case, mut random) = one.0.case(one.1);
    let Some(case) = case else { return Ok("nothing made") };
    let file = kept(&name(one).replace(':', "-"));
    std::fs::write(file.with_extension("wasm"), &case.wasm).unwrap();
    std::fs::write(file.with_extension("toml"), case.manifest.as_deref().unwrap_or_default()).unwrap();
    eprintln!("{}.wasm and .toml", file.display());
    let begun = Instant::now();
    let came = carry(&stage, &case, &mut random, Company::Alone).await;
    if let Some(refusal) = refusal(&case) {
        eprintln!("{refusal}");
    }
    eprintln!("{:?}", begun.elapsed());
    let panics = panics::taken();
    match came {
        _ if !panics.faults.is_empty() => Err(format!("panicked: {:?}", panics.faults)),
        Ok(came) => Ok(came),
        Err(fault) => Err(format!("{fault:?}")),
    }
}

fn name((kind, seed): One) -> String {
    format!("{}:{seed}", kind.name)
}

/// A file in the folder that Cargo keeps for tests.
fn kept(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("smith-{name}"))
}
