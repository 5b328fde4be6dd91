//! How large a registry may become. The center takes nothing beyond these bounds and a replica accepts nothing beyond the first.

/// Entries of a log at most. At the rate at which a center takes statements from members, auditors and publishers together
/// (450 an hour), and with nobody ever pausing, it lasts four years. A replica of so many takes 1 GiB for the Merkle tree.
pub const LOG_ENTRIES_MAX: u64 = 1 << 24;
/// Bytes of all entries of a log at most: 4 KiB an entry, three times what they have on average.
pub const LOG_BYTES_MAX: u64 = 64 << 30;
/// Domains at most, revoked ones included.
pub const DOMAINS_MAX: usize = 1 << 20;
/// Submitted files at most.
pub const MODULES_MAX: usize = 1 << 18;
/// Reviews of one key about one file at most. A key that needs more has its say by a suspension.
pub const REVIEWS_OF_KEY_MAX: u32 = 256;
