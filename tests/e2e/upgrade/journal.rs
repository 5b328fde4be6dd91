//! The journal that a killed gateway of an earlier version left: it opens, the run that was cut off gets its receipt, the
//! receipt log goes on from the old head, and old answers are the bytes they were. No center runs.

use std::path::Path;

use iog_home::Home;
use iog_protocol::receipt::log_origin;
use iog_protocol::run::{Outcome, RunAnswer};
use iog_tlog::{Checkpoint, Tree, leaf_hash};
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::recorded::{Head, OLD_HAND, Recorded};
use super::revived::{gateway, turn};
use crate::harness::play;

/// The head beside the journal, verified with the home's key.
fn head(home: &Home) -> Checkpoint {
    let bytes = std::fs::read(home.receipts_head_path()).expect("there is a head");
    let key = home.receipt_key().expect("the home has a key").public();
    let log = key.vkey(&log_origin(home.trust_domain(), home.domain())).expect("a good key");
    Checkpoint::open(&bytes, &log).expect("its signature holds")
}

async fn open(journal: &Path) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(&format!("sqlite://{}", journal.display())).await.expect("the journal opens")
}

/// The receipt log over all entries of the journal.
async fn tree(journal: &mut AnyConnection) -> Tree {
    let rows = sqlx::query("SELECT entry FROM receipts ORDER BY position").fetch_all(journal).await.expect("entries");
    Tree::from_leaves(rows.iter().map(|row| leaf_hash(&row.get::<Vec<u8>, _>(0))))
}

async fn answer(journal: &mut AnyConnection, id: &str) -> Option<Vec<u8>> {
    let row = sqlx::query("SELECT answer FROM runs WHERE request_id = $1").bind(id).fetch_one(journal).await;
    row.expect("the run is known").get(0)
}

/// What counts against quotas, one line each: caller, service, and the target's value for a target.
async fn counted(journal: &Path) -> Vec<String> {
    let mut journal = open(journal).await;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut journal).await.expect("a version");
    let query = if version == 1 {
        "SELECT caller || ' ' || service || ' runs ' || accepted_at FROM runs WHERE counted = 1 UNION ALL
         SELECT caller || ' ' || service || ' targets/' || parameter || value || ' ' || asked_at FROM targets ORDER BY 1"
    } else {
        "SELECT caller || ' ' || service || ' ' || kind || item || ' ' || reserved_at FROM ledger
         WHERE state = 'settled' ORDER BY 1"
    };
    let texts = sqlx::query_scalar(query).fetch_all(&mut journal).await.expect("texts");
    journal.close().await.expect("it closes");
    texts
}

#[test]
fn a_cut_off_run_gets_its_receipt_and_the_receipt_log_goes_on() {
    let _turn = turn();
    for recorded in Recorded::every() {
        recorded.cut_off();
        let home = recorded.home(OLD_HAND);
        assert_eq!(Head::of(&head(&home)), recorded.facts.receipts);
        play(async {
            let before = counted(&home.journal_path()).await;
            assert!(before.iter().any(|entry| entry.contains(" targets/target")), "{before:?}");
            gateway(&recorded, OLD_HAND).await.close().await;
            let after = counted(&home.journal_path()).await;
            let gone: Vec<_> = before.iter().filter(|entry| !after.contains(entry)).collect();
            assert!(after.iter().all(|entry| before.contains(entry)), "{after:?}");
            assert!(gone.len() <= 1, "only the run that was cut off counts no longer: {gone:?}");
            let mut journal = open(&home.journal_path()).await;
            let tree = tree(&mut journal).await;
            let old = &recorded.facts.receipts;
            assert_eq!(Head::of(&head(&home)), Head::of(&Checkpoint::new("", tree.len(), tree.root())));
            assert_eq!(tree.len(), old.size + 1, "one more, for the run that was cut off");
            let root = tree.root_at(old.size).expect("it is longer");
            assert_eq!(Head::of(&Checkpoint::new("", old.size, root)), *old, "before it nothing has changed");
            let cut_off = answer(&mut journal, recorded.facts.unfinished.as_str()).await.expect("it is answered now");
            let cut_off: RunAnswer = serde_json::from_slice(&cut_off).expect("an answer");
            assert!(matches!(cut_off.outcome, Outcome::Failed { .. }), "{}", cut_off.outcome);
            for exchange in recorded.exchanges().into_iter().filter(|exchange| exchange.domain == OLD_HAND) {
                let told: RunAnswer = serde_json::from_slice(&exchange.answer).expect("an answer");
                assert_eq!(answer(&mut journal, told.request_id.as_str()).await, Some(exchange.answer));
            }
        });
    }
}
