//! A program within its reach: this test's own binary, started again, tries everything that it should not be able to.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Output};

use iog_sandbox::{Program, Reach};

/// The only program of this crate that is a child and nothing else.
fn becomes() -> Program {
    Program::At(env!("CARGO_BIN_EXE_iog-compile-worker").into())
}

/// A folder with `shown/file`, `own/` and `secret`, and a program that sees the first two.
struct Stage {
    folder: tempfile::TempDir,
    listener: TcpListener,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for inside in ["shown", "own"] {
            std::fs::create_dir(folder.path().join(inside)).unwrap();
        }
        std::fs::write(folder.path().join("shown/file"), "shown").unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("shown/link")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        std::fs::write(folder.path().join("shown/port"), listener.local_addr().unwrap().port().to_string()).unwrap();
        Self { folder, listener }
    }

    fn prepared(&self, mut command: Command) -> Output {
        command.args(["--exact", "tried_within_reach", "--ignored", "--nocapture", "--test-threads=1"]);
        command.current_dir(self.folder.path()).output().unwrap()
    }

    fn within_reach(&self) -> Output {
        let this = std::env::current_exe().unwrap();
        let system = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache"].map(Into::into);
        let read = [system.to_vec(), vec![this.clone(), self.folder.path().join("shown")]].concat();
        let write = vec![self.folder.path().join("own"), "/dev/null".into()];
        let reach = Reach { read, write };
        self.prepared(reach.command(&becomes(), this.to_str().unwrap()).unwrap())
    }
}

#[test]
fn a_program_sees_its_reach_and_nothing_else() {
    if !Reach::is_held_here() {
        eprintln!("skipped: this kernel has no Landlock");
        return;
    }
    let stage = Stage::new();
    let free = stage.prepared(Command::new(std::env::current_exe().unwrap()));
    assert!(!free.status.success(), "without a reach the same program gets everywhere");
    let held = stage.within_reach();
    let said = String::from_utf8_lossy(&held.stdout).into_owned() + &String::from_utf8_lossy(&held.stderr);
    assert!(held.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(std::fs::read_to_string(stage.folder.path().join("own/made/file")).unwrap(), "made");
    stage.listener.set_nonblocking(true).unwrap();
    let connected = std::iter::from_fn(|| stage.listener.accept().ok()).count();
    assert_eq!(connected, 0, "nothing came through");
}

#[test]
fn a_program_that_cannot_be_confined_does_not_begin() {
    let reach = Reach::default();
    let told = reach.command(&becomes(), "/nowhere/at/all").unwrap().output().unwrap();
    assert!(Reach::was_not_held(told.status), "{}", told.status);
    let mut without_words = Command::new(env!("CARGO_BIN_EXE_iog-compile-worker"));
    let ended = without_words.args(["within-reach", "no reach", "/bin/true"]).status().unwrap();
    assert!(Reach::was_not_held(ended), "{ended}");
}

/// What is refused to it, by name.
fn denied<T>(what: &str, tried: std::io::Result<T>) {
    let error = tried.err().unwrap_or_else(|| panic!("{what}: it worked"));
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}");
}

#[test]
#[ignore = "started by the tests above, within a reach"]
fn tried_within_reach() {
    assert_eq!(std::fs::read_to_string("shown/file").unwrap(), "shown");
    std::fs::create_dir_all("own/made").unwrap();
    std::fs::write("own/first", "made").unwrap();
    std::fs::rename("own/first", "own/made/file").unwrap();
    denied("a secret", std::fs::read("secret"));
    denied("a secret through a link", std::fs::read("shown/link"));
    std::os::unix::fs::symlink(std::env::current_dir().unwrap().join("secret"), "own/link").unwrap();
    denied("a secret through a link of its own", std::fs::read("own/link"));
    let linked = std::fs::hard_link("secret", "own/hard").map_err(|error| error.kind());
    assert!(matches!(linked, Err(ErrorKind::PermissionDenied | ErrorKind::CrossesDevices)), "{linked:?}");
    denied("changing what is shown", std::fs::write("shown/file", "changed"));
    denied("removing what is shown", std::fs::remove_file("shown/file"));
    denied("a list of what there is", std::fs::read_dir("/"));
    denied("accounts", std::fs::read("/etc/passwd"));
    denied("its parent's environment", std::fs::read(format!("/proc/{}/environ", std::os::unix::process::parent_id())));
    denied("a socket", UdpSocket::bind("127.0.0.1:0"));
    let port: u16 = std::fs::read_to_string("shown/port").unwrap().parse().unwrap();
    denied("a connection", TcpStream::connect(("127.0.0.1", port)));
    denied("a socket of the machine's", std::os::unix::net::UnixDatagram::unbound());
    assert!(Path::new("/bin/cat").exists());
    let read = Command::new("/bin/cat").arg("secret").output().unwrap();
    assert!(!read.status.success() && read.stdout.is_empty(), "what it starts sees no more");
}
