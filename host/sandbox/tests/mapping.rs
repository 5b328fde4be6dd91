//! The JSON ↔ WIT mapping: every value type goes in and comes out in its one canonical form, and what does not fit is
//! refused with path, expected type and what was found.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod support;

use std::fmt::Write as _;

use iog_sandbox::{LimitKind, RunOutcome, ValueError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use support::{echo, identity, load};

/// A generated type.
#[derive(Clone, Debug)]
enum Ty {
    Scalar(&'static str),
    List(Box<Self>),
    Option(Box<Self>),
    Tuple(Vec<Self>),
    Record(Vec<Self>),
    Variant(Vec<Option<Self>>),
    Enum(usize),
    Flags(usize),
    Result(Option<Box<Self>>, Option<Box<Self>>),
}

const SCALARS: [&str; 13] =
    ["bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string"];

fn types() -> impl Strategy<Value = Ty> {
    let leaf = prop_oneof![
        8 => (0..SCALARS.len()).prop_map(|i| Ty::Scalar(SCALARS[i])),
        1 => (1usize..5).prop_map(Ty::Enum),
        1 => (1usize..33).prop_map(Ty::Flags),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let some = || proptest::option::of(inner.clone().prop_map(Box::new));
        prop_oneof![
            inner.clone().prop_map(|t| Ty::List(Box::new(t))),
            inner.clone().prop_map(|t| Ty::Option(Box::new(t))),
            inner.clone().prop_map(|t| Ty::Option(Box::new(Ty::Option(Box::new(t))))),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Ty::Tuple),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Ty::Record),
            proptest::collection::vec(proptest::option::of(inner.clone()), 1..4).prop_map(Ty::Variant),
            (some(), some()).prop_map(|(ok, err)| Ty::Result(ok, err)),
        ]
    })
}

/// Writes the definitions that `ty` needs to `defs` and gives back how to refer to it. Named types must be exported.
fn wat(ty: &Ty, defs: &mut String, count: &mut usize) -> String {
    let body = match ty {
        Ty::Scalar(name) => return (*name).to_owned(),
        Ty::List(t) => return format!("(list {})", wat(t, defs, count)),
        Ty::Option(t) => return format!("(option {})", wat(t, defs, count)),
        Ty::Tuple(ts) => {
            let inner: Vec<_> = ts.iter().map(|t| wat(t, defs, count)).collect();
            return format!("(tuple {})", inner.join(" "));
        }
        Ty::Result(ok, err) => {
            let ok = ok.as_ref().map(|t| wat(t, defs, count)).unwrap_or_default();
            let err = err.as_ref().map(|t| format!("(error {})", wat(t, defs, count))).unwrap_or_default();
            return format!("(result {ok} {err})");
        }
        Ty::Record(ts) => {
            let fields: String =
                ts.iter().enumerate().map(|(i, t)| format!(" (field \"f{i}\" {})", wat(t, defs, count))).collect();
            format!("(record{fields})")
        }
        Ty::Variant(ts) => {
            let case = |(i, t): (usize, &Option<Ty>)| match t {
                Some(t) => format!(" (case \"c{i}\" {})", wat(t, defs, count)),
                None => format!(" (case \"c{i}\")"),
            };
            format!("(variant{})", ts.iter().enumerate().map(case).collect::<String>())
        }
        Ty::Enum(n) => format!("(enum{})", (0..*n).map(|i| format!(" \"e{i}\"")).collect::<String>()),
        Ty::Flags(n) => format!("(flags{})", (0..*n).map(|i| format!(" \"g{i}\"")).collect::<String>()),
    };
    *count += 1;
    let name = format!("t{count}");
    writeln!(defs, "(type ${name}' {body}) (export ${name} \"{name}\" (type ${name}'))").unwrap();
    format!("${name}")
}

fn signed(bits: u32) -> BoxedStrategy<Value> {
    let (min, max) = (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits));
    prop_oneof![Just(min), Just(max), Just(0), Just(-1), min..=max].prop_map(integer).boxed()
}

fn unsigned(bits: u32) -> BoxedStrategy<Value> {
    let max = u64::MAX >> (64 - bits);
    let canonical = |v: u64| if v < 1 << 53 { json!(v) } else { json!(v.to_string()) };
    prop_oneof![Just(max), Just(0), Just((1 << 53) - 1), Just(1 << 53), 0..=max]
        .prop_map(move |v| canonical(v.min(max)))
        .boxed()
}

fn integer(v: i64) -> Value {
    if v.unsigned_abs() < 1 << 53 { json!(v) } else { json!(v.to_string()) }
}

fn float(text: String) -> Value {
    match text.as_str() {
        "NaN" => json!("NaN"),
        "inf" => json!("Infinity"),
        "-inf" => json!("-Infinity"),
        _ => text.parse::<f64>().map(|v| json!(v)).unwrap(),
    }
}

/// The f32 in as few digits as name it; as an f64 the same digits name another number, which is what travels.
fn shortest(v: f32) -> String {
    if v.is_finite() { serde_json::to_string(&v).unwrap() } else { format!("{v:?}") }
}

fn scalars(name: &str) -> BoxedStrategy<Value> {
    let odd = prop_oneof![Just("NaN".to_owned()), Just("inf".into()), Just("-inf".into()), Just("-0.0".into())];
    match name {
        "bool" => any::<bool>().prop_map(Value::from).boxed(),
        "s8" => signed(8),
        "u8" => unsigned(8),
        "s16" => signed(16),
        "u16" => unsigned(16),
        "s32" => signed(32),
        "u32" => unsigned(32),
        "s64" => signed(64),
        "u64" => unsigned(64),
        "f32" => prop_oneof![any::<f32>().prop_map(shortest), odd].prop_map(float).boxed(),
        "f64" => prop_oneof![any::<f64>().prop_map(|v| format!("{v:?}")), odd].prop_map(float).boxed(),
        "char" => any::<char>().prop_map(|c| json!(c.to_string())).boxed(),
        _ => prop_oneof![any::<String>(), Just("𝄞 \u{0} \" \\ \u{7f} é 日".to_owned())].prop_map(Value::from).boxed(),
    }
}

/// Values of a type, in canonical form.
fn values(ty: &Ty) -> BoxedStrategy<Value> {
    let nullable = |t: &Ty| matches!(t, Ty::Option(_));
    match ty {
        Ty::Scalar(name) => scalars(name),
        Ty::List(t) if matches!(**t, Ty::Scalar("u8")) => {
            prop_oneof![Just(json!("")), Just(json!("AA==")), Just(json!("/+8=")), Just(json!("AQID"))].boxed()
        }
        Ty::List(t) => proptest::collection::vec(values(t), 0..4).prop_map(Value::from).boxed(),
        Ty::Option(t) => {
            let wrap = nullable(t);
            let some = values(t).prop_map(move |v| if wrap { json!({"some": v}) } else { v });
            prop_oneof![1 => Just(Value::Null), 2 => some].boxed()
        }
        Ty::Tuple(ts) => ts.iter().map(values).collect::<Vec<_>>().prop_map(Value::from).boxed(),
        Ty::Record(ts) => ts
            .iter()
            .map(values)
            .collect::<Vec<_>>()
            .prop_map(|vs| vs.into_iter().enumerate().map(|(i, v)| (format!("f{i}"), v)).collect())
            .prop_map(Value::Object)
            .boxed(),
        Ty::Variant(ts) => {
            let case = |(i, t): (usize, &Option<Ty>)| match t {
                Some(t) => values(t).prop_map(move |v| json!({format!("c{i}"): v})).boxed(),
                None => Just(json!(format!("c{i}"))).boxed(),
            };
            proptest::strategy::Union::new(ts.iter().enumerate().map(case)).boxed()
        }
        Ty::Enum(n) => (0..*n).prop_map(|i| json!(format!("e{i}"))).boxed(),
        Ty::Flags(n) => proptest::collection::vec(any::<bool>(), *n)
            .prop_map(|set| {
                set.iter().enumerate().filter(|(_, on)| **on).map(|(i, _)| json!(format!("g{i}"))).collect()
            })
            .boxed(),
        Ty::Result(ok, err) => {
            let side = |name: &'static str, t: &Option<Box<Ty>>| match t {
                Some(t) => values(t).prop_map(move |v| json!({name: v})).boxed(),
                None => Just(json!({name: null})).boxed(),
            };
            prop_oneof![side("ok", ok), side("err", err)].boxed()
        }
    }
}

const PADDING: &str = ",[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]]";

/// A type with four of its values.
fn cases() -> impl Strategy<Value = (Ty, Vec<Value>)> {
    types().prop_flat_map(|ty| {
        let values = proptest::collection::vec(values(&ty), 4);
        (Just(ty), values)
    })
}

#[test]
fn values_of_generated_types_come_back_as_they_went_in() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 96, failure_persistence: None, max_shrink_iters: 64, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let checked = runner.run(&cases(), |(ty, values)| {
        let (mut defs, mut count) = (String::new(), 0);
        let name = wat(&ty, &mut defs, &mut count);
        runtime.block_on(async {
            let module = load(&identity(&defs, &name)).await;
            for value in values {
                let report = echo(&module, value.clone()).await;
                let json = match report.outcome {
                    RunOutcome::Succeeded { json } => json,
                    other => return Err(TestCaseError::fail(format!("{name}: {value}: {other:?}"))),
                };
                let x = json.strip_prefix('[').and_then(|j| j.strip_suffix(PADDING)).expect("the padding comes back");
                // An `f32` turns to an exponent at fewer digits than the `f64` of the same digits; the value is the same.
                let back: Value = serde_json::from_str(x).expect("a result is JSON");
                prop_assert_eq!(canonical(&back), canonical(&value), "{}", defs);
            }
            Ok(())
        })
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}

fn canonical(value: &Value) -> String {
    serde_json::to_string(value).unwrap()
}

async fn one(ty: &str, x: Value) -> RunOutcome {
    echo(&load(&identity("", ty)).await, x).await.outcome
}

fn came_back(x: &str) -> RunOutcome {
    RunOutcome::Succeeded { json: format!("[{x}{PADDING}") }
}

#[tokio::test]
async fn integers_have_a_number_form_and_a_text_form() {
    for (ty, given, back) in [
        ("u64", json!(u64::MAX), "\"18446744073709551615\""),
        ("u64", json!("18446744073709551615"), "\"18446744073709551615\""),
        ("u64", json!("7"), "7"),
        ("u64", json!(9_007_199_254_740_991u64), "9007199254740991"),
        ("u64", json!(9_007_199_254_740_992u64), "\"9007199254740992\""),
        ("s64", json!(i64::MIN), "\"-9223372036854775808\""),
        ("s64", json!("-9223372036854775808"), "\"-9223372036854775808\""),
        ("s64", json!("-1"), "-1"),
        ("f64", json!(1), "1.0"),
        ("f32", json!(0.1), "0.1"),
        ("f64", json!("NaN"), "\"NaN\""),
        ("(option (option u8))", json!(null), "null"),
        ("(option (option u8))", json!({"some": null}), "{\"some\":null}"),
        ("(option (option u8))", json!({"some": 3}), "{\"some\":3}"),
        ("(option (result))", json!({"ok": null}), "{\"ok\":null}"),
        ("(list u8)", json!("+/8="), "\"+/8=\""),
    ] {
        assert_eq!(one(ty, given.clone()).await, came_back(back), "{ty} {given}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let error = |path: &str, expected: &str, found: &str| {
        RunOutcome::BadParams(ValueError { path: path.into(), expected: expected.into(), found: found.into() })
    };
    let s64 = "s64 (a number, or a decimal string beyond 2^53)";
    for (ty, given, expected) in [
        ("u8", json!(256), error("$.x", "u8", "the number 256")),
        ("u8", json!(-1), error("$.x", "u8", "the number -1")),
        ("u8", json!("1"), error("$.x", "u8", "the string `1`")),
        ("s8", json!(1.0), error("$.x", "s8", "the number 1.0")),
        ("s64", json!("007"), error("$.x", s64, "the string `007`")),
        ("s64", json!("-0"), error("$.x", s64, "the string `-0`")),
        ("s64", json!("+5"), error("$.x", s64, "the string `+5`")),
        ("s64", json!("9223372036854775808"), error("$.x", s64, "the string `9223372036854775808`")),
        ("f32", json!(1e300), error("$.x", "f32 (a number, `NaN`, `Infinity` or `-Infinity`)", "the number 1e+300")),
        ("bool", json!(0), error("$.x", "bool", "the number 0")),
        ("char", json!("ab"), error("$.x", "char (a string of one character)", "the string `ab`")),
        ("char", json!(""), error("$.x", "char (a string of one character)", "the string ``")),
        ("(list u32)", json!([1, "2"]), error("$.x[1]", "u32", "the string `2`")),
        ("(list u8)", json!([1, 2]), error("$.x", "list<u8> (a base64 string)", "an array of 2")),
        ("(list u8)", json!("AQI"), error("$.x", "list<u8> (a base64 string)", "the string `AQI`")),
        ("(tuple u8 u8)", json!([1]), error("$.x", "tuple (an array of 2)", "an array of 1")),
        (
            "(option (option u8))",
            json!(3),
            error("$.x", "option of an option (null or `{\"some\": …}`)", "the number 3"),
        ),
        ("(result u8)", json!({"ok": null}), error("$.x.ok", "u8", "null")),
        ("(result u8)", json!({"err": 1}), error("$.x.err", "null", "the number 1")),
        ("(result u8)", json!({}), error("$.x", "result (`{\"ok\": …}` or `{\"err\": …}`)", "an empty object")),
        ("string", json!(null), error("$.x", "string", "null")),
    ] {
        assert_eq!(one(ty, given.clone()).await, expected, "{ty} {given}");
    }
}

#[tokio::test]
async fn records_variants_and_flags_are_strict() {
    let defs = r#"
        (type $e' (enum "red" "green")) (export $e "e" (type $e'))
        (type $f' (flags "a" "b")) (export $f "f" (type $f'))
        (type $v' (variant (case "none") (case "some-of" u8))) (export $v "v" (type $v'))
        (type $r' (record (field "at" u8) (field "who" (option string)) (field "e" $e) (field "f" $f) (field "v" $v)))
        (export $r "r" (type $r'))"#;
    let module = load(&identity(defs, "$r")).await;
    let good = json!({"at": 1, "e": "red", "f": ["b", "a"], "v": {"some-of": 2}});
    let back = r#"{"at":1,"who":null,"e":"red","f":["a","b"],"v":{"some-of":2}}"#;
    assert_eq!(
        echo(&module, good.clone()).await.outcome,
        came_back(back),
        "an absent option is none; order is declared"
    );
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    for (given, path, found) in [
        (with("extra", json!(1)), "$.x.extra", "an unknown name"),
        (with("at", json!(null)), "$.x.at", "null"),
        (with("e", json!("blue")), "$.x.e", "the string `blue`"),
        (with("f", json!(["a", "a"])), "$.x.f[1]", "the string `a`"),
        (with("f", json!(["c"])), "$.x.f[0]", "the string `c`"),
        (with("v", json!("some-of")), "$.x.v", "the string `some-of`"),
        (with("v", json!({"none": null})), "$.x.v", "an object with `none`"),
        (with("v", json!({"some-of": 256})), "$.x.v.some-of", "the number 256"),
        (json!({"at": 1}), "$.x.e", "nothing"),
        (json!([1]), "$.x", "an array of 1"),
    ] {
        match echo(&module, given.clone()).await.outcome {
            RunOutcome::BadParams(error) => assert_eq!((&*error.path, &*error.found), (path, found), "{given}"),
            other => panic!("{given}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_result_longer_than_its_cap_is_a_limit() {
    let module = load(&identity("", "string")).await;
    let run = async |length: usize, bytes: usize| {
        let mut spec = support::spec(&module, json!({"x": "a".repeat(length), "pad": vec![0; 17]}));
        spec.limits.result_bytes = bytes;
        use iog_sandbox::Runner as _;
        support::sandbox().run(spec, std::sync::Arc::new(iog_sandbox::NothingGranted)).await.outcome
    };
    let around = PADDING.len() + 3;
    assert!(matches!(run(1_000, 1_000 + around).await, RunOutcome::Succeeded { .. }));
    assert_eq!(run(1_001, 1_000 + around).await, RunOutcome::Limit(LimitKind::Output));
}
