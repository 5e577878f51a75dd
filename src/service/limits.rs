//! How much the service takes, how many connections, and how long it waits.

use std::time::Duration;

/// The limits of a listener and its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Open connections, at least one. When all are taken, the longest idle one is closed for the next.
    pub max_connections: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// From the first byte of a request to the end of its headers, and from a connection to its first byte.
    pub head: Duration,
    /// From the end of the headers to the end of the body.
    pub body: Duration,
    /// How long a client may read nothing of an answer.
    pub answer: Duration,
    /// From an answer to the next request.
    pub idle: Duration,
    /// From a refusal until the client closes its side; what it sends meanwhile is thrown away.
    pub linger: Duration,
    /// From the end of accepting to the end of the last running request.
    pub drain: Duration,
}

impl HttpLimits {
    /// For the admin listener: few clients watch at a time, and what they send is short.
    pub const ADMIN: Self = Self {
        max_connections: 16,
        max_body_bytes: 0,
        linger: Duration::from_secs(1),
        drain: Duration::from_secs(1),
        ..Self::WEBHOOKS
    };

    /// For the webhook listeners, unless options say otherwise.
    pub const WEBHOOKS: Self = Self {
        max_connections: 4096,
        max_body_bytes: 256 * 1024,
        head: Duration::from_secs(10),
        body: Duration::from_secs(10),
        answer: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        linger: Duration::from_secs(2),
        drain: Duration::from_secs(10),
    };
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self::WEBHOOKS
    }
}
