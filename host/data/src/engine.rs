//! The query engine: declared queries are validated and planned once per binding of slots to datasets, and opened many
//! times with bound parameters. Deterministic: one partition, fixed batches, an allow-list of nodes and functions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion_common::ScalarValue;
use datafusion_common::error::DataFusionError;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_execution::TaskContext;
use datafusion_execution::config::SessionConfig;
use datafusion_execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion_execution::memory_pool::MemoryConsumer;
use datafusion_execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion_expr::planner::ExprPlanner;
use datafusion_expr::{AggregateUDF, LogicalPlan, ScalarUDF, TableSource};
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion_functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion_optimizer::{Analyzer, Optimizer, OptimizerContext};
use datafusion_physical_plan::displayable;
use datafusion_physical_plan::execution_plan::reset_plan_states;
use tokio::sync::Semaphore;

use crate::BATCH_ROWS;
use crate::dataset::Dataset;
use crate::error::{PlanError, QueryError};
use crate::params::{self, ParamSlot, Value};
use crate::physical::{Operators, Refused};
use crate::planner::{NotPlanned, PLANNING_MAX, Planner, on_thread};
use crate::rows::{COMPUTED_AT_ONCE, Held, Rows};
use crate::run::{Deadline, QueryLimits, Run};
use crate::scan::SlotTable;
use crate::schema::{ColumnType, column_type};
use crate::snapshot::Snapshot;
use crate::sql::{Names, QuerySpec};
use crate::total::TotalRule;
use crate::watch::{Current, Exceeded, Watch};
use crate::{allow, functions, guard, physical, rewrite, sql};

/// Plans and runs queries. Cheap to clone and share.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    config: SessionConfig,
    analyzer: Analyzer,
    optimizer: Optimizer,
    planner: Planner,
    /// Places to compute batches in.
    computing: Arc<Semaphore>,
    runtime: Arc<RuntimeEnv>,
    scalars: HashMap<String, Arc<ScalarUDF>>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
    /// For `count(*)`, and for `substr`, which SQL writes in many ways.
    planners: [Arc<dyn ExprPlanner>; 2],
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// An engine without files, catalogs, spilling or any function that is not on the allow-list.
    pub fn new() -> Result<Self, QueryError> {
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).build_arc();
        let runtime = runtime.map_err(|e| QueryError::Internal { reason: e.strip_backtrace() })?;
        let mut analyzer = Analyzer::new();
        analyzer.rules.push(Arc::new(TotalRule));
        let (config, optimizer, planner) = (config(), Optimizer::new(), Planner::new());
        let (scalars, aggregates) = (functions::scalar_functions(), functions::aggregate_functions());
        let planners: [Arc<dyn ExprPlanner>; 2] =
            [Arc::new(AggregateFunctionPlanner), Arc::new(UnicodeFunctionPlanner)];
        let computing = Arc::new(Semaphore::new(COMPUTED_AT_ONCE));
        let inner = Inner { config, analyzer, optimizer, planner, computing, runtime, scalars, aggregates, planners };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Validates and plans queries over the datasets bound to their slots, on a thread of its own. Takes milliseconds a query,
    /// and at most [`PLANNING_MAX`] when it has a place; call it once per module and binding.
    pub async fn plan(
        &self,
        slots: BTreeMap<String, Arc<Dataset>>,
        queries: &[QuerySpec],
    ) -> Result<Planned, PlanError> {
        let (engine, queries, current) = (self.clone(), queries.to_vec(), Current::default());
        let now = current.clone();
        let planned = self.inner.planner.plan(move |ends| engine.plan_all(&slots, queries, ends, &now)).await;
        let limit_ms = u64::try_from(PLANNING_MAX.as_millis()).unwrap_or(u64::MAX);
        planned.unwrap_or_else(|why| {
            let query = current.get();
            Err(match why {
                NotPlanned::Busy => PlanError::Busy { limit_ms },
                NotPlanned::Late => PlanError::Slow { query, limit_ms },
                NotPlanned::Broken(reason) => PlanError::Internal { query, reason },
            })
        })
    }

    fn plan_all(
        self,
        slots: &BTreeMap<String, Arc<Dataset>>,
        queries: Vec<QuerySpec>,
        ends: Deadline,
        current: &Current,
    ) -> Result<Planned, PlanError> {
        let (mut planned, watch) = (BTreeMap::new(), Watch::new(ends));
        for spec in queries {
            current.set(&spec.name);
            let query = self.plan_one(slots, spec, &watch)?;
            if let Some(earlier) = planned.insert(query.spec.name.clone(), Arc::new(query)) {
                let (query, reason) = (earlier.spec.name.clone(), "two queries have this name".into());
                return Err(PlanError::Resolve { query, reason });
            }
        }
        Ok(Planned { engine: self, slots: slots.clone(), queries: planned })
    }

    fn plan_one(
        &self,
        slots: &BTreeMap<String, Arc<Dataset>>,
        spec: QuerySpec,
        watch: &Arc<Watch>,
    ) -> Result<PlannedQuery, PlanError> {
        let inner = &self.inner;
        let params = Arc::new(params::slots(&spec.params));
        let table = |dataset: &Arc<Dataset>| {
            Arc::new(SlotTable::new(Arc::clone(dataset), Arc::clone(&params))) as Arc<dyn TableSource>
        };
        let tables: BTreeMap<String, Arc<dyn TableSource>> =
            slots.iter().map(|(slot, dataset)| (slot.clone(), table(dataset))).collect();
        let options = inner.config.options();
        let (scalars, aggregates, planners) = (&inner.scalars, &inner.aggregates, &inner.planners);
        let names = Names { tables: &tables, scalars, aggregates, planners, options };
        let written = names.resolve(&spec, sql::parse(&spec)?)?;
        watch.look(&written).map_err(|e| unplanned(&spec, e))?;
        allow::check(&spec, &written, scalars)?;
        let resolved = rewrite::resolve(&spec, written)?;
        let optimised = inner.optimised(&resolved, watch).map_err(|e| unresolved(&spec, e))?;
        let columns = result_columns(&spec, &resolved)?;
        let internal =
            |e: DataFusionError| PlanError::Internal { query: spec.name.clone(), reason: e.strip_backtrace() };
        let reads = columns_read(&optimised).map_err(internal)?;
        let used_outside = rewrite::params_outside_scans(&optimised).map_err(internal)?;
        let template = template(&params, optimised, !used_outside.is_empty()).map_err(|e| unplanned(&spec, e))?;
        Ok(PlannedQuery { spec, params, columns, reads, used_outside, template })
    }
}

impl Inner {
    /// The plan with types made to fit, computations made total, and what can be decided early decided early. It is watched
    /// after each rule.
    fn optimised(&self, plan: &LogicalPlan, watch: &Arc<Watch>) -> Result<LogicalPlan, DataFusionError> {
        let mut analyzer = Analyzer::with_rules(Vec::new());
        for rule in &self.analyzer.rules {
            analyzer.rules.extend([Arc::clone(rule), Arc::clone(watch) as _]);
        }
        let mut optimizer = Optimizer::with_rules(Vec::new());
        for rule in &self.optimizer.rules {
            optimizer.rules.extend([Arc::clone(rule), Arc::clone(watch) as _]);
        }
        let analysed = analyzer.execute_and_check(plan.clone(), self.config.options(), |_, _| {})?;
        let context = OptimizerContext::new_with_config_options(Arc::clone(self.config.options()));
        optimizer.optimize(analysed, &context.without_query_execution_start_time(), |_, _| {})
    }
}

/// The guarded operators of an optimised plan.
fn operators(plan: &LogicalPlan) -> Result<Operators, DataFusionError> {
    let Operators { plan, batch_rows } = physical::plan(plan)?;
    Ok(Operators { plan: guard::guard(plan)?, batch_rows })
}

/// What is kept of a plan. It becomes operators here in any case, so that what the planner refuses is the author's fault
/// today and not a run's tomorrow.
fn template(params: &[ParamSlot], optimised: LogicalPlan, used_outside: bool) -> Result<Template, DataFusionError> {
    if used_outside {
        operators(&rewrite::substitute(optimised.clone(), params, &params::examples(params))?)?;
        return Ok(Template::Logical(Box::new(optimised)));
    }
    let operators = operators(&optimised)?;
    if physical::shares_values(&optimised)? {
        return Ok(Template::Logical(Box::new(optimised)));
    }
    Ok(Template::Physical(operators))
}

/// Why a plan as it was resolved cannot be optimised: the author's fault.
fn unresolved(spec: &QuerySpec, error: DataFusionError) -> PlanError {
    match Exceeded::of(&error) {
        Some(_) => unplanned(spec, error),
        None => PlanError::Resolve { query: spec.name.clone(), reason: error.strip_backtrace() },
    }
}

/// Why a plan is not gone on with, or has no operators: the author's fault where it became too large, has a node that is
/// refused, or has types that do not go together, which some of the engine's steps notice only here; else ours.
fn unplanned(spec: &QuerySpec, error: DataFusionError) -> PlanError {
    let query = spec.name.clone();
    match Exceeded::of(&error) {
        Some(Exceeded::Size(too_much)) => return PlanError::TooMuch { query, too_much: too_much.clone() },
        Some(Exceeded::Time) => {
            let limit_ms = u64::try_from(PLANNING_MAX.as_millis()).unwrap_or(u64::MAX);
            return PlanError::Slow { query, limit_ms };
        }
        None => {}
    }
    let refused = match error.find_root() {
        DataFusionError::External(cause) => cause.downcast_ref::<Refused>().map(|refused| refused.what.as_str()),
        DataFusionError::NotImplemented(reason) if reason.contains("CAST from") => {
            return PlanError::Resolve { query, reason: reason.clone() };
        }
        DataFusionError::NotImplemented(_) => Some("a subquery or another expression that cannot stand where it does"),
        DataFusionError::Plan(_) | DataFusionError::SchemaError(..) => {
            return PlanError::Resolve { query, reason: error.strip_backtrace() };
        }
        _ => None,
    };
    match refused {
        Some(what) => sql::forbidden(spec, what),
        None => PlanError::Internal { query, reason: error.strip_backtrace() },
    }
}

/// One partition, fixed batches, nothing that depends on time, machine or statistics of a run.
fn config() -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_round_robin_repartition = false;
    options.execution.collect_statistics = false;
    options.execution.sort_spill_reservation_bytes = 0;
    options.sql_parser.map_string_types_to_utf8view = false;
    config
}

/// Result columns of a plan, each of a type that can cross into a guest.
fn result_columns(spec: &QuerySpec, plan: &LogicalPlan) -> Result<Vec<(String, ColumnType)>, PlanError> {
    let one = |field: &Arc<arrow_schema::Field>| {
        let ty = column_type(field).ok_or_else(|| PlanError::Result {
            query: spec.name.clone(),
            column: field.name().clone(),
            reason: format!(
                "type {} cannot cross into a guest; a cast to BIGINT, DOUBLE or TEXT may do",
                field.data_type()
            ),
        })?;
        Ok((field.name().clone(), ty))
    };
    plan.schema().fields().iter().map(one).collect()
}

/// Columns that the scans of a plan read, by slot.
fn columns_read(plan: &LogicalPlan) -> Result<BTreeMap<String, BTreeSet<String>>, DataFusionError> {
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let columns = read.entry(scan.table_name.table().to_owned()).or_default();
            columns.extend(scan.projected_schema.fields().iter().map(|field| field.name().clone()));
            for filter in &scan.filters {
                columns.extend(filter.column_refs().into_iter().map(|column| column.name.clone()));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(read)
}

/// Queries planned for one binding of slots to datasets.
#[derive(Debug, Clone)]
pub struct Planned {
    engine: Engine,
    slots: BTreeMap<String, Arc<Dataset>>,
    queries: BTreeMap<String, Arc<PlannedQuery>>,
}

/// One query, ready to be opened.
#[derive(Debug)]
pub struct PlannedQuery {
    spec: QuerySpec,
    params: Arc<Vec<ParamSlot>>,
    columns: Vec<(String, ColumnType)>,
    reads: BTreeMap<String, BTreeSet<String>>,
    /// How often each parameter's slot is used outside scans, where every use is a value of its own.
    used_outside: BTreeMap<String, usize>,
    template: Template,
}

/// What is kept between runs: a physical plan whose scans bind the parameters, or, where parameters are used elsewhere or
/// runs of one physical plan would share values, the optimised logical plan.
#[derive(Debug)]
enum Template {
    Physical(Operators),
    Logical(Box<LogicalPlan>),
}

impl PlannedQuery {
    /// The declaration.
    pub fn spec(&self) -> &QuerySpec {
        &self.spec
    }

    /// Result columns in order.
    pub fn columns(&self) -> &[(String, ColumnType)] {
        &self.columns
    }

    /// Columns read, by slot, as the engine's plan has them.
    pub fn columns_read(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.reads
    }

    /// Whether opening binds parameters in the finished plan; if not, every opening makes a physical plan anew, because
    /// parameters stand outside scans, or values of subqueries are computed.
    pub fn is_prepared(&self) -> bool {
        matches!(self.template, Template::Physical(_))
    }

    /// The engine's plan as text, for operators and tests.
    pub fn explain(&self) -> String {
        match &self.template {
            Template::Physical(made) => displayable(made.plan.as_ref()).indent(false).to_string(),
            Template::Logical(plan) => plan.display_indent().to_string(),
        }
    }
}

impl Planned {
    /// The query of this name.
    pub fn query(&self, name: &str) -> Option<&PlannedQuery> {
        self.queries.get(name).map(Arc::as_ref)
    }

    /// Names of all queries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.queries.keys().map(String::as_str)
    }

    /// Columns that any of the queries reads, by slot.
    pub fn columns_read(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for query in self.queries.values() {
            for (slot, columns) in &query.reads {
                all.entry(slot.clone()).or_default().extend(columns.iter().cloned());
            }
        }
        all
    }

    /// Takes the state that queries opened with these limits, or clones of them, see of every dataset, and says what it is by
    /// slot. Call it before the first query of a run; slots of one database then see one state of it.
    ///
    /// # Errors
    /// [`QueryError`] where a database cannot be reached, or the deadline comes first.
    pub async fn pin(&self, limits: &QueryLimits) -> Result<BTreeMap<String, Snapshot>, QueryError> {
        let databases: Vec<_> = self.slots.values().filter_map(|dataset| dataset.database()).collect();
        tokio::select! {
            biased;
            pinned = limits.states.pin(&databases) => pinned?,
            stop = limits.stopped() => return Err(stop.into()),
        }
        let mut snapshots = BTreeMap::new();
        for (slot, dataset) in &self.slots {
            let snapshot = match dataset.database() {
                Some(database) => database.snapshot(&limits.states.of(database).await?)?,
                None => dataset.snapshot().clone(),
            };
            snapshots.insert(slot.clone(), snapshot);
        }
        Ok(snapshots)
    }

    /// Binds values to a query's parameters (in declared order) and starts it. Nothing is read before `Rows::next`.
    pub async fn open(&self, name: &str, values: Vec<Value>, limits: QueryLimits) -> Result<Rows, QueryError> {
        let query = self.queries.get(name).ok_or_else(|| QueryError::UnknownQuery { query: name.to_owned() })?;
        let bound = params::bind(name, &query.spec.params, &values)?;
        let memory_bytes = limits.memory_bytes;
        let run = Arc::new(Run::new(bound, limits));
        run.check()?;
        let (engine, query, started) = (self.engine.clone(), Arc::clone(query), Arc::clone(&run));
        let starting = on_thread(move || engine.start(&query, started));
        let rows = tokio::select! {
            biased;
            rows = starting => rows,
            stop = run.stopped() => return Err(stop.into()),
        };
        let broken = |why| QueryError::Internal { reason: format!("{why:?}") };
        rows.map_err(broken)?.map_err(|e| QueryError::from_engine(e, memory_bytes))
    }
}

impl Engine {
    /// Where parameters are used outside scans this plans; so it is done on a thread of its own.
    fn start(&self, query: &PlannedQuery, run: Arc<Run>) -> Result<Rows, DataFusionError> {
        let held = MemoryConsumer::new("parameters").register(&run.limits.pool());
        held.try_grow(outside_bytes(query, &run.params))?;
        let Operators { plan, batch_rows } = Self::instance(query, &run.params)?;
        let inner = &self.inner;
        let memory_pool = run.limits.pool();
        let runtime = Arc::new(RuntimeEnv { memory_pool, ..RuntimeEnv::clone(&inner.runtime) });
        let config = inner.config.clone().with_batch_size(batch_rows).with_extension(Arc::clone(&run));
        let none = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        let context = TaskContext::new(None, String::new(), config, none.0, none.1, none.2, none.3, runtime);
        Rows::start(
            &plan,
            Arc::new(context),
            query.columns.clone(),
            run,
            Held { params: held, computing: Arc::clone(&inner.computing) },
        )
    }

    /// A plan of this run's own: operators keep state, so no two runs may share one. Resetting gives every operator a state
    /// of its own but those that hold values of subqueries, which are therefore never kept.
    fn instance(query: &PlannedQuery, values: &[ScalarValue]) -> Result<Operators, DataFusionError> {
        match &query.template {
            Template::Physical(Operators { plan, batch_rows }) => {
                Ok(Operators { plan: reset_plan_states(Arc::clone(plan))?, batch_rows: *batch_rows })
            }
            Template::Logical(plan) => {
                let plan = rewrite::substitute(LogicalPlan::clone(plan), &query.params, values)?;
                operators(&plan)
            }
        }
    }
}

/// Bytes of the texts among the values, each as often as the plan of a run repeats it.
fn outside_bytes(query: &PlannedQuery, values: &[ScalarValue]) -> usize {
    let one = |(slot, value): (&ParamSlot, &ScalarValue)| {
        let uses = query.used_outside.get(&slot.id).copied().unwrap_or_default();
        usize::try_from(params::text_bytes(value)).unwrap_or(usize::MAX).saturating_mul(uses)
    };
    query.params.iter().zip(values).map(one).fold(0, usize::saturating_add)
}
