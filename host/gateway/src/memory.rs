//! What a gateway may take of its machine's memory, from its configuration alone: the sum of the bounds that its parts keep.
//! Operators size machines by it, and attacks are held to it.

use iog_protocol::dsse::Content as _;
use iog_protocol::manifest::MEMORY_MIB_MAX;
use iog_protocol::run::RunRequest;
use iog_sandbox::SandboxConfig;
use serde::Serialize;

use crate::config::GatewayConfig;

const MIB: u64 = 1 << 20;
/// What a run has besides its memory, in bytes: the stack of its fiber, what any call may hand over, its result as text.
const BESIDE_A_RUN: u64 = 6 * MIB;
/// What a connection has before any request, in bytes: TLS, headers, the windows of its bodies.
const A_CONNECTION: u64 = 64 << 10;
/// Handshakes under way, besides the connections: one for so many of them.
const HANDSHAKES_PART: u64 = 8;
/// The program, its certificate, journal and a small registry, in bytes; measured before anybody asks anything.
const PROCESS: u64 = 96 * MIB;

/// The most that the process of a gateway holds by its configuration, in bytes, by what holds it. Files of data that are read
/// whole and a registry of more than some thousand entries come besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryBound {
    /// Guests: memories, tables, parameters and results as values.
    pub runs: u64,
    /// The queries of these runs.
    pub queries: u64,
    /// Requests that wait or run: as they came, and their parameters as text.
    pub requests: u64,
    /// Machine code that is kept, and what comes back from modules that are being compiled.
    pub code: u64,
    /// Connections, bodies that come and answers that are not sent yet.
    pub connections: u64,
    /// What is there before anybody asks.
    pub process: u64,
}

impl MemoryBound {
    /// Of a gateway with this configuration on such a sandbox.
    #[must_use]
    pub fn of(config: &GatewayConfig, sandbox: &SandboxConfig) -> Self {
        let capacity = &config.capacity;
        let runs = u64::from(capacity.runs_max);
        let waiting = u64::from(capacity.queue_max);
        let connections = &config.connections;
        let connected = connections.total_max as u64;
        // Code comes back in one piece, and is copied to where it can run.
        let coming = u64::from(sandbox.compiles_max) * 2 * sandbox.compile_code_bytes_max;
        Self {
            runs: runs * (heaviest(config).min(sandbox.memory_bytes_max as u64) + BESIDE_A_RUN),
            queries: runs * capacity.query_memory_mib * MIB,
            requests: (runs + waiting) * 2 * RunRequest::ENVELOPE_BYTES_MAX as u64,
            code: sandbox.code_bytes_max as u64 + coming,
            connections: (connected + connected / HANDSHAKES_PART) * A_CONNECTION
                + (connections.unsent_mib_max + connections.bodies_mib_max) as u64 * MIB,
            process: PROCESS,
        }
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { runs, queries, requests, code, connections, process } = self;
        runs + queries + requests + code + connections + process
    }

    /// The same in MiB, rounded up.
    #[must_use]
    pub fn total_mib(&self) -> u64 {
        self.total().div_ceil(MIB)
    }
}

/// Memory of the heaviest run that a service here allows, in bytes.
fn heaviest(config: &GatewayConfig) -> u64 {
    let of = |mib: Option<u32>| u64::from(mib.unwrap_or(MEMORY_MIB_MAX).min(MEMORY_MIB_MAX)) * MIB;
    config.service.values().map(|service| of(service.limits.memory_mib)).max().unwrap_or(of(None))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn bound(text: &str) -> MemoryBound {
        let config = GatewayConfig::parse(text, Path::new("")).unwrap();
        MemoryBound::of(&config, &config.sandbox())
    }

    #[test]
    fn each_key_counts_where_it_is_held() {
        let plain = bound("");
        assert_eq!((plain.runs, plain.queries), (8 * 262 * MIB, 8 * 256 * MIB));
        assert_eq!(plain.total_mib(), plain.total() / MIB);
        let fewer = bound("[capacity]\nruns_max = 4");
        assert_eq!((fewer.runs * 2, fewer.queries * 2), (plain.runs, plain.queries));
        assert_eq!(plain.requests - fewer.requests, 4 * 512 * 1024);
        let less = bound("[capacity]\nquery_memory_mib = 64\n[connections]\nunsent_mib_max = 16");
        assert_eq!(plain.total() - less.total(), 8 * 192 * MIB + 48 * MIB);
    }

    #[test]
    fn a_run_is_as_heavy_as_the_heaviest_service_allows() {
        let service = |name: &str, limits: &str| format!("[service.{name}]\nmodule = \"iog/{name}@1.0.0\"\n{limits}");
        let limited = |mib: u32| format!("[service.{{}}.limits]\nmemory_mib = {mib}\n");
        let (light, heavy) = (limited(16).replace("{}", "a"), limited(64).replace("{}", "b"));
        let two = format!("{}{}", service("a", &light), service("b", &heavy));
        assert_eq!(bound(&two).runs, 8 * (64 * MIB + BESIDE_A_RUN));
        assert_eq!(bound(&service("a", "")).runs, 8 * (256 * MIB + BESIDE_A_RUN));
    }
}
