//! The statement that reads a relation: quoted names, ranges as conditions with bound values, a total order. Pure text;
//! of a query or a module only bound values get into it.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use super::bounds::Range;
use super::cell::CELL_BYTES_MAX;
use crate::address::address_text;
use crate::timestamp::TimestampUnit;

/// Whose SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// How a column is kept, as far as conditions and order depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    Int,
    Float,
    Numeric,
    Text,
    Bytes,
    Inet,
    Time,
    /// Read, but never compared in the database.
    Other,
}

/// A column of the relation that a column of the schema comes from.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) name: String,
    pub(crate) stored: Stored,
    /// Whether its numbers are times in the declared unit.
    pub(crate) time: bool,
}

/// A value in the place of `$n`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bind {
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A statement with its values.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) binds: Vec<Bind>,
}

/// First and last IPv4 address inside the 128 bits.
const V4_FIRST: u128 = 0xffff_0000_0000;
const V4_LAST: u128 = 0xffff_ffff_ffff;
/// Largest whole number up to which every one is a double of its own (2^53): PostgreSQL compares and multiplies as doubles.
const EXACT_MAX: i128 = 1 << 53;
/// What the relation is called in every statement. Names are always qualified by it: SQLite takes a quoted name that no
/// column has for a text.
const ROWS: &str = "\"iog_rows\"";

/// A relation bound to a schema.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) dialect: Dialect,
    /// Whether every value of a column is kept as the column declares, as far as it can be: always in PostgreSQL; in SQLite
    /// in tables, but not in views, whose columns may hold numbers as text.
    pub(crate) firm: bool,
    /// What stands behind FROM, before the alias.
    pub(crate) from: String,
    /// For each column of the schema the one it comes from; `None` where an optional one is absent.
    pub(crate) columns: Vec<Option<Bound>>,
    /// Columns of the operator's order, before all others.
    pub(crate) key: Vec<Bound>,
    pub(crate) unit: TimestampUnit,
}

impl Shape {
    /// Reads the given columns of the schema; a column that is absent is left out.
    pub(crate) fn select(&self, columns: &[usize], ranges: &BTreeMap<usize, Range>, limit: Option<usize>) -> Statement {
        let bound = columns.iter().filter_map(|at| self.columns[*at].as_ref());
        let list: Vec<String> = bound.enumerate().map(|(at, column)| self.bounded(column, at)).collect();
        let order = if list.is_empty() { String::new() } else { self.order() };
        let list = if list.is_empty() { "1".to_owned() } else { list.join(", ") };
        let mut statement = Statement { sql: format!("SELECT {list} FROM {} AS {ROWS}", self.from), binds: Vec::new() };
        let mut joint = " WHERE ";
        for (at, range) in ranges {
            let Some(column) = &self.columns[*at] else { continue };
            let before = statement.binds.len();
            match self.condition(column, range, &mut statement.binds) {
                Some(condition) => {
                    statement.sql.push_str(joint);
                    statement.sql.push_str(&condition);
                    joint = " AND ";
                }
                None => statement.binds.truncate(before),
            }
        }
        statement.sql.push_str(&order);
        if let Some(limit) = limit {
            statement.sql.push_str(&format!(" LIMIT {limit}"));
        }
        statement
    }

    /// A column's value, cut by the database where it is longer than may be taken: what is one byte longer is refused.
    fn bounded(&self, column: &Bound, at: usize) -> String {
        let (name, cut) = (qualified(&column.name), CELL_BYTES_MAX + 1);
        let value = match (self.dialect, column.stored) {
            (Dialect::Sqlite, _) => format!(
                "CASE WHEN typeof({name}) IN ('text', 'blob') AND octet_length({name}) > {CELL_BYTES_MAX} \
                 THEN zeroblob({cut}) ELSE {name} END"
            ),
            (Dialect::Postgres, Stored::Text) => format!(
                "CASE WHEN octet_length({name}) > {CELL_BYTES_MAX} THEN left({name}::text, {cut}) ELSE {name}::text END"
            ),
            (Dialect::Postgres, Stored::Bytes) => {
                format!("substring({name} FROM 1 FOR {cut})")
            }
            (Dialect::Postgres, _) => name,
        };
        format!("{value} AS \"iog_{at}\"")
    }

    /// A total order: the operator's key, then every mapped column, so that rows that differ in anything a query can see
    /// have one order whatever the query reads.
    pub(crate) fn order(&self) -> String {
        let mut terms: Vec<String> = Vec::new();
        let mapped = self.columns.iter().flatten();
        for (column, mapped) in self.key.iter().map(|c| (c, false)).chain(mapped.map(|c| (c, true))) {
            let mut term = qualified(&column.name);
            match (self.dialect, column.stored) {
                (Dialect::Sqlite, Stored::Text | Stored::Other) => term.push_str(" COLLATE BINARY"),
                (Dialect::Postgres, Stored::Text) => term.push_str(" COLLATE \"C\""),
                _ => {}
            }
            // SQLite puts nulls first by itself; a key has none.
            if mapped && self.dialect == Dialect::Postgres {
                term.push_str(" NULLS FIRST");
            }
            let known = |earlier: &String| {
                let plain = earlier.strip_suffix(" NULLS FIRST").unwrap_or(earlier);
                plain == term.strip_suffix(" NULLS FIRST").unwrap_or(&term)
            };
            if !terms.iter().any(known) {
                terms.push(term);
            }
        }
        if terms.is_empty() { String::new() } else { format!(" ORDER BY {}", terms.join(", ")) }
    }

    /// A condition that every row of the range fulfils; `None` where the database cannot be asked.
    fn condition(&self, column: &Bound, range: &Range, binds: &mut Vec<Bind>) -> Option<String> {
        let name = qualified(&column.name);
        match (range, column.stored) {
            // PostgreSQL refuses to compare with a text that its own encoding cannot express; ASCII is in all of them.
            (Range::Text(text), Stored::Text) if text.is_ascii() => {
                let equal = format!("{name} = {}", bind(binds, Bind::Text(text.clone())));
                Some(if self.firm { equal } else { format!("({equal} OR typeof({name}) <> 'text')") })
            }
            (Range::Number { low, high }, Stored::Time) => moments(&name, (*low, *high), binds),
            (Range::Number { low, high }, Stored::Int | Stored::Float | Stored::Numeric) => {
                self.numbers(column, (*low, *high), binds)
            }
            (Range::Address { first, last }, stored) => {
                self.addresses(&name, stored, Addresses { first: *first, last: *last }, binds)
            }
            _ => None,
        }
    }

    /// Numbers in a column whose unit may be coarser than the range's: both ends are rounded away from it.
    fn numbers(&self, column: &Bound, (low, high): (i128, i128), binds: &mut Vec<Bind>) -> Option<String> {
        let factor = match (column.time, self.unit) {
            (false, _) | (true, TimestampUnit::Micros) => 1,
            (true, TimestampUnit::Millis) => 1_000,
            (true, TimestampUnit::Seconds) => 1_000_000,
            (true, TimestampUnit::Rfc3339) => return None,
        };
        let slack = i128::from(column.stored != Stored::Int || factor > 1);
        let exact = |end: &i128| column.stored != Stored::Float || (-EXACT_MAX..=EXACT_MAX).contains(end);
        let low = (low != i128::MIN).then(|| low.div_euclid(factor) - slack).filter(exact);
        let high = (high != i128::MAX).then(|| high.div_euclid(factor) + slack).filter(exact);
        let name = qualified(&column.name);
        let inside = between(&name, (low, high), binds)?;
        Some(if self.firm { inside } else { format!("(({inside}) OR typeof({name}) NOT IN ('integer', 'real'))") })
    }

    fn addresses(&self, name: &str, stored: Stored, range: Addresses, binds: &mut Vec<Bind>) -> Option<String> {
        let (condition, class) = match stored {
            Stored::Int => {
                let (low, high) = range.v4().map_or((1, 0), |v4| (v4.first - V4_FIRST, v4.last - V4_FIRST));
                (between(name, (i128::try_from(low).ok(), i128::try_from(high).ok()), binds)?, "integer")
            }
            Stored::Bytes => (self.blobs(name, range, binds), "blob"),
            Stored::Text => (self.texts(name, range, binds)?, "text"),
            Stored::Inet => return Some(inets(name, range, binds)),
            _ => return None,
        };
        Some(match self.dialect {
            Dialect::Postgres => condition,
            // Any column of SQLite may hold values of any class, and an address has several forms.
            Dialect::Sqlite => format!("({condition} OR typeof({name}) <> '{class}')"),
        })
    }

    /// Blobs of 16 bytes compare as addresses do; those of 4 bytes lie elsewhere.
    fn blobs(&self, name: &str, range: Addresses, binds: &mut Vec<Bind>) -> String {
        let bytes = |value: u128| Bind::Bytes(value.to_be_bytes().to_vec());
        let (low, high) = (bind(binds, bytes(range.first)), bind(binds, bytes(range.last)));
        let long = format!("({name} >= {low} AND {name} <= {high})");
        let Some(v4) = range.v4() else { return long };
        let bytes = |value: u128| Bind::Bytes(value.to_be_bytes()[12..].to_vec());
        let (low, high) = (bind(binds, bytes(v4.first)), bind(binds, bytes(v4.last)));
        let length = if self.dialect == Dialect::Sqlite { "length" } else { "octet_length" };
        format!("({long} OR ({length}({name}) = 4 AND {name} >= {low} AND {name} <= {high}))")
    }

    /// Text: an IPv4 range by the leading numbers that its addresses share; whatever has a colon may be the same address
    /// written as IPv6.
    fn texts(&self, name: &str, range: Addresses, binds: &mut Vec<Bind>) -> Option<String> {
        let Addresses { first, last } = range;
        if first < V4_FIRST || last > V4_LAST || first > last {
            return None;
        }
        let (a, b) = (address_text(&first.to_be_bytes()), address_text(&last.to_be_bytes()));
        // PostgreSQL finds parts of texts only under collations that compare bytes.
        let (part, colon) = match self.dialect {
            Dialect::Sqlite => (name.to_owned(), format!("instr({name}, ':')")),
            Dialect::Postgres => (format!("{name} COLLATE \"C\""), format!("strpos({name} COLLATE \"C\", ':')")),
        };
        if a == b {
            let value = bind(binds, Bind::Text(a));
            return Some(format!("({name} = {value} OR {colon} > 0)"));
        }
        let shared: Vec<&str> = a.split('.').zip(b.split('.')).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
        if shared.is_empty() {
            return None;
        }
        let prefix = format!("{}.", shared.join("."));
        let length = prefix.len();
        let value = bind(binds, Bind::Text(prefix));
        Some(format!("(substr({part}, 1, {length}) = {value} OR {colon} > 0)"))
    }
}

/// All addresses between two, both included, as the numbers of their 16 bytes.
#[derive(Clone, Copy)]
struct Addresses {
    first: u128,
    last: u128,
}

impl Addresses {
    /// Those of them that are IPv4.
    fn v4(self) -> Option<Self> {
        let v4 = Self { first: self.first.max(V4_FIRST), last: self.last.min(V4_LAST) };
        (v4.first <= v4.last).then_some(v4)
    }
}

/// PostgreSQL's inet: all of IPv4 sorts before all of IPv6, so a range is up to two of them.
fn inets(name: &str, range: Addresses, binds: &mut Vec<Bind>) -> String {
    let v6 = |value: u128| Bind::Text(Ipv6Addr::from(value).to_string());
    let (low, high) = (bind(binds, v6(range.first)), bind(binds, v6(range.last)));
    let long = format!("({name} >= {low}::inet AND {name} <= {high}::inet)");
    let Some(v4) = range.v4() else { return long };
    let text = |value: u128| Bind::Text(address_text(&value.to_be_bytes()));
    let (low, high) = (bind(binds, text(v4.first)), bind(binds, text(v4.last)));
    format!("({long} OR ({name} >= {low}::inet AND {name} <= {high}::inet))")
}

/// PostgreSQL's timestamptz, by microseconds since the epoch.
fn moments(name: &str, (low, high): (i128, i128), binds: &mut Vec<Bind>) -> Option<String> {
    let mut parts = Vec::new();
    for (op, value) in [(">=", low), ("<=", high)] {
        if (-EXACT_MAX..=EXACT_MAX).contains(&value) {
            let value = bind(binds, Bind::Int(i64::try_from(value).expect("it was just compared with 2^53")));
            parts.push(format!("{name} {op} timestamptz 'epoch' + {value}::float8 * interval '1 microsecond'"));
        }
    }
    (!parts.is_empty()).then(|| parts.join(" AND "))
}

/// Ends beyond 64 bits on the open side are left out; on the other side nothing can fit.
fn between(name: &str, (low, high): (Option<i128>, Option<i128>), binds: &mut Vec<Bind>) -> Option<String> {
    let (min, max) = (i128::from(i64::MIN), i128::from(i64::MAX));
    let mut parts = Vec::new();
    // What is beyond 64 bits may be in a column of more: the nearest end that can be bound is wide enough.
    for (op, value) in [(">=", low.map(|v| v.min(max))), ("<=", high.map(|v| v.max(min)))] {
        if let Some(value) = value.and_then(|v| i64::try_from(v).ok()) {
            parts.push(format!("{name} {op} {}", bind(binds, Bind::Int(value))));
        }
    }
    (!parts.is_empty()).then(|| parts.join(" AND "))
}

fn bind(binds: &mut Vec<Bind>, value: Bind) -> String {
    binds.push(value);
    format!("${}", binds.len())
}

/// A column of the relation.
fn qualified(name: &str) -> String {
    format!("{ROWS}.{}", quoted(name))
}

/// A name as both dialects quote it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Binds the values of a statement in either dialect.
macro_rules! query {
    ($statement:expr) => {{
        let statement: $crate::database::statement::Statement = $statement;
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement.sql)).persistent(false);
        for value in statement.binds {
            query = match value {
                $crate::database::statement::Bind::Int(value) => query.bind(value),
                $crate::database::statement::Bind::Text(value) => query.bind(value),
                $crate::database::statement::Bind::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}
pub(super) use query;

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dialect: Dialect, columns: &[(&str, Stored, bool)]) -> Shape {
        let bound = |(name, stored, time): &(&str, Stored, bool)| {
            Some(Bound { name: (*name).into(), stored: *stored, time: *time })
        };
        let columns = columns.iter().map(bound).collect();
        let (from, firm) = ("\"t\"".into(), true);
        Shape { dialect, firm, from, columns, key: vec![], unit: TimestampUnit::Seconds }
    }

    #[test]
    fn names_are_quoted_whatever_they_are() {
        let shape = shape(Dialect::Postgres, &[("a\" FROM secret --", Stored::Int, false)]);
        let sql = shape.select(&[0], &BTreeMap::new(), Some(3)).sql;
        let name = r#""iog_rows"."a"" FROM secret --""#;
        let expected =
            format!(r#"SELECT {name} AS "iog_0" FROM "t" AS "iog_rows" ORDER BY {name} NULLS FIRST LIMIT 3"#);
        assert_eq!(sql, expected);
    }

    #[test]
    fn the_order_is_total_and_does_not_depend_on_what_is_read() {
        let columns = [("a", Stored::Int, false), ("b", Stored::Text, false)];
        let mut shape = shape(Dialect::Postgres, &columns);
        shape.key = vec![
            Bound { name: "id".into(), stored: Stored::Int, time: false },
            Bound { name: "a".into(), stored: Stored::Int, time: false },
        ];
        let order = r#" ORDER BY "iog_rows"."id", "iog_rows"."a", "iog_rows"."b" COLLATE "C" NULLS FIRST"#;
        for columns in [&[0][..], &[1], &[0, 1]] {
            let sql = shape.select(columns, &BTreeMap::new(), None).sql;
            assert!(sql.ends_with(order), "{sql}");
        }
        assert_eq!(shape.select(&[], &BTreeMap::new(), None).sql, r#"SELECT 1 FROM "t" AS "iog_rows""#);
    }

    #[test]
    fn ends_are_rounded_away_from_the_range() {
        let shape = shape(Dialect::Sqlite, &[("start", Stored::Int, true)]);
        let range = BTreeMap::from([(0, Range::Number { low: 1_500_000, high: 2_500_000 })]);
        let statement = shape.select(&[0], &range, None);
        assert!(
            statement.sql.contains(r#"WHERE "iog_rows"."start" >= $1 AND "iog_rows"."start" <= $2"#),
            "{}",
            statement.sql
        );
        assert_eq!(statement.binds, [Bind::Int(0), Bind::Int(3)]);
        let open = BTreeMap::from([(0, Range::Number { low: 0, high: i128::MAX })]);
        assert_eq!(shape.select(&[0], &open, None).binds, [Bind::Int(-1)]);
    }

    #[test]
    fn an_ipv4_range_is_asked_for_in_every_form() {
        let range = |first: &str, last: &str| {
            let value = |text: &str| u128::from_be_bytes(crate::address::parse_address(text).unwrap());
            BTreeMap::from([(0, Range::Address { first: value(first), last: value(last) })])
        };
        let of = |dialect, stored, range: &BTreeMap<usize, Range>| {
            shape(dialect, &[("dst", stored, false)]).select(&[0], range, None)
        };
        let net = range("10.1.0.0", "10.1.255.255");
        let text = of(Dialect::Postgres, Stored::Text, &net);
        assert!(
            text.sql.contains(
                r#"(substr("iog_rows"."dst" COLLATE "C", 1, 5) = $1 OR strpos("iog_rows"."dst" COLLATE "C", ':') > 0)"#
            ),
            "{}",
            text.sql
        );
        assert_eq!(text.binds, [Bind::Text("10.1.".into())]);
        let one = of(Dialect::Sqlite, Stored::Text, &range("10.1.2.3", "10.1.2.3"));
        assert!(
            one.sql.contains(
                r#"(("iog_rows"."dst" = $1 OR instr("iog_rows"."dst", ':') > 0) OR typeof("iog_rows"."dst") <> 'text')"#
            ),
            "{}",
            one.sql
        );
        let inet = of(Dialect::Postgres, Stored::Inet, &net);
        let texts = ["::ffff:10.1.0.0", "::ffff:10.1.255.255", "10.1.0.0", "10.1.255.255"];
        assert_eq!(inet.binds, texts.map(|t| Bind::Text(t.into())));
        let ints = of(Dialect::Postgres, Stored::Int, &net);
        assert_eq!(ints.binds, [Bind::Int(0x0a01_0000), Bind::Int(0x0a01_ffff)]);
        let v6 = of(Dialect::Postgres, Stored::Inet, &range("2001:db8::", "2001:db8::ffff"));
        assert_eq!(v6.binds.len(), 2);
        assert!(!of(Dialect::Postgres, Stored::Text, &range("2001:db8::", "2001:db8::ffff")).sql.contains("WHERE"));
    }

    #[test]
    fn what_a_database_compares_otherwise_is_not_asked_for() {
        let text = |text: &str| BTreeMap::from([(0, Range::Text(text.to_owned()))]);
        let postgres = shape(Dialect::Postgres, &[("note", Stored::Text, false)]);
        assert!(postgres.select(&[0], &text("plain"), None).sql.contains("WHERE"));
        assert!(!postgres.select(&[0], &text("naïve"), None).sql.contains("WHERE"));
        let float = shape(Dialect::Postgres, &[("start", Stored::Float, true)]);
        let far = BTreeMap::from([(0, Range::Number { low: i128::from(i64::MAX) * 1_000_000, high: i128::MAX })]);
        assert!(!float.select(&[0], &far, None).sql.contains("WHERE"));
        let view = Shape { firm: false, ..shape(Dialect::Sqlite, &[("n", Stored::Int, false)]) };
        let sql = view.select(&[0], &BTreeMap::from([(0, Range::Number { low: 3, high: 5 })]), None).sql;
        assert!(sql.contains(r#"OR typeof("iog_rows"."n") NOT IN ('integer', 'real'))"#), "{sql}");
    }

    #[test]
    fn long_values_are_cut_by_the_database() {
        for (dialect, stored) in [
            (Dialect::Sqlite, Stored::Int),
            (Dialect::Sqlite, Stored::Other),
            (Dialect::Postgres, Stored::Text),
            (Dialect::Postgres, Stored::Bytes),
        ] {
            let sql = shape(dialect, &[("c", stored, false)]).select(&[0], &BTreeMap::new(), None).sql;
            assert!(sql.contains("65537"), "{sql}");
        }
    }
}
