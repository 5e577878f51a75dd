//! What Twilio needs of a URL that it shall fetch, post to or connect to.

use std::fmt;

/// Why Twilio could not use a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlError {
    /// Nothing is there.
    Empty,
    /// Another scheme than those that may stand here.
    Scheme {
        /// What it must begin with.
        wanted: &'static str,
    },
    /// There is no host.
    NoHost,
    /// A character that no URL has, such as a blank.
    BadCharacter(char),
    /// The host has an underscore, which Twilio refuses.
    Underscore,
    /// The port is no number from 1 to 65535.
    Port,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Scheme { wanted } => write!(f, "it must begin with {wanted}"),
            Self::NoHost => f.write_str("it has no host"),
            Self::BadCharacter(found) => write!(f, "{found:?} cannot stand in a URL"),
            Self::Underscore => f.write_str("its host has an underscore, which Twilio refuses"),
            Self::Port => f.write_str("its port is no number from 1 to 65535"),
        }
    }
}

/// Checks an absolute `https` or `http` URL.
///
/// # Errors
///
/// Another scheme, no host, a bad port, an underscore in the host, or a character that no URL has.
pub fn check_web_url(url: &str) -> Result<(), UrlError> {
    check(url, &["https://", "http://"], "https:// or http://")
}

/// Checks an absolute `wss` URL.
///
/// # Errors
///
/// As [`check_web_url`], with the one scheme `wss`.
pub fn check_websocket_url(url: &str) -> Result<(), UrlError> {
    check(url, &["wss://"], "wss://")
}

fn check(url: &str, schemes: &[&str], wanted: &'static str) -> Result<(), UrlError> {
    if url.is_empty() {
        return Err(UrlError::Empty);
    }
    // Twilio takes characters beyond ASCII and encodes them itself; blanks, controls and these never belong.
    let bad = |character: char| {
        character.is_whitespace() || character.is_control() || "<>\"{}|\\^`".contains(character)
    };
    if let Some(found) = url.chars().find(|character| bad(*character)) {
        return Err(UrlError::BadCharacter(found));
    }
    let scheme = schemes.iter().find(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let rest = scheme
        .map(|scheme| &url[scheme.len()..])
        .ok_or(UrlError::Scheme { wanted })?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host_and_port, None),
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    if host.contains('_') {
        return Err(UrlError::Underscore);
    }
    match port.map(str::parse::<u16>) {
        None => Ok(()),
        Some(Ok(port)) if port > 0 => Ok(()),
        Some(_) => Err(UrlError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_urls_are_absolute_with_a_host() {
        for url in [
            "https://example.com",
            "http://example.com/a?b=c#rc=2&ct=1000",
            "HTTPS://user:pass@example.com:8443/x",
            "https://[2001:db8::1]:8443/x",
            "https://[2001:db8::1]/x",
            "https://example.com:65535",
            "https://münchen.example/ä",
        ] {
            assert_eq!(check_web_url(url), Ok(()), "{url}");
        }
        for (url, error) in [
            ("", "it is empty"),
            ("example.com/x", "it must begin with https:// or http://"),
            (
                "ftp://example.com",
                "it must begin with https:// or http://",
            ),
            ("https://", "it has no host"),
            ("https:///x", "it has no host"),
            ("https://example.com/a b", "' ' cannot stand in a URL"),
            ("https://example.com/{id}", "'{' cannot stand in a URL"),
            (
                "https://my_host.example",
                "its host has an underscore, which Twilio refuses",
            ),
            (
                "https://example.com:0/",
                "its port is no number from 1 to 65535",
            ),
            (
                "https://example.com:99999/",
                "its port is no number from 1 to 65535",
            ),
            (
                "https://example.com:x/",
                "its port is no number from 1 to 65535",
            ),
        ] {
            assert_eq!(
                check_web_url(url).expect_err(url).to_string(),
                error,
                "{url}"
            );
        }
    }
}
