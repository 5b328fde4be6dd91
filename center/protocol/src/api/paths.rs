//! Every path of the HTTP interface. `{…}` is a parameter, as axum writes it; [`fill`] puts values in.

/// Health of a server, for its operator.
pub const HEALTH: &str = "/healthz";

/// Signed head of a log: the center's registry, a gateway's receipts (C2SP tlog-tiles).
pub const LOG_CHECKPOINT: &str = "/log/checkpoint";
/// Tiles and entry bundles of a log (C2SP tlog-tiles).
pub const LOG_TILE: &str = "/log/tile/{*path}";

/// Entry 0 of the registry.
pub const GENESIS: &str = "/v1/genesis";
/// A module or manifest by digest.
pub const BLOB: &str = "/v1/blobs/{digest}";
/// Modules: list, submit.
pub const MODULES: &str = "/v1/modules";
/// One module.
pub const MODULE: &str = "/v1/modules/{digest}";
/// Signed statements for the registry.
pub const STATEMENTS: &str = "/v1/statements";
/// First contact of a domain.
pub const ENROLL: &str = "/v1/enroll";
/// Domains in force and pending.
pub const DOMAINS: &str = "/v1/domains";
/// Renewal of a certificate.
pub const CERTIFICATES: &str = "/v1/certificates";
/// Tokens (RFC 6749).
pub const TOKEN: &str = "/oauth/token";
/// The service catalog: search, publish.
pub const CATALOG: &str = "/v1/catalog";

/// Runs of a gateway: ask for one.
pub const RUNS: &str = "/v1/runs";
/// One run.
pub const RUN: &str = "/v1/runs/{request_id}";
/// The caller's receipt of one run.
pub const RUN_RECEIPT: &str = "/v1/runs/{request_id}/receipt";
/// Services of a gateway.
pub const SERVICES: &str = "/v1/services";
/// Runs of a service: ask for one.
pub const SERVICE_RUNS: &str = "/v1/services/{name}/runs";
/// What this gateway allows the caller.
pub const LIMITS: &str = "/v1/limits";

/// Every path above.
pub const ALL: [&str; 19] = [
    HEALTH,
    LOG_CHECKPOINT,
    LOG_TILE,
    GENESIS,
    BLOB,
    MODULES,
    MODULE,
    STATEMENTS,
    ENROLL,
    DOMAINS,
    CERTIFICATES,
    TOKEN,
    CATALOG,
    RUNS,
    RUN,
    RUN_RECEIPT,
    SERVICES,
    SERVICE_RUNS,
    LIMITS,
];

/// A path with its one parameter replaced. Ids of this protocol need no escaping in a path.
#[must_use]
pub fn fill(path: &str, value: &str) -> String {
    match (path.find('{'), path.find('}')) {
        (Some(open), Some(close)) if open < close => format!("{}{value}{}", &path[..open], &path[close + 1..]),
        _ => path.to_owned(),
    }
}
