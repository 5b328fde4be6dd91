//! `center.toml`: where the center listens, what it is called, where it keeps its things. It holds no secrets; unknown keys are refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use iog_protocol::ids::TrustDomain;
use iog_transport::ServeLimits;
use serde::{Deserialize, Serialize};

use crate::{error::CenterError, names::check_name};

/// The name of the configuration file in the center's folder.
pub const CONFIG_FILE: &str = "center.toml";
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// The center's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CenterConfig {
    /// The trust domain this center serves; must equal the genesis.
    pub trust_domain: TrustDomain,
    /// Address and port to listen on.
    pub listen: String,
    /// `host:port` under which members reach the center; written into join tokens.
    pub public_address: String,
    /// DNS names and IP addresses of the center's own certificate.
    pub names: Vec<String>,
    /// Folder of keys, genesis, database and module files. Relative paths start at the configuration file's folder.
    #[serde(default = "here")]
    pub data_dir: PathBuf,
    /// `sqlite:<path>` or `postgres://…`. Default: `center.db` in `data_dir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// How large and how long.
    #[serde(default)]
    pub limits: Limits,
    /// Connections.
    #[serde(default)]
    pub connections: Connections,
}

/// Bounds of what the center takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest module file, bytes.
    pub module_bytes_max: usize,
    /// Submissions inspected at the same time; four times as many may wait, more are told to come back.
    pub submissions_at_once: usize,
    /// Requests in work at the same time that only read, from their headers to the last byte of their answers; half as many more may
    /// write. One peer has at most an eighth of either, those without a certificate half. More are told to come back.
    pub requests_at_once: usize,
    /// Life of a domain's certificate, hours.
    pub certificate_hours: u32,
    /// Life of an access token, hours (1 to 24).
    pub token_hours: u32,
    /// Longest time a request may take, seconds; a submission may take four times as long, and what its body is given to come.
    pub request_seconds: u64,
    /// Services one domain may have in the catalog.
    pub services_per_domain: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            module_bytes_max: 8 * 1024 * 1024,
            submissions_at_once: 2,
            requests_at_once: 1_024,
            certificate_hours: 72,
            token_hours: 12,
            request_seconds: 30,
            services_per_domain: 64,
        }
    }
}

/// Bounds of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// Connections at once; strangers have half.
    pub total_max: usize,
    /// Connections at once of one member, IPv4 address or IPv6 /64; a /24 and a /48 have twice as many.
    pub per_peer_max: usize,
    /// MiB of answers that are not sent yet; one peer has at most an eighth.
    pub unsent_mib_max: usize,
    /// MiB of request bodies held at once; one peer has at most an eighth.
    pub bodies_mib_max: usize,
}

const MIB: usize = 1024 * 1024;

impl Default for Connections {
    fn default() -> Self {
        let limits = ServeLimits::default();
        Self {
            total_max: limits.connections_max,
            per_peer_max: limits.per_peer_max,
            unsent_mib_max: limits.unsent_bytes_max / MIB,
            bodies_mib_max: limits.received_bytes_max / MIB,
        }
    }
}

/// Envelope, manifest and the frame around them, in bytes of JSON.
const FRAME_BYTES: usize = 256 * 1024;

/// The largest body that submits a module of at most so many bytes.
pub(crate) const fn submission_bytes_max(module_bytes_max: usize) -> usize {
    module_bytes_max.div_ceil(3) * 4 + FRAME_BYTES
}

fn here() -> PathBuf {
    PathBuf::from(".")
}

impl CenterConfig {
    /// Reads `center.toml`; relative paths are taken from the file's folder.
    ///
    /// # Errors
    /// [`CenterError::File`], [`CenterError::Config`].
    pub fn load(path: &Path) -> Result<Self, CenterError> {
        let failed = |source| CenterError::File { action: "read", path: path.to_owned(), source };
        let text = iog_machine::files::read_text(path, CONFIG_BYTES_MAX).map_err(failed)?;
        let mut config = Self::parse(&text, path)?;
        let folder = path.parent().map_or_else(here, Path::to_owned);
        config.data_dir = folder.join(&config.data_dir);
        Ok(config)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, CenterError> {
        let wrong = |reason: String| CenterError::Config { path: path.to_owned(), reason };
        let config: Self = toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    /// What serde cannot say. The text names the key.
    fn check(&self) -> Result<(), String> {
        let limits = &self.limits;
        let port = self.public_address.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then_some(port));
        if port.and_then(|port| port.parse::<u16>().ok()).is_none() {
            return Err(format!("`public_address` is `{}`, expected host:port", self.public_address));
        }
        let host = self.public_address.rsplit_once(':').map_or("", |(host, _)| host.trim_matches(['[', ']']));
        if !self.names.iter().any(|name| name == host) {
            return Err(format!("`names` does not have `{host}`, the host of `public_address`"));
        }
        for name in &self.names {
            check_name(name).map_err(|reason| format!("`names`: {reason}"))?;
        }
        if self.names.is_empty() || self.names.len() > 32 {
            return Err(format!("`names` has {} entries, expected 1 to 32", self.names.len()));
        }
        let ranges = [
            ("limits.module_bytes_max", limits.module_bytes_max, 1..=64 * 1024 * 1024),
            ("limits.submissions_at_once", limits.submissions_at_once, 1..=64),
            ("limits.requests_at_once", limits.requests_at_once, 1..=100_000),
            ("limits.certificate_hours", limits.certificate_hours as usize, 1..=24 * 90),
            ("limits.token_hours", limits.token_hours as usize, 1..=24),
            ("limits.request_seconds", usize::try_from(limits.request_seconds).unwrap_or(usize::MAX), 1..=600),
            ("limits.services_per_domain", limits.services_per_domain, 1..=10_000),
            ("connections.total_max", self.connections.total_max, 1..=1_000_000),
            ("connections.per_peer_max", self.connections.per_peer_max, 1..=1_000_000),
            ("connections.unsent_mib_max", self.connections.unsent_mib_max, 8..=1_048_576),
            ("connections.bodies_mib_max", self.connections.bodies_mib_max, self.bodies_mib_min()..=1_048_576),
        ];
        for (key, value, range) in ranges {
            if !range.contains(&value) {
                return Err(format!("`{key}` is {value}, expected {} to {}", range.start(), range.end()));
            }
        }
        Ok(())
    }

    /// The file's text, with a comment for every key a newcomer may want to change.
    ///
    /// # Errors
    /// [`CenterError::Config`] if the values have no TOML form.
    pub fn to_toml(&self) -> Result<String, CenterError> {
        let body = toml::to_string(self)
            .map_err(|error| CenterError::Config { path: PathBuf::from(CONFIG_FILE), reason: error.to_string() })?;
        Ok(format!("{HEADER}{body}"))
    }

    /// The database's address.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("center.db").display()))
    }

    /// The connection bounds in the transport's terms.
    #[must_use]
    pub fn serve_limits(&self) -> ServeLimits {
        ServeLimits {
            connections_max: self.connections.total_max,
            per_peer_max: self.connections.per_peer_max,
            reads_max: self.limits.requests_at_once,
            writes_max: self.limits.requests_at_once.div_ceil(2),
            unsent_bytes_max: self.connections.unsent_mib_max * MIB,
            received_bytes_max: self.connections.bodies_mib_max * MIB,
            ..ServeLimits::default()
        }
    }

    /// How long the body of the largest submission may take to come.
    pub(crate) fn submission_time(&self) -> Duration {
        self.serve_limits().body_time(submission_bytes_max(self.limits.module_bytes_max) as u64)
    }

    /// The least of `connections.bodies_mib_max`: a peer, who has an eighth, can submit the largest module.
    fn bodies_mib_min(&self) -> usize {
        8 * submission_bytes_max(self.limits.module_bytes_max).div_ceil(MIB)
    }
}

const HEADER: &str = "\
# The center's configuration. It holds no secrets: keys lie beside it in `keys/`, one file each, readable by the owner only.
#
# listen          address and port to listen on
# public_address  host:port under which members reach the center; written into join tokens
# names           DNS names and IP addresses of the center's own certificate
# data_dir        keys, genesis, database and module files; relative to this file
# database        sqlite:<path> or postgres://...; default: center.db in data_dir
# limits          sizes in bytes, times as the key says
# connections     connections at once, in total and from one address; bytes of answers and of request bodies

";

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
        trust_domain = "net.example"
        listen = "127.0.0.1:0"
        public_address = "localhost:8443"
        names = ["localhost"]
    "#;

    fn reason(text: &str) -> String {
        match CenterConfig::parse(text, Path::new("center.toml")) {
            Err(CenterError::Config { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let config = CenterConfig::parse(MINIMAL, Path::new("x")).unwrap();
        assert_eq!(CenterConfig::parse(&config.to_toml().unwrap(), Path::new("x")).unwrap(), config);
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn unknown_keys_and_values_out_of_range_are_named() {
        assert!(reason(&format!("{MINIMAL}\nlissten = 1")).contains("lissten"));
        assert!(reason(&format!("{MINIMAL}\n[limits]\ntoken_hours = 25")).contains("`limits.token_hours` is 25"));
        let large = format!("{MINIMAL}\n[limits]\nmodule_bytes_max = 67108864");
        assert!(reason(&large).contains("`connections.bodies_mib_max` is 192, expected 688"), "{}", reason(&large));
        assert!(reason(&MINIMAL.replace("localhost:8443", "localhost")).contains("public_address"));
        assert!(reason(&MINIMAL.replace("[\"localhost\"]", "[]")).contains("names"));
        assert!(reason(&MINIMAL.replace("net.example", "No Domain")).contains("trust domain"));
    }
}
