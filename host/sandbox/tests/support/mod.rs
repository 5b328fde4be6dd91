//! What the sandbox's tests share: guests in WAT, a scripted host, and one call to run a guest.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use iog_sandbox::{
    CancelFlag, ColumnInfo, DataAnswer, DataRequest, Fault, Grants, HostAnswer, HostPort, HostRequest, Limits, Module,
    NothingGranted, Provider, RunReport, RunSpec, Runner as _, Sandbox, SandboxConfig,
};
use serde_json::{Value, json};

/// One sandbox a test binary, as one a process.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new(&SandboxConfig { runs_max: 16, ..SandboxConfig::compiling_here() }).unwrap())
}

/// Limits small enough for a test to end soon.
pub(crate) fn limits() -> Limits {
    Limits { fuel: 50_000_000, memory_bytes: 4 << 20, wall: Duration::from_secs(20), ..Limits::default() }
}

pub(crate) async fn load(wat: &str) -> Arc<Module> {
    sandbox().load(&wat::parse_str(wat).unwrap()).await.unwrap()
}

pub(crate) fn spec(module: &Arc<Module>, params: Value) -> RunSpec {
    RunSpec {
        module: module.clone(),
        entry: "run".into(),
        params: params.into(),
        provider: Provider { domain: "as64500".into(), asn: Some(64_500) },
        grants: Grants::ALL,
        limits: limits(),
        cancel: CancelFlag::new(),
    }
}

/// Every interface but this one.
pub(crate) fn without(interface: &str) -> Grants {
    Grants::of(Grants::ALL.names().filter(|name| *name != interface)).unwrap()
}

/// Runs `run` of a guest without parameters.
pub(crate) async fn run(wat: &str) -> RunReport {
    let module = load(wat).await;
    sandbox().run(spec(&module, json!({})), Arc::new(NothingGranted)).await
}

/// Runs `run` of a guest against a host.
pub(crate) async fn run_with(wat: &str, host: Arc<dyn HostPort>, change: impl FnOnce(&mut RunSpec)) -> RunReport {
    let module = load(wat).await;
    let mut spec = spec(&module, json!({}));
    change(&mut spec);
    sandbox().run(spec, host).await
}

/// A host that answers every query with the same columns and batches and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) columns: Vec<ColumnInfo>,
    pub(crate) batches: Vec<RecordBatch>,
    /// Repeat the batches for ever.
    pub(crate) endless: bool,
    /// Never answer `Next`.
    pub(crate) hang: bool,
    pub(crate) asked: Mutex<Vec<HostRequest>>,
    pub(crate) at: Mutex<usize>,
}

#[async_trait]
impl HostPort for Scripted {
    async fn call(&self, request: HostRequest) -> HostAnswer {
        self.asked.lock().unwrap().push(request.clone());
        let HostRequest::Data(request) = request else { return request.unserved() };
        HostAnswer::Data(self.data(request).await)
    }
}

impl Scripted {
    async fn data(&self, request: DataRequest) -> DataAnswer {
        match request {
            DataRequest::Open { query, .. } if query == "flows" => DataAnswer::Opened { columns: self.columns.clone() },
            DataRequest::Open { query, .. } => DataAnswer::Fault(Fault::UnknownQuery(query)),
            DataRequest::Next { .. } if self.hang => std::future::pending().await,
            DataRequest::Next { .. } => {
                let mut at = self.at.lock().unwrap();
                *at += 1;
                let len = self.batches.len();
                let index = if self.endless { (*at - 1) % len } else { *at - 1 };
                DataAnswer::Batch(self.batches.get(index).cloned())
            }
            DataRequest::Close { .. } => DataAnswer::Closed,
        }
    }
}

/// A memory of two pages with a bump allocator that grows it.
pub(crate) const MEMORY: &str = r#"
  (core module $memory
    (memory (export "memory") 2)
    (global $top (export "top") (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32) (local $end i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (local.set $end (i32.add (local.get $at) (local.get 3)))
      (block $fits
        (br_if $fits (i32.le_u (local.get $end) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $fits (i32.ne (i32.const -1)
          (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1)))))
        unreachable)
      (global.set $top (local.get $end))
      (local.get $at)))
  (core instance $m (instantiate $memory))
"#;

/// `iog:guest/data` as far as the guests here use it, lowered to `$open`, `$advance`, `$ints`, `$drop`.
pub(crate) const DATA: &str = r#"
  (import "iog:guest/data@0.1.0" (instance $data
    (type $param' (variant (case "text" string) (case "int" s64) (case "uint" u64) (case "float" f64)
      (case "flag" bool)))
    (export "param" (type $param (eq $param')))
    (type $fault' (variant (case "not-granted") (case "unknown-query" string) (case "bad-param" string)
      (case "bad-column" string) (case "unavailable")))
    (export "fault" (type $fault (eq $fault')))
    (export "rows" (type $rows (sub resource)))
    (export "open" (func (param "query" string) (param "params" (list $param))
      (result (result (own $rows) (error $fault)))))
    (export "[method]rows.advance" (func (param "self" (borrow $rows)) (result (result u32 (error $fault)))))
    (export "[method]rows.ints" (func (param "self" (borrow $rows)) (param "column" u32)
      (result (result (list s64) (error $fault)))))))
  (alias export $data "rows" (type $rows))
"#;

/// Lowers [`DATA`] with the memory of [`MEMORY`].
pub(crate) const LOWER_DATA: &str = r#"
  (core func $open (canon lower (func $data "open") (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
  (core func $advance (canon lower (func $data "[method]rows.advance") (memory (core memory $m "memory"))
    (realloc (core func $m "realloc"))))
  (core func $ints (canon lower (func $data "[method]rows.ints") (memory (core memory $m "memory"))
    (realloc (core func $m "realloc"))))
  (core func $drop (canon resource.drop $rows))
  (core instance $host
    (export "open" (func $open)) (export "advance" (func $advance)) (export "ints" (func $ints))
    (export "drop" (func $drop)))
"#;

/// A component whose `run: func() -> u32` is `body`, without imports. `before`: more fields of the core module.
pub(crate) fn guest(before: &str, body: &str) -> String {
    format!(
        r#"(component
          (core module $main
            (memory (export "memory") 2)
            {before}
            (func $run (export "run") (result i32) {body}))
          (core instance $i (instantiate $main))
          (func (export "run") (result u32) (canon lift (core func $i "run"))))"#
    )
}

/// A component whose `run: func() -> u32` is `body` and may call `open`, `advance`, `ints` and `drop`. Bytes 16 to 21
/// of memory are the query name `flows`; answers are written at 64.
pub(crate) fn data_guest(body: &str) -> String {
    format!(
        r#"(component {DATA} {MEMORY} {LOWER_DATA}
          (core module $main
            (import "m" "memory" (memory 1))
            (import "m" "top" (global $top (mut i32)))
            (import "host" "open" (func $open (param i32 i32 i32 i32 i32)))
            (import "host" "advance" (func $advance (param i32 i32)))
            (import "host" "ints" (func $ints (param i32 i32 i32)))
            (import "host" "drop" (func $drop (param i32)))
            (data (i32.const 16) "flows")
            (func $flows (result i32)
              (call $open (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64))
              (if (i32.load8_u (i32.const 64)) (then unreachable))
              (i32.load (i32.const 68)))
            (func (export "run") (result i32) (local $rows i32) (local $n i32) (local $sum i32) {body}))
          (core instance $i (instantiate $main (with "m" (instance $m)) (with "host" (instance $host))))
          (func (export "run") (result u32) (canon lift (core func $i "run"))))"#
    )
}

/// A component whose `run: func(x: T, pad: …) -> tuple<T, …>` gives back what it gets. More than 16 flat parameters
/// travel through memory, and the result has the layout of the parameters: one pointer goes in and out, whatever `T`.
pub(crate) fn identity(types: &str, ty: &str) -> String {
    let pad = format!("(tuple {})", "u8 ".repeat(17));
    format!(
        r#"(component {types} {MEMORY}
          (core module $main (func (export "run") (param i32) (result i32) (local.get 0)))
          (core instance $i (instantiate $main))
          (func (export "run") (param "x" {ty}) (param "pad" {pad}) (result (tuple {ty} {pad}))
            (canon lift (core func $i "run") (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))"#
    )
}

/// Sends `x` through [`identity`] and gives back what comes out, as canonical JSON.
pub(crate) async fn echo(module: &Arc<Module>, x: Value) -> RunReport {
    let pad = vec![0; 17];
    let mut spec = spec(module, json!({"x": x, "pad": pad}));
    spec.limits.result_bytes = 1 << 20;
    sandbox().run(spec, Arc::new(NothingGranted)).await
}
