//! What both planners are asked: queries of every kind that the allow-list lets through, and a family that combines
//! their parts by a number.

/// One question.
pub(crate) struct Query {
    pub(crate) sql: String,
    /// Whether the order of its rows is fixed.
    pub(crate) ordered: bool,
}

/// Queries that must come out alike, each with something of its own.
const WRITTEN: &[&str] = &[
    "SELECT count(*) AS n FROM flows",
    "SELECT count(*) AS n, count(DISTINCT src) AS d, sum(bytes) FILTER (WHERE proto = 6) AS t FROM flows",
    "WITH big AS (SELECT src, bytes FROM flows WHERE bytes > 100) SELECT src, sum(bytes) AS b FROM big GROUP BY src",
    "SELECT f.bytes FROM flows f JOIN other o ON f.src = o.dst WHERE o.proto IN (6, 17)",
    "SELECT bytes FROM flows WHERE src IN (SELECT dst FROM other)",
    "SELECT bytes FROM flows WHERE bytes > (SELECT max(bytes) - 100 FROM other)",
    "SELECT bytes FROM flows WHERE bytes > (SELECT max(bytes) FROM other WHERE bytes < (SELECT max(bytes) FROM flows))",
    "SELECT CASE WHEN proto = 6 THEN 'tcp' ELSE 'other' END AS p, bytes % 7 AS m FROM flows WHERE note LIKE 'n1%'",
    "SELECT bytes FROM flows UNION ALL SELECT packets FROM other",
    "SELECT bytes FROM flows UNION SELECT packets FROM other",
    "SELECT a.bytes FROM flows a JOIN other b ON a.start < b.start WHERE b.packets = 3",
    "SELECT start / 60000000 AS minute, max(src) AS s FROM flows GROUP BY start / 60000000",
    "SELECT bytes FROM flows WHERE start BETWEEN 1626105669000000 AND 1626105869000000 OR NOT (note IS NULL)",
    "SELECT f.bytes FROM flows f LEFT JOIN other o ON f.bytes = o.bytes AND o.packets > 5 WHERE o.start IS NULL",
    "SELECT f.bytes, o.note FROM flows f FULL JOIN other o ON f.start = o.start",
    "SELECT f.bytes, o.note FROM flows f RIGHT JOIN other o ON f.src = o.dst AND f.bytes > o.bytes",
    "SELECT f.start FROM flows f LEFT JOIN other o ON f.bytes + o.bytes < 120",
    "SELECT f.start FROM flows f LEFT JOIN other o ON f.packets + 1 = o.packets * 2 AND f.note = lower(o.note)",
    "SELECT f.start, o.start AS s FROM flows f CROSS JOIN other o WHERE f.packets = 3 AND o.packets = 4",
    "SELECT start FROM flows WHERE ingress_as NOT IN (SELECT ingress_as FROM other)",
    "SELECT start FROM flows WHERE ingress_as NOT IN (SELECT ingress_as FROM other WHERE ingress_as > 64502)",
    "SELECT start FROM flows f WHERE EXISTS (SELECT o.bytes FROM other o WHERE o.src = f.src) OR f.proto = 6",
    "SELECT start FROM flows f WHERE NOT EXISTS (SELECT o.bytes FROM other o WHERE o.src = f.dst AND o.bytes > f.bytes)",
    "SELECT start FROM flows f WHERE f.bytes > (SELECT min(o.bytes) FROM other o WHERE o.proto = f.proto)",
    "SELECT start, (SELECT count(*) FROM other o WHERE o.src = f.src) AS n FROM flows f",
    "SELECT proto, (SELECT max(bytes) FROM other) AS m, count(*) AS n FROM flows GROUP BY proto",
    "SELECT start FROM flows WHERE bytes IN (SELECT bytes FROM other UNION ALL SELECT packets FROM other)",
    "SELECT DISTINCT proto, ingress_as FROM flows",
    "SELECT proto FROM flows WHERE false",
    "SELECT count(*) AS n, sum(bytes) AS b FROM flows WHERE false",
    "SELECT count(*) AS n FROM (SELECT src FROM flows GROUP BY src HAVING count(*) > 15) t",
    "SELECT count(*) AS n FROM (SELECT DISTINCT src FROM flows LIMIT 7) t",
    "SELECT count(*) AS n FROM (SELECT f.src FROM flows f JOIN other o ON f.src = o.src LIMIT 17) t",
    "SELECT count(*) AS n FROM (SELECT bytes FROM flows UNION ALL SELECT bytes FROM other LIMIT 710 OFFSET 3) t",
    "SELECT a.n FROM (SELECT proto, count(*) AS n FROM flows GROUP BY proto) a, (SELECT max(packets) AS m FROM other) b \
     WHERE a.n > b.m",
    "SELECT count(DISTINCT src) AS s, count(DISTINCT dst) AS d FROM flows GROUP BY proto",
    "SELECT f.src FROM flows f JOIN flows g ON f.start = g.start JOIN other o ON g.src = o.src WHERE o.packets < 9",
    "SELECT t.b FROM (SELECT bytes AS b, note FROM flows ORDER BY start LIMIT 20) t WHERE t.note IS NOT NULL",
];

/// The queries that are written down.
pub(crate) fn written() -> Vec<Query> {
    WRITTEN.iter().map(|sql| Query { sql: (*sql).to_owned(), ordered: false }).collect()
}

const SOURCES: [&str; 9] = [
    "flows f",
    "flows f",
    "flows f",
    "flows f JOIN other o ON f.src = o.src",
    "flows f LEFT JOIN other o ON f.ingress_as = o.ingress_as AND o.bytes > f.bytes",
    "flows f JOIN other o ON f.packets % 10 = o.packets % 10 AND f.proto = o.proto",
    "other f CROSS JOIN other o",
    "flows f LEFT JOIN other o ON f.packets + o.packets < 5",
    "(SELECT start, src, dst, proto, packets, bytes, ingress_as, note FROM flows ORDER BY start LIMIT 90) f",
];
const CONDITIONS: [&str; 18] = [
    "f.bytes > 150",
    "f.proto IN (6, 17)",
    "f.proto <> 6",
    "f.note LIKE 'n1%'",
    "f.note IS NULL",
    "f.ingress_as >= 64502",
    "f.packets BETWEEN 3 AND 11",
    "f.bytes % 3 = 1",
    "coalesce(f.note, 'x') < 'n5'",
    "f.src IN (SELECT dst FROM other)",
    "f.ingress_as NOT IN (SELECT ingress_as FROM other WHERE proto = 6)",
    "f.ingress_as NOT IN (SELECT ingress_as FROM other WHERE ingress_as IS NOT NULL AND bytes > 330)",
    "EXISTS (SELECT x.bytes FROM other x WHERE x.dst = f.src)",
    "NOT EXISTS (SELECT x.bytes FROM other x WHERE x.dst = f.src AND x.proto = f.proto)",
    "EXISTS (SELECT x.bytes FROM other x WHERE x.bytes > 335)",
    "f.bytes > (SELECT min(bytes) + 60 FROM other)",
    "f.bytes >= (SELECT max(x.bytes) - 90 FROM other x WHERE x.proto = f.proto)",
    "f.src > f.dst",
];
const SELECTED: [(&str, &str); 6] = [
    ("f.start AS a, f.bytes AS b, f.note AS c", ""),
    ("f.src AS a, f.packets + 1 AS b, CASE WHEN f.proto = 6 THEN 'tcp' ELSE f.note END AS c", ""),
    ("f.proto AS a, count(*) AS b, min(f.note) AS c", "GROUP BY f.proto"),
    ("f.src AS a, sum(f.bytes) AS b, max(f.note) AS c", "GROUP BY f.src HAVING count(*) > 2"),
    ("f.start / 700000000 AS a, count(DISTINCT f.dst) AS b, max(f.note) AS c", "GROUP BY f.start / 700000000"),
    ("DISTINCT f.proto AS a, f.ingress_as AS b, f.note AS c", ""),
];

/// The query of this number.
pub(crate) fn generated(number: u64) -> Query {
    let mut dice = Dice(number.wrapping_mul(0x2545_f491_4f6c_dd1d) + 1);
    let mut sql = select(&mut dice);
    if dice.roll(6) == 0 {
        let all = if dice.roll(2) == 0 { "UNION ALL" } else { "UNION" };
        sql = format!(
            "SELECT f.start AS a, f.bytes AS b, f.note AS c FROM flows f WHERE {} {all} SELECT f.start, f.packets, \
             lower(f.note) FROM other f WHERE {}",
            condition(&mut dice),
            condition(&mut dice)
        );
    }
    match dice.roll(3) {
        0 => Query { sql: format!("SELECT a, b, c FROM ({sql}) t ORDER BY a, b DESC, c NULLS FIRST"), ordered: true },
        1 => {
            let (limit, offset) = (dice.roll(60), dice.roll(9));
            let sql = format!("SELECT a, b, c FROM ({sql}) t ORDER BY c, b, a LIMIT {limit} OFFSET {offset}");
            Query { sql, ordered: true }
        }
        _ => Query { sql, ordered: false },
    }
}

fn select(dice: &mut Dice) -> String {
    let (selected, grouped) = *dice.of(&SELECTED);
    let source = dice.of(&SOURCES);
    format!("SELECT {selected} FROM {source} WHERE {} {grouped}", condition(dice))
}

fn condition(dice: &mut Dice) -> String {
    let one = *dice.of(&CONDITIONS);
    match dice.roll(5) {
        0 => format!("{one} AND {}", dice.of(&CONDITIONS)),
        1 => format!("({one} OR {})", dice.of(&CONDITIONS)),
        2 => format!("NOT ({one})"),
        _ => one.to_owned(),
    }
}

/// Numbers that look drawn and are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33) % sides
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = self.roll(all.len() as u64);
        &all[usize::try_from(at).unwrap()]
    }
}
