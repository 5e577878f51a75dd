//! Recognises from its first bytes what a connection speaks instead of plain HTTP/1: for the log, so that operators
//! find a misconfigured proxy.

/// What to say about a connection that begins with these bytes; `None` when they may be HTTP/1.
pub(super) fn named(first: &[u8]) -> Option<&'static str> {
    // A record of type "handshake", <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>.
    const TLS: &[u8] = &[0x16, 0x03];
    // <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>
    const HTTP_2: &[u8] = b"PRI * HTTP/2.0";
    // <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>
    const PROXY_1: &[u8] = b"PROXY ";
    const PROXY_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    if first.starts_with(TLS) {
        Some(
            "a client speaks TLS to a listener of plain HTTP: let the proxy connect with http://, \
             or give the service --tls-cert and --tls-key",
        )
    } else if first.starts_with(HTTP_2) {
        Some("a client speaks HTTP/2 without asking first: let the proxy connect with HTTP/1.1")
    } else if first.starts_with(PROXY_1) || first.starts_with(PROXY_2) {
        Some(
            "a client sends the header of the PROXY protocol, which this service does not read: \
             switch it off in the load balancer",
        )
    } else {
        None
    }
}
