//! Random queries over the slots of a manifest: of the constructs that are allowed, mostly of types that go together, now and
//! then of any.

use iog_protocol::schemas::{ColumnType, Schema};

use crate::random::Random;

/// What an expression is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Float,
    Text,
    Address,
    Flag,
    Time,
}

const KINDS: [Kind; 6] = [Kind::Number, Kind::Float, Kind::Text, Kind::Address, Kind::Flag, Kind::Time];

/// A query with the parameters that it uses.
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) params: Vec<(String, &'static str)>,
}

/// Writes one query.
pub(crate) struct Writer<'r> {
    random: &'r mut Random,
    /// Tables that a query may read: slots, then common table expressions.
    tables: Vec<Table>,
    /// Columns in sight.
    sight: Vec<(String, Kind)>,
    params: Vec<(String, &'static str)>,
    /// One expression in so many is of any type.
    strays: usize,
    /// Selects within selects that may still be begun.
    nested: usize,
}

#[derive(Clone)]
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

/// A random query over slots.
pub(crate) fn query(random: &mut Random, slots: &[(String, &'static Schema)]) -> Query {
    let tables = slots.iter().map(|(name, schema)| Table { name: name.clone(), columns: columns(schema) }).collect();
    let strays = random.one(&[20, 60, 1_000]);
    let mut writer = Writer { random, tables, sight: Vec::new(), params: Vec::new(), strays, nested: 3 };
    let mut sql = String::new();
    for at in 0..writer.random.one(&[0, 0, 0, 1, 2, 4]) {
        let (text, columns) = writer.select();
        let name = format!("t{at}");
        sql += &format!("{} {name} AS ({text})", if at == 0 { "WITH" } else { "," });
        writer.tables.push(Table { name, columns });
        writer.nested = 3;
    }
    sql += &format!(" {}", writer.select().0);
    if writer.random.once_in(6) {
        sql += &writer.tail();
    }
    Query { sql, params: writer.params }
}

fn columns(schema: &Schema) -> Vec<(String, Kind)> {
    let kind = |ty| match ty {
        ColumnType::Timestamp => Kind::Time,
        ColumnType::Address => Kind::Address,
        ColumnType::Uint | ColumnType::Int => Kind::Number,
        ColumnType::Float => Kind::Float,
        ColumnType::Text => Kind::Text,
        ColumnType::Flag => Kind::Flag,
    };
    schema.columns.iter().map(|column| (format!("\"{}\"", column.name), kind(column.ty))).collect()
}

impl Writer<'_> {
    fn tail(&mut self) -> String {
        match self.random.below(3) {
            0 => format!(" ORDER BY c0 LIMIT {}", self.random.one(&[0, 1, 1_000])),
            1 => " ORDER BY 1 DESC NULLS LAST".to_owned(),
            _ => format!(" OFFSET {}", self.random.below(5)),
        }
    }

    /// A SELECT, and what its columns are.
    fn select(&mut self) -> (String, Vec<(String, Kind)>) {
        self.nested = self.nested.saturating_sub(1);
        let outside = self.sight.clone();
        let (from, sight) = self.from();
        self.sight = sight;
        let grouped = self.random.once_in(4);
        let kinds: Vec<Kind> = (0..self.random.between(1, 4)).map(|_| self.random.one(&KINDS)).collect();
        let mut exprs = Vec::new();
        for kind in &kinds {
            exprs.push(if grouped && self.random.once_in(2) { self.aggregate(*kind) } else { self.expr(*kind, 2) });
        }
        let filter =
            if self.random.once_in(3) { String::new() } else { format!(" WHERE {}", self.expr(Kind::Flag, 3)) };
        let distinct = if self.random.once_in(8) { "DISTINCT " } else { "" };
        let keys: Vec<_> = exprs.iter().filter(|expr| !is_aggregate(expr)).cloned().collect();
        let group = match (grouped, keys.is_empty()) {
            (true, false) => format!(" GROUP BY {}{}", keys.join(", "), self.having()),
            _ => String::new(),
        };
        let list: Vec<_> = exprs.iter().enumerate().map(|(at, expr)| format!("{expr} AS c{at}")).collect();
        self.sight = outside;
        let columns = kinds.iter().enumerate().map(|(at, kind)| (format!("c{at}"), *kind)).collect();
        (format!("SELECT {distinct}{} FROM {from}{filter}{group}", list.join(", ")), columns)
    }

    fn having(&mut self) -> String {
        if self.random.once_in(3) { format!(" HAVING {} > 1", self.aggregate(Kind::Number)) } else { String::new() }
    }

    /// What is read, and the columns in sight of it.
    fn from(&mut self) -> (String, Vec<(String, Kind)>) {
        if self.tables.is_empty() {
            return ("nothing".to_owned(), Vec::new());
        }
        let at = self.random.below(self.tables.len());
        let Table { name, columns } = self.tables[at].clone();
        let of = |alias: &str, columns: &[(String, Kind)]| {
            columns.iter().map(|(name, kind)| (format!("{alias}.{name}"), *kind)).collect::<Vec<_>>()
        };
        match self.random.below(8) {
            0 if self.nested > 0 => {
                let (inner, columns) = self.select();
                (format!("({inner}) q"), of("q", &columns))
            }
            1 if self.nested > 0 => {
                let ((first, columns), (second, _)) = (self.select(), self.select());
                let all = self.random.one(&["", " ALL"]);
                (format!("({first} UNION{all} {second}) u"), of("u", &columns))
            }
            2 | 3 => {
                let at = self.random.below(self.tables.len());
                let other = self.tables[at].clone();
                let sight = [of("a", &columns), of("b", &other.columns)].concat();
                let outside = std::mem::replace(&mut self.sight, sight.clone());
                let (kind, on) =
                    (self.random.one(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]), self.random.one(&KINDS));
                let on = match self.random.below(3) {
                    0 => self.expr(Kind::Flag, 2),
                    _ => format!("{} = {}", self.leaf(on), self.leaf(on)),
                };
                self.sight = outside;
                (format!("{name} a {kind} {} b ON {on}", other.name), sight)
            }
            _ => (name, columns),
        }
    }

    fn aggregate(&mut self, kind: Kind) -> String {
        let filter = if self.random.once_in(8) {
            format!(" FILTER (WHERE {})", self.expr(Kind::Flag, 1))
        } else {
            String::new()
        };
        match (kind, self.random.below(4)) {
            (Kind::Number, 0) => format!("count(*){filter}"),
            (Kind::Number, 1) => {
                let of = self.random.one(&KINDS);
                format!("count(DISTINCT {}){filter}", self.expr(of, 1))
            }
            (Kind::Number, 2) => format!("sum({}){filter}", self.expr(Kind::Number, 1)),
            (kind, _) => format!("{}({}){filter}", self.random.one(&["min", "max"]), self.expr(kind, 1)),
        }
    }

    /// An expression of a kind, or, where it strays, of any.
    pub(crate) fn expr(&mut self, kind: Kind, depth: usize) -> String {
        let kind = if self.random.once_in(self.strays) { self.random.one(&KINDS) } else { kind };
        if depth == 0 || self.random.once_in(4) {
            return self.leaf(kind);
        }
        let depth = depth - 1;
        match self.random.below(14) {
            0 => return format!("coalesce({}, {})", self.expr(kind, depth), self.expr(kind, depth)),
            1 => return format!("nullif({}, {})", self.expr(kind, depth), self.expr(kind, depth)),
            2 => {
                let (when, then, other) =
                    (self.expr(Kind::Flag, depth), self.expr(kind, depth), self.expr(kind, depth));
                return format!("CASE WHEN {when} THEN {then} ELSE {other} END");
            }
            3 if self.nested > 0 && !self.tables.is_empty() => return self.scalar_subquery(kind),
            4 if self.random.once_in(3) => return self.cast(depth),
            _ => {}
        }
        match kind {
            Kind::Number => self.number(depth),
            Kind::Float => self.float(depth),
            Kind::Text => self.text(depth),
            Kind::Address => self.address(depth),
            Kind::Flag => self.flag(depth),
            Kind::Time => self.leaf(Kind::Time),
        }
    }

    fn scalar_subquery(&mut self, kind: Kind) -> String {
        self.nested -= 1;
        let outside = self.sight.clone();
        let (from, sight) = self.from();
        self.sight = sight;
        let aggregate = self.aggregate(kind);
        self.sight = outside;
        format!("(SELECT {aggregate} FROM {from})")
    }

    /// Any value as any other type that casts may have.
    fn cast(&mut self, depth: usize) -> String {
        let of = self.random.one(&KINDS);
        let to = self.random.one(&[
            "bigint",
            "double",
            "text",
            "boolean",
            "int",
            "smallint",
            "bigint unsigned",
            "real",
            "varchar",
        ]);
        match self.random.below(3) {
            0 => format!("try_cast({} AS {to})", self.expr(of, depth)),
            _ => format!("cast({} AS {to})", self.expr(of, depth)),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        let (a, b) = (self.expr(Kind::Number, depth), self.expr(Kind::Number, depth));
        match self.random.below(8) {
            0 => format!("abs({a})"),
            1 => format!("length({})", self.expr(Kind::Text, depth)),
            2 => format!("cast({} AS bigint)", self.expr(Kind::Text, depth)),
            3 => format!("(- {a})"),
            _ => format!("({a} {} {b})", self.random.one(&["+", "-", "*", "/", "%", "&", "|", "<<", ">>"])),
        }
    }

    fn float(&mut self, depth: usize) -> String {
        let a = self.expr(Kind::Float, depth);
        match self.random.below(3) {
            0 => format!("cast({} AS double)", self.expr(Kind::Number, depth)),
            _ => format!("({a} {} {})", self.random.one(&["+", "-", "*", "/", "%"]), self.expr(Kind::Float, depth)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let a = self.expr(Kind::Text, depth);
        match self.random.below(6) {
            0 => format!("lower({a})"),
            1 => format!("upper({a})"),
            2 => format!("substr({a}, {}, {})", self.expr(Kind::Number, depth), self.expr(Kind::Number, 0)),
            3 => format!("cast({} AS text)", self.expr(Kind::Number, depth)),
            4 => format!("ip_text({})", self.expr(Kind::Address, depth)),
            _ => format!("({a} || {})", self.expr(Kind::Text, depth)),
        }
    }

    fn address(&mut self, depth: usize) -> String {
        match self.random.below(3) {
            0 => format!("to_address({})", self.expr(Kind::Text, depth)),
            1 => format!("ip_prefix({}, {})", self.expr(Kind::Address, depth), self.expr(Kind::Number, 0)),
            _ => self.leaf(Kind::Address),
        }
    }

    fn flag(&mut self, depth: usize) -> String {
        let kind = self.random.one(&KINDS);
        match self.random.below(14) {
            0 => format!("({} AND {})", self.expr(Kind::Flag, depth), self.expr(Kind::Flag, depth)),
            1 => format!("({} OR {})", self.expr(Kind::Flag, depth), self.expr(Kind::Flag, depth)),
            2 => format!("(NOT {})", self.expr(Kind::Flag, depth)),
            3 => format!("({} LIKE {})", self.expr(Kind::Text, depth), self.expr(Kind::Text, 0)),
            4 => format!("({} BETWEEN {} AND {})", self.expr(kind, depth), self.expr(kind, 0), self.expr(kind, 0)),
            5 => format!("({} IN ({}, {}))", self.expr(kind, depth), self.expr(kind, 0), self.expr(kind, 0)),
            6 => format!("({} IS {}NULL)", self.expr(kind, depth), self.random.one(&["", "NOT "])),
            7 => format!("starts_with({}, {})", self.expr(Kind::Text, depth), self.expr(Kind::Text, 0)),
            8 => format!("ip_in({}, {})", self.expr(Kind::Address, depth), self.prefix()),
            9 if self.nested > 0 && !self.tables.is_empty() => self.among(kind, depth),
            10 => format!(
                "({} IS {}DISTINCT FROM {})",
                self.expr(kind, depth),
                self.random.one(&["", "NOT "]),
                self.expr(kind, 0)
            ),
            _ => {
                let operator = self.random.one(&["=", "<>", "<", "<=", ">", ">="]);
                format!("({} {operator} {})", self.expr(kind, depth), self.expr(kind, depth))
            }
        }
    }

    fn among(&mut self, kind: Kind, depth: usize) -> String {
        self.nested -= 1;
        let value = self.expr(kind, depth);
        let outside = self.sight.clone();
        let (from, sight) = self.from();
        // What is outside is in sight too, in a subquery that depends on it.
        self.sight = if self.random.once_in(3) { [sight, outside.clone()].concat() } else { sight };
        let (inner, filter) = (self.expr(kind, 1), self.expr(Kind::Flag, 1));
        self.sight = outside;
        match self.random.below(3) {
            0 => format!("EXISTS (SELECT 1 FROM {from} WHERE {filter})"),
            1 => format!("({value} NOT IN (SELECT {inner} FROM {from}))"),
            _ => format!("({value} IN (SELECT {inner} FROM {from} WHERE {filter}))"),
        }
    }

    fn prefix(&mut self) -> String {
        match self.random.below(3) {
            0 => self.param("prefix"),
            _ => self
                .random
                .one(&["'192.0.2.0/24'", "'::/0'", "'0.0.0.0/0'", "'203.0.113.10'", "'300.1.2.3/8'"])
                .to_owned(),
        }
    }

    fn leaf(&mut self, kind: Kind) -> String {
        let fitting: Vec<&String> = self.sight.iter().filter(|(_, of)| *of == kind).map(|(name, _)| name).collect();
        if !fitting.is_empty() && !self.random.once_in(3) {
            return self.random.one(&fitting).clone();
        }
        if self.random.once_in(4) {
            let ty = match kind {
                Kind::Number => self.random.one(&["uint", "int"]),
                Kind::Float => "float",
                Kind::Text => "text",
                Kind::Address => "address",
                Kind::Flag => "flag",
                Kind::Time => "timestamp",
            };
            return self.param(ty);
        }
        let literal = match kind {
            Kind::Number => {
                self.random.one(&["0", "1", "7", "64500", "18446744073709551615", "-9223372036854775808", "NULL"])
            }
            Kind::Float => self.random.one(&["0.5", "1e308", "0.0"]),
            Kind::Text => self.random.one(&["''", "'a%'", "'%_%'", "'192.0.2.1'", "'\u{202e}x'", "'it''s'"]),
            Kind::Address => "to_address('192.0.2.1')",
            Kind::Flag => self.random.one(&["true", "false", "1 = 1", "1 = 0", "NULL"]),
            Kind::Time => self.random.one(&["0", "1800000000000000"]),
        };
        literal.to_owned()
    }

    fn param(&mut self, ty: &'static str) -> String {
        let known = self.params.iter().find(|(_, of)| *of == ty).map(|(name, _)| name.clone());
        if let Some(name) = known
            && self.random.once_in(2)
        {
            return format!("${name}");
        }
        let name = format!("p{}", self.params.len());
        self.params.push((name.clone(), ty));
        format!("${name}")
    }
}

fn is_aggregate(expr: &str) -> bool {
    ["count(", "sum(", "min(", "max("].iter().any(|start| expr.starts_with(start))
}
