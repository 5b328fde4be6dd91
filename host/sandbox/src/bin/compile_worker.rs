//! A program that is nothing but a child of a sandbox. `iog` is one too; this one is for tests that do not have it.

fn main() -> std::process::ExitCode {
    iog_sandbox::child_main(std::env::args_os()).unwrap_or(std::process::ExitCode::FAILURE)
}
