//! `gateway.toml`: what a provider binds, allows and limits. Parsing refuses unknown keys; checking names the key and the
//! remedy. Nothing here opens a dataset or asks the registry.

mod connections;
mod dataset;
mod error;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use iog_protocol::ids::{DatasetName, ServiceName};
use iog_sandbox::{Guests, SandboxConfig};
use serde::Deserialize;

use crate::queue::QueueLimits;

pub use connections::ConnectionsConfig;
pub use dataset::{DatasetConfig, DatasetFormat, TimestampUnit};
pub use error::ConfigError;
use error::within;
pub use service::{AllowConfig, Allowance, CoverageConfig, LimitsConfig, QuotaConfig, ServiceConfig, TargetsConfig};

/// Bytes a configuration may have; no honest one comes near.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Requests that wait though `queue_max` others do, each the only one of its caller here. A request that waits holds its signed
/// envelope and its parameters as text, at most 256 KiB each, so that these hold at most 64 MiB together.
pub const WAITING_KEPT_MAX: u32 = 128;

/// The whole of `gateway.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// Where to listen, for example `0.0.0.0:8443`; port 0 picks a free one. Only who serves needs it.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// The domain's home (keys, certificate, log replica, journal). Relative to this file; default: this file's folder.
    #[serde(default)]
    pub home: PathBuf,
    /// How often the background work is done.
    #[serde(default)]
    pub sync: SyncConfig,
    /// How much is done at once.
    #[serde(default)]
    pub capacity: CapacityConfig,
    /// Connections, and what they hold.
    #[serde(default)]
    pub connections: ConnectionsConfig,
    /// The datasets, by name.
    #[serde(default)]
    pub dataset: BTreeMap<DatasetName, DatasetConfig>,
    /// The services, by name: a module with its slots bound to datasets.
    #[serde(default)]
    pub service: BTreeMap<ServiceName, ServiceConfig>,
}

/// How often the background work is done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncConfig {
    /// Seconds between two looks at the center's log, 1 to 3,600.
    pub registry_s: u64,
    /// Hours after the center last confirmed the registry at which nothing runs any more, 1 to 8,760: how long a hidden
    /// revocation can stay hidden, and how long the gateway works while the center is away.
    pub registry_age_max_h: u64,
    /// Seconds between two looks at the own certificate and the published descriptors, 1 to 86,400.
    pub renew_s: u64,
    /// Whether effective services are published in the catalog.
    pub publish: bool,
    /// Hours a published descriptor is good for, 1 to 168; it is renewed at half of that.
    pub descriptor_hours: u32,
    /// Whether the descriptors are withdrawn when the gateway drains.
    pub withdraw_on_drain: bool,
}

impl Default for SyncConfig {
    fn default() -> Self {
        Self {
            registry_s: 5,
            registry_age_max_h: 24,
            renew_s: 60,
            publish: true,
            descriptor_hours: 24,
            withdraw_on_drain: false,
        }
    }
}

/// How much is done at once. What is beyond is told to come back later, before it is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapacityConfig {
    /// Runs at the same time, 1 to 1,024.
    pub runs_max: u32,
    /// Runs of one caller at the same time, 1 to `runs_max`; unless it is set, three quarters of them, rounded up, and never the
    /// last one where there are two. The other places are left to other callers; who sets it to `runs_max` leaves none.
    pub runs_per_caller_max: Option<u32>,
    /// Threads on which guests run, apart from those that serve, 1 to 1,024; unless it is set, one for each processor.
    pub guest_threads: Option<u32>,
    /// Runs of one module at the same time, whoever asks for them, 1 to `runs_max`; unless it is set, the same share of them, or
    /// all where the gateway offers no other module. The other places are left to other modules.
    pub runs_per_module_max: Option<u32>,
    /// Accepted requests waiting for a place, 0 to 100,000; beyond them wait [`WAITING_KEPT_MAX`] of callers that have nothing
    /// else here, one of each.
    pub queue_max: u32,
    /// Requests of one caller, running and waiting together, 1 to 100,000.
    pub per_caller_max: u32,
    /// Memory that the queries of one run may hold, in MiB, 1 to 65,536.
    pub query_memory_mib: u64,
    /// Refused requests of one caller in an hour, after which it is turned away, 1 to 1,000,000.
    pub refusals_per_hour_max: u32,
}

impl Default for CapacityConfig {
    fn default() -> Self {
        Self {
            runs_max: 8,
            runs_per_caller_max: None,
            runs_per_module_max: None,
            guest_threads: None,
            queue_max: 64,
            per_caller_max: 16,
            query_memory_mib: 256,
            refusals_per_hour_max: 600,
        }
    }
}

impl CapacityConfig {
    /// Runs of one caller at the same time.
    #[must_use]
    pub fn runs_per_caller_max(&self) -> u32 {
        self.runs_per_caller_max.unwrap_or_else(|| self.share())
    }

    /// Runs of one module at the same time, where there are so many modules.
    #[must_use]
    pub fn runs_per_module_max(&self, modules: usize) -> u32 {
        self.runs_per_module_max.unwrap_or_else(|| if modules > 1 { self.share() } else { self.runs_max })
    }

    /// Three quarters of the places, and never the last one where there are two.
    fn share(&self) -> u32 {
        (self.runs_max - self.runs_max / 4).min(self.runs_max.saturating_sub(1)).max(1)
    }

    /// What the queue of a gateway is limited to that offers so many modules.
    pub(crate) fn queue(&self, modules: usize) -> QueueLimits {
        QueueLimits {
            runs_max: self.runs_max,
            runs_per_caller_max: self.runs_per_caller_max(),
            runs_per_module_max: self.runs_per_module_max(modules),
            waiting_max: self.queue_max,
            waiting_kept_max: WAITING_KEPT_MAX,
            per_caller_max: self.per_caller_max,
        }
    }
}

impl GatewayConfig {
    /// Reads and checks a file; relative paths in it are made relative to its folder.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and the remedy.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > CONFIG_BYTES_MAX {
            return Err(ConfigError::TooLarge { path: path.to_owned(), bytes_max: CONFIG_BYTES_MAX });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// Parses and checks a text; relative paths in it are made relative to `base`.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and the remedy.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text)
            .map_err(|e| ConfigError::Syntax { message: without_urls(e.to_string().trim_end()) })?;
        config.home = base.join(&config.home);
        for dataset in config.dataset.values_mut() {
            if !dataset.path.as_os_str().is_empty() {
                dataset.path = base.join(&dataset.path);
            }
        }
        config.check()?;
        Ok(config)
    }

    /// How many modules are offered: several services may offer one.
    pub(crate) fn modules(&self) -> usize {
        self.service.values().map(|service| service.module.to_string()).collect::<BTreeSet<_>>().len()
    }

    /// The sandbox that a gateway of this configuration runs its guests in.
    #[must_use]
    pub fn sandbox(&self) -> SandboxConfig {
        let plain = SandboxConfig::default();
        let guests = self.capacity.guest_threads.map_or(plain.guests, Guests::Apart);
        SandboxConfig { runs_max: self.capacity.runs_max, guests, ..plain }
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.sync.check()?;
        self.capacity.check()?;
        self.connections.check()?;
        for (name, dataset) in &self.dataset {
            dataset.check(&format!("dataset.{name}"))?;
        }
        for (name, service) in &self.service {
            service.check(&format!("service.{name}"), &self.dataset)?;
        }
        Ok(())
    }
}

impl SyncConfig {
    fn check(&self) -> Result<(), ConfigError> {
        within("sync.registry_s", self.registry_s, 1, 3_600)?;
        within("sync.registry_age_max_h", self.registry_age_max_h, 1, 8_760)?;
        within("sync.renew_s", self.renew_s, 1, 86_400)?;
        within("sync.descriptor_hours", self.descriptor_hours.into(), 1, 168)
    }
}

impl CapacityConfig {
    fn check(&self) -> Result<(), ConfigError> {
        within("capacity.runs_max", self.runs_max.into(), 1, 1_024)?;
        within("capacity.runs_per_caller_max", self.runs_per_caller_max().into(), 1, self.runs_max.into())?;
        within("capacity.runs_per_module_max", self.runs_per_module_max(2).into(), 1, self.runs_max.into())?;
        if let Some(threads) = self.guest_threads {
            within("capacity.guest_threads", threads.into(), 1, 1_024)?;
        }
        within("capacity.queue_max", self.queue_max.into(), 0, 100_000)?;
        within("capacity.refusals_per_hour_max", self.refusals_per_hour_max.into(), 1, 1_000_000)?;
        within("capacity.per_caller_max", self.per_caller_max.into(), 1, 100_000)?;
        within("capacity.query_memory_mib", self.query_memory_mib, 1, 1 << 16)
    }
}

/// A parser's message repeats the line it stumbled over; what stands behind `://` in it may be a password.
fn without_urls(message: &str) -> String {
    let one = |line: &str| match line.split_once("://") {
        Some((before, _)) => format!("{before}://…"),
        None => line.to_owned(),
    };
    message.lines().map(one).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
listen = "127.0.0.1:0"
[dataset.border]
schema = "flow/1"
path = "flows.csv.gz"
format = "csv"
class = "reviewed"
timestamp = "seconds"
columns = { src = "source" }
[service.traceback]
module = "iog/ip-traceback@1.0.0"
bind = { flows = "border" }
interfaces = ["data", "log"]
[service.traceback.allow]
callers = ["members"]
[service.traceback.limits]
wall_s = 10
[service.traceback.quota]
runs_per_hour_max = 100
targets = { parameter = "target", distinct_per_day_max = 20 }
"#;

    fn parse(text: &str) -> Result<GatewayConfig, ConfigError> {
        GatewayConfig::parse(text, Path::new("/etc/iog"))
    }

    fn complaint(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "`{from}` is not in the example");
        parse(&GOOD.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn a_good_configuration_parses_and_paths_follow_the_file() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.home, Path::new("/etc/iog/"));
        let dataset = config.dataset.values().next().unwrap();
        assert_eq!(dataset.path, Path::new("/etc/iog/flows.csv.gz"));
        let policy = config.service.values().next().unwrap().policy();
        assert_eq!(policy.quotas.runs_per_hour_max, Some(100));
        assert_eq!(policy.quotas.targets.unwrap().distinct_per_day_max, 20);
    }

    #[test]
    fn a_service_without_an_allow_table_allows_nobody() {
        let config = parse(&GOOD.replace("[service.traceback.allow]\ncallers = [\"members\"]\n", "")).unwrap();
        assert!(config.service.values().next().unwrap().policy().callers.is_empty());
    }

    #[test]
    fn errors_name_key_and_remedy() {
        assert!(
            complaint("bind = { flows = \"border\" }", "bind = { flows = \"bordr\" }")
                .contains("`service.traceback.bind.flows`: there is no dataset `bordr`; the datasets are `border`")
        );
        assert!(complaint("schema = \"flow/1\"", "schema = \"flow/9\"").contains("`dataset.border.schema`"));
        assert!(complaint("columns = { src", "columns = { sorce").contains("`dataset.border.columns.sorce`"));
        assert!(complaint("wall_s = 10", "wall_s = 0").contains("`service.traceback.limits.wall_s`"));
        assert!(complaint("wall_s = 10", "wal_s = 10").contains("wal_s"));
        assert!(complaint("[\"members\"]", "[\"all\"]").contains("write `members`"));
        assert!(
            complaint("\"log\"]", "\"logs\"]").contains("no interface `logs`; the interfaces are `context`, `data`")
        );
        assert!(complaint("@1.0.0", "").contains("name@version"));
        assert!(complaint("class = \"reviewed\"", "class = \"secret\"").contains("class"));
    }

    #[test]
    fn a_database_is_bound_by_table_or_view() {
        let file = "path = \"flows.csv.gz\"\nformat = \"csv\"";
        let sqlite = GOOD.replace(file, "path = \"f.db\"\nformat = \"sqlite\"\ntable = \"flows\"\norder_by = [\"id\"]");
        let config = parse(&sqlite).unwrap();
        let dataset = config.dataset.values().next().unwrap();
        assert_eq!(
            (dataset.path.as_path(), dataset.order_by.as_slice()),
            (Path::new("/etc/iog/f.db"), ["id".to_owned()].as_slice())
        );
        let url = "url = \"postgres://me:secret@localhost/net\"\nformat = \"postgres\"";
        let postgres = GOOD.replace(file, &format!("{url}\nview = \"SELECT * FROM f\""));
        let config = parse(&postgres).unwrap();
        assert!(!format!("{config:?}").contains("secret"));
        for broken in [format!("{url} = 1"), url.replace("net\"", "net"), url.replace("url", "ulr")] {
            let error = parse(&GOOD.replace(file, &broken)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        for (keys, complaint) in [
            ("format = \"sqlite\"\ntable = \"t\"".to_owned(), "`dataset.border.path`"),
            ("format = \"postgres\"\ntable = \"t\"".to_owned(), "`dataset.border.url`"),
            (format!("{url}\npath = \"x\"\ntable = \"t\""), "`dataset.border.path`: format `postgres` has no such key"),
            (url.to_owned(), "`dataset.border.table`: format `postgres` needs it"),
            (format!("{url}\ntable = \"t\"\nview = \"SELECT 1\""), "`dataset.border.view`: there is a `table` too"),
            (format!("{file}\norder_by = [\"id\"]"), "`dataset.border.order_by`: format `csv` has no such key"),
            (format!("{file}\ntabel = \"t\""), "tabel"),
        ] {
            let error = parse(&GOOD.replace(file, &keys)).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn one_callers_share_of_the_places_follows_them_unless_it_is_set() {
        let share =
            |capacity: &str| parse(&format!("{GOOD}[capacity]\n{capacity}")).map(|c| c.capacity.runs_per_caller_max());
        let least = [("runs_max = 1", 1), ("runs_max = 2", 1), ("runs_max = 3", 2), ("runs_max = 4", 3)];
        for (capacity, expected) in least.into_iter().chain([("", 6), ("runs_per_caller_max = 8", 8)]) {
            assert_eq!(share(capacity).unwrap(), expected, "{capacity}");
        }
        let error = share("runs_per_caller_max = 9").unwrap_err().to_string();
        assert!(error.contains("`capacity.runs_per_caller_max`"), "{error}");
    }

    #[test]
    fn one_modules_share_of_the_places_follows_them_where_there_are_others() {
        let second = GOOD[GOOD.find("[service.traceback]").unwrap()..].replace("traceback", "other");
        let twice = format!("{GOOD}{}", second.replace("iog/ip-other", "iog/ip-traceback"));
        let share = |text: &str, capacity: &str| {
            parse(&format!("{text}[capacity]\n{capacity}")).map(|c| c.capacity.runs_per_module_max(c.modules()))
        };
        let set = "runs_per_module_max = 2";
        for (text, alone) in [(GOOD.to_owned(), 8), (twice, 8), (format!("{GOOD}{second}"), 6)] {
            assert_eq!((share(&text, "").unwrap(), share(&text, set).unwrap()), (alone, 2), "{text}");
        }
        let error = share(GOOD, "runs_per_module_max = 9").unwrap_err().to_string();
        assert!(error.contains("`capacity.runs_per_module_max`"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = GatewayConfig::load(Path::new("/nowhere/gateway.toml")).unwrap_err().to_string();
        assert_eq!(error, "cannot read the configuration `/nowhere/gateway.toml`");
    }
}
