//! The one way in which a program is called while a module is built: in the build's own folder, and with nothing of the caller's
//! environment but what it needs. `rustc` and `cargo` may be rustup's, which looks in the folder that it is called in
//! for what to run, so that a question asked in a stranger's folder would already run what the stranger names.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use iog_sandbox::{Program, Reach};

/// What is left of the caller's environment.
const KEPT: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "LANG",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SYSTEMROOT",
    "USERPROFILE",
];

/// How names begin that are left as well.
const KEPT_PREFIXES: [&str; 4] = ["CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTRIES_CRATES_IO_PROTOCOL", "LC_"];

/// A program to be called in `stage`, which holds nothing but what was laid out there.
pub(super) fn command(stage: &Path, program: &str) -> Command {
    prepared(Command::new(program), stage)
}

/// The same, where it and all that it starts see nothing of this machine but `reach`.
pub(super) fn command_within(reach: &Reach, stage: &Path, program: &str) -> Result<Command> {
    let command = reach.command(&Program::Itself, program);
    Ok(prepared(command.with_context(|| format!("`{program}` cannot be confined"))?, stage))
}

fn prepared(mut command: Command, stage: &Path) -> Command {
    clean_environment(&mut command);
    command.current_dir(stage).stdin(Stdio::null());
    command
}

/// A program's answer, if it gives one.
pub(super) fn ask(stage: &Path, program: &str, args: &[&str]) -> Option<String> {
    let output = command(stage, program).args(args).stderr(Stdio::null()).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}

/// Leaves of the caller's environment what cargo needs to find itself and its crates. The rest could change the result, or
/// be a secret that a source reads with `env!`.
fn clean_environment(command: &mut Command) {
    let is_proxy = |name: &str| name.to_ascii_lowercase().ends_with("_proxy");
    for (name, _) in std::env::vars_os() {
        let kept = name.to_str().is_some_and(|name| {
            KEPT.contains(&name) || is_proxy(name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        if !kept {
            command.env_remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_flags_do_not_reach_cargo() {
        let command = command(Path::new("/stage"), "cargo");
        assert!(command.get_envs().all(|(_, value)| value.is_none()));
        assert!(command.get_envs().any(|(name, _)| name == "CARGO_MANIFEST_DIR"), "cargo set it for this test");
    }

    #[cfg(unix)]
    #[test]
    fn programs_are_asked_in_the_builds_folder() {
        let stage = tempfile::tempdir().unwrap();
        let place = stage.path().canonicalize().unwrap();
        assert_eq!(ask(&place, "pwd", &[]).unwrap(), place.to_str().unwrap());
        assert_eq!(ask(&place, "false", &[]), None);
    }

    #[test]
    fn nothing_else_here_calls_programs() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/module_build");
        let mut looked_at = 0;
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let calls = std::fs::read_to_string(&file).unwrap().contains(concat!("Command::", "new("));
            assert!(!calls || file.ends_with("asking.rs"), "{} calls a program by itself", file.display());
            looked_at += 1;
        }
        assert!(looked_at > 10, "{looked_at}");
    }
}
