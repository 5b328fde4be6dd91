//! A PostgreSQL server of a test's own: from the binaries of the machine, in a temporary folder, on a Unix socket, as an
//! unprivileged user where the tests run as root. Gone when it is dropped.

#![expect(clippy::unwrap_used, reason = "a server that does not start is a failed test")]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

/// The user and group `nobody` and `nogroup`, for a server may not run as root.
const NOBODY: u32 = 65_534;
/// Seconds that a server may take to answer.
const START_S: u32 = 60;

pub(crate) struct Postgres {
    server: Child,
    bin: PathBuf,
    folder: tempfile::TempDir,
    drops: bool,
}

impl Postgres {
    /// A running server; `None` only where the machine has no PostgreSQL, which is said.
    pub(crate) async fn start() -> Option<Self> {
        let Some(bin) = binaries() else {
            eprintln!("skipped: no PostgreSQL in /usr/lib/postgresql");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("iog-pg").tempdir().unwrap();
        let drops = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
        if drops {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = folder.path().join("data");
        let made = unprivileged(&bin.join("initdb"), drops)
            .args(["--auth=trust", "--username=iog", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let server = unprivileged(&bin.join("postgres"), drops)
            .arg("-D")
            .arg(&data)
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "shared_buffers=16MB",
                "-c",
                "autovacuum=off",
                "-k",
            ])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let postgres = Self { server, bin, folder, drops };
        postgres.wait().await;
        Some(postgres)
    }

    async fn wait(&self) {
        for _ in 0..START_S * 10 {
            if let Ok(connection) = PgConnection::connect(&self.url()).await {
                connection.close().await.unwrap();
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start: {log}");
    }

    /// Where it is, as the user `iog` with all rights and a password that nobody asks for.
    pub(crate) fn url(&self) -> String {
        format!("postgres://iog:secret@localhost/postgres?host={}", self.folder.path().display())
    }

    /// A connection that may write.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }

    /// Runs statements.
    pub(crate) async fn run(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let stop = unprivileged(&self.bin.join("pg_ctl"), self.drops)
            .args(["stop", "--silent", "--mode=immediate", "-D"])
            .arg(self.folder.path().join("data"))
            .status();
        if !stop.is_ok_and(|status| status.success()) {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
    }
}

/// The newest version's folder of programs.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists() && bin.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

fn unprivileged(program: &Path, drops: bool) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null());
    if drops {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
