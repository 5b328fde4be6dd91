//! The child itself: what holds it, how it ends, and children that are not what they should be.

use std::fs;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use iog_sandbox::{CompileLimit, Compiler, Compiling, LoadError, Program, Sandbox, SandboxConfig};

use crate::{bombs, config, lifted, processes};

#[tokio::test]
async fn where_modules_are_compiled_is_found_out_by_trying() {
    let here = Sandbox::new(&SandboxConfig { pooled: false, ..SandboxConfig::compiling_here() }).unwrap();
    assert_eq!(here.compiling().await, Compiling::Here);
    let there = Sandbox::new(&config(1_010)).unwrap().compiling().await;
    assert!(matches!(there, Compiling::Confined(confined) if confined.system_calls), "{there}");
    assert!(there.to_string().starts_with("in a child (limits, seccomp, "), "{there}");
    let nowhere = config_of(Program::At("/nonexistent/iog".into()));
    let nowhere = Sandbox::new(&nowhere).unwrap().compiling().await;
    assert!(matches!(&nowhere, Compiling::Unable { problem } if problem.contains("cannot be started")), "{nowhere}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_is_held_by_the_kernel() {
    let sandbox = Sandbox::new(&lifted(1_011)).unwrap();
    let (ours, theirs) = inherited();
    let load = tokio::spawn({
        let sandbox = sandbox.clone();
        async move { sandbox.load(&bombs::variables(2_000, 20_000)).await }
    });
    let pid = processes::child(1_011 << 20).await;
    drop(theirs);
    // Only this process and its children had the other end, and they closed it: there is nothing to wait for.
    let (closed, heard) = mpsc::channel();
    std::thread::spawn(move || closed.send({ ours }.read(&mut [0]).unwrap()));
    assert_eq!(heard.recv_timeout(Duration::from_secs(5)), Ok(0), "a child keeps what its parent was given");
    assert!(!processes::children(1_011 << 20).is_empty(), "it still computes");
    let status = |name| processes::status(pid, name).unwrap();
    assert_eq!((status("Seccomp:"), status("NoNewPrivs:"), status("Threads:")), ("2".into(), "1".into(), "1".into()));
    assert_eq!(status("PPid:"), std::process::id().to_string());
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    for (name, soft) in [
        ("Max cpu time", "10"),
        ("Max file size", "0"),
        ("Max core file size", "0"),
        ("Max processes", "0"),
        ("Max open files", "16"),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        assert_eq!(line[name.len()..].split_whitespace().next().unwrap(), soft, "{line}");
    }
    let line = limits.lines().find(|line| line.starts_with("Max address space")).unwrap();
    let addresses: u64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!((1_011 << 20..3_000 << 20).contains(&addresses), "{addresses}");
    // Root may look further, and nobody else, not even who started it.
    match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(files) => {
            let open: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            assert_eq!(open, ["0", "1", "2"]);
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
    }
    load.abort();
    drop(sandbox);
    let begun = Instant::now();
    while !processes::children(1_011 << 20).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(5), "with the sandbox its child ends");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A pipe whose writing end goes to every program that is started from here, as what a careless parent leaves open does.
fn inherited() -> (PipeReader, PipeWriter) {
    let (ours, theirs) = std::io::pipe().unwrap();
    #[expect(unsafe_code, reason = "the standard library marks all files it opens, and removes no mark")]
    // SAFETY: integers only, about a file that is open.
    let unmarked = unsafe { libc::fcntl(theirs.as_raw_fd(), libc::F_SETFD, 0) };
    assert_eq!(unmarked, 0);
    (ours, theirs)
}

#[tokio::test]
async fn a_child_gets_nothing_of_its_parents_environment() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("environment");
    let program = script(&folder, "looks", &format!("cat /proc/$$/environ > {}", seen.display()));
    assert!(std::env::vars_os().count() > 1, "there is something to hand on");
    Sandbox::new(&config_of(program)).unwrap().load(&bombs::honest(1)).await.unwrap_err();
    assert_eq!(fs::read(&seen).unwrap(), b"IOG_CHILD=1\0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_is_killed_is_an_error_of_its_own() {
    let sandbox = Sandbox::new(&lifted(1_012)).unwrap();
    let wasm = bombs::variables(2_000, 20_000);
    let load = tokio::spawn({
        let (sandbox, wasm) = (sandbox.clone(), wasm.clone());
        async move { sandbox.load(&wasm).await }
    });
    let pid = processes::child(1_012 << 20).await;
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    let error = load.await.unwrap().unwrap_err();
    assert!(matches!(&error, LoadError::CompilerEnded { how } if how.contains("signal: 9")), "{error:?}");
    assert!(processes::children(1_012 << 20).is_empty());
    assert!(sandbox.load(&bombs::honest(1)).await.is_ok(), "the next has a child of its own");
}

#[tokio::test]
async fn a_module_is_tried_again_when_its_time_is_over() {
    let at_once = SandboxConfig { uncompilable_for: Duration::ZERO, compile_wall: Duration::ZERO, ..config(1_013) };
    let sandbox = Sandbox::new(&at_once).unwrap();
    for _ in 0..2 {
        let error = sandbox.load(&bombs::honest(1)).await.unwrap_err();
        assert_eq!(error, LoadError::Uncompilable { limit: CompileLimit::Wall { ms: 0 } });
    }
    assert!(processes::children(1_013 << 20).is_empty());
}

fn config_of(program: Program) -> SandboxConfig {
    SandboxConfig { compiler: Compiler::Child(program), ..config(1_014) }
}

/// A program that does something else than a child should.
fn script(folder: &tempfile::TempDir, name: &str, text: &str) -> Program {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Program::At(path)
}

#[tokio::test]
async fn a_child_that_is_none_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let long = "printf '\\377\\377\\377\\377\\377\\377\\377\\377'; cat /dev/zero";
    let other = "head='{\"compiled\":{\"component\":\"00\",\"engine\":\"00\"}}'
                 printf '\\055\\000\\000\\000\\000\\000\\000\\000%s\\000\\000\\000\\000\\000\\000\\000\\000' \"$head\"";
    for (name, text, said) in [
        ("ends", "exit 3", "exit status: 3"),
        ("cut", "printf abc", "exit status: 0"),
        ("long", long, "machine code"),
        ("echo", "cat", "cannot be read"),
        ("other", other, "another component"),
        ("sleeps", "sleep 98765 & sleep 98765", "500 ms"),
    ] {
        let config =
            SandboxConfig { compile_wall: Duration::from_millis(500), ..config_of(script(&folder, name, text)) };
        let error = Sandbox::new(&config).unwrap().load(&bombs::honest(1)).await.unwrap_err();
        assert!(error.to_string().contains(said), "{name}: {error}");
    }
    let left = Command::new("pgrep").args(["-f", "^sleep 98765$"]).output().unwrap();
    assert!(left.stdout.is_empty(), "the whole group is killed");
}
