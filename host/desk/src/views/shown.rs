//! A value of any WIT type for people: lines, tables and what is indented under them, by its type alone. It decides what is
//! shown and in which words, not how wide it is; the texts are foreign, and whoever shows them escapes them.

use std::collections::BTreeMap;

use iog_inspect::WitTypeFact as Fact;
use serde::Serialize;
use serde_json::{Map, Value};

use super::quantity::Quantity;

/// Rows of a table, and entries of a list, that people are shown; what is inside a row or an entry gets the second.
const ROWS_MAX: [usize; 2] = [40, 12];
/// Entries of a list that is shown on a line.
const INLINE_MAX: usize = 16;
/// Fields of a record that is shown on a line.
const INLINE_FIELDS_MAX: usize = 5;

/// A value as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// What fits a line.
    Cell(Cell),
    /// Names, each with a value.
    Fields(Vec<(String, Self)>),
    /// Records of one type.
    Table(Table),
    /// Other values, one after the other, and how many more there are.
    Items(Vec<Self>, usize),
}

/// A text of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// What it is.
    pub kind: Kind,
}

/// What a text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A number, with or without its unit.
    Number,
    /// Words.
    Words,
    /// Nothing: there is no value, or it has no entries.
    Nothing,
    /// An error that the module returned.
    Error,
}

/// Records of one type: a column for each field that fits a line, the other fields under their row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Names of the columns.
    pub heads: Vec<String>,
    /// In the order of the list.
    pub rows: Vec<Row>,
    /// How many rows are left out.
    pub more: usize,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// One for each column.
    pub cells: Vec<Cell>,
    /// The fields that fit no line, by name; empty ones are not there.
    pub under: Vec<(String, Shown)>,
}

impl Shown {
    /// The value of an entry's or a merge's result: its canonical JSON by its type. Where the JSON is not of the type, what is
    /// there is shown as it stands.
    #[must_use]
    pub fn of(ty: Option<&Fact>, value: &Value) -> Self {
        match ty {
            None => Self::Cell(nothing("nothing")),
            Some(ty) => shown(ty, value, 0),
        }
    }
}

fn shown(ty: &Fact, value: &Value, depth: usize) -> Shown {
    if fits_line(ty) {
        return Shown::Cell(cell(ty, value));
    }
    block(ty, value, depth).unwrap_or_else(|| Shown::Cell(as_it_stands(value)))
}

/// A value that takes more than a line; `None` where the JSON is not of the type.
fn block(ty: &Fact, value: &Value, depth: usize) -> Option<Shown> {
    match ty {
        Fact::Option { .. } if value.is_null() => Some(Shown::Cell(nothing("-"))),
        Fact::Option { some } => Some(shown(some, some_of(some, value), depth)),
        Fact::Record { fields, .. } => {
            let members = value.as_object()?;
            let field = |(name, ty): &(String, Fact)| {
                (head(name, ty), shown(ty, members.get(name).unwrap_or(&Value::Null), depth))
            };
            Some(Shown::Fields(fields.iter().map(field).collect()))
        }
        Fact::List { item } => list(item, value.as_array()?, depth),
        Fact::Tuple { items } => {
            let values = value.as_array().filter(|values| values.len() == items.len())?;
            Some(Shown::Items(items.iter().zip(values).map(|(ty, value)| shown(ty, value, depth + 1)).collect(), 0))
        }
        Fact::Variant { cases, .. } => {
            let (name, payload) = only(value.as_object()?)?;
            let (_, ty) = cases.iter().find(|(case, _)| case == name)?;
            Some(Shown::Fields(vec![(name.clone(), shown(ty.as_ref()?, payload, depth))]))
        }
        Fact::Result { ok, err } => match only(value.as_object()?)? {
            (side, payload) if side == "ok" => Some(side_of(ok.as_deref(), payload, depth, "ok")),
            (_, payload) => Some(match side_of(err.as_deref(), payload, depth, "error") {
                Shown::Cell(cell) => Shown::Cell(error(cell)),
                more => Shown::Fields(vec![("error".to_owned(), more)]),
            }),
        },
        _ => None,
    }
}

/// One side of a result; one that carries nothing is a word.
fn side_of(ty: Option<&Fact>, payload: &Value, depth: usize, word: &str) -> Shown {
    ty.map_or_else(|| Shown::Cell(words(word)), |ty| shown(ty, payload, depth))
}

fn list(item: &Fact, values: &[Value], depth: usize) -> Option<Shown> {
    if values.is_empty() {
        return Some(Shown::Cell(nothing("none")));
    }
    let max = ROWS_MAX[depth.min(1)];
    if let Fact::Record { fields, .. } = item
        && fields.iter().all(|(_, ty)| is_name(ty))
    {
        return names(fields, values, max);
    }
    let more = values.len().saturating_sub(max);
    let values = &values[..values.len() - more];
    let Fact::Record { fields, .. } = item else {
        return Some(Shown::Items(values.iter().map(|value| shown(item, value, depth + 1)).collect(), more));
    };
    let (columns, blocks): (Vec<_>, Vec<_>) = fields.iter().partition(|(_, ty)| fits_line(ty));
    let row = |value: &Value| row(&columns, &blocks, value.as_object()?, depth);
    let rows = values.iter().map(row).collect::<Option<_>>()?;
    let heads = columns.iter().map(|(name, ty)| head(name, ty)).collect();
    Some(Shown::Table(Table { heads, rows, more }))
}

type Field = (String, Fact);

/// A table of names and words alone, in which rows that end in the same words are one.
fn names(fields: &[Field], values: &[Value], max: usize) -> Option<Shown> {
    let columns: Vec<&Field> = fields.iter().collect();
    let rows = values.iter().map(|value| row(&columns, &[], value.as_object()?, 0));
    let mut rows = folded(rows.collect::<Option<_>>()?);
    let more = rows.len().saturating_sub(max);
    rows.truncate(max);
    Some(Shown::Table(Table { heads: fields.iter().map(|(name, ty)| head(name, ty)).collect(), rows, more }))
}

/// One row for all that have the same sentences in the same places, such as the reason of many domains; it stands where the
/// first of them does, and names what the others have in their other cells.
fn folded(rows: Vec<Row>) -> Vec<Row> {
    let mut groups: Vec<Vec<Row>> = Vec::new();
    let mut places: BTreeMap<Vec<Option<String>>, usize> = BTreeMap::new();
    for row in rows {
        let said = |cell: &Cell| cell.text.contains(' ').then(|| cell.text.clone());
        let key: Vec<Option<String>> = row.cells.iter().map(said).collect();
        let alone = key.iter().all(Option::is_none);
        match places.get(&key).filter(|_| !alone) {
            Some(place) => groups[*place].push(row),
            None => {
                places.insert(key, groups.len());
                groups.push(vec![row]);
            }
        }
    }
    groups.into_iter().map(one_row).collect()
}

fn one_row(mut group: Vec<Row>) -> Row {
    if group.len() == 1 {
        return group.remove(0);
    }
    let same = |at: usize| group.iter().all(|row| row.cells[at] == group[0].cells[at]);
    let nothing_differs = (0..group[0].cells.len()).all(same);
    let column = |at: usize| match &group[0].cells[at] {
        Cell { text, .. } if nothing_differs && text.contains(' ') => words(&format!("{text} ({} times)", group.len())),
        cell if same(at) => cell.clone(),
        _ => joined(group.iter().map(|row| row.cells[at].clone())),
    };
    Row { cells: (0..group[0].cells.len()).map(column).collect(), under: Vec::new() }
}

/// Whether a type's values name something or are words, and count nothing.
fn is_name(ty: &Fact) -> bool {
    match ty {
        Fact::Option { some } => is_name(some),
        Fact::String | Fact::Char | Fact::Enum { .. } => true,
        other => Quantity::of(other) == Some(Quantity::Asn),
    }
}

fn row(columns: &[&Field], blocks: &[&Field], members: &Map<String, Value>, depth: usize) -> Option<Row> {
    let member = |name: &str| members.get(name).unwrap_or(&Value::Null);
    let cells = columns.iter().map(|(name, ty)| cell(ty, member(name))).collect();
    let block = |(name, ty): &&Field| (head(name, ty), shown(ty, member(name), depth + 1));
    let is_there = |(_, shown): &(String, Shown)| !matches!(shown, Shown::Cell(Cell { kind: Kind::Nothing, .. }));
    Some(Row { cells, under: blocks.iter().map(block).filter(is_there).collect() })
}

/// A field's name; where its unit is shown with the number, the end that names the bare number's unit is not.
fn head(name: &str, ty: &Fact) -> String {
    let inner = match ty {
        Fact::Option { some } => some,
        other => other,
    };
    let suffix = Quantity::of(inner).and_then(Quantity::suffix);
    let short = suffix.and_then(|suffix| name.strip_suffix(suffix)).filter(|short| !short.is_empty());
    short.unwrap_or(name).to_owned()
}

/// Whether every value of a type is shown on a line.
fn fits_line(ty: &Fact) -> bool {
    match ty {
        Fact::Option { some } => fits_line(some),
        Fact::List { item } => is_word(item),
        Fact::Tuple { items } => items.iter().all(is_word),
        Fact::Record { fields, .. } => fields.len() <= INLINE_FIELDS_MAX && fields.iter().all(|(_, ty)| is_word(ty)),
        Fact::Variant { cases, .. } => cases.iter().filter_map(|(_, ty)| ty.as_ref()).all(is_word),
        Fact::Result { ok, err } => ok.iter().chain(err).all(|side| is_word(side)),
        other => is_word(other),
    }
}

/// Whether a value is one word, one number or one text.
fn is_word(ty: &Fact) -> bool {
    match ty {
        Fact::Option { some } => is_word(some),
        Fact::List { item } => matches!(item.bare(), Fact::U8),
        Fact::Tuple { .. } | Fact::Record { .. } | Fact::Variant { .. } | Fact::Result { .. } => false,
        _ => true,
    }
}

/// A value whose type fits a line.
fn cell(ty: &Fact, value: &Value) -> Cell {
    line(ty, value).unwrap_or_else(|| as_it_stands(value))
}

/// `None` where the JSON is not of the type.
fn line(ty: &Fact, value: &Value) -> Option<Cell> {
    match ty {
        Fact::Option { .. } if value.is_null() => Some(nothing("-")),
        Fact::Option { some } => line(some, some_of(some, value)),
        Fact::Named { of, .. } => match Quantity::of(ty).map(|quantity| (quantity, quantity.shown(value))) {
            Some((quantity, Some(text))) => {
                Some(Cell { text, kind: if quantity.in_digits() { Kind::Number } else { Kind::Words } })
            }
            _ => line(of, value),
        },
        Fact::Bool => value.as_bool().map(|yes| words(if yes { "yes" } else { "no" })),
        Fact::Char | Fact::String | Fact::Enum { .. } => value.as_str().map(text),
        Fact::List { item } if matches!(item.bare(), Fact::U8) => value.as_str().map(text),
        Fact::List { item } => value.as_array().map(|values| joined(values.iter().map(|value| cell(item, value)))),
        Fact::Flags { .. } => value.as_array().map(|names| joined(names.iter().map(as_it_stands))),
        Fact::Tuple { items } => {
            let values = value.as_array().filter(|values| values.len() == items.len())?;
            Some(joined(items.iter().zip(values).map(|(ty, value)| cell(ty, value))))
        }
        Fact::Record { fields, .. } => {
            let members = value.as_object()?;
            let field = |(name, ty): &Field| {
                words(&format!("{} {}", head(name, ty), cell(ty, members.get(name).unwrap_or(&Value::Null)).text))
            };
            Some(joined(fields.iter().map(field)))
        }
        Fact::Variant { cases, .. } => variant(cases, value),
        Fact::Result { ok, err } => match only(value.as_object()?)? {
            (side, payload) if side == "ok" => Some(ok.as_ref().map_or_else(|| words("ok"), |ty| cell(ty, payload))),
            (_, payload) => Some(error(err.as_ref().map_or_else(|| words("error"), |ty| cell(ty, payload)))),
        },
        _ => Some(Cell { text: as_it_stands(value).text, kind: Kind::Number }),
    }
}

fn variant(cases: &[(String, Option<Fact>)], value: &Value) -> Option<Cell> {
    if let Some(word) = value.as_str() {
        return Some(words(word));
    }
    let (name, payload) = only(value.as_object()?)?;
    let (_, ty) = cases.iter().find(|(case, _)| case == name)?;
    Some(words(&format!("{name} {}", cell(ty.as_ref()?, payload).text)))
}

/// What is in an option that has something: where what it holds can itself be nothing, an object says so.
fn some_of<'v>(some: &Fact, value: &'v Value) -> &'v Value {
    matches!(some, Fact::Option { .. }).then(|| value.get("some")).flatten().unwrap_or(value)
}

fn only(members: &Map<String, Value>) -> Option<(&String, &Value)> {
    members.iter().next().filter(|_| members.len() == 1)
}

/// Several values on a line, the first of them where there are many.
fn joined(cells: impl ExactSizeIterator<Item = Cell>) -> Cell {
    let more = cells.len().saturating_sub(INLINE_MAX);
    let mut texts: Vec<String> = cells.take(INLINE_MAX).map(|cell| cell.text).collect();
    if more > 0 {
        texts.push(format!("… {more} more"));
    }
    if texts.is_empty() { nothing("none") } else { words(&texts.join(", ")) }
}

fn words(text: &str) -> Cell {
    Cell { text: text.to_owned(), kind: Kind::Words }
}

/// A text of the value's own. One that is empty, or could be taken for the absence of a value, is quoted.
fn text(text: &str) -> Cell {
    let quoted = text.is_empty() || text == "-" || text.trim() != text;
    if quoted { words(&format!("\"{text}\"")) } else { words(text) }
}

fn nothing(text: &str) -> Cell {
    Cell { text: text.to_owned(), kind: Kind::Nothing }
}

fn error(cell: Cell) -> Cell {
    Cell { text: if cell.text == "error" { cell.text } else { format!("error: {}", cell.text) }, kind: Kind::Error }
}

/// JSON as it stands: a text without its quotes, anything else as it is written.
fn as_it_stands(value: &Value) -> Cell {
    words(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
