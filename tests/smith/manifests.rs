//! Random manifests: near the grammar, with limits and counts at their edges, names of every kind, and random queries.

use std::fmt::Write as _;

use iog_protocol::manifest::{
    ENTRIES_MAX, FUEL_MAX, MEMORY_MIB_MAX, Manifest, PARAMS_MAX, QUERIES_MAX, RESULT_KIB_MAX, SLOTS_MAX,
    SUMMARY_CHARS_MAX, WALL_S_MAX,
};
use iog_protocol::schemas::{SCHEMAS, Schema};

use crate::asking;
use crate::case::Case;
use crate::random::Random;
use crate::sql;

/// Names that are none, in one place of a manifest or another.
const ODD_NAMES: [&str; 14] =
    ["", "A", "a b", "-a", "a-", "a--b", "1a", "merge", "a.b", "ä", "\u{202e}ab", "a\u{0}", "../x", "select"];

/// A manifest, and the component that asks all its queries.
pub(crate) fn make(random: &mut Random) -> Option<Case> {
    let mut text = text(random);
    for _ in 0..random.one(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 3]) {
        text = damaged(random, &text);
    }
    // A manifest that is none has no names to make a component of.
    let wasm = match Manifest::parse(&text) {
        Ok(manifest) => asking::component(&manifest),
        Err(_) => asking::component_of(&["run"], &[]),
    };
    Some(Case { wasm: wasm?, manifest: Some(text) })
}

fn text(random: &mut Random) -> String {
    let mut text = String::new();
    module(random, &mut text);
    let slots = slots(random, &mut text);
    queries(random, &mut text, &slots);
    limits(random, &mut text);
    let class =
        rarely(random, &["\"reviewed\"", "\"open\""], &["\"sum-only\"", "\"dp\"", "\"aggregate\"", "\"none\"", "3"]);
    writeln!(text, "[release]\nclass = {class}").unwrap();
    let repository = rarely(random, &["\"https://iog.example/iog\""], &["\"\"", "\"a\\u0007b\"", "[]"]);
    writeln!(text, "[source]\nrepository = {repository}\ncommit = \"0\"").unwrap();
    if random.once_in(60) {
        text += "[extra]\nkey = 1\n";
    }
    text
}

/// One of the usual, once in 60 times one of the odd.
fn rarely<'t>(random: &mut Random, usual: &[&'t str], odd: &[&'t str]) -> &'t str {
    if random.once_in(60) { random.one(odd) } else { random.one(usual) }
}

/// As many as usual, or as many as there may be, or one more.
fn count(random: &mut Random, usual: usize, most: usize) -> usize {
    match random.below(150) {
        0 => most,
        1 => most + 1,
        _ => random.below(usual + 1),
    }
}

/// A name in quotes, once in 200 times one that is none.
fn name(random: &mut Random, usual: String) -> String {
    let name = if random.once_in(200) { random.one(&ODD_NAMES).to_owned() } else { usual };
    quoted(&name)
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn module(random: &mut Random, text: &mut String) {
    let name =
        rarely(random, &["iog/random", "a/b", "x-y/z-1"], &["iog", "iog/", "/x", "IOG/x", "iog/a/b", "iog/\u{202e}"]);
    let version =
        rarely(random, &["1.0.0", "0.0.1", "1.2.3-rc.1"], &["1.0", "", "99999999999999999999.0.0", "1.0.0+\u{e4}"]);
    let summary = match random.below(20) {
        0 => "x".repeat(SUMMARY_CHARS_MAX + random.below(2)),
        1 => "\u{1b}[2J".to_owned(),
        2 => "\u{202e}نص".to_owned(),
        _ => "Random".to_owned(),
    };
    let entries: Vec<_> =
        (0..count(random, 2, ENTRIES_MAX).max(usize::from(!random.once_in(40)))).map(|at| entry(random, at)).collect();
    writeln!(text, "[module]\nname = {}\nversion = {}\nsummary = {}", quoted(name), quoted(version), quoted(&summary))
        .unwrap();
    writeln!(text, "entry = [{}]", entries.join(", ")).unwrap();
}

fn entry(random: &mut Random, at: usize) -> String {
    let stem = random.one(&["run", "a", "ask-all", "x1-y2"]);
    name(random, format!("{stem}-e{at}"))
}

fn slots(random: &mut Random, text: &mut String) -> Vec<(String, &'static Schema)> {
    let mut slots = Vec::new();
    for at in 0..count(random, 3, SLOTS_MAX) {
        let schema = random.one(SCHEMAS);
        let slot = random.one(&["flows", "s", "data_1"]).to_owned() + &at.to_string();
        let id = if random.once_in(80) { "flow/9" } else { schema.id };
        writeln!(text, "[data.{}]\nschema = {}", name(random, slot.clone()), quoted(id)).unwrap();
        slots.push((slot, schema));
    }
    slots
}

fn queries(random: &mut Random, text: &mut String, slots: &[(String, &'static Schema)]) {
    let usual = if slots.is_empty() { 0 } else { slots.len() };
    for at in 0..count(random, usual, QUERIES_MAX).max(usual) {
        let mut query = sql::query(random, slots);
        // A slot that no query reads is refused.
        if let (true, Some((slot, schema))) = (random.once_in(2), slots.get(at)) {
            query.sql = format!("SELECT \"{}\" AS c0 FROM {slot}", schema.columns[0].name);
            query.params.clear();
        }
        if random.once_in(200) {
            let more = (0..PARAMS_MAX + 1).map(|at| (format!("q{at}"), "int"));
            query.params.extend(more);
        }
        let params: Vec<_> = query
            .params
            .iter()
            .map(|(param, ty)| {
                let ty = rarely(random, &[ty], &["cidr", "text", "uint"]);
                format!("{} = {}", name(random, param.clone()), quoted(ty))
            })
            .collect();
        let key = name(random, format!("q{at}"));
        writeln!(text, "[query.{key}]\nparams = {{ {} }}\nsql = {}", params.join(", "), quoted(&query.sql)).unwrap();
    }
}

fn limits(random: &mut Random, text: &mut String) {
    text.push_str("[limits]\n");
    let keys: [(&str, u64); 4] = [
        ("fuel", FUEL_MAX),
        ("memory_mib", MEMORY_MIB_MAX.into()),
        ("wall_s", WALL_S_MAX.into()),
        ("result_kib", RESULT_KIB_MAX.into()),
    ];
    for (key, most) in keys {
        let value = match random.below(150) {
            0 => "0".to_owned(),
            1 => (most + 1).to_string(),
            2 => random
                .one(&["-1", "1.5", "\"1\"", "9223372036854775807", "99999999999999999999", "nan", "1979-05-27"])
                .to_owned(),
            3..40 => most.to_string(),
            40..60 => "1".to_owned(),
            60..90 => continue,
            _ => (1 + random.next() % most).to_string(),
        };
        writeln!(text, "{key} = {value}").unwrap();
    }
}

/// The text with one place changed.
fn damaged(random: &mut Random, text: &str) -> String {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    if places.is_empty() {
        return text.to_owned();
    }
    let (from, to) = (random.one(&places), random.one(&places));
    let mut lines: Vec<&str> = text.lines().collect();
    match random.below(6) {
        0 => format!("{}{}", &text[..from.min(to)], &text[from.max(to).min(from.min(to) + 9)..]),
        1 => {
            let with =
                random.one(&["\"", "[", "]", "=", "'", "\n", "\u{0}", "\u{202e}", "{", "#", "\"\"\"", "$", ";", "\\"]);
            format!("{}{with}{}", &text[..from], &text[from..])
        }
        2 => text[..from].to_owned(),
        3 => format!("{}{}{}", &text[..from.max(to)], &text[from.min(to)..from.max(to)], &text[from.max(to)..]),
        4 => {
            let (one, other) = (random.below(lines.len()), random.below(lines.len()));
            lines.swap(one, other);
            lines.join("\n")
        }
        _ => format!("{text}x = {}{}", "[".repeat(random.one(&[3, 200, 20_000])), "]".repeat(3)),
    }
}
