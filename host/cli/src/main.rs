//! The one binary, `iog`. Everything it does is in the library beside it.

fn main() -> std::process::ExitCode {
    iog_cli::main()
}
