//! The component that asks every query of a manifest, with a value for each parameter, and reads all rows: one function
//! behind all entries.

use std::fmt::Write as _;

use iog_protocol::manifest::{Manifest, ParamType, QueryDecl};

use crate::support::{DATA, LOWER_DATA, MEMORY};

/// Where names and texts are kept in the guest's memory, and how far.
const TEXTS: usize = 70_000;
const TEXTS_MAX: usize = 50_000;
/// Where the parameters of one query are written.
const PARAMS: usize = 2_048;

/// The component of a manifest; nothing where its names are none of a component.
pub(crate) fn component(manifest: &Manifest) -> Option<Vec<u8>> {
    let entries: Vec<&str> = manifest.module.entry.iter().map(|entry| entry.as_str()).collect();
    let queries: Vec<(&str, &QueryDecl)> = manifest.query.iter().map(|(name, query)| (name.as_str(), query)).collect();
    component_of(&entries, &queries)
}

/// The same for entries and queries.
pub(crate) fn component_of(entries: &[&str], queries: &[(&str, &QueryDecl)]) -> Option<Vec<u8>> {
    let mut texts = Texts::default();
    let asks: String = queries.iter().map(|(name, query)| ask(&mut texts, name, query)).collect();
    if texts.0.len() > TEXTS_MAX {
        return None;
    }
    let data: String = texts.0.bytes().fold(String::new(), |mut data, byte| {
        write!(data, "\\{byte:02x}").unwrap();
        data
    });
    let exports: String = entries
        .iter()
        .map(|name| format!("(func (export {name:?}) (result u32) (canon lift (core func $i \"run\")))\n"))
        .collect();
    let text = format!(
        r#"(component {DATA} {MEMORY} {LOWER_DATA}
          (core module $main
            (import "m" "memory" (memory 1)) (import "m" "top" (global $top (mut i32)))
            (import "host" "open" (func $open (param i32 i32 i32 i32 i32)))
            (import "host" "advance" (func $advance (param i32 i32)))
            (import "host" "ints" (func $ints (param i32 i32 i32)))
            (import "host" "drop" (func $drop (param i32)))
            (data (i32.const {TEXTS}) "{data}")
            (func $read (param $rows i32) (result i32) (local $n i32)
              (block $end (loop $l
                (call $advance (local.get $rows) (i32.const 128))
                (br_if $end (i32.load8_u (i32.const 128)))
                (br_if $end (i32.eqz (i32.load (i32.const 132))))
                (local.set $n (i32.add (local.get $n) (i32.load (i32.const 132))))
                (call $ints (local.get $rows) (i32.const 0) (i32.const 160))
                (br $l)))
              (call $drop (local.get $rows))
              (local.get $n))
            (func (export "run") (result i32) (local $n i32)
              (global.set $top (i32.const 130000))
              {asks} (local.get $n)))
          (core instance $i (instantiate $main (with "m" (instance $m)) (with "host" (instance $host))))
          {exports})"#
    );
    wat::parse_str(text).ok()
}

/// Code that asks one query.
fn ask(texts: &mut Texts, name: &str, query: &QueryDecl) -> String {
    let mut code = String::new();
    for (at, (_, ty)) in query.params.iter().enumerate() {
        let place = PARAMS + at * 16;
        // Cases: text, int, uint, float, flag.
        let (case, value) = match ty {
            ParamType::Int | ParamType::Timestamp => (1, "(i64.const 1800000000000000)".to_owned()),
            ParamType::Uint => (2, "(i64.const 24)".to_owned()),
            ParamType::Float => (3, "(i64.const 4602678819172646912)".to_owned()),
            ParamType::Flag => (4, "(i64.const 1)".to_owned()),
            ParamType::Text | ParamType::Address => (0, texts.place("192.0.2.1")),
            ParamType::Prefix => (0, texts.place("192.0.2.0/24")),
        };
        write!(
            code,
            "(i32.store8 (i32.const {place}) (i32.const {case})) (i64.store (i32.const {}) {value})",
            place + 8
        )
        .unwrap();
    }
    let (at, length) = texts.put(name);
    let count = query.params.len();
    write!(
        code,
        "(call $open (i32.const {at}) (i32.const {length}) (i32.const {PARAMS}) (i32.const {count}) (i32.const 64))
        (if (i32.eqz (i32.load8_u (i32.const 64)))
          (then (local.set $n (i32.add (local.get $n) (call $read (i32.load (i32.const 68)))))))"
    )
    .unwrap();
    code
}

/// Texts one after the other.
#[derive(Default)]
struct Texts(String);

impl Texts {
    fn put(&mut self, text: &str) -> (usize, usize) {
        let at = TEXTS + self.0.len();
        self.0.push_str(text);
        (at, text.len())
    }

    /// Address and length of a text, as the two words of one.
    fn place(&mut self, text: &str) -> String {
        let (at, length) = self.put(text);
        format!("(i64.const {})", at | (length << 32))
    }
}
