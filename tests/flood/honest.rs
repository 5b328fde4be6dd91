//! What honest callers get meanwhile, and how large the servers are.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iog_protocol::api::paths;
use iog_protocol::run::Outcome;
use iog_transport::{HttpClient, Request};
use serde_json::json;

use crate::harness::caller::Caller;
use crate::harness::settings::TARGET;
use iog_protocol::ids::Digest;

/// Between two looks at the size of a server, two runs and two checkpoints: honest callers do not use the machine up themselves.
const BETWEEN: Duration = Duration::from_millis(50);

/// How long things took.
#[derive(Debug, Default)]
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn longest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    pub(super) fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// The time within which so many in a hundred were done, in milliseconds.
    pub(super) fn within(&self, percent: usize) -> f64 {
        let at = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
    }
}

/// What was measured in one span.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) runs: Latencies,
    pub(super) checkpoints: Latencies,
    pub(super) failed: usize,
    pub(super) center_mib: u64,
    pub(super) gateway_mib: u64,
    /// Processor time of center, gateway, and of this process, which asks and attacks.
    pub(super) busy: [Duration; 3],
}

impl Figures {
    pub(super) const HEAD: &str = "| attack | `hello` runs | p50 ms | p99 ms | checkpoints | p50 ms | p99 ms | \
                                   longest ms | failed | center MiB | gateway MiB | \
                                   center CPU s | gateway CPU s | others' CPU s |\n\
                                   |---|---|---|---|---|---|---|---|---|---|---|---|---|---|";
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (runs, heads) = (&self.runs, &self.checkpoints);
        write!(f, "{} | {:.1} | {:.1} | ", runs.count(), runs.within(50), runs.within(99))?;
        write!(f, "{} | {:.1} | {:.1} | ", heads.count(), heads.within(50), heads.within(99))?;
        write!(f, "{:.1} | {} | ", heads.longest().as_secs_f64() * 1_000.0, self.failed)?;
        write!(f, "{} | {}", self.center_mib, self.gateway_mib)?;
        self.busy.iter().try_for_each(|busy| write!(f, " | {:.1}", busy.as_secs_f64()))
    }
}

/// Runs `hello` again and again until the end; how long each took, and how many failed.
pub(super) async fn run(asker: Caller, address: String, module: Digest, end: Instant) -> (Vec<Duration>, usize) {
    let (mut took, mut failed) = (Vec::new(), 0);
    while Instant::now() < end {
        let request = asker.ask_for("as64500", module, "packets-to", json!({"target": TARGET}));
        let run = asker.sign(request);
        let start = Instant::now();
        let reply = asker.gateway(&address).run(&run, &asker.token, 60).await;
        took.push(start.elapsed());
        let succeeded =
            matches!(&reply, Ok(iog_client::RunReply::Ended(answer)) if answer.outcome == Outcome::Succeeded);
        if !succeeded {
            failed += 1;
            println!("a run failed: {reply:?}");
        }
        tokio::time::sleep(BETWEEN).await;
    }
    (took, failed)
}

/// Asks for the center's newest checkpoint again and again until the end.
pub(super) async fn look(stranger: HttpClient, center: String, end: Instant) -> (Vec<Duration>, usize) {
    let (mut took, mut failed) = (Vec::new(), 0);
    while Instant::now() < end {
        let start = Instant::now();
        let url = format!("https://{center}{}", paths::LOG_CHECKPOINT);
        let answer = stranger.send(Request::get(url).timeout(Duration::from_secs(10))).await;
        took.push(start.elapsed());
        if !answer.as_ref().is_ok_and(|answer| answer.status == 200) {
            failed += 1;
            println!("a checkpoint failed: {answer:?}");
        }
        tokio::time::sleep(BETWEEN).await;
    }
    (took, failed)
}

/// The largest resident memory of a process until the end, in MiB.
pub(super) async fn weigh(pid: u32, end: Instant) -> u64 {
    let mut most = 0;
    while Instant::now() < end {
        most = most.max(resident_mib(pid));
        tokio::time::sleep(BETWEEN).await;
    }
    most
}

/// Processor time that a process has used, by ticks of 10 ms.
pub(super) fn busy(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    Duration::from_millis(10 * fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
}

/// Resident memory of a process now, in MiB.
fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// A client that shows no certificate.
pub(super) fn stranger(like: &Caller) -> HttpClient {
    let ca = like.home.tls().expect("the home has a certificate").ca_pem;
    let tls = iog_transport::ClientTls::new(&ca, None, Arc::clone(&like.clock)).expect("good roots");
    HttpClient::new(Arc::new(tls))
}
