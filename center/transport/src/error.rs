//! Errors of the transport. Each variant says whose fault it is; `Display` names the object and never prints its source.

use std::{error::Error as StdError, path::PathBuf, time::Duration};

/// A boxed cause, kept for logs.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// What can go wrong between two ends of a connection, or with the files that make one possible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Our file: it could not be read or written.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried: `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Our file: others than its owner may read a private key.
    #[error("private key `{}` may be read by others (mode {mode:o}); make it 600", path.display())]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Our configuration: this is not the PEM it should be.
    #[error("`{object}` is not valid PEM for {expected}")]
    Pem {
        /// What was read, for example `server certificate`.
        object: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// Our configuration: certificate, key and roots do not make a TLS configuration.
    #[error("certificate, key and roots do not form a usable TLS configuration")]
    Config(#[source] Cause),
    /// The requester's fault: a certificate signing request that is malformed or not allowed.
    #[error("certificate signing request refused: {reason}")]
    Csr {
        /// Why.
        reason: &'static str,
    },
    /// Our configuration or the caller's: a name that cannot stand in a certificate.
    #[error("`{name}` cannot be a certificate name")]
    Name {
        /// The name.
        name: String,
    },
    /// Ours: the certificate authority could not sign.
    #[error("the certificate authority could not sign")]
    Ca(#[source] Cause),
    /// The caller's fault: not an `https` address with a host.
    #[error("`{url}` is not an https address")]
    Url {
        /// What was given.
        url: String,
    },
    /// Nobody answers there.
    #[error("cannot connect to `{authority}`")]
    Connect {
        /// Host and port.
        authority: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The peer is not who it should be, or it refused us.
    #[error("TLS with `{authority}` failed: {reason}")]
    Tls {
        /// Host and port.
        authority: String,
        /// What the TLS library says, one line.
        reason: String,
    },
    /// The other side needs too long.
    #[error("`{authority}` did not answer within {} ms", limit.as_millis())]
    Timeout {
        /// Host and port.
        authority: String,
        /// How long we waited.
        limit: Duration,
    },
    /// The other side sends more than we accept.
    #[error("answer of `{authority}` is larger than {limit_bytes} bytes")]
    ResponseTooLarge {
        /// Host and port.
        authority: String,
        /// The bound given with the request.
        limit_bytes: usize,
    },
    /// The connection broke or the peer does not speak HTTP.
    #[error("exchange with `{authority}` broke off")]
    Http {
        /// Host and port.
        authority: String,
        /// The HTTP library's answer.
        source: Cause,
    },
}

/// The TLS reason hidden in a chain of errors, if there is one: the HTTP layers wrap it several times.
pub(crate) fn tls_reason(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(inner) = io.get_ref()
        {
            let inner: &(dyn StdError + 'static) = inner;
            if let Some(reason) = tls_reason(inner) {
                return Some(reason);
            }
            // An alert that arrives after the handshake reaches us as text.
            if io.kind() == std::io::ErrorKind::InvalidData {
                return Some(inner.to_string());
            }
        }
        next = error.source();
    }
    None
}

/// The operating system's error hidden in a chain of errors.
pub(crate) fn io_kind(error: &(dyn StdError + 'static)) -> Option<std::io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}
