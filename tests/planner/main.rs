//! The planner of `iog_data` against DataFusion whole: the same queries over the same rows, planned by ours and by its
//! session with default settings, have equal results. Not part of every commit, because it compiles all of DataFusion:
//! `tests/long/run planner`.

mod ours;
mod queries;
mod theirs;
mod world;

use crate::world::Answer;

/// Queries that are generated, besides those that stand in `queries.rs`.
const GENERATED: u64 = 600;

#[tokio::test(flavor = "multi_thread")]
async fn both_planners_answer_alike() {
    let (flows, other) = (world::rows(0, 700), world::rows(350, 90));
    let theirs = theirs::Session::new(&flows, &other).unwrap();
    let ours = ours::Slots::open(flows, other).await.unwrap();
    let mut faults = Vec::new();
    let (mut asked, mut answered) = (0, 0);
    for query in queries::written().into_iter().chain((0..GENERATED).map(queries::generated)) {
        asked += 1;
        let answers = (ours.answer(&query.sql).await, theirs.answer(&query.sql).await);
        match answers {
            (Ok(ours), Ok(theirs)) => {
                answered += usize::from(!ours.is_empty());
                if in_order(ours.clone(), query.ordered) != in_order(theirs.clone(), query.ordered) {
                    faults.push(format!("{}\n  ours {} rows, theirs {}", query.sql, ours.len(), theirs.len()));
                }
            }
            (ours, theirs) => {
                let said = |answer: anyhow::Result<Answer>| answer.map_or_else(|e| format!("{e:#}"), |_| "fine".into());
                faults.push(format!("{}\n  ours: {}\n  theirs: {}", query.sql, said(ours), said(theirs)));
            }
        }
    }
    println!("figures: {asked} queries, {answered} with rows, {} answered differently", faults.len());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(answered * 2 > asked, "only {answered} of {asked} queries have rows");
}

/// Where the query asks for no order, any is fine.
fn in_order(mut answer: Answer, ordered: bool) -> Answer {
    if !ordered {
        answer.sort_unstable();
    }
    answer
}
