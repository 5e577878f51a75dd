//! Where the outside world reaches this service: `--public-url`.

use std::fmt;
use std::str::FromStr;

use crate::twilio::signature::url::Url;

/// Scheme, host, port and path prefix under which Twilio reaches this service.
///
/// The prefix is what a reverse proxy strips from the path. Kept as it was written, but for user info, which Twilio
/// does not sign and nobody should see, and for slashes at its end.
///
/// ```
/// use twiml_responder::twilio::signature::public_url::PublicUrl;
///
/// let url: PublicUrl = "https://example.com/twilio/".parse().unwrap();
/// assert_eq!(url.to_string(), "https://example.com/twilio");
/// assert_eq!(url.join("/out-of-session?step=lost"), "https://example.com/twilio/out-of-session?step=lost");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The URL as text, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full URL as Twilio asked it; path and query as received, from their `/` on.
    #[must_use]
    pub fn join(&self, path_and_query: &str) -> String {
        [&self.0, path_and_query].concat()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a [`PublicUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicUrlError {
    /// It does not begin with `https://` or `http://`, in any letter case.
    Scheme,
    /// There is no host.
    NoHost,
    /// The host has this character, which no host has.
    HostCharacter(char),
    /// The port is no number from 1 to 65535.
    Port,
    /// There is a blank or a control character at this byte.
    Blank(usize),
    /// There is a `?`.
    Query,
    /// There is a `#`.
    Fragment,
}

impl fmt::Display for PublicUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("a public URL begins with https:// or http://"),
            Self::NoHost => f.write_str("a public URL has a host: https://HOST"),
            Self::HostCharacter(found) => write!(f, "a host has no `{found}`"),
            Self::Port => f.write_str("a port is a number from 1 to 65535"),
            Self::Blank(at) => write!(f, "a blank or control character at byte {at}"),
            Self::Query => {
                f.write_str("a public URL has no query, since each request brings its own")
            }
            Self::Fragment => f.write_str("a public URL has no fragment, since none is ever sent"),
        }
    }
}

impl std::error::Error for PublicUrlError {}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(at) = text.find(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(PublicUrlError::Blank(at));
        }
        let url = Url::parse(text).ok_or(PublicUrlError::Scheme)?;
        if !["https://", "http://"]
            .iter()
            .any(|scheme| url.scheme.eq_ignore_ascii_case(scheme))
        {
            return Err(PublicUrlError::Scheme);
        }
        if text.contains('#') {
            return Err(PublicUrlError::Fragment);
        }
        if !url.query.is_empty() {
            return Err(PublicUrlError::Query);
        }
        check_host(url.host)?;
        if let Some(port) = url.port.strip_prefix(':') {
            check_port(port)?;
        }
        Ok(Self(
            [
                url.scheme,
                url.host,
                url.port,
                url.path.trim_end_matches('/'),
            ]
            .concat(),
        ))
    }
}

fn check_host(host: &str) -> Result<(), PublicUrlError> {
    let bracketed = host
        .strip_prefix('[')
        .and_then(|address| address.strip_suffix(']'));
    let (name, fits): (&str, fn(char) -> bool) = match bracketed {
        Some(address) => (address, |c| c.is_ascii_hexdigit() || matches!(c, ':' | '.')),
        // Beyond ASCII all goes: a name that was not written in punycode is signed as it was written.
        None => (host, |c| {
            c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || !c.is_ascii()
        }),
    };
    if name.is_empty() {
        return Err(PublicUrlError::NoHost);
    }
    match name.chars().find(|&c| !fits(c)) {
        Some(found) => Err(PublicUrlError::HostCharacter(found)),
        None => Ok(()),
    }
}

fn check_port(port: &str) -> Result<(), PublicUrlError> {
    let digits_only = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if digits_only => Ok(()),
        _ => Err(PublicUrlError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_kept_as_it_was_written() {
        for (text, kept) in [
            ("https://example.com", "https://example.com"),
            ("https://example.com/", "https://example.com"),
            (
                "HTTP://Example.COM:8080/a/b/",
                "HTTP://Example.COM:8080/a/b",
            ),
            ("https://user:p@ss@example.com/x", "https://example.com/x"),
            ("https://[2001:db8::1]:8443//", "https://[2001:db8::1]:8443"),
            ("https://h_1/%7Ex;y@z:1", "https://h_1/%7Ex;y@z:1"),
            (
                "https://m\u{fc}nchen.example",
                "https://m\u{fc}nchen.example",
            ),
        ] {
            let url: PublicUrl = text.parse().expect(text);
            assert_eq!(url.to_string(), kept);
            assert_eq!(url.as_str().parse(), Ok(url));
        }
    }

    #[test]
    fn a_public_url_says_what_is_wrong() {
        for (text, message) in [
            ("", "a public URL begins with https:// or http://"),
            (
                "example.com",
                "a public URL begins with https:// or http://",
            ),
            (
                "wss://example.com",
                "a public URL begins with https:// or http://",
            ),
            (
                "ftp://example.com",
                "a public URL begins with https:// or http://",
            ),
            ("https://", "a public URL has a host: https://HOST"),
            ("https:///x", "a public URL has a host: https://HOST"),
            ("https://:443", "a public URL has a host: https://HOST"),
            ("https://user@", "a public URL has a host: https://HOST"),
            ("https://[]", "a public URL has a host: https://HOST"),
            ("https://a,https://b", "a host has no `,`"),
            ("https://a,b", "a host has no `,`"),
            ("https://[::1", "a host has no `[`"),
            ("https://[example]", "a host has no `x`"),
            ("https://h:", "a port is a number from 1 to 65535"),
            ("https://h:0", "a port is a number from 1 to 65535"),
            ("https://h:+1", "a port is a number from 1 to 65535"),
            ("https://h:65536", "a port is a number from 1 to 65535"),
            ("https://2001:db8::1", "a port is a number from 1 to 65535"),
            (" https://h", "a blank or control character at byte 0"),
            ("https://h/a b", "a blank or control character at byte 11"),
            ("https://h\n", "a blank or control character at byte 9"),
            (
                "https://h/x?",
                "a public URL has no query, since each request brings its own",
            ),
            (
                "https://h?a=1",
                "a public URL has no query, since each request brings its own",
            ),
            (
                "https://h/#a",
                "a public URL has no fragment, since none is ever sent",
            ),
        ] {
            let error = text.parse::<PublicUrl>().expect_err(text);
            assert_eq!(error.to_string(), message, "{text}");
        }
    }

    #[test]
    fn a_request_is_joined_byte_for_byte() {
        let url: PublicUrl = "https://h:8443/twilio/".parse().expect("a public URL");
        assert_eq!(url.join("/x?a=%2b&&"), "https://h:8443/twilio/x?a=%2b&&");
        assert_eq!(url.join("/"), "https://h:8443/twilio/");
        assert_eq!(url.join(""), "https://h:8443/twilio");
    }
}
