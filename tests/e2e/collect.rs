//! A provider at work with what its routers give it: files of exports become a dataset, a collector lets it grow while
//! the gateway answers from it, and routers tell their routes.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::deployment::{Deployment, home};
use crate::harness::process::{Iog, Server};
use crate::harness::settings::{TARGET, TRACEBACK, service};

/// How long a rotated file, or the gateway that reads it, may take.
const SOON: Duration = Duration::from_secs(20);

/// A flow as a router exports it.
#[derive(Clone, Copy)]
struct Flow {
    src: [u8; 4],
    dst: [u8; 4],
    interface: u16,
    packets: u32,
    bytes: u32,
}

const VICTIM: [u8; 4] = [203, 0, 113, 10];

fn flow(last: u8, interface: u16, packets: u32, bytes: u32) -> Flow {
    Flow { src: [198, 51, 100, last], dst: VICTIM, interface, packets, bytes }
}

/// A message of NetFlow v5, field by field as Cisco documents it.
fn netflow5(flows: &[Flow]) -> Vec<u8> {
    let mut message = Vec::new();
    message.extend(5u16.to_be_bytes());
    message.extend(u16::try_from(flows.len()).expect("few flows").to_be_bytes());
    message.extend(100_000u32.to_be_bytes()); // sysUptime in ms
    message.extend(1_800_000_000u32.to_be_bytes());
    message.extend([0; 12]); // nanoseconds, sequence, engine, sampling
    for flow in flows {
        message.extend(flow.src);
        message.extend(flow.dst);
        message.extend(Ipv4Addr::UNSPECIFIED.octets());
        message.extend(flow.interface.to_be_bytes());
        message.extend([0, 9]); // interface of exit
        message.extend(flow.packets.to_be_bytes());
        message.extend(flow.bytes.to_be_bytes());
        message.extend(90_000u32.to_be_bytes()); // first and last packet, in ms of sysUptime
        message.extend(95_000u32.to_be_bytes());
        message.extend([0, 53, 0x9c, 0x40, 0, 0x10, 17, 0]); // ports, padding, flags, protocol, type of service
        message.extend([0; 8]); // AS numbers, masks, padding
    }
    message
}

/// Neighbour AS 64510 is behind interface 1, AS 64511 behind interface 2.
const INTERFACES: &str = "exporter,interface,asn\n*,1,64510\n*,2,AS64511\n";

fn write(folder: &std::path::Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).expect("a file is written");
}

fn parquet_files(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()).count()
}

#[test]
fn files_are_imported_whole_or_refused_with_a_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    let message = netflow5(&[flow(1, 1, 2, 3000), flow(2, 2, 1, 60)]);
    write(folder.path(), "monday.nf5", &message);
    write(folder.path(), "cut.nf5", &message[..message.len() - 1]);
    write(folder.path(), "geofeed.csv", b"192.0.2.0/24,DE,,,\n");
    write(folder.path(), "letter.txt", b"Dear all\n");
    write(folder.path(), "interfaces.csv", INTERFACES.as_bytes());

    let unknown = iog.run(&["data", "import", "monday.nf5", "--out", "flows", "--json"]);
    assert_eq!(unknown.code, 1, "nothing could be used");
    let unknown = unknown.json();
    let skipped = json!([{"reason": "records without `ingress_as`", "records": 2}]);
    assert_eq!((&unknown["rows"], &unknown["files"][0]["skipped"]), (&json!(0), &skipped), "no neighbour is guessed");
    assert_eq!(parquet_files(&folder.path().join("flows")), 0);

    let files = ["data", "import", "monday.nf5", "cut.nf5", "letter.txt", "--out", "flows", "--json"];
    let done = iog.run(&[&files[..], &["--neighbours", "interfaces.csv"]].concat());
    let said = done.json();
    assert_eq!(
        (done.code, &said["rows"], &said["refused"]),
        (3, &json!(2), &json!(2)),
        "some of them could be used: {said}"
    );
    let refused = |index: usize| said["files"][index]["refused"].as_str().expect("a reason").to_owned();
    assert!(refused(1).contains("`cut.nf5` is damaged at byte"), "{said}");
    assert!(refused(2).contains("`letter.txt` is in none of the formats known"), "{said}");
    assert_eq!(said["files"][0]["out"], "flows/monday.nf5.parquet");
    assert_eq!(parquet_files(&folder.path().join("flows")), 1, "nothing is left of what was refused");

    let again = iog.json(&["data", "import", "monday.nf5", "--out", "flows", "--new"]);
    assert_eq!((&again["rows"], &again["files"][0]["known"]), (&json!(0), &json!(true)), "{again}");

    let mixed = iog.run(&["data", "import", "monday.nf5", "geofeed.csv", "--out", "mixed", "--json"]);
    assert_eq!(mixed.code, 1);
    let message = mixed.json()["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("`geofeed.csv` is geo/1") && message.contains("folders of their own"), "{message}");
    let other = iog.run(&["data", "import", "geofeed.csv", "--out", "flows", "--json"]);
    let message = other.json()["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("has other columns than geo/1"), "{message}");
    let wrong = iog.run(&["data", "import", "geofeed.csv", "--format", "mrt", "--out", "routes", "--json"]);
    assert_eq!((wrong.code, parquet_files(&folder.path().join("routes"))), (1, 0));
}

#[test]
fn names_of_any_bytes_and_pipes_are_no_trouble() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.nf5");
    std::fs::write(folder.path().join(name), netflow5(&[flow(1, 1, 2, 3000)])).expect("a file is written");
    let pipe = folder.path().join("pipe.nf5");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let files = [folder.path().join(name), pipe, "..".into()];
    let said = iog.run_with(&["data", "import", "--out", "flows", "--ingress-as", "64510", "--json"], &files).json();
    assert_eq!((&said["rows"], &said["refused"]), (&json!(1), &json!(2)), "{said}");
    assert!(said["files"][0]["path"].as_str().is_some_and(|path| path.ends_with("caf\u{fffd}.nf5")), "{said}");
    assert!(said["files"][1]["refused"].as_str().is_some_and(|why| why.contains("is not a regular file")), "{said}");
    let again = iog.run_with(&["data", "import", "--out", "flows", "--new", "--json"], &files[..1]).json();
    assert_eq!(again["files"][0]["known"], true, "{again}");
}

#[test]
fn a_file_that_changed_is_read_again_and_what_has_no_rows_now_goes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    let out = folder.path().join("flows/day.nf5.parquet");
    let import = ["data", "import", "day.nf5", "--out", "flows", "--new", "--json"];
    let put = |bytes: &[u8], age: u64| {
        write(folder.path(), "day.nf5", bytes);
        let file = std::fs::File::options().append(true).open(folder.path().join("day.nf5")).expect("it is there");
        let written = file.metadata().and_then(|metadata| metadata.modified()).expect("it has a time");
        file.set_modified(written - Duration::from_secs(age)).expect("its time can be set");
    };
    put(&netflow5(&[flow(1, 1, 2, 3000)]), 100);
    let with = |asn: &str| iog.run(&[&import[..], &["--ingress-as", asn]].concat()).json();
    assert_eq!(with("64510")["rows"], 1);
    assert_eq!(with("64510")["files"][0]["known"], true);
    put(&netflow5(&[flow(1, 1, 2, 3000), flow(2, 1, 2, 3000)]), 200);
    assert_eq!(with("64510")["rows"], 2, "an older time of change is a change too");
    put(b"\x00\x05 no export at all and long enough", 50);
    let refused = with("64510");
    let why = refused["files"][0]["refused"].as_str().expect("a reason");
    assert!(why.ends_with("what an earlier import made of it stays") && out.exists(), "{why}");
    put(&netflow5(&[flow(1, 1, 2, 3000)]), 40);
    assert_eq!(iog.run(&import).json()["rows"], 0, "nothing names the neighbour any more");
    assert!(!out.exists(), "rows that are no longer in the file are gone");
}

fn edges(network: &Deployment) -> Vec<Value> {
    let target = format!("target={TARGET}");
    let home = home("response");
    let answer = network.iog.run(&["call", "ip-traceback", "--all", "--param", &target, "--home", &home, "--json"]);
    let answer = answer.json();
    let edges = answer["merged"]["result"]["edges"].as_array();
    let short = |edge: &Value| json!({"from": edge["from"], "flows": edge["flows"], "bytes": edge["bytes"]});
    edges.unwrap_or_else(|| panic!("no edges in {answer}")).iter().map(short).collect()
}

fn edge(from: u32, flows: u32, bytes: u32) -> Value {
    json!({"from": from, "flows": flows, "bytes": bytes})
}

/// The next finished file that a collector speaks of.
fn next_file(collector: &Server) -> Value {
    let start = Instant::now();
    while start.elapsed() < SOON {
        if let Some(said) = collector.hears(SOON)
            && said["file"].is_string()
        {
            return said;
        }
    }
    panic!("the collector finished no file");
}

#[test]
fn a_gateway_answers_from_a_folder_that_a_collector_fills() {
    let network = Deployment::found();
    network.join("as64500");
    network.join("response");
    network.publish(TRACEBACK.wasm, TRACEBACK.manifest);
    write(network.folder(), "interfaces.csv", INTERFACES.as_bytes());
    write(network.folder(), "monday.nf5", &netflow5(&[flow(1, 1, 2, 3000), flow(2, 2, 1, 60)]));
    let out = ["--out", "flows", "--neighbours", "interfaces.csv"];
    let imported = network.iog.json(&[&["data", "import", "monday.nf5"][..], &out].concat());
    assert_eq!(imported["rows"], 2, "{imported}");

    let border =
        "[dataset.border]\nschema = \"flow/1\"\npath = \"flows\"\nformat = \"parquet\"\nclass = \"reviewed\"\n";
    network.configure("as64500", &format!("{border}{}", service("ip-traceback", "iog/ip-traceback@1.0.0")));
    let _gateway = network.serve("as64500");
    network.wait_for_services("response", 1);
    assert_eq!(edges(&network), [edge(64510, 1, 3000), edge(64511, 1, 60)]);

    let listen = ["data", "collect", "flows", "--listen", "127.0.0.1:0", "--every", "1"];
    let collector = network.iog.serve(&[&listen[..], &out].concat());
    let router = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let send = |bytes: &[u8]| router.send_to(bytes, &collector.address).expect("it is sent");
    send(&netflow5(&[flow(3, 1, 5, 7000)]));
    send(b"\x00\x05 no export at all");
    assert_eq!(next_file(&collector)["rows"], 1);

    let start = Instant::now();
    let grown = [edge(64510, 2, 10_000), edge(64511, 1, 60)];
    while edges(&network) != grown {
        assert!(start.elapsed() < SOON, "the gateway does not see the new file: {:?}", edges(&network));
        std::thread::sleep(Duration::from_millis(200));
    }

    send(&netflow5(&[flow(4, 2, 1, 40)]));
    std::thread::sleep(Duration::from_millis(400));
    let last_words = collector.terminate();
    let summary = last_words.last().expect("a summary");
    assert_eq!((&summary["rows"], &summary["damaged"]), (&json!(2), &json!(1)), "{last_words:?}");
    assert_eq!(summary["exporters"], 1);
}

#[test]
fn a_collector_on_an_open_address_wants_to_know_its_routers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    let open = iog.run(&["data", "collect", "flows", "--listen", "0.0.0.0:0", "--out", "flows", "--json"]);
    assert_eq!(open.code, 1);
    assert!(open.stdout.contains("--from PREFIX"), "{}", open.stdout);

    let picky = ["data", "collect", "flows", "--listen", "127.0.0.1:0", "--from", "192.0.2.0/24", "--out", "flows"];
    let collector = iog.serve(&picky);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    stranger.send_to(&netflow5(&[flow(1, 1, 1, 40)]), &collector.address).expect("it is sent");
    std::thread::sleep(Duration::from_millis(400));
    let last_words = collector.terminate();
    assert_eq!(
        last_words,
        [json!({
            "rows": 0, "messages": 0, "exporters": 0, "skipped": [], "strangers": 1, "damaged": 0, "full": 0, "dropped": 0,
            "senders": []
        })]
    );
}

/// A BMP message of version 3 (RFC 7854 §4.1).
fn bmp(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(6 + body.len()).expect("short");
    [&[3][..], &length.to_be_bytes(), &[kind], body].concat()
}

/// Route Monitoring of a peer AS 64510 that announces 192.0.2.0/24 by way of AS 64511.
fn announcement() -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend([0; 8]); // distinguisher
    body.extend([0; 12]);
    body.extend([198, 51, 100, 1]); // peer
    body.extend(64510u32.to_be_bytes());
    body.extend([198, 51, 100, 1]); // its router id
    body.extend(1_800_000_000u32.to_be_bytes());
    body.extend(0u32.to_be_bytes());
    let path: Vec<u8> = [&[2, 2][..], &64510u32.to_be_bytes(), &64511u32.to_be_bytes()].concat();
    let mut attributes = vec![0x40, 1, 1, 0]; // ORIGIN IGP
    attributes.extend([0x40, 2, u8::try_from(path.len()).expect("short")]);
    attributes.extend(path);
    attributes.extend([0x40, 3, 4, 198, 51, 100, 1]); // NEXT_HOP
    let mut update = vec![0, 0];
    update.extend(u16::try_from(attributes.len()).expect("short").to_be_bytes());
    update.extend(attributes);
    update.extend([24, 192, 0, 2]);
    body.extend([0xff; 16]);
    body.extend(u16::try_from(19 + update.len()).expect("short").to_be_bytes());
    body.push(2);
    body.extend(update);
    bmp(0, &body)
}

#[test]
fn routers_tell_their_routes_and_a_broken_one_ends_only_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    let listen = ["data", "collect", "bmp", "--listen", "127.0.0.1:0", "--every", "1", "--out", "routes"];
    let collector = iog.serve(&listen);
    let connect = || TcpStream::connect(&collector.address).expect("it listens");
    let mut router = connect();
    router.write_all(&bmp(4, &[])).expect("it is sent");
    let message = announcement();
    router.write_all(&message[..20]).expect("it is sent");
    connect().write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it is sent");
    let broken = collector.hears(SOON).expect("it says why the connection ended");
    assert!(broken["problem"].as_str().is_some_and(|why| why.contains("version 71")), "{broken}");
    router.write_all(&message[20..]).expect("it is still connected");
    let file = next_file(&collector);
    assert_eq!(file["rows"], 1);
    drop(router);
    let ended = collector.hears(SOON).expect("it says that the router left");
    assert_eq!((&ended["problem"], &ended["report"]["rows"]), (&Value::Null, &json!(1)), "{ended}");
    assert_eq!(collector.terminate(), [json!({"rows": 1})]);
    let path = folder.path().join(file["file"].as_str().expect("a path"));
    assert_eq!(routes_in(&path), [("192.0.2.0".to_owned(), 24, 64511)]);
}

#[test]
fn a_collector_that_cannot_store_ends_and_says_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    let out = folder.path().join("out");
    let listen = |kind: &'static str| ["data", "collect", kind, "--listen", "127.0.0.1:0", "--out", "out"];
    let break_it = || {
        std::fs::remove_dir_all(&out).expect("the folder is there");
        std::fs::write(&out, b"in the way").expect("a file is written");
    };
    let why = |(code, said): (i32, Value)| {
        let causes = said["error"]["causes"].as_array().map_or(0, Vec::len);
        assert_eq!((code, causes), (1, 1), "{said}");
        said["error"]["message"].as_str().expect("a message").to_owned()
    };

    let flows = iog.serve(&[&listen("flows")[..], &["--ingress-as", "64510"]].concat());
    break_it();
    let router = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut sent = 0;
    let message = netflow5(&[flow(1, 1, 1, 40)]);
    while sent < 40 && router.send_to(&message, &flows.address).is_ok() {
        sent += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(why(flows.ends(SOON)).starts_with("cannot make `out/day="));

    std::fs::remove_file(&out).expect("the file is there");
    let bmp = iog.serve(&listen("bmp"));
    break_it();
    let mut router = TcpStream::connect(&bmp.address).expect("it listens");
    for _ in 0..40 {
        if router.write_all(&announcement()).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(why(bmp.ends(SOON)).starts_with("cannot make `out/day="));
}

/// Prefix, length and origin of the rows of a Parquet file of routes.
fn routes_in(path: &std::path::Path) -> Vec<(String, u64, u64)> {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::UInt64Type;
    let file = std::fs::File::open(path).expect("the file is there");
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).expect("it is Parquet");
    let mut rows = Vec::new();
    for batch in reader.build().expect("it can be read") {
        let batch = batch.expect("a batch");
        let column = |name: &str| batch.column_by_name(name).unwrap_or_else(|| panic!("no `{name}`")).clone();
        let prefixes = column("prefix");
        let (lengths, origins) = (column("prefix_len"), column("origin_as"));
        for row in 0..batch.num_rows() {
            let bytes: [u8; 16] = prefixes.as_fixed_size_binary().value(row).try_into().expect("sixteen bytes");
            let address = std::net::Ipv6Addr::from(bytes).to_canonical().to_string();
            let number = |column: &arrow_array::ArrayRef| column.as_primitive::<UInt64Type>().value(row);
            rows.push((address, number(&lengths), number(&origins)));
        }
    }
    rows
}
