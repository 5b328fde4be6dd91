//! Whatever begins, is settled, released or cut off, and in whichever order: used is settled plus reserved.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::db::Store;
use iog_protocol::ids::RequestId;

/// Seconds of the earlier and of the later moment asked about, before now.
const LONG_S: i64 = 100;
const SHORT_S: i64 = 10;
const RUNS_MAX: usize = 24;

#[derive(Debug, Clone)]
enum Step {
    /// A run of a caller begins after so many seconds, for an amount and about an item.
    Begin { caller: u8, after_s: i64, amount: u64, item: u8 },
    /// A run that is under way gets its receipt: everything is settled.
    Settle(usize),
    /// It gets one and has used less of the first kind than was reserved, or wants more than that.
    SettleFor(usize, u64),
    /// It is refused.
    Release(usize),
    /// The transaction of a receipt is lost before it is committed.
    Lose(usize),
    /// The process ends and the next one opens the database.
    Crash,
}

/// What a run should be worth, told without the database.
#[derive(Debug, Clone)]
struct Run {
    number: u8,
    caller: u8,
    at: i64,
    amount: u64,
    item: u8,
    open: bool,
    released: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = 0..RUNS_MAX;
    let begin = (0..2_u8, 0..20_i64, 1..5_u64, 0..3_u8).prop_map(|(caller, after_s, amount, item)| Step::Begin {
        caller,
        after_s,
        amount,
        item,
    });
    let step = prop_oneof![
        4 => begin,
        1 => which.clone().prop_map(Step::Settle),
        1 => (which.clone(), 0..7_u64).prop_map(|(run, amount)| Step::SettleFor(run, amount)),
        1 => which.clone().prop_map(Step::Release),
        1 => which.prop_map(Step::Lose),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..RUNS_MAX)
}

fn caller(number: u8) -> DomainId {
    format!("caller{number}").parse().unwrap()
}

fn targets() -> Kind {
    Kind::Targets { parameter: "target".into() }
}

struct Story<'a> {
    path: &'a Path,
    store: Option<Store>,
    now: i64,
    runs: Vec<Run>,
}

impl Story<'_> {
    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    async fn play(&mut self, step: &Step) {
        match *step {
            Step::Begin { caller, after_s, amount, item } => {
                self.now += after_s;
                let number = u8::try_from(self.runs.len()).unwrap();
                let run = Run { number, caller, at: self.now, amount, item, open: true, released: false };
                let entries = [
                    Entry { kind: Kind::Runs, item: String::new(), amount },
                    Entry { kind: targets(), item: item.to_string(), amount: 1 },
                ];
                let at = Timestamp::from_unix(self.now);
                self.write(&run, true, async |write, key| reserve(write, key, "service", at, &entries).await).await;
                self.runs.push(run);
            }
            Step::Settle(which) => self.end(which, Spent::Everything, None, true).await,
            Step::SettleFor(which, amount) => self.end(which, Spent::Everything, Some(amount), true).await,
            Step::Release(which) => self.end(which, Spent::Nothing, None, true).await,
            Step::Lose(which) => self.end(which, Spent::Nothing, Some(0), false).await,
            Step::Crash => {
                drop(self.store.take());
                self.store = Some(Store::open(self.path).await.unwrap());
            }
        }
    }

    async fn end(&mut self, which: usize, spent: Spent, part: Option<u64>, is_durable: bool) {
        let Some(run) = self.runs.get(which).cloned() else { return };
        self.write(&run, is_durable, async |write, key| {
            if let Some(amount) = part {
                settle(write, key, &Kind::Runs, amount).await?;
            }
            close(write, key, spent).await
        })
        .await;
        let run = &mut self.runs[which];
        if is_durable && run.open {
            run.open = false;
            run.released = spent == Spent::Nothing;
            run.amount = part.map_or(run.amount, |part| run.amount.min(part));
        }
    }

    async fn write(
        &self,
        run: &Run,
        is_durable: bool,
        work: impl AsyncFnOnce(&mut Write, RunKey<'_>) -> Result<(), StoreError>,
    ) {
        let (caller, request_id) = (caller(run.caller), RequestId::from_bytes([run.number; 16]));
        let mut write = self.store().write().await.unwrap();
        work(&mut write, RunKey { caller: &caller, request_id: &request_id }).await.unwrap();
        if is_durable {
            write.commit().await.unwrap();
        }
    }

    async fn check(&self) {
        let ago = |seconds: i64| Timestamp::from_unix(self.now - seconds);
        for number in 0..2 {
            let caller = caller(number);
            let counting = |since: i64| {
                self.runs.iter().filter(move |run| run.caller == number && !run.released && run.at > self.now - since)
            };
            let sum = |since: i64| counting(since).map(|run| run.amount).sum::<u64>();
            let account = Account { caller: &caller, service: "service", kind: &Kind::Runs };
            let used = used_since(self.store().readers(), account, [ago(SHORT_S), ago(LONG_S)]).await.unwrap();
            assert_eq!(used, [sum(SHORT_S), sum(LONG_S)], "{:?}", self.runs);
            let others: BTreeSet<u8> = counting(LONG_S).map(|run| run.item).filter(|item| *item != 1).collect();
            let account = Account { kind: &targets(), ..account };
            let found = other_items_since(self.store().readers(), account, "1", ago(LONG_S)).await.unwrap();
            assert_eq!(found, others.len() as u64, "{:?}", self.runs);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn used_is_settled_and_reserved_whatever_happens(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal.sqlite");
            let store = Store::open(&path).await.unwrap();
            let mut story = Story { path: &path, store: Some(store), now: 1_000, runs: Vec::new() };
            for step in &steps {
                story.play(step).await;
                story.check().await;
            }
        });
    }
}
