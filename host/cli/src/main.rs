//! The one binary, `iog`. Everything it does is in the library beside it, and where it is started as the confined child of
//! another `iog`, in the sandbox.

fn main() -> std::process::ExitCode {
    // Before anything else: a child is confined before it has threads, files or arguments of its own.
    iog_sandbox::child_main(std::env::args_os()).unwrap_or_else(iog_cli::main)
}
