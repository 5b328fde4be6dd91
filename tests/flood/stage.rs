//! The stage of the floods: a center and a gateway in processes of their own, one honest member, one who is not.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header;
use iog_machine::SystemClock;
use iog_protocol::api::{ENVELOPE_MEDIA_TYPE, paths};
use iog_protocol::ids::{Digest, RequestId};
use iog_transport::HttpClient;
use serde_json::json;
use sqlx::Connection as _;
use tokio::runtime::Runtime;

use super::attacks::{Assault, Deed, STREAMS};
use super::honest::{self, Figures, Latencies};
use super::line::Line;
use super::processors::Processors;
use crate::harness::caller::Caller;
use crate::harness::deployment::{Deployment, words};
use crate::harness::play;
use crate::harness::process::Server;
use crate::harness::settings::{BORDER, TARGET, TRACEBACK, service};

const HELLO: (&[u8], &str) =
    (include_bytes!("../../modules/prebuilt/hello.wasm"), include_str!("../../modules/hello/iog.toml"));
/// Where attackers come from; honest callers come from 127.0.0.1.
pub(super) const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The file and the answer that attackers ask for, in bytes: as large as an answer is, so that a machine with little memory shows what is
/// not bounded without falling.
pub(super) const LARGE: usize = 1024 * 1024;

/// How many connections and requests the servers have room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// As many as nobody says otherwise.
    Usual,
    /// So few that some dozen networks can use up all that strangers have, without using up the machine.
    Little,
}

/// A server with little room: 128 connections of strangers, 16 of one address.
const LITTLE: &str = "[connections]\ntotal_max = 256\nper_peer_max = 16\n";

/// Servers and members.
pub(super) struct Stage {
    center_line: Line,
    gateway_line: Line,
    mallory: Caller,
    /// A large module file at the center.
    blob: String,
    /// A run of the attacker's with a large answer.
    answered: RequestId,
    asker: Caller,
    module: Digest,
    gateway_address: String,
    gateway: Server,
    network: Deployment,
    processors: Processors,
}

impl Stage {
    /// Founds a network of separate processes and leaves a large file and a large answer in it.
    pub(super) fn set(processors: Processors) -> Self {
        Self::set_with(processors, Room::Usual)
    }

    /// The same with servers that have room for as many as `room` says.
    pub(super) fn set_with(processors: Processors, room: Room) -> Self {
        processors.take_for_servers();
        let mut network = Deployment::found();
        if let Room::Little = room {
            network.center.take().expect("it runs").kill();
            little(&network.folder().join("center/center.toml"));
            network.start_center();
        }
        for domain in ["as64500", "response", "mallory"] {
            network.join(domain);
        }
        let module = network.publish(HELLO.0, HELLO.1).parse().expect("a digest");
        let room = if let Room::Little = room { LITTLE } else { "" };
        network.configure("as64500", &format!("{room}{BORDER}{}", service("hello", "iog/hello@1.0.0")));
        let gateway = network.serve("as64500");
        network.wait_for_services("response", 1);
        let of = |domain| play(Caller::at(&network.home_of(domain), Arc::new(SystemClock)));
        let (asker, mallory) = (of("response"), of("mallory"));
        let port = std::fs::read_to_string(network.folder().join("as64500.port")).expect("it enrolled");
        let gateway_address = format!("localhost:{port}");
        let center = socket(&network.center.as_ref().expect("it runs").address);
        let mut stage = Self {
            center_line: Line::strange(center, ATTACKER),
            gateway_line: Line::member(socket(&gateway_address), ATTACKER, &mallory.home),
            mallory,
            blob: String::new(),
            answered: crate::harness::caller::fresh_id(),
            asker,
            module,
            gateway_address,
            gateway,
            network,
            processors,
        };
        stage.blob = stage.leave_a_large_file();
        stage.answered = play(stage.leave_a_large_answer());
        stage
    }

    fn leave_a_large_file(&self) -> String {
        let content = vec![b'x'; LARGE];
        let digest = Digest::of(&content);
        let hex = digest.hex();
        let folder = self.network.folder().join("center/blobs").join(&hex[..2]);
        std::fs::create_dir_all(&folder).expect("a folder is made");
        std::fs::write(folder.join(&hex), content).expect("the file is written");
        digest.to_string()
    }

    async fn leave_a_large_answer(&self) -> RequestId {
        let request = self.mallory.ask_for("as64500", self.module, "packets-to", json!({"target": TARGET}));
        let run = self.mallory.sign(request);
        self.mallory.answer(&self.gateway_address, &run).await.expect("it is answered");
        sqlx::any::install_default_drivers();
        let journal = self.network.home_of("as64500").join("journal.sqlite");
        let mut journal =
            sqlx::AnyConnection::connect(&format!("sqlite://{}", journal.display())).await.expect("the journal opens");
        let id = run.request.request_id.as_str();
        let update = sqlx::query("UPDATE runs SET answer = $1 WHERE request_id = $2").bind(vec![b' '; LARGE]).bind(id);
        update.execute(&mut journal).await.expect("it is stored");
        journal.close().await.expect("it closes");
        run.request.request_id
    }

    /// All attacks of strangers and of one member, each with so many tenths of the connections that the audit had.
    pub(super) fn assaults(&self, tenths: usize) -> Vec<Assault> {
        let (center, gateway) = (&self.center_line, &self.gateway_line);
        let token = [
            (header::AUTHORIZATION, format!("Bearer {}", self.mallory.token)),
            (header::CONTENT_TYPE, ENVELOPE_MEDIA_TYPE.to_owned()),
        ];
        let blob = paths::fill(paths::BLOB, &self.blob);
        let answer = paths::fill(paths::RUN, self.answered.as_str());
        let unread = |path: &str| Deed::Unread(path.to_owned());
        let unended = |path: &str, begin| Deed::Unended(path.to_owned(), begin);
        [
            ("unread module files, center", center, 10, STREAMS, unread(&blob)),
            ("unread log, center", center, 10, STREAMS, unread("/log/tile/entries/000.p/8")),
            ("unread answers, gateway", gateway, 40, STREAMS, unread(&answer)),
            ("slow statements, center", center, 20, STREAMS, unended(paths::STATEMENTS, 1)),
            ("unfinished uploads, center", center, 1, 10, unended(paths::MODULES, 60_000)),
            ("slow requests, gateway", gateway, 20, STREAMS, unended(paths::RUNS, 60_000)),
        ]
        .into_iter()
        .map(|(name, line, connections, streams, deed)| Assault {
            name,
            line: line.clone(),
            connections: (connections * tenths).div_ceil(10),
            streams,
            deed,
            headers: if name.ends_with("gateway") { token.to_vec() } else { Vec::new() },
        })
        .collect()
    }

    /// Strangers of so many networks, who take whatever strangers can be given.
    pub(super) fn networks(&self, count: u8) -> Vec<Assault> {
        let center = socket(&self.network.center.as_ref().expect("it runs").address);
        let gateway = socket(&self.gateway_address);
        let unended = |path: &str, begin| Deed::Unended(path.to_owned(), begin);
        let unread = |path: &str| Deed::Unread(path.to_owned());
        let of_one = |at| {
            [
                ("slow statements, center", center, 2, unended(paths::STATEMENTS, 1)),
                ("unfinished uploads, center", center, 1, unended(paths::MODULES, 10_000)),
                ("unread log, center", center, 1, unread("/log/tile/entries/000.p/8")),
                ("slow requests, gateway", gateway, 2, unended(paths::RUNS, 1)),
                ("unread log, gateway", gateway, 2, unread(paths::LOG_CHECKPOINT)),
            ]
            .map(|(name, server, connections, deed)| Assault {
                name,
                line: Line::strange(server, Ipv4Addr::new(127, 10 + at, at, 2)),
                connections,
                streams: 4,
                deed,
                headers: Vec::new(),
            })
        };
        (0..count).flat_map(of_one).collect()
    }

    /// While the attacks go on, one auditor suspends a module and root stops it for good, each with the one command for it; how
    /// long either took.
    pub(super) fn halt_under(&self, assaults: &[Assault], module: &str) -> [Duration; 2] {
        let attackers = self.attack(assaults);
        let halted = [("suspend", "alice"), ("revoke", "root")].map(|(what, key)| {
            let begun = Instant::now();
            let command = format!("review {what} {module} --key {key}.key --reason-code vulnerability --reason leaks");
            let halted = self.network.iog.json(&words(&format!("{command} --network network.json")));
            assert!(halted["index"].is_u64(), "{halted}");
            begun.elapsed()
        });
        attackers.shutdown_background();
        halted
    }

    /// A module that nobody asks for, approved.
    pub(super) fn publish_another(&self) -> String {
        self.network.publish(TRACEBACK.wasm, TRACEBACK.manifest)
    }

    /// An honest publisher submits a module and auditors approve it while the attacks go on.
    pub(super) fn publish_under(&self, assaults: &[Assault]) {
        let attackers = self.attack(assaults);
        self.publish_another();
        attackers.shutdown_background();
    }

    /// What honest callers get, and how large the servers become, while the attacks go on for so long.
    pub(super) fn measure(&self, assaults: &[Assault], span: Duration) -> Figures {
        self.measure_as(honest::stranger(&self.asker), assaults, span)
    }

    /// The same where a member asks for the checkpoints too, as its gateways do.
    pub(super) fn measure_for_members(&self, assaults: &[Assault], span: Duration) -> Figures {
        self.measure_as(self.asker.http.clone(), assaults, span)
    }

    fn measure_as(&self, looks: HttpClient, assaults: &[Assault], span: Duration) -> Figures {
        let attackers = self.attack(assaults);
        let end = Instant::now() + span;
        let center = self.network.center.as_ref().expect("it runs");
        let processes = [center.pid(), self.gateway.pid(), std::process::id()];
        let before = processes.map(honest::busy);
        let figures = play(async {
            let runs = honest::run(self.asker.clone(), self.gateway_address.clone(), self.module, end);
            let heads = honest::look(looks, local(&center.address), end);
            let sizes = (honest::weigh(center.pid(), end), honest::weigh(self.gateway.pid(), end));
            let ((runs, failed), (heads, missed), center_mib, gateway_mib) =
                tokio::join!(runs, heads, sizes.0, sizes.1);
            let (runs, checkpoints) = (Latencies::of(runs), Latencies::of(heads));
            let after = processes.map(honest::busy);
            let busy = [0, 1, 2].map(|at| after[at].saturating_sub(before[at]));
            Figures { runs, checkpoints, failed: failed + missed, center_mib, gateway_mib, busy }
        });
        attackers.shutdown_background();
        figures
    }

    /// Starts attacks, on threads of the attackers' own, so that their work is not the honest callers' delay.
    fn attack(&self, assaults: &[Assault]) -> Runtime {
        let attackers = self.processors.attackers();
        for assault in assaults {
            attackers.spawn(assault.clone().go_on());
        }
        if !assaults.is_empty() {
            std::thread::sleep(Duration::from_secs(1));
        }
        attackers
    }
}

/// Leaves a center little room: the same connections, 128 requests of strangers that read and 64 that write.
fn little(config: &std::path::Path) {
    let text = std::fs::read_to_string(config).expect("the center has a configuration");
    let mut table: toml::Table = text.parse().expect("it is TOML");
    let room: toml::Table = LITTLE.parse().expect("it is TOML");
    let connections = table["connections"].as_table_mut().expect("it is written out");
    connections.extend(room["connections"].as_table().expect("a table").clone());
    table["limits"]["requests_at_once"] = 256.into();
    std::fs::write(config, table.to_string()).expect("it is written");
}

/// The port on which a server said it listens.
fn port(address: &str) -> u16 {
    address.rsplit_once(':').expect("host:port").1.parse().expect("a port")
}

fn socket(address: &str) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port(address)))
}

/// The server under the name in its certificate.
fn local(address: &str) -> String {
    format!("localhost:{}", port(address))
}
