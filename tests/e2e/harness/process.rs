//! Real `iog` processes: run to their end, or kept as children that are killed with their story.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// How long a server may take until it says where it listens.
const START_MAX: Duration = Duration::from_secs(30);

/// The command line in one folder.
#[derive(Clone)]
pub(crate) struct Iog {
    pub(crate) dir: PathBuf,
}

/// How a command ended.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Iog {
    pub(crate) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iog"));
        command.args(args).current_dir(&self.dir).stdin(Stdio::null()).env("NO_COLOR", "1").env("COLUMNS", "100");
        // What one story builds is no other story's.
        command.env("XDG_CACHE_HOME", self.dir.join(".cache"));
        for name in ["IOG_HOME", "IOG_NETWORK", "IOG_JOIN_TOKEN", "IOG_LOG", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Done::of(self.command(args).output().expect("the binary starts"))
    }

    /// Runs a command on files of any name.
    pub(crate) fn run_with(&self, args: &[&str], files: &[PathBuf]) -> Done {
        let output = self.command(args).args(files).output().expect("the binary starts");
        Done::of(output)
    }

    /// Runs a command that must succeed and gives the one object it prints.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let done = self.run(&[args, &["--json"]].concat());
        assert_eq!(done.code, 0, "`iog {}`: {}{}", args.join(" "), done.stdout, done.stderr);
        done.json()
    }

    /// Starts a server and waits until it says where it listens.
    pub(crate) fn serve(&self, args: &[&str]) -> Server {
        self.start(args, Stdio::inherit())
    }

    /// The same, with a log of every request in a file.
    pub(crate) fn serve_logging(&self, args: &[&str], log: &Path) -> Server {
        self.start(&[&["-v"], args].concat(), std::fs::File::create(log).expect("a file is made").into())
    }

    fn start(&self, args: &[&str], log: Stdio) -> Server {
        let mut command = self.command(&[args, &["--json"]].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the binary starts");
        let stdout = child.stdout.take().expect("it was piped");
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let mut server = Server { child, said: heard, address: String::new(), said_first: Value::Null };
        let object = server.hears(START_MAX).expect("the server says where it listens");
        server.address = object["listening"].as_str().unwrap_or_else(|| panic!("no address: {object}")).to_owned();
        server.said_first = object;
        server
    }
}

impl Done {
    fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8(output.stdout).expect("texts are UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("texts are UTF-8"),
        }
    }

    /// The one object on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one object: {error}: {}{}", self.stdout, self.stderr))
    }
}

/// The number in one line of a process's status: of `VmRSS:` (resident now) and `VmHWM:` (at most until now) in KiB.
pub(crate) fn status(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel says it");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// A server of this story; killed at the latest when the story ends.
pub(crate) struct Server {
    child: Child,
    said: mpsc::Receiver<String>,
    /// Where it listens.
    pub(crate) address: String,
    /// The first object it printed.
    pub(crate) said_first: Value,
}

impl Server {
    /// The next object it prints, if it prints one in time.
    pub(crate) fn hears(&self, within: Duration) -> Option<Value> {
        let line = self.said.recv_timeout(within).ok()?;
        Some(serde_json::from_str(&line).expect("one object a line"))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM: it ends by itself; what it still prints.
    pub(crate) fn terminate(mut self) -> Vec<Value> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().expect("kill runs").success());
        let ended = self.child.wait().expect("it ends");
        assert!(ended.success(), "{ended}");
        self.said.iter().map(|line| serde_json::from_str(&line).expect("one object a line")).collect()
    }

    /// Waits until it ends by itself; its exit code and the last object it printed.
    pub(crate) fn ends(mut self, within: Duration) -> (i32, Value) {
        let start = std::time::Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status;
            }
            assert!(start.elapsed() < within, "it goes on");
            std::thread::sleep(Duration::from_millis(50));
        };
        let last = self.said.iter().last().expect("it said something");
        (status.code().expect("it was not killed"), serde_json::from_str(&last).expect("one object a line"))
    }

    /// SIGKILL: no drain, no last words.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
