//! Stories of callers, providers, auditors and attackers on real servers with real TLS.
