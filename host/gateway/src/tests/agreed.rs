//! What inspection lets through the data engine plans and reads nothing more of, and what it finds too large the engine finds
//! too large: on random queries of the constructs that are allowed, made in chains that would explode. And none of them takes long to be planned.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use iog_data::{Dataset, Engine, PlanError, Planned, QuerySpec, SourceSpec};
use iog_inspect::{QueryFinding, columns_of};
use iog_protocol::ids::SlotName;
use iog_protocol::manifest::Manifest;
use iog_protocol::schemas::{Schema, schema};

use crate::datasets::table;
use crate::prepare::query;

/// Random queries of a usual run of the tests.
const QUERIES: usize = 300;
/// Random queries of a long run.
const QUERIES_LONG: usize = 5_000;
/// What planning one of them may take, in a build that is not optimised, on a busy machine.
const PLANNED_MAX: Duration = Duration::from_secs(10);
/// What one is refused in.
const REFUSED_MAX: Duration = Duration::from_secs(1);

/// A number after the other, the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A number over the columns `n`, `t` and `src` of one table.
    fn number(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.one(&["n", "n", "7", "0"]).to_owned();
        }
        let (a, b) = (self.number(depth - 1), self.number(depth - 1));
        match self.below(10) {
            0 => format!("{a} + {b}"),
            1 => format!("({a} / {b})"),
            2 => format!("abs({a})"),
            3 => format!("coalesce({a}, {b})"),
            4 => format!("nullif({a}, {b})"),
            5 => format!("CASE WHEN {} THEN {a} ELSE {b} END", self.condition(depth - 1)),
            6 => format!("length({})", self.text(depth - 1)),
            7 => format!("cast({} AS bigint)", self.text(depth - 1)),
            8 => format!("CASE {a} WHEN {b} THEN 1 ELSE {a} END"),
            _ => format!("{a} % {b}"),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.one(&["t", "t", "'x%'", "ip_text(src)"]).to_owned();
        }
        let (a, b) = (self.text(depth - 1), self.text(depth - 1));
        match self.below(10) {
            0 | 1 => format!("{a} || {b}"),
            2 => format!("lower({a})"),
            3 => format!("substr({a}, {}, 3)", self.number(depth - 1)),
            4 => format!("substr(coalesce({a}, {b}), 1)"),
            5 => format!("cast({} AS text)", self.number(depth - 1)),
            6 => format!("coalesce({a}, {b})"),
            _ => format!("CASE WHEN {} THEN {a} ELSE {b} END", self.condition(depth - 1)),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.one(&["n > 3", "t LIKE 'a%'", "ip_in(src, '10.0.0.0/8')", "t IS NULL"]).to_owned();
        }
        match self.below(9) {
            0 => format!("({} AND {})", self.condition(depth - 1), self.condition(depth - 1)),
            1 => format!("({} OR {})", self.condition(depth - 1), self.condition(depth - 1)),
            2 => format!("NOT {}", self.condition(depth - 1)),
            3 => format!("{} BETWEEN {} AND 9", self.number(depth - 1), self.number(depth - 1)),
            4 => format!("{} IN ({}, 2)", self.number(depth - 1), self.number(depth - 1)),
            5 => format!("{} LIKE {}", self.text(depth - 1), self.text(depth - 1)),
            6 => format!("src IN (SELECT src FROM {})", self.one(&["flows", "base"])),
            7 => format!("({}) IS NOT NULL", self.condition(depth - 1)),
            _ => format!("{} < {}", self.number(depth - 1), self.number(depth - 1)),
        }
    }

    /// A query over `before` that has its columns.
    fn step(&mut self, before: &str) -> String {
        let depth = 1 + self.below(2);
        let (number, text) = (self.number(depth), self.text(depth));
        match self.below(9) {
            0 => format!("SELECT src, {number} AS n, {text} AS t FROM {before}"),
            1 => format!("SELECT src, n, t FROM {before} WHERE {}", self.condition(depth)),
            2 => format!("SELECT src, sum({number}) AS n, max({text}) AS t FROM {before} GROUP BY src"),
            3 => format!("SELECT a.src, a.n, b.t FROM {before} a JOIN {before} b ON a.src = b.src"),
            4 => format!("SELECT a.src, a.n, b.t FROM {before} a LEFT JOIN base b ON a.t = b.t AND a.n > b.n"),
            5 => format!("SELECT src, n, t FROM {before} UNION ALL SELECT src, {number}, {text} FROM base"),
            6 => format!("SELECT DISTINCT src, n, t FROM {before}"),
            7 => format!("SELECT src, n, t FROM {before} ORDER BY {text}, {number} LIMIT 100000"),
            _ => {
                let condition = self.condition(depth);
                format!(
                    "SELECT src, {number} AS n, {text} AS t FROM (SELECT src, n, t FROM {before} WHERE {condition}) q"
                )
            }
        }
    }

    fn query(&mut self) -> String {
        let mut sql = "WITH base AS (SELECT src, bytes AS n, ip_text(dst) AS t FROM flows)".to_owned();
        let mut before = "base".to_owned();
        for at in 0..=self.below(9) {
            let (name, step) = (format!("c{at}"), self.step(&before));
            write!(sql, ", {name} AS ({step})").unwrap();
            before = name;
        }
        let condition = self.condition(1);
        format!("{sql} SELECT src, cast(n AS bigint) AS n, t FROM {before} WHERE {condition}")
    }
}

/// Both readers of SQL, over no rows.
struct Readers {
    engine: Engine,
    data: BTreeMap<String, Arc<Dataset>>,
    slots: BTreeMap<SlotName, &'static Schema>,
}

impl Readers {
    async fn new(slots: &[(&str, &str)]) -> Self {
        let mut data = BTreeMap::new();
        let mut known = BTreeMap::new();
        for (slot, id) in slots {
            let schema = schema(id).unwrap();
            let empty = RecordBatch::new_empty(table(schema).arrow());
            let dataset = Dataset::open(slot, &table(schema), SourceSpec::Memory(vec![empty])).await.unwrap();
            data.insert((*slot).to_owned(), Arc::new(dataset));
            known.insert(slot.parse().unwrap(), schema);
        }
        Self { engine: Engine::new().unwrap(), data, slots: known }
    }

    async fn plan(&self, sql: &str) -> Result<Planned, PlanError> {
        let spec = QuerySpec { name: "q".into(), sql: sql.into(), params: Vec::new() };
        self.engine.plan(self.data.clone(), &[spec]).await
    }
}

#[tokio::test]
async fn random_queries_are_planned_in_time_and_both_readers_agree() {
    agree(QUERIES, 1).await;
}

#[tokio::test]
#[ignore = "takes minutes: cargo test --workspace --lib -- --ignored many_random_queries"]
async fn many_random_queries_are_planned_in_time_and_both_readers_agree() {
    agree(QUERIES_LONG, 20_261_129).await;
}

async fn agree(queries: usize, seed: u64) {
    let (readers, mut random) = (Readers::new(&[("flows", "flow/1")]).await, Random(seed));
    let mut wrong = Vec::new();
    let (mut planned, mut large) = (0, 0);
    for _ in 0..queries {
        let sql = random.query();
        let begun = Instant::now();
        let found = columns_of(&sql, &[], &readers.slots);
        let inspected = begun.elapsed();
        assert!(inspected < REFUSED_MAX, "{inspected:?} to inspect {sql}");
        let begun = Instant::now();
        let outcome = readers.plan(&sql).await;
        let took = begun.elapsed();
        assert!(took < PLANNED_MAX, "{took:?} to plan {sql}");
        match (&found, &outcome) {
            (Ok(found), Ok(plan)) => {
                planned += 1;
                for (slot, read) in plan.columns_read() {
                    let found = found.get(&slot.parse::<SlotName>().unwrap());
                    assert!(found.is_some_and(|found| read.is_subset(found)), "{slot}: {read:?} of {found:?}: {sql}");
                }
            }
            (Err(QueryFinding::TooMuch(inspected)), Err(PlanError::TooMuch { too_much, .. })) => {
                assert_eq!(inspected, too_much, "{sql}");
                large += 1;
            }
            // Types are the engine's matter alone, and so is what has no operator.
            (_, Err(PlanError::Resolve { .. } | PlanError::Result { .. } | PlanError::Forbidden { .. })) => {}
            (Err(QueryFinding::TooLarge { .. }), Err(PlanError::TooLarge { .. } | PlanError::Syntax { .. })) => {}
            (Err(QueryFinding::TooLarge { .. }), Err(PlanError::TooMuch { .. }) | Ok(_)) => {}
            _ => wrong.push(format!("inspected: {found:?}, planned: {:?}\n{sql}", outcome.map(drop))),
        }
    }
    assert!(wrong.is_empty(), "{} of {queries}:\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(planned > queries / 8 && large > queries / 40, "{planned} planned, {large} too large");
}

/// The manifests of the platform's analyses.
fn ours() -> Vec<Manifest> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../modules");
    let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("iog.toml"));
    let texts: Vec<_> = folders.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    assert!(texts.len() >= 5, "they are here");
    texts.iter().map(|text| Manifest::parse(text).unwrap()).collect()
}

/// What inspection shows of them to a reviewer is not more than they read.
#[tokio::test]
async fn the_plans_of_the_platforms_analyses_read_all_that_inspection_finds() {
    for manifest in ours() {
        let slots: Vec<_> = manifest.data.iter().map(|(name, slot)| (name.as_str(), slot.schema.as_str())).collect();
        let readers = Readers::new(&slots).await;
        let queries: Vec<_> = manifest.query.iter().map(|(name, declared)| query(name, declared)).collect();
        let planned = readers.engine.plan(readers.data.clone(), &queries).await.unwrap();
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for declared in manifest.query.values() {
            for (slot, columns) in columns_of(&declared.sql, &declared.params, &readers.slots).unwrap() {
                found.entry(slot.to_string()).or_default().extend(columns);
            }
        }
        assert_eq!(planned.columns_read(), found, "{}", manifest.module.name);
    }
}

#[test]
fn the_platforms_analyses_are_far_below_the_bounds() {
    for manifest in ours() {
        let slots: BTreeMap<_, _> =
            manifest.data.iter().map(|(name, slot)| (name.clone(), schema(&slot.schema).unwrap())).collect();
        for (name, query) in &manifest.query {
            // Eight of it in one query, each of which is computed.
            let whole = query.sql.trim().trim_end_matches(';');
            let eight = [whole; 8].join(" UNION ALL ");
            let found = columns_of(&eight, &query.params, &slots);
            assert!(found.is_ok(), "{name}: {found:?}");
        }
    }
}
