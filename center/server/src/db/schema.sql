-- The center's tables. Valid for SQLite and PostgreSQL alike: text and 64-bit integers only.
-- Times are POSIX seconds. Digests, ids and signed documents are text.

-- The log. Rows are only ever inserted; the signed checkpoint and its copy on disk show any other change.
CREATE TABLE IF NOT EXISTS entries (
    log_index BIGINT PRIMARY KEY,
    entry TEXT NOT NULL,
    appended BIGINT NOT NULL
);

-- The newest checkpoint this center signed; one row.
CREATE TABLE IF NOT EXISTS checkpoint (
    id BIGINT PRIMARY KEY,
    size BIGINT NOT NULL,
    note TEXT NOT NULL
);

-- Join tokens. Of the secret only the hash is kept; `used` is set once.
CREATE TABLE IF NOT EXISTS invitations (
    secret_sha256 TEXT PRIMARY KEY,
    domain TEXT NOT NULL,
    organisation TEXT NOT NULL,
    names TEXT NOT NULL,
    asns TEXT NOT NULL,
    expires BIGINT NOT NULL,
    used BIGINT
);

-- Who was enrolled, with the names a renewed certificate gets.
CREATE TABLE IF NOT EXISTS members (
    domain TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    names TEXT NOT NULL,
    enrolled BIGINT NOT NULL
);

-- Domain statements that wait for co-signatures: one for each domain, the newest.
CREATE TABLE IF NOT EXISTS pending_domains (
    domain TEXT PRIMARY KEY,
    envelope TEXT NOT NULL,
    received BIGINT NOT NULL
);

-- The catalog: the newest descriptor of every service, as its domain signed it.
CREATE TABLE IF NOT EXISTS descriptors (
    domain TEXT NOT NULL,
    service TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    envelope TEXT NOT NULL,
    PRIMARY KEY (domain, service)
);
