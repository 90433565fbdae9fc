//! What the operator of a server says. Whatever bounds it has a default that suits one machine's worth of callers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use tokio_rustls::rustls::ServerConfig;

/// How a server listens, whom it lets in, and what it spends on them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub place: Place,
    /// The bearer token that callers must bring, if any.
    pub token: Option<Token>,
    /// TLS, for a server on TCP.
    pub tls: Option<Arc<ServerConfig>>,
    /// The address that the metadata tell; else the one that a connection came in by.
    pub public_url: Option<String>,
    /// Whose bundles the server's engine takes.
    pub trust: fallgate::policy::bundle::Trust,
    /// What is observed at the start: signals, and their status.
    pub observed: Vec<(String, fallgate::condition::Status)>,
    /// Where audit records are written, if anywhere.
    pub audit: Option<AuditSettings>,
    /// Where the journal of inputs is written, if anywhere.
    pub journal: Option<PathBuf>,
    /// The secret that keys the identifiers of decisions; nothing for one that nobody knows.
    pub key: Option<[u8; 16]>,
    /// Connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// Requests that are being decided at once; more wait, up to the request's time.
    pub decisions_max: usize,
    /// Until when the head of a request must be there, from the first byte or from the end of the request before.
    pub header_timeout: Duration,
    /// Until when the body must be there and the answer made, from the head.
    pub request_timeout: Duration,
    /// For how long one connection is kept at the most.
    pub connection_age: Duration,
    /// How long a stopping server waits for what runs.
    pub stop_timeout: Duration,
}

/// Where audit records are written, and how.
#[derive(Clone)]
pub struct AuditSettings {
    /// The chain's folder, or its database as in `sqlite:audit.db`.
    pub place: PathBuf,
    /// The key for what must not stand in a record.
    pub key: Option<[u8; 32]>,
    /// How large a file of a folder becomes before the next one is begun.
    pub file_bytes_max: u64,
}

impl std::fmt::Debug for AuditSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditSettings").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Place {
    /// An address of the machine.
    Tcp(SocketAddr),
    /// A socket in the file system, which only its owner can connect to.
    Unix(PathBuf),
}

/// A bearer token. It is compared in constant time, and never shown.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

impl Token {
    /// How short a token may be.
    pub const BYTES_MIN: usize = 16;
    /// How long a token may be.
    pub const BYTES_MAX: usize = 4096;

    /// The token in the text of a file: all of it but the line's end.
    ///
    /// # Errors
    /// A text that is no token: too short to be a secret, too long, or with what a header cannot hold.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let token = text.strip_suffix('\n').unwrap_or(text);
        let token = token.strip_suffix('\r').unwrap_or(token);
        if !(Self::BYTES_MIN..=Self::BYTES_MAX).contains(&token.len()) {
            return Err(format!("a token has {} to {} characters", Self::BYTES_MIN, Self::BYTES_MAX));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a token is one line of printable ASCII characters without spaces".to_owned());
        }
        Ok(Self(token.as_bytes().into()))
    }

    /// Whether this is the token.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.ct_eq(given).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_in_full_and_never_shown() {
        let token = Token::from_text("0123456789abcdef\n").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in ["0123456789abcdeF", "0123456789abcde", "0123456789abcdef0", "", "0123456789abcdef\n"] {
            assert!(!token.is(other.as_bytes()), "{other}");
        }
        assert!(!format!("{token:?}").contains("0123"));
    }

    #[test]
    fn a_text_that_no_header_can_hold_is_no_token() {
        for text in
            ["", "short", "0123456789abcde", "with space 0123456789", "two\nlines-0123456789", "ümlaut-0123456789"]
        {
            assert!(Token::from_text(text).is_err(), "{text}");
        }
        assert!(Token::from_text(&"x".repeat(Token::BYTES_MAX)).is_ok());
        assert!(Token::from_text(&"x".repeat(Token::BYTES_MAX + 1)).is_err());
    }
}
