//! Manifests that must be read, and what is said about those that must not.

use super::*;
use proptest::prelude::*;

const GOOD: &str = r#"
[module]
name = "iog/ip-traceback"            # namespace/name
version = "1.0.0"
summary = "Where does traffic to a target enter this domain?"
entry = ["trace", "trace-two"]
[data.flows]
schema = "flow/1"
[query.by-target]
params = { target = "prefix", start = "timestamp", end = "timestamp", a = "uint" }
sql = """SELECT ingress_as FROM flows WHERE ip_in(dst, $target)"""
[query.all]
sql = "SELECT 1"
[limits]
fuel = 20_000_000_000
memory_mib = 64
wall_s = 30
result_kib = 64
[release]
class = "reviewed"
[source]
repository = "https://git.example/iog"
commit = "0123abc"
"#;

#[test]
fn the_documented_manifest_is_read_whole() {
    let manifest = Manifest::parse(GOOD).expect("a good manifest");
    assert_eq!(manifest.module.name.to_string(), "iog/ip-traceback");
    assert_eq!(manifest.module.entry.iter().map(ToString::to_string).collect::<Vec<_>>(), ["trace", "trace-two"]);
    assert_eq!(manifest.data.values().next().expect("slot").schema, "flow/1");
    assert_eq!(manifest.limits, LimitsDecl { fuel: 20_000_000_000, memory_mib: 64, wall_s: 30, result_kib: 64 });
    assert_eq!(manifest.release.class, ReleaseClass::Reviewed);
    assert_eq!(manifest.source.commit, "0123abc");
    assert_eq!(Manifest::from_bytes(GOOD.as_bytes()).expect("bytes"), manifest);
}

#[test]
fn parameters_keep_the_order_of_the_text() {
    let manifest = Manifest::parse(GOOD).expect("a good manifest");
    let names: Vec<_> = manifest.query["by-target"].params.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["target", "start", "end", "a"]);
    assert!(manifest.query["all"].params.is_empty());
    let table = GOOD.replace(
        r#"params = { target = "prefix", start = "timestamp", end = "timestamp", a = "uint" }"#,
        "params.z = 'text'\nparams.b = 'flag'\nparams.\"c\" = 'float'",
    );
    let manifest = Manifest::parse(&table).expect("dotted keys");
    let expected = [("z", ParamType::Text), ("b", ParamType::Flag), ("c", ParamType::Float)];
    assert_eq!(manifest.query["by-target"].params, expected.map(|(name, ty)| (name.to_owned(), ty)));
}

#[test]
fn limits_left_out_are_the_defaults_of_a_run() {
    let text = GOOD.split("[limits]").next().expect("head").to_owned()
        + "[release]\nclass='open'\n[source]\nrepository='r'\ncommit='c'\n[limits]\nwall_s = 3";
    let limits = Manifest::parse(&text).expect("a good manifest").limits;
    assert_eq!(limits, LimitsDecl { wall_s: 3, ..LimitsDecl::default() });
}

/// Replaces `from` in the good manifest and returns the error's text.
fn error_of(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "`{from}` is not in the manifest");
    Manifest::parse(&GOOD.replacen(from, to, 1)).expect_err(to).to_string()
}

#[test]
fn errors_name_the_key_and_what_is_allowed() {
    let cases = [
        ("iog/ip-traceback", "traceback", "`module.name` is `traceback`: expected `namespace/name`"),
        ("\"1.0.0\"", "1.0", "`module.version` is `1`: expected a semantic version"),
        ("1.0.0", "1.0", "`module.version` is `1.0`"),
        ("[\"trace\", \"trace-two\"]", "[]", "`module.entry` is a list of 0: expected 1 to 64"),
        ("\"trace-two\"", "\"merge\"", "`module.entry` is `merge`"),
        ("\"trace-two\"", "\"trace\"", "`module.entry` is `trace`"),
        ("\"trace-two\"", "7", "`module.entry` is `7`"),
        ("\"Where", "\"\\u0007Where", "`module.summary` is"),
        ("flow/1", "flow/2", "`data.flows.schema` is `flow/2`: expected one of `flow/1`, `route/1`"),
        ("[data.flows]", "[data.Flows-1]", "`data.Flows-1` is a slot"),
        ("\"prefix\"", "\"cidr\"", "`query.by-target.params.target` is `cidr`: expected one of `text`"),
        ("\"prefix\"", "3", "`query.by-target.params.target` is `3`: expected one of `text`"),
        ("target =", "Target =", "`query.by-target.params.Target` is a parameter"),
        ("[query.by-target]", "[query.By]", "`query.By` is a query: expected at most 64 queries"),
        ("\"SELECT 1\"", "\" \"", "`query.all.sql` is a text of 1 bytes: expected one SELECT"),
        ("fuel = 20_000_000_000", "fuel = 1_000_000_000_001", "from 1 to 1000000000000"),
        ("fuel = 20_000_000_000", "fuel = 0", "`limits.fuel` is `0`"),
        ("memory_mib = 64", "memory_mib = 257", "`limits.memory_mib` is `257`: expected a whole number from 1 to 256"),
        ("wall_s = 30", "wall_s = 301", "`limits.wall_s` is `301`"),
        ("result_kib = 64", "result_kib = 1025", "`limits.result_kib` is `1025`"),
        ("result_kib = 64", "result_kib = -1", "`limits.result_kib` is `-1`"),
        ("result_kib = 64", "result_kib = 1.5", "`limits.result_kib` is `1.5`"),
        ("\"reviewed\"", "\"secret\"", "expected one of `sum-only`, `dp`, `aggregate`, `reviewed`, `open`"),
        ("commit = \"0123abc\"", "", "lacks `source.commit`"),
        ("[release]\nclass = \"reviewed\"", "", "lacks `release`: expected a table"),
        (
            "memory_mib",
            "memory",
            "unknown key `limits.memory`: allowed are `fuel`, `memory_mib`, `wall_s`, `result_kib`",
        ),
        ("[limits]", "[extra]", "unknown key `extra`: allowed are `module`, `data`, `query`, `limits`"),
        (
            "sql = \"SELECT 1\"",
            "sql = \"SELECT 1\"\nview = 1",
            "unknown key `query.all.view`: allowed are `params`, `sql`",
        ),
        ("class = \"reviewed\"", "class = \"reviewed\"\nk = 5", "unknown key `release.k`: allowed are `class`"),
        ("[module]", "[module", "not TOML: line 2"),
    ];
    for (from, to, expected) in cases {
        let error = error_of(from, to);
        assert!(error.contains(expected), "`{to}` gave `{error}`, expected `{expected}`");
    }
}

#[test]
fn sizes_are_bounded() {
    let long = format!("{GOOD}#{}", "x".repeat(MANIFEST_BYTES_MAX));
    assert!(matches!(Manifest::parse(&long), Err(ManifestError::TooLarge { .. })));
    assert!(matches!(Manifest::from_bytes(long.as_bytes()), Err(ManifestError::TooLarge { .. })));
    assert_eq!(Manifest::from_bytes(b"\xff"), Err(ManifestError::NotUtf8));
    let sql = "x".repeat(SQL_BYTES_MAX + 1);
    assert!(error_of("SELECT 1", &sql).contains("`query.all.sql` is a text of 16385 bytes"));
    let entries: Vec<_> = (0..65).map(|i| format!("\"e{i}\"")).collect();
    assert!(error_of("\"trace\", \"trace-two\"", &entries.join(",")).contains("a list of 65"));
    let slots: String = (0..16).map(|i| format!("[data.s{i}]\nschema='geo/1'\n")).collect();
    assert!(error_of("[limits]", &format!("{slots}[limits]")).contains("`data` is a table of 17"));
    let params: Vec<_> = (0..33).map(|i| format!("p{i}='int'")).collect();
    let params = format!("params={{{}}}\nsql = \"SELECT 1\"", params.join(","));
    assert!(error_of("sql = \"SELECT 1\"", &params).contains("`query.all.params` is a table of 33"));
    let queries: String = (0..63).map(|i| format!("[query.q{i}]\nsql='SELECT 1'\n")).collect();
    assert!(error_of("[limits]", &format!("{queries}[limits]")).contains("`query` is a table of 65"));
    let summary = "x".repeat(SUMMARY_CHARS_MAX + 1);
    assert!(error_of("Where does", &summary).contains("one line of 1 to 200 characters"));
}

#[test]
fn deep_nesting_is_an_error() {
    let nested = format!("x = {}{}", "[".repeat(30_000), "]".repeat(30_000));
    assert!(Manifest::parse(&nested).is_err());
}

#[test]
fn release_classes_are_ordered_strictest_first() {
    assert!(ReleaseClass::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    for class in ReleaseClass::ALL {
        assert_eq!(class.name().parse(), Ok(class));
        assert_eq!(serde_json::to_string(&class).expect("serialises"), format!("\"{class}\""));
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,400}") {
        let _ = Manifest::parse(&text);
    }

    #[test]
    fn no_damaged_manifest_panics(at in 0..GOOD.len(), with in "[\\[\\]{}\"=.\\n a-z0-9]{0,6}") {
        if GOOD.is_char_boundary(at) {
            let _ = Manifest::parse(&format!("{}{with}{}", &GOOD[..at], &GOOD[at..]));
        }
    }
}
