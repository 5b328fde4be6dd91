//! Results as people see them: the golden pages of every module that ships and of every kind of WIT type, on 80 and on 200
//! columns, and that no value of any type breaks a page.

use iog_desk::text::is_plain;
use iog_desk::views::Shown;
use iog_inspect::{InspectLimits, WitTypeFact as Fact};
use iog_module::value_type;
use iog_sandbox::fits;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::shown::lines;

/// The page of a value on a terminal of so many columns.
fn page(ty: &Fact, value: &Value, columns: usize) -> String {
    let page: Vec<String> = lines(&Shown::of(Some(ty), value), columns)
        .iter()
        .map(|line| line.rendered(false).trim_end().to_owned())
        .collect();
    page.join("\n")
}

/// Both pages, for a golden file.
fn pages(ty: &Fact, value: &Value) -> String {
    let ruler = |columns: usize| format!("{:-^columns$}", format!(" {columns} "));
    [80, 200].map(|columns| format!("{}\n{}", ruler(columns), page(ty, value, columns))).join("\n\n")
}

/// Compares the pages of a result of a module that ships: `name` is that of the module and of the sample.
macro_rules! golden {
    ($name:literal, $function:literal, $sample:literal) => {
        let wasm: &[u8] = include_bytes!(concat!("../../../../modules/prebuilt/", $name, ".wasm"));
        let facts = iog_inspect::inspect(wasm, &InspectLimits::default()).unwrap();
        let ty = facts.export($function).unwrap().result.clone().unwrap();
        let sample = include_str!(concat!("samples/", $sample, ".json")).trim();
        fits(Some(&value_type(&ty)), sample).unwrap();
        let value = serde_json::from_str(sample).unwrap();
        insta::assert_snapshot!($sample, pages(&ty, &value));
    };
}

#[test]
fn results_and_merged_answers_of_every_module() {
    golden!("hello", "packets-to", "hello");
    golden!("ip-traceback", "trace", "ip-traceback");
    golden!("ip-traceback", "merge", "ip-traceback-merged");
    golden!("origin-check", "check", "origin-check");
    golden!("origin-check", "merge", "origin-check-merged");
    golden!("dns-watch", "watch", "dns-watch");
    golden!("dns-watch", "merge", "dns-watch-merged");
    golden!("top-talkers", "top", "top-talkers");
    golden!("top-talkers", "merge", "top-talkers-merged");
}

fn boxed(ty: Fact) -> Box<Fact> {
    Box::new(ty)
}

fn named(name: &str, of: Fact) -> Fact {
    Fact::Named { name: name.into(), of: boxed(of) }
}

fn record(fields: &[(&str, Fact)]) -> Fact {
    let fields = fields.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
    Fact::Record { name: "r".into(), fields }
}

fn list(item: Fact) -> Fact {
    Fact::List { item: boxed(item) }
}

fn option(some: Fact) -> Fact {
    Fact::Option { some: boxed(some) }
}

/// Every kind of WIT type with values of it.
fn kinds() -> Vec<(&'static str, Fact, Value)> {
    let flags = Fact::Flags { name: "f".into(), names: vec!["read".into(), "write".into()] };
    let cases = vec![
        ("all".to_owned(), None),
        ("only".to_owned(), Some(Fact::String)),
        ("both".to_owned(), Some(list(record(&[("a", Fact::U8)])))),
    ];
    let variant = Fact::Variant { name: "v".into(), cases };
    let result = Fact::Result { ok: Some(boxed(list(Fact::U8))), err: Some(boxed(Fact::String)) };
    let point = record(&[("x", Fact::S32), ("y", Fact::S32)]);
    vec![
        ("bool", Fact::Bool, json!(true)),
        ("u64", Fact::U64, json!("18446744073709551615")),
        ("s32", Fact::S32, json!(-5)),
        ("f64", Fact::F64, json!("NaN")),
        ("char", Fact::Char, json!("ß")),
        ("string", Fact::String, json!("two words")),
        ("empty-string", Fact::String, json!("")),
        ("bytes", list(Fact::U8), json!("aGVsbG8=")),
        ("asn", named("asn", Fact::U32), json!(64500)),
        ("time-us", named("time-us", Fact::S64), json!(1_800_000_000_000_000_i64)),
        ("byte-count", named("byte-count", Fact::U64), json!(1_536)),
        ("count", named("count", Fact::U64), json!(1_234_567)),
        ("share", named("share", Fact::F64), json!(0.25)),
        ("duration-us", named("duration-us", Fact::U64), json!(90_000_000)),
        ("other-name", named("packets", Fact::U64), json!(1_234_567)),
        ("none", option(Fact::U8), Value::Null),
        ("some", option(Fact::U8), json!(7)),
        ("some-none", option(option(Fact::U8)), json!({"some": null})),
        ("enum", Fact::Enum { name: "e".into(), cases: vec!["likely-hijack".into()] }, json!("likely-hijack")),
        ("flags", flags.clone(), json!(["read", "write"])),
        ("no-flags", flags, json!([])),
        ("variant-word", variant.clone(), json!("all")),
        ("variant-text", variant.clone(), json!({"only": "this"})),
        ("variant-table", variant, json!({"both": [{"a": 1}, {"a": 20}]})),
        ("ok", result.clone(), json!({"ok": "aGVsbG8="})),
        ("err", result, json!({"err": "the target is no address"})),
        ("ok-nothing", Fact::Result { ok: None, err: None }, json!({"ok": null})),
        ("tuple", Fact::Tuple { items: vec![Fact::U8, Fact::String] }, json!([1, "two"])),
        ("tuple-of-blocks", Fact::Tuple { items: vec![Fact::U8, list(point.clone())] }, json!([1, [{"x": 1, "y": 2}]])),
        ("record", point.clone(), json!({"x": 1, "y": -20})),
        ("words", list(Fact::String), json!(["as64500", "as64501"])),
        ("no-words", list(Fact::String), json!([])),
        ("lists", list(list(point.clone())), json!([[{"x": 1, "y": 2}], []])),
        ("points", list(point), json!([{"x": 1, "y": 2}, {"x": -300, "y": 4}])),
        ("misfit", Fact::Bool, json!({"not": "a bool"})),
    ]
}

#[test]
fn every_kind_of_type() {
    let shown = kinds().into_iter().map(|(name, ty, value)| format!("{name}:\n{}", page(&ty, &value, 80)));
    insta::assert_snapshot!("kinds", shown.collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn rows_that_end_in_the_same_words_are_one() {
    let row = |asn: u32, reason: &str| json!({"domain": format!("as{asn}"), "asn": asn, "reason": reason});
    let (late, away) = ("no answer within 60 s", "unreachable: connection refused");
    let rows = json!([row(64500, late), row(64501, away), row(64502, late), row(64503, "gone"), row(64504, "gone")]);
    let asn = option(named("asn", Fact::U32));
    let ty = list(record(&[("domain", Fact::String), ("asn", asn), ("reason", Fact::String)]));
    let shown = page(&ty, &rows, 80);
    let words: Vec<Vec<&str>> = shown.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0][..5], ["as64500,", "as64502", "AS64500,", "AS64502", "no"], "{shown}");
    assert_eq!(words[1][..3], ["as64501", "AS64501", "unreachable:"], "{shown}");
    assert_eq!(words.len(), 4, "single words may be values: their rows stay\n{shown}");
    let counts = list(record(&[("n", Fact::U8), ("reason", Fact::String)]));
    let counted = page(&counts, &json!([{"n": 1, "reason": late}, {"n": 1, "reason": late}]), 80);
    assert_eq!(counted.lines().count(), 3, "numbers are never folded\n{counted}");
}

#[test]
fn a_table_that_is_too_wide_is_parted_and_then_a_list() {
    let row = |at: usize| {
        json!({"prefix": format!("2001:db8:{at}::/48"), "asn": 64500 + at, "seen-by": ["as64500", "as64501", "as64502"],
               "first-us": 1_800_000_000_000_000_i64, "note": "a sentence that has some words, as people write them"})
    };
    let ty = list(record(&[
        ("prefix", Fact::String),
        ("asn", named("asn", Fact::U32)),
        ("seen-by", list(Fact::String)),
        ("first-us", named("time-us", Fact::S64)),
        ("note", Fact::String),
    ]));
    let value = Value::Array((0..45).map(row).collect());
    let few = Value::Array((0..2).map(row).collect());
    let rows = page(&ty, &value, 200);
    assert!(rows.ends_with("\n… 5 more rows, --json shows all"), "{rows}");
    insta::assert_snapshot!("too_wide", [120, 80, 40].map(|columns| page(&ty, &few, columns)).join("\n\n"));
}

/// Texts that strangers write.
const TEXTS: [&str; 9] = [
    "",
    "-",
    "as64500",
    "two words",
    "\u{1b}[2J\u{202e}",
    "a\r\nb",
    "東京のネットワーク",
    "e\u{301}\u{200b}",
    "averyveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryverylongword",
];

fn types() -> impl Strategy<Value = Fact> {
    let leaf = prop_oneof![
        Just(Fact::Bool),
        Just(Fact::U8),
        Just(Fact::S64),
        Just(Fact::U64),
        Just(Fact::F64),
        Just(Fact::Char),
        Just(Fact::String),
        Just(named("asn", Fact::U32)),
        Just(named("time-us", Fact::S64)),
        Just(named("byte-count", Fact::U64)),
        Just(named("share", Fact::F64)),
        Just(named("duration-us", Fact::S64)),
        Just(Fact::Enum { name: "e".into(), cases: vec!["a".into(), "other-case".into()] }),
        Just(Fact::Flags { name: "f".into(), names: vec!["a".into(), "b".into()] }),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..6);
        let fields = several.clone().prop_map(|types| {
            let name = |at: usize| format!("field{}-{at}", "-long".repeat(at * 3));
            Fact::Record {
                name: "r".into(),
                fields: types.into_iter().enumerate().map(|(at, ty)| (name(at), ty)).collect(),
            }
        });
        let cases = several.clone().prop_map(|types| {
            let cases = types.into_iter().enumerate().map(|(at, ty)| (format!("case{at}"), (at > 0).then_some(ty)));
            Fact::Variant { name: "v".into(), cases: cases.collect() }
        });
        prop_oneof![
            inner.clone().prop_map(list),
            inner.clone().prop_map(option),
            (inner.clone(), inner).prop_map(|(ok, err)| Fact::Result { ok: Some(boxed(ok)), err: Some(boxed(err)) }),
            several.prop_map(|items| Fact::Tuple { items }),
            fields,
            cases,
        ]
    })
}

/// Some value of a type, chosen by `seed`.
fn some(ty: &Fact, seed: &mut u64) -> Value {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let pick = (*seed >> 33) as usize;
    match ty {
        Fact::Bool => json!(pick.is_multiple_of(2)),
        Fact::F32 | Fact::F64 => [json!(0.5), json!("NaN"), json!(-1e300)][pick % 3].clone(),
        Fact::Char => json!(["x", "\u{1b}", "東"][pick % 3]),
        Fact::String => json!(TEXTS[pick % TEXTS.len()]),
        Fact::List { item } if *item.bare() == Fact::U8 => json!("aGVsbG8="),
        Fact::List { item } => (0..[0, 1, 3, 14][pick % 4]).map(|_| some(item, seed)).collect(),
        Fact::Option { .. } if pick.is_multiple_of(3) => Value::Null,
        Fact::Option { some: inner } if matches!(**inner, Fact::Option { .. }) => json!({"some": some(inner, seed)}),
        Fact::Option { some: inner } => some(inner, seed),
        Fact::Result { ok, err } => {
            let (side, ty) = if pick.is_multiple_of(2) { ("ok", ok) } else { ("err", err) };
            json!({ side: ty.as_deref().map(|ty| some(ty, seed)) })
        }
        Fact::Tuple { items } => items.iter().map(|ty| some(ty, seed)).collect(),
        Fact::Record { fields, .. } => {
            Value::Object(fields.iter().map(|(name, ty)| (name.clone(), some(ty, seed))).collect())
        }
        Fact::Variant { cases, .. } => match &cases[pick % cases.len()] {
            (name, None) => json!(name),
            (name, Some(ty)) => json!({ name: some(ty, seed) }),
        },
        Fact::Enum { cases, .. } => json!(cases[pick % cases.len()]),
        Fact::Flags { names, .. } => json!(names[..pick % (names.len() + 1)]),
        Fact::Named { of, .. } => some(of, seed),
        Fact::S8 | Fact::S16 | Fact::S32 | Fact::S64 => json!([-1, 0, 1_800_000_000_000_000, i64::MIN][pick % 4]),
        _ => json!([0, 7, 1_234_567, u64::MAX][pick % 4]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_value_of_any_type_breaks_a_page(ty in types(), other in types(), seed: u64, columns in 18usize..220) {
        for value in [some(&ty, &mut seed.clone()), some(&other, &mut seed.clone())] {
            for line in page(&ty, &value, columns).lines() {
                prop_assert!(super::wrap::width(line) <= columns, "{columns} columns: {line:?}");
                prop_assert!(line.chars().all(is_plain), "{line:?}");
            }
        }
    }
}
