//! Nothing of its own: this package holds the house rules (`tidy/`) and the benchmarks (`benches/`). The stories of
//! callers, providers, auditors and attackers are in `e2e/` and run with the command line's package, whose binary
//! they start.
