//! Requests from the wire to the receipt, with the shipped `hello` analysis on real rows: once only, always with a receipt,
//! and nothing lost when the gateway is cut off.

use std::sync::Arc;
use std::time::Duration;

use iog_machine::{Clock, ManualClock};
use iog_protocol::receipt::{ReceiptView, VerifiedReceipt, log_origin};
use iog_protocol::run::{Outcome, RunAnswer, RunRequest};
use iog_protocol::statements::Target;
use iog_tlog::VerifierKey;

use super::lifecycle::{LifecycleError, new_run};
use super::submit::{SubmitError, Submitted};
use super::under_way::Stage;
use crate::admit;
use crate::config::{
    AllowConfig, CapacityConfig, CoverageConfig, LimitsConfig, QuotaConfig, ServiceConfig, TargetsConfig,
};
use crate::db::{Store, StoreError};
use crate::executor::Executor;
use crate::grants::Given;
use crate::identity::{NotAccepted, Shown, identify};
use crate::journal::{self, Begin};
use crate::parts::{Parts, Recording};
use crate::queue::Full;
use crate::receipt_log::{self, ReceiptLogError};
use crate::receipts::{Letterhead, Receipts};
use crate::registry::RegistryCell;
use crate::services::{Service, Services};
use crate::testkit::{self, Counting, World, hello, id, key, now, request, signed};
use crate::vantage::Vantage;

mod places;
#[cfg(unix)]
mod stuck;

pub(crate) struct Gateway {
    pub(crate) world: World,
    pub(crate) parts: Parts,
    clock: Arc<ManualClock>,
    folder: Arc<tempfile::TempDir>,
}

impl Gateway {
    pub(crate) async fn new(quota: QuotaConfig) -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()), quota).await
    }

    async fn at(folder: Arc<tempfile::TempDir>, quota: QuotaConfig) -> Self {
        let world = World::new();
        let sandbox = testkit::sandbox();
        let mut service = Service::new("hello".parse().unwrap(), config(quota));
        service.prepared = Ok(testkit::prepared(&sandbox, folder.path()).await.unwrap());
        let services = Arc::new(Services::default());
        services.replace([service]);
        let store = Arc::new(opened(&folder.path().join("journal.sqlite")).await);
        let log = receipt_log::open(&store, &key(40), &origin(&world), &head(&folder)).await.unwrap();
        let letterhead = Letterhead::new(id("gateway"), sandbox.engine_info());
        let (receipts, _) = Receipts::start(letterhead, Arc::new(Counting::default()), log, Arc::clone(&store));
        let clock = Arc::new(ManualClock::new(now()));
        let vantage = Arc::new(Vantage {
            domain: id("gateway"),
            registry: Arc::new(RegistryCell::new(Arc::new(world.registry.clone()), Some(now()))),
            registry_age_max_h: 24,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        });
        let executor = Executor { sandbox, query_memory_bytes: 64 << 20 };
        let compiling = Arc::new(iog_sandbox::Compiling::Here);
        let capacity = CapacityConfig {
            runs_max: 4,
            runs_per_caller_max: Some(4),
            queue_max: 4,
            per_caller_max: 4,
            refusals_per_hour_max: 3,
            ..CapacityConfig::default()
        };
        let parts = Parts::new(&capacity, 1, services, Recording { vantage, executor, store, receipts, compiling });
        Self { world, parts, clock, folder }
    }

    /// What the domain of that name shows.
    fn shown(&self, name: &str) -> Shown {
        Shown { peer: Some(self.world.peer(name)), token: Some(self.world.token(name, 3, |_| ())) }
    }

    async fn submit(&self, request: &RunRequest) -> Result<Submitted, SubmitError> {
        let envelope = signed(request, 21).to_bytes();
        self.parts.submitter.submit(&self.shown("caller"), &envelope, None, Duration::from_secs(60)).await
    }

    fn vantage(&self) -> &Vantage {
        &self.parts.submitter.vantage
    }

    fn store(&self) -> &Arc<Store> {
        &self.parts.lifecycle.store
    }

    async fn stored(&self, request: &RunRequest) -> Option<journal::StoredRun> {
        journal::stored(self.store(), &id("caller"), &request.request_id).await.unwrap()
    }

    async fn answer(&self, request: &RunRequest) -> (RunAnswer, VerifiedReceipt) {
        let Submitted::Answer(bytes) = self.submit(request).await.unwrap() else { panic!("still under way") };
        let answer: RunAnswer = serde_json::from_slice(&bytes).unwrap();
        let receipt = answer.receipt.verify(&self.log_key()).unwrap();
        receipt.fits(&answer).unwrap();
        assert_eq!(receipt.request, signed(request, 21).digest());
        (answer, receipt)
    }

    fn log_key(&self) -> VerifierKey {
        key(40).public().vkey(&origin(&self.world)).unwrap()
    }

    async fn receipts(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM receipts").fetch_one(self.store().readers()).await.unwrap()
    }

    /// As if the process had been killed: nothing is finished, the lock is gone.
    fn kill(self) -> Arc<tempfile::TempDir> {
        self.folder
    }
}

/// The journal, as soon as the gateway before has let go of it: its last task may end after the test has dropped it.
async fn opened(path: &std::path::Path) -> Store {
    loop {
        match Store::open(path).await {
            Err(StoreError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return opened.unwrap(),
        }
    }
}

fn origin(world: &World) -> String {
    log_origin(&world.registry.founding().trust_domain, &id("gateway"))
}

fn head(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("receipts-head")
}

fn config(quota: QuotaConfig) -> ServiceConfig {
    ServiceConfig {
        module: iog_module::ModuleRef::Digest(hello()),
        bind: [("flows".parse().unwrap(), "border".parse().unwrap())].into(),
        allow: AllowConfig { callers: ["members".parse().unwrap()].into(), ..AllowConfig::default() },
        interfaces: Given::default(),
        limits: LimitsConfig::default(),
        quota,
        coverage: CoverageConfig::default(),
    }
}

#[tokio::test]
async fn a_run_gives_its_result_with_a_receipt_that_proves_it() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let (answer, receipt) = gateway.answer(&request(1)).await;
    assert_eq!(answer.outcome, Outcome::Succeeded, "{:?}", answer.outcome);
    assert!(answer.result.unwrap().as_str().contains('7'), "3 and 4 packets went there");
    assert_eq!(receipt.module, hello());
    assert!(receipt.module_log_index.is_some());
    assert_eq!(receipt.service, Some("hello".parse().unwrap()));
    assert!(receipt.cost.fuel.is_power_of_two() && receipt.cost.rows == 2, "{:?}", receipt.cost);
}

#[tokio::test]
async fn both_views_are_of_one_leaf_and_only_the_providers_is_exact() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let (answer, seen) = gateway.answer(&request(1)).await;
    let kept: Vec<u8> =
        sqlx::query_scalar("SELECT provider_view FROM receipts").fetch_one(gateway.store().readers()).await.unwrap();
    let kept: ReceiptView = serde_json::from_slice(&kept).unwrap();
    assert_eq!(kept.body, answer.receipt.body);
    let kept = kept.verify(&gateway.log_key()).unwrap();
    let provider = kept.provider().unwrap();
    assert_eq!(provider.cost_exact.quantised(), seen.cost);
    assert!(!provider.cost_exact.fuel.is_power_of_two());
    assert_eq!(provider.purpose, "incident");
    assert_eq!(provider.snapshots.len(), 1);
    let text = serde_json::to_string(&answer.receipt).unwrap();
    assert!(!text.contains("incident") && !text.contains(&provider.snapshots.values().next().unwrap().hex()));
}

#[tokio::test]
async fn a_repetition_gets_the_stored_answer_and_runs_nothing() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let first = gateway.submit(&request(1)).await.unwrap();
    assert_eq!(gateway.submit(&request(1)).await.unwrap(), first);
    assert_eq!(gateway.receipts().await, 1);
    let other = RunRequest { purpose: "another".into(), ..request(1) };
    assert!(matches!(gateway.submit(&other).await, Err(SubmitError::Lifecycle(LifecycleError::OtherRequest { .. }))));
    let gateway = Gateway::at(gateway.kill(), QuotaConfig::default()).await;
    assert_eq!(gateway.submit(&request(1)).await.unwrap(), first, "also after a restart");
}

#[tokio::test]
async fn the_same_request_at_once_runs_once() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let request = request(1);
    let (one, two) = tokio::join!(gateway.submit(&request), gateway.submit(&request));
    let answered = [&one, &two].into_iter().filter(|reply| reply.is_ok()).count();
    let in_flight = [&one, &two]
        .into_iter()
        .filter(|reply| matches!(reply, Err(SubmitError::Lifecycle(LifecycleError::InFlight))))
        .count();
    assert!(answered >= 1 && answered + in_flight == 2);
    assert_eq!(gateway.receipts().await, 1);
}

#[tokio::test]
async fn every_refusal_has_a_receipt_and_costs_no_quota() {
    let quota = QuotaConfig { runs_per_hour_max: Some(1), ..QuotaConfig::default() };
    let gateway = Gateway::new(quota).await;
    let mut refused = Vec::new();
    for (number, params) in [(1, serde_json::json!({})), (2, serde_json::json!({"target": 5}))] {
        let (answer, receipt) = gateway.answer(&RunRequest { params: params.into(), ..request(number) }).await;
        let Outcome::Refused { code, .. } = answer.outcome else { panic!("{:?}", answer.outcome) };
        assert_eq!(receipt.result_digest, None);
        refused.push(code);
    }
    assert_eq!(refused, ["bad-params", "bad-params"]);
    assert!(gateway.answer(&request(3)).await.0.outcome.is_success());
    let Outcome::Refused { code, .. } = gateway.answer(&request(4)).await.0.outcome else { panic!() };
    assert_eq!(code, "quota-exceeded");
    assert_eq!(gateway.receipts().await, 4);
}

#[tokio::test]
async fn who_is_refused_too_often_is_turned_away_before_the_journal() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    gateway.answer(&request(9)).await;
    for number in 1..=3 {
        let (answer, _) = gateway.answer(&RunRequest { entry: "absent".parse().unwrap(), ..request(number) }).await;
        assert!(matches!(answer.outcome, Outcome::Refused { .. }), "{:?}", answer.outcome);
    }
    for number in 4..=5 {
        let turned_away = gateway.submit(&request(number)).await;
        assert!(matches!(turned_away, Err(SubmitError::Refused(_))), "{turned_away:?}");
    }
    assert_eq!(gateway.receipts().await, 4);
    assert_eq!(gateway.stored(&request(4)).await, None);
    assert!(gateway.answer(&request(9)).await.0.outcome.is_success(), "what is known is still told");
}

#[tokio::test]
async fn a_target_wider_than_the_provider_answers_is_refused() {
    let targets = TargetsConfig {
        parameter: "target".into(),
        distinct_per_day_max: 20,
        min_prefix_v4: Some(24),
        min_prefix_v6: Some(48),
    };
    let gateway = Gateway::new(QuotaConfig { targets: Some(targets), ..QuotaConfig::default() }).await;
    let ask =
        |number, target: &str| RunRequest { params: serde_json::json!({ "target": target }).into(), ..request(number) };
    let (answer, _) = gateway.answer(&ask(1, "0.0.0.0/0")).await;
    let Outcome::Refused { code, reason } = answer.outcome else { panic!("{:?}", answer.outcome) };
    assert_eq!(code, "policy-denied");
    assert!(reason.contains("/24"), "{reason}");
    assert!(gateway.answer(&ask(2, "192.0.2.1")).await.0.outcome.is_success());
}

#[tokio::test]
async fn targets_are_counted_by_their_value() {
    let targets =
        TargetsConfig { parameter: "target".into(), distinct_per_day_max: 1, min_prefix_v4: None, min_prefix_v6: None };
    let gateway = Gateway::new(QuotaConfig { targets: Some(targets), ..QuotaConfig::default() }).await;
    let about =
        |number, target: &str| RunRequest { params: serde_json::json!({"target": target}).into(), ..request(number) };
    assert!(gateway.answer(&about(1, "192.0.2.1")).await.0.outcome.is_success());
    assert!(!gateway.answer(&about(2, "192.0.2.9")).await.0.outcome.is_success());
    assert!(gateway.answer(&about(3, "192.0.2.1")).await.0.outcome.is_success());
}

#[tokio::test]
async fn a_revoked_module_does_not_run() {
    let mut gateway = Gateway::new(QuotaConfig::default()).await;
    gateway.world.revoke(Target::Module(hello()));
    gateway.vantage().registry.replace(Arc::new(gateway.world.registry.clone()), now());
    let Outcome::Refused { code, .. } = gateway.answer(&request(1)).await.0.outcome else { panic!() };
    assert_eq!(code, "module-not-effective");
}

#[tokio::test]
async fn on_an_old_registry_nothing_runs_until_the_center_confirms_it() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let confirmed = |hours: i64| {
        let registry = Arc::new(gateway.world.registry.clone());
        gateway.vantage().registry.replace(registry, now().plus_hours(-hours));
    };
    confirmed(25);
    let (answer, receipt) = gateway.answer(&request(1)).await;
    let Outcome::Refused { code, reason } = answer.outcome else { panic!("{:?}", answer.outcome) };
    assert_eq!((code.as_str(), reason.contains("24 h")), ("registry-stale", true), "{reason}");
    assert_eq!(receipt.module_log_index, None);
    confirmed(24);
    assert_eq!(gateway.answer(&request(2)).await.0.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn what_is_not_authenticated_leaves_no_trace() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let envelope = signed(&request(1), 21).to_bytes();
    let other = gateway.shown("other");
    let refused = gateway.parts.submitter.submit(&other, &envelope, None, Duration::from_secs(1)).await;
    assert!(matches!(refused, Err(SubmitError::NotAccepted(NotAccepted::Signature { .. }))));
    assert_eq!(gateway.receipts().await, 0);
    assert_eq!(gateway.stored(&request(1)).await, None);
}

#[tokio::test]
async fn a_token_that_ends_while_the_body_comes_is_not_enough() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let shown = gateway.shown("caller");
    identify(&shown, &gateway.vantage().here()).unwrap();
    gateway.clock.advance(3_700);
    let envelope = signed(&request(1), 21).to_bytes();
    let refused = gateway.parts.submitter.submit(&shown, &envelope, None, Duration::from_secs(1)).await;
    assert!(matches!(refused, Err(SubmitError::NotAccepted(NotAccepted::Token { expired: true, .. }))), "{refused:?}");
    assert_eq!(gateway.stored(&request(1)).await, None);
}

#[tokio::test]
async fn a_run_that_was_cut_off_gets_one_receipt_of_failure_at_the_next_start_and_costs_no_quota() {
    let quota = QuotaConfig { runs_per_hour_max: Some(1), ..QuotaConfig::default() };
    let gateway = Gateway::new(quota.clone()).await;
    let envelope = signed(&request(1), 21).to_bytes();
    let here = gateway.vantage().here();
    let asked = admit::accept(&envelope, identify(&gateway.shown("caller"), &here).unwrap(), &here).unwrap();
    let service = gateway.parts.submitter.services.choose(&asked.request, None).unwrap();
    let begun = journal::begin(gateway.store(), &new_run(&asked, Some(&service), now())).await.unwrap();
    assert!(matches!(begun, Begin::New(_)));
    drop(service);
    let gateway = Gateway::at(gateway.kill(), quota).await;
    let clock = ManualClock::new(now());
    for _ in 0..2 {
        let lifecycle = &gateway.parts.lifecycle;
        let registry = &gateway.vantage().registry;
        crate::gateway::finish_cut_off(&lifecycle.store, &lifecycle.receipts, registry, &clock).await.unwrap();
    }
    assert_eq!(gateway.receipts().await, 1);
    let (answer, receipt) = gateway.answer(&request(1)).await;
    assert!(matches!(answer.outcome, Outcome::Failed { .. }));
    assert_eq!(receipt.caller, id("caller"));
    assert!(gateway.answer(&request(2)).await.0.outcome.is_success(), "the stop was the gateway's");
}

#[tokio::test]
async fn a_changed_or_lost_receipt_stops_the_gateway_at_its_start() {
    for damage in [
        "UPDATE receipts SET entry = x'00' WHERE position = 0",
        "DELETE FROM receipts WHERE position = 0",
        "DELETE FROM receipts WHERE position = 1",
        "DELETE FROM checkpoint",
    ] {
        let gateway = Gateway::new(QuotaConfig::default()).await;
        for number in 1..=2 {
            gateway.answer(&request(number)).await;
        }
        let (store, world) = (Arc::clone(gateway.store()), &gateway.world);
        receipt_log::open(&store, &key(40), &origin(world), &head(&gateway.folder)).await.unwrap();
        sqlx::query(damage).execute(store.writer()).await.unwrap();
        let opened = receipt_log::open(&store, &key(40), &origin(world), &head(&gateway.folder)).await;
        assert!(matches!(opened, Err(ReceiptLogError::Forked { .. })), "{damage}");
    }
}

#[tokio::test]
async fn an_older_copy_of_the_journal_stops_the_gateway_at_its_start() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    gateway.answer(&request(1)).await;
    let (copy, first) = (gateway.folder.path().join("copy.sqlite"), std::fs::read(head(&gateway.folder)).unwrap());
    let into = format!("VACUUM INTO '{}'", copy.display());
    sqlx::query(sqlx::AssertSqlSafe(into)).execute(gateway.store().writer()).await.unwrap();
    gateway.answer(&request(2)).await;
    let (older, path) = (Store::open(&copy).await.unwrap(), head(&gateway.folder));
    let refused = receipt_log::open(&older, &key(40), &origin(&gateway.world), &path).await.unwrap_err().to_string();
    assert!(refused.contains("2 receipts were signed, the journal has 1"), "{refused}");
    // One that went on from the copy is another log, though it is as long.
    let forked = receipt_log::open(&older, &key(40), &origin(&gateway.world), &copy.with_extension("head")).await;
    let (mut forked, entry) = (forked.unwrap(), b"another receipt".to_vec());
    let mut group = forked.sign([iog_tlog::leaf_hash(&entry)]).unwrap();
    let written = receipt_log::Written {
        request_id: request(3).request_id,
        caller: id("caller"),
        entry,
        provider_view: Vec::new(),
        answer: Vec::new(),
        spent: crate::db::ledger::Spent::Everything,
    };
    group.commit(&older, &[written]).await.unwrap();
    let refused = receipt_log::open(&older, &key(40), &origin(&gateway.world), &path).await.unwrap_err().to_string();
    assert!(refused.contains("the first 2 receipts have another root"), "{refused}");
    // The newest journal goes on, also where a stop came before the file was written.
    std::fs::write(&path, first).unwrap();
    let newest = gateway.store();
    receipt_log::open(newest, &key(40), &origin(&gateway.world), &path).await.unwrap();
    assert!(String::from_utf8(std::fs::read(&path).unwrap()).unwrap().contains("\n2\n"), "brought up to date");
}

#[tokio::test]
async fn tiles_and_bundles_show_the_log_and_nothing_of_a_run() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    for number in 1..=3 {
        gateway.answer(&request(number)).await;
    }
    let log = gateway.parts.lifecycle.receipts.log();
    let head = iog_tlog::Checkpoint::open(&log.checkpoint(), &gateway.log_key()).unwrap();
    assert_eq!(head.size, 3);
    let id = iog_tlog::BundleId::new(0, 3).unwrap();
    let mut opened = log.bundle(&**gateway.store(), id).await.unwrap().unwrap();
    let bundle = opened.piece(&**gateway.store()).await.unwrap().unwrap();
    assert_eq!(opened.left(), 0, "three receipts are one piece");
    let entries = iog_tlog::EntryBundle::decode_exact(&bundle, id).unwrap().entries;
    let tree = iog_tlog::Tree::from_leaves(entries.iter().map(|entry| iog_tlog::leaf_hash(entry)));
    assert_eq!(tree.root(), head.root);
    let text = String::from_utf8_lossy(&entries[0]).into_owned();
    assert!(!text.contains("incident") && !text.contains("packets-to"));
}

#[tokio::test]
async fn a_waiting_run_whose_module_is_revoked_is_stopped_with_a_receipt() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let places: Vec<_> = (0..4).map(|_| gateway.parts.submitter.queue.enter(&id("other"), &hello()).unwrap()).collect();
    let parts = gateway.parts.clone();
    let stop = tokio::spawn(async move {
        let under_way = &parts.lifecycle.under_way;
        while parts.submitter.queue.load().1 == 0 || under_way.count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let run = under_way.find(&id("caller"), &request(1).request_id).unwrap();
        assert_eq!(run.stage(), Stage::Queued);
        under_way.stop_unless(|module| *module != hello());
    });
    let (answer, _) = gateway.answer(&request(1)).await;
    stop.await.unwrap();
    assert_eq!(answer.outcome, Outcome::Cancelled);
    drop(places);
    tokio::time::timeout(Duration::from_secs(5), gateway.parts.lifecycle.under_way.idle()).await.unwrap();
    assert_eq!(gateway.parts.submitter.queue.load(), (0, 0));
}

#[tokio::test]
async fn what_does_not_fit_the_queue_is_not_accepted_but_known_answers_are_given() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let first = gateway.submit(&request(1)).await.unwrap();
    let _places: Vec<_> =
        (0..4).map(|_| gateway.parts.submitter.queue.enter(&id("caller"), &hello()).unwrap()).collect();
    assert!(matches!(gateway.submit(&request(2)).await, Err(SubmitError::Full(Full::Caller { max: 4 }))));
    assert_eq!(gateway.submit(&request(1)).await.unwrap(), first);
    assert_eq!(gateway.receipts().await, 1);
}

#[tokio::test]
async fn a_receipt_that_the_disk_refuses_is_written_when_it_takes_it_again() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    gateway.answer(&request(1)).await;
    let store = Arc::clone(gateway.store());
    sqlx::query("ALTER TABLE receipts RENAME TO away").execute(store.writer()).await.unwrap();
    let mend = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sqlx::query("ALTER TABLE away RENAME TO receipts").execute(store.writer()).await.unwrap();
    });
    let (answer, receipt) = gateway.answer(&request(2)).await;
    mend.await.unwrap();
    assert!(answer.outcome.is_success());
    assert_eq!((receipt.leaf_index(), receipt.checkpoint().size), (1, 2));
    assert_eq!(gateway.receipts().await, 2);
    let head = head(&gateway.folder);
    receipt_log::open(gateway.store(), &key(40), &origin(&gateway.world), &head).await.unwrap();
}

#[tokio::test]
async fn many_at_once_each_get_a_receipt_of_one_log() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let mut leaves = std::collections::BTreeSet::new();
    let requests: Vec<_> = (1..=4).map(request).collect();
    for (_, receipt) in futures::future::join_all(requests.iter().map(|r| gateway.answer(r))).await {
        leaves.insert(receipt.leaf_index());
    }
    assert_eq!(leaves, (0..4).collect());
}
