//! A network of separate processes, set up with the commands that its operators would type.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::{Iog, Server};
use super::settings::FLOWS;

/// How long the catalog may lack a gateway that has started.
const PUBLISHED_MAX: Duration = Duration::from_secs(20);

/// Keys, a running center, and domains with homes. Domains are `as<N>` for providers, anything else only asks.
pub(crate) struct Deployment {
    pub(crate) iog: Iog,
    pub(crate) center: Option<Server>,
    folder: TempDir,
}

impl Deployment {
    /// Founds the network `e2e.test` with k = 1 and starts its center.
    pub(crate) fn found() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let iog = Iog::at(folder.path());
        for name in ["root", "alice", "bob", "publisher"] {
            iog.json(&["key", "new", &format!("{name}.key")]);
        }
        let listen = format!("127.0.0.1:{}", free_port());
        let init = "center init --trust-domain e2e.test --k 1 --root root.key.pub --auditor alice@university=alice.key.pub \
                    --auditor bob@exchange=bob.key.pub --publisher iog@iog-project=publisher.key.pub --listen";
        iog.json(&[&words(init)[..], &[&listen]].concat());
        iog.json(&words("root sign center/genesis.unsigned.json --key root.key --out center/genesis.json --yes"));
        iog.json(&words("center network"));
        let center = iog.serve(&["center", "serve"]);
        Self { iog, center: Some(center), folder }
    }

    /// Starts the center again from its folder.
    pub(crate) fn start_center(&mut self) {
        self.center = Some(self.iog.serve(&["center", "serve"]));
    }

    /// Invites, enrolls and admits a domain.
    pub(crate) fn join(&self, domain: &str) {
        let mut invite = vec!["center", "invite", "--domain", domain, "--organisation", domain];
        let asn = domain.strip_prefix("as");
        if let Some(asn) = asn {
            invite.extend(["--asn", asn]);
        }
        let token = self.iog.json(&invite)["token"].as_str().expect("a token").to_owned();
        let home = home(domain);
        let endpoint = format!("localhost:{}", free_port());
        let mut enroll = vec!["enroll", "--home", &home, "--token", &token];
        if asn.is_some() {
            enroll.extend(["--endpoint", &endpoint]);
            std::fs::write(self.folder.path().join(format!("{domain}.port")), &endpoint["localhost:".len()..])
                .expect("a file is written");
        }
        let enrolled = self.iog.json(&enroll);
        let told = enrolled["caller_key"].as_str().expect("a key");
        let admit = ["root", "admit", domain, "--key", "root.key", "--caller-key", told, "--network", "network.json"];
        self.iog.json(&admit);
    }

    /// Submits a module and has both auditors approve it; gives its digest.
    pub(crate) fn publish(&self, wasm: &[u8], manifest: &str) -> String {
        // Flows are not public: k + 1.
        self.publish_with(2, wasm, manifest)
    }

    /// The same for a module that needs so many reviews.
    pub(crate) fn publish_with(&self, reviews: usize, wasm: &[u8], manifest: &str) -> String {
        std::fs::write(self.folder.path().join("module.wasm"), wasm).expect("a file is written");
        std::fs::write(self.folder.path().join("iog.toml"), manifest).expect("a file is written");
        let submit = "module submit module.wasm --manifest iog.toml --key publisher.key --network network.json";
        let submitted = self.iog.json(&words(submit));
        let digest = submitted["digest"].as_str().expect("a digest").to_owned();
        assert_eq!(submitted["needed"], reviews);
        for (before, auditor) in ["alice", "bob"].into_iter().enumerate().take(reviews) {
            let key = format!("{auditor}.key");
            let signed = self.iog.json(&["review", "approve", &digest, "--key", &key, "--network", "network.json"]);
            assert_eq!(signed["approval_index"].is_null(), before + 1 < reviews, "the last review completes it");
        }
        digest
    }

    /// Writes a gateway's configuration: what `iog gateway init` writes, with the place to listen and these tables.
    pub(crate) fn configure(&self, domain: &str, tables: &str) {
        let (home, config) = (home(domain), config(domain));
        self.iog.json(&["gateway", "init", "--config", &config, "--home", &home]);
        let path = self.folder.path().join(&config);
        let port = std::fs::read_to_string(self.folder.path().join(format!("{domain}.port"))).expect("it enrolled");
        let text = std::fs::read_to_string(&path).expect("init wrote it");
        let text = text.replace("listen = \"0.0.0.0:8443\"", &format!("listen = \"127.0.0.1:{port}\""));
        std::fs::write(path, format!("{text}\n[sync]\nregistry_s = 1\n{tables}")).expect("it is written");
        std::fs::write(self.folder.path().join("flows.csv"), FLOWS).expect("flows are written");
    }

    /// Starts a configured gateway.
    pub(crate) fn serve(&self, domain: &str) -> Server {
        self.iog.serve(&["gateway", "serve", "--config", &config(domain)])
    }

    /// The same, with a log of every request in a file.
    pub(crate) fn serve_logging(&self, domain: &str, log: &Path) -> Server {
        self.iog.serve_logging(&["gateway", "serve", "--config", &config(domain)], log)
    }

    /// Waits until the catalog lists `count` services.
    pub(crate) fn wait_for_services(&self, asker: &str, count: usize) {
        let home = home(asker);
        let start = Instant::now();
        loop {
            let found = self.iog.json(&["catalog", "search", "--home", &home]);
            if found["services"].as_array().is_some_and(|services| services.len() >= count) {
                return;
            }
            assert!(start.elapsed() < PUBLISHED_MAX, "the gateways did not publish: {found}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The folder in which all commands run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A domain's home.
    pub(crate) fn home_of(&self, domain: &str) -> PathBuf {
        self.folder.path().join(home(domain))
    }
}

/// A domain's home, from the story's folder.
pub(crate) fn home(domain: &str) -> String {
    format!("home-{domain}")
}

fn config(domain: &str) -> String {
    format!("gateway-{domain}.toml")
}

/// A command line as a shell would cut it, without quotes.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A port of loopback that nobody listens on now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it has an address").port()
}
