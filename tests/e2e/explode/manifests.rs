//! Manifests of modules that read flows by queries of an attacker's choice: some that an engine would blow up, and some that are
//! within all bounds and never end by themselves. The component is the traceback's, under digests of its own.

use std::fmt::Write as _;

use crate::harness::settings::TRACEBACK;

/// What the traceback's code reads of each row.
const COLUMNS: &str = r#"f.ingress_as, f."start", f."end", f.src, f.packets, f.bytes"#;
/// What it asks for.
const WANTED: &str = r#"ip_in(f.dst, $target) AND f."start" >= $start AND f."start" < $end"#;
/// What a chain of table expressions hands on besides.
const KEPT: &str = r#"ingress_as, "start", "end", src, dst, packets, bytes"#;

/// A module as an attacker writes it.
pub(super) struct Written {
    pub(super) name: &'static str,
    pub(super) wasm: Vec<u8>,
    pub(super) manifest: String,
}

/// The traceback with another query, allowed so much memory and time.
pub(super) fn written(name: &'static str, sql: &str, memory_mib: u64, wall_s: u64) -> Written {
    let manifest = format!(
        "[module]\nname = \"iog/{name}\"\nversion = \"9.0.0\"\nsummary = \"attack\"\nentry = [\"trace\"]\n\
         [data.flows]\nschema = \"flow/1\"\n\
         [query.by-target]\nparams = {{ target = \"prefix\", start = \"timestamp\", end = \"timestamp\" }}\n\
         sql = \"\"\"{sql}\"\"\"\n\
         [limits]\nfuel = 20_000_000_000\nmemory_mib = {memory_mib}\nwall_s = {wall_s}\nresult_kib = 512\n\
         [release]\nclass = \"reviewed\"\n[source]\nrepository = \"https://iog.example/iog\"\ncommit = \"0\"\n"
    );
    // A custom section with the name makes another file that does the same.
    let length = u8::try_from(name.len()).expect("a short name");
    let wasm = [TRACEBACK.wasm, &[0, length + 1, length], name.as_bytes()].concat();
    Written { name, wasm, manifest }
}

/// What the traceback itself asks.
pub(super) fn honest() -> String {
    format!("SELECT {COLUMNS} FROM flows f WHERE {WANTED}")
}

/// Table expressions that each join the one before with itself: so many are two to that power of reads.
pub(super) fn self_joins(length: usize) -> String {
    let mut sql = "WITH c0 AS (SELECT src FROM flows)".to_owned();
    for at in 1..=length {
        let before = at - 1;
        write!(sql, ", c{at} AS (SELECT a.src FROM c{before} a JOIN c{before} b ON a.src = b.src)")
            .expect("texts grow");
    }
    format!(
        "{sql} SELECT {COLUMNS} FROM flows f WHERE {WANTED} AND EXISTS (SELECT z.src FROM c{length} z WHERE z.src = f.src)"
    )
}

/// A text that is doubled so many times.
pub(super) fn doubled_texts(length: usize) -> String {
    let mut sql = format!("WITH c0 AS (SELECT {KEPT}, ip_text(dst) AS t FROM flows)");
    for at in 1..=length {
        write!(sql, ", c{at} AS (SELECT {KEPT}, t || t AS t FROM c{})", at - 1).expect("texts grow");
    }
    format!("{sql} SELECT {COLUMNS} FROM c{length} f WHERE {WANTED} AND length(f.t) > 0")
}

/// So many slots beside each other.
pub(super) fn wide_joins(count: usize) -> String {
    let joined: String = (0..count).map(|at| format!("JOIN flows j{at} ON j{at}.src = f.src ")).collect();
    format!("SELECT {COLUMNS} FROM flows f {joined} WHERE {WANTED}")
}

/// A condition that is looked at for every pair of rows and never holds.
pub(super) fn pairs() -> String {
    format!(
        "SELECT {COLUMNS} FROM flows f JOIN flows b ON ip_text(f.src) || ip_text(b.src) > 'x' || ip_text(b.dst) WHERE {WANTED}"
    )
}

/// Patterns that are made anew for every row.
pub(super) fn patterns() -> String {
    let all: Vec<String> = (0..40).map(|at| format!("ip_text(f.src) LIKE ip_text(f.dst) || '%{at}%'")).collect();
    format!("SELECT {COLUMNS} FROM flows f WHERE {WANTED} AND ({})", all.join(" OR "))
}
