//! One provider whose flows lie in a CSV file, in a folder of Parquet files, in SQLite and in PostgreSQL: callers get the same
//! answer from each, and rows that come while the gateway runs are in the next answer. What does not fit is said by name.

use std::path::Path;
use std::time::{Duration, Instant};

use iog_protocol::ids::Digest;
use iog_protocol::run::{LimitKind, Outcome};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::harness::caller::{Caller, through};
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;
use crate::harness::process::Iog;
use crate::harness::settings::{BORDER, FLOWS, TRACEBACK, service};
use crate::postgres::Postgres;

/// A flow to the target that nobody has yet.
const LATER: &str = "1010,1011,2001:db8::1,203.0.113.10,17,53,40002,7,9000,0,64512";
const MODULE: &str = "iog/ip-traceback@1.0.0";

/// The lines of a CSV file as rows of SQL, times as this dialect writes them.
fn insert(lines: &str, first_id: usize, time: impl Fn(&str) -> String) -> String {
    let row = |(at, line): (usize, &str)| {
        let cells: Vec<&str> = line.split(',').collect();
        let (start, end, numbers) = (time(cells[0]), time(cells[1]), cells[4..].join(", "));
        format!("({}, {start}, {end}, '{}', '{}', {numbers})", first_id + at, cells[2], cells[3])
    };
    let rows: Vec<String> = lines.lines().enumerate().map(row).collect();
    format!("INSERT INTO flows VALUES {}", rows.join(", "))
}

/// The table, its columns in the order of the CSV's.
fn create(time: &str, address: &str) -> String {
    format!(
        "CREATE TABLE flows (id INTEGER PRIMARY KEY, \"start\" {time}, \"end\" {time}, src {address}, dst {address}, \
         proto INTEGER, src_port INTEGER, dst_port INTEGER, packets BIGINT, bytes BIGINT, tcp_flags INTEGER, \
         ingress_as BIGINT)"
    )
}

async fn sqlite(path: &Path, statements: &[String]) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.expect("SQLite opens it");
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut connection).await.expect("SQLite takes it");
    }
    connection.close().await.expect("SQLite closes it");
}

fn of_sqlite(lines: &str, first_id: usize) -> String {
    insert(lines, first_id, str::to_owned)
}

fn of_postgres(lines: &str, first_id: usize) -> String {
    insert(lines, first_id, |seconds| format!("to_timestamp({seconds})"))
}

/// A Parquet file with the rows of a CSV file, through the data engine itself.
async fn parquet(csv: &str, path: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("flows.csv");
    std::fs::write(&file, csv).expect("it is written");
    let schema = iog_gateway::datasets::table(iog_protocol::schemas::schema("flow/1").expect("it is shipped"));
    let dataset = iog_data::Dataset::open("csv", &schema, iog_data::SourceSpec::csv(file)).await.expect("it fits");
    let columns: Vec<String> = schema.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
    let sql = format!("SELECT {} FROM flows", columns.join(", "));
    let query = iog_data::QuerySpec { name: "q".into(), sql, params: vec![] };
    let slots = [("flows".to_owned(), std::sync::Arc::new(dataset))].into();
    let planned = iog_data::Engine::new().expect("an engine").plan(slots, &[query]).await.expect("a plan");
    let limits = iog_data::QueryLimits::default();
    let mut rows = planned.open("q", vec![], limits).await.expect("it starts");
    std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("it is made");
    let mut writer = iog_data::ParquetFileWriter::create(path, rows.schema().clone()).expect("it is made");
    while let Some(batch) = rows.next().await.expect("rows") {
        writer.write(&batch).expect("it is written");
    }
    writer.finish().expect("it is finished");
}

/// One service for each source.
fn tables(postgres: Option<&Postgres>) -> (String, Vec<&'static str>) {
    let dataset = |name: &str, rest: &str| {
        let bound = service(name, MODULE).replace("\"border\"", &format!("\"{name}\""));
        format!("[dataset.{name}]\nschema = \"flow/1\"\nclass = \"reviewed\"\n{rest}\n{bound}")
    };
    let mut names = vec!["csv", "parquet", "sqlite"];
    let mut text = dataset("csv", "path = \"flows.csv\"\nformat = \"csv\"\ntimestamp = \"seconds\"");
    text += &dataset("parquet", "path = \"archive\"\nformat = \"parquet\"");
    let table = "table = \"flows\"\norder_by = [\"id\"]";
    text += &dataset("sqlite", &format!("path = \"flows.db\"\nformat = \"sqlite\"\ntimestamp = \"seconds\"\n{table}"));
    if let Some(postgres) = postgres {
        names.extend(["postgres", "slow"]);
        let url = format!("url = \"{}\"\nformat = \"postgres\"", postgres.url());
        text += &dataset("postgres", &format!("{url}\n{table}"));
        let slow = "SELECT *, CASE WHEN pg_sleep(0.3) IS NULL THEN 0 ELSE id END AS pause FROM flows";
        text += &dataset("slow", &format!("{url}\nview = \"{slow}\"\norder_by = [\"pause\", \"id\"]"));
        text += "[service.slow.limits]\nwall_s = 1\n";
    }
    (text, names)
}

/// What every source answers; the same for all.
async fn asked(net: &Net, caller: &Caller, module: Digest, sources: &[&str]) -> Value {
    let mut first = None;
    for source in sources {
        let request = through(source, caller.ask(PROVIDER, module));
        let believed =
            caller.run(net.address(PROVIDER), request).await.unwrap_or_else(|code| panic!("{source}: {code}"));
        let (answer, receipt) = (believed.answer(), believed.receipt());
        assert_eq!(answer.outcome, Outcome::Succeeded, "{source}");
        let text = answer.result.as_ref().expect("a result").as_str().to_owned();
        let signed = (receipt.result_digest, receipt.cost.fuel, receipt.cost.rows, receipt.cost.bytes);
        let (expected_text, expected) = first.get_or_insert_with(|| (text.clone(), signed));
        assert_eq!(&text, expected_text, "{source}: byte for byte");
        assert_eq!(&signed, expected, "{source}: what is signed, and at what cost");
    }
    serde_json::from_str(&first.expect("there are sources").0).expect("JSON")
}

#[test]
fn callers_cannot_tell_where_the_flows_lie_and_see_those_that_come() {
    play(async {
        let postgres = Postgres::start().await;
        let mut net = Net::of(&[PROVIDER], &[ASKER]).await;
        let module = net.publish(&TRACEBACK).await;
        let home = net.home_of(PROVIDER);
        let lines = FLOWS.split_once('\n').expect("a header").1;
        parquet(FLOWS, &home.join("archive/day=2001-09-09/a.parquet")).await;
        sqlite(&home.join("flows.db"), &[create("INTEGER", "TEXT"), of_sqlite(lines, 1)]).await;
        if let Some(postgres) = &postgres {
            postgres.run(&format!("{}; {}", create("TIMESTAMPTZ", "INET"), of_postgres(lines, 1))).await;
        }
        let (tables, sources) = tables(postgres.as_ref());
        net.start(PROVIDER, &tables).await;
        let caller = Caller::of(&net, ASKER).await;
        let quick: Vec<&str> = sources.iter().copied().filter(|name| *name != "slow").collect();
        assert_eq!(asked(&net, &caller, module, &quick).await["ok"]["flows"], 4);

        // Rows that come into a database are there at once; files at the gateway's next round.
        sqlite(&home.join("flows.db"), &[of_sqlite(LATER, 100)]).await;
        if let Some(postgres) = &postgres {
            postgres.run(&of_postgres(LATER, 100)).await;
        }
        assert_eq!(asked(&net, &caller, module, &quick[2..]).await["ok"]["flows"], 5);
        let header = FLOWS.lines().next().expect("a header");
        parquet(&format!("{header}\n{LATER}\n"), &home.join("archive/day=2001-09-10/b.parquet")).await;
        std::fs::write(home.join("flows.csv"), format!("{FLOWS}{LATER}\n")).expect("it is written");
        net.step(PROVIDER).await;
        assert_eq!(asked(&net, &caller, module, &quick).await["ok"]["flows"], 5);

        if sources.contains(&"slow") {
            let started = Instant::now();
            let request = through("slow", caller.ask(PROVIDER, module));
            let outcome = caller.outcome(net.address(PROVIDER), request).await.expect("an outcome");
            assert_eq!(outcome, Outcome::Limit { which: LimitKind::Time });
            assert!(started.elapsed() < Duration::from_secs(10), "the database does not hold anybody");
        }
        net.close().await;
    });
}

#[test]
fn what_does_not_fit_is_said_by_dataset_table_column_and_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lines = FLOWS.split_once('\n').expect("a header").1;
    play(async {
        let make = [create("INTEGER", "TEXT"), of_sqlite(lines, 1)];
        sqlite(&folder.path().join("flows.db"), &make).await;
        sqlite(&folder.path().join("old.db"), &make).await;
        sqlite(&folder.path().join("old.db"), &["ALTER TABLE flows RENAME COLUMN ingress_as TO peer".into()]).await;
        sqlite(&folder.path().join("bad.db"), &make).await;
        sqlite(&folder.path().join("bad.db"), &["UPDATE flows SET dst = '203.0.113.256' WHERE id = 3".into()]).await;
    });
    let mut text = format!("listen = \"127.0.0.1:0\"\n{BORDER}");
    for (name, more) in [("good", ""), ("old", ""), ("mapped", "columns = { ingress_as = \"peer\" }\n"), ("bad", "")] {
        let file = if name == "mapped" { "old" } else { &name.replace("good", "flows") };
        text += &format!(
            "[dataset.{name}]\nschema = \"flow/1\"\nclass = \"open\"\nformat = \"sqlite\"\npath = \"{file}.db\"\n\
             table = \"flows\"\norder_by = [\"id\"]\ntimestamp = \"seconds\"\n{more}"
        );
    }
    let elsewhere = "[dataset.elsewhere]\nschema = \"flow/1\"\nclass = \"open\"\nformat = \"postgres\"\n\
                     url = \"postgres://me:hunter2@db.example.net/net\"\ntable = \"flows\"\n";
    std::fs::write(folder.path().join("flows.csv"), FLOWS).expect("it is written");
    std::fs::write(folder.path().join("gateway.toml"), text + elsewhere).expect("it is written");
    let iog = Iog::at(folder.path());
    let done = iog.run(&["data", "check", "--config", "gateway.toml"]);
    assert_eq!(done.code, 1, "{}{}", done.stdout, done.stderr);
    let line = |name: &str| {
        let mut found = done.stdout.lines().filter(|line| line.contains(&format!(" {name}: ")));
        found.next().unwrap_or_else(|| panic!("no line of {name}: {}", done.stdout)).to_owned()
    };
    for name in ["border", "good", "mapped"] {
        assert!(line(name).ends_with("5 rows fit `flow/1`"), "{}", line(name));
    }
    for (name, parts) in [
        ("old", &["does not fit", "table `flows`", "column `ingress_as`", "there is no column `ingress_as`"][..]),
        ("bad", &["does not fit", "table `flows`", "line 3", "column `dst`", "`203.0.113.256` does not fit"]),
        ("elsewhere", &["does not fit", "leads to another machine"]),
    ] {
        for part in parts {
            assert!(line(name).contains(part), "{part} in {}", line(name));
        }
    }
    let described = iog.run(&["data", "describe", "--json"]);
    assert!(!format!("{}{}{}{}", done.stdout, done.stderr, described.stdout, described.stderr).contains("hunter2"));
    let described = described.json();
    let of = |name: &str| {
        let mut all = described["datasets"].as_array().expect("datasets").iter();
        all.find(|dataset| dataset["dataset"] == name).expect("it is described").clone()
    };
    assert_eq!(of("good")["rows"], 5);
    assert_eq!(of("good")["format"], "sqlite");
    assert_eq!(of("good")["spans"]["start"][0], 1_000_000_000);
    assert_eq!(of("old")["fits"], false);
}
